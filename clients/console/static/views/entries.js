// Entries that a filter leaves; the filter is in the address.

import { ask } from "../api.js";
import {
  address,
  entryLink,
  h,
  moment,
  panel,
  plural,
  reportLink,
  short,
  table,
  tag,
  when,
} from "../dom.js";

const FIELDS = { type: "Type", report: "Report", originator: "From", to: "To", who: "Member" };

export async function show(_, words) {
  const { entries, next } = await ask("entries", words);
  const fields = Object.entries(FIELDS).map(([name, title]) => [
    h("label", { for: `f-${name}` }, title),
    h("input", {
      id: `f-${name}`,
      name,
      value: words[name] ?? "",
      autocomplete: "off",
      spellcheck: "false",
    }),
  ]);
  const form = h(
    "form",
    {
      class: "form",
      submit: (event) => {
        event.preventDefault();
        const said = Object.fromEntries(new FormData(form));
        location.hash = address("entries", { ...said, since: words.since, until: words.until });
      },
    },
    fields.map(([label, input]) => h("div", {}, label, input)),
    h(
      "div",
      { class: "check" },
      h("input", {
        type: "checkbox",
        id: "f-mission",
        name: "mission",
        value: "1",
        ...(words.mission === "1" ? { checked: true } : {}),
      }),
      h("label", { for: "f-mission" }, "Mission's entries as well"),
    ),
    h("button", { type: "submit" }, "Filter"),
    h("a", { href: "#/entries", class: "quiet" }, "All"),
  );
  const span = words.since
    ? h(
        "p",
        { class: "note" },
        `From ${moment(Number(words.since))} to ${moment(Number(words.until))}.`,
      )
    : null;
  return {
    title: "Entries",
    parts: [
      form,
      span,
      panel(
        table(
          "Entries",
          [
            { title: "Entry", number: true, cell: (e) => entryLink(e.index) },
            { title: "Time", cell: (e) => when(e.time) },
            { title: "Type", cell: (e) => tag(e.type) },
            { title: "What", cell: (e) => (e.erased ? "erased" : (e.detail ?? "")) },
            { title: "Report", cell: (e) => (e.report ? reportLink(e.report) : "") },
            { title: "From", cell: (e) => e.originator ?? e.author ?? "" },
            { title: "To", cell: (e) => e.recipient ?? "" },
            { title: "Member", cell: (e) => (e.actor ? short(e.actor) : "") },
          ],
          entries,
          "No entry of yours is like that.",
        ),
      ),
      h(
        "p",
        { class: "more" },
        `${plural(entries.length, "entry", "entries")} `,
        next !== null
          ? h("a", { href: address("entries", { ...words, before: next }) }, "Older entries")
          : "",
      ),
    ].filter(Boolean),
  };
}
