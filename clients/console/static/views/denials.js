// What was refused when it was posted, and what was asked for in vain: by rule, and for whom.

import { ask } from "../api.js";
import {
  cut,
  entryLink,
  h,
  panel,
  plural,
  reportLink,
  section,
  short,
  table,
  when,
} from "../dom.js";

const rulesOf = (d) => d.rules?.split("; ") ?? [d.why];
const asker = (d) => d.to + (d.kind ? ` ${d.kind}` : d.reader ? " reader" : "");

function heat(denied, refused) {
  const cells = new Map();
  const add = (rule, who, times, index) => {
    const key = `${rule}\n${who}`;
    const cell = cells.get(key) ?? { times: 0, index };
    cells.set(key, { times: cell.times + times, index: Math.max(cell.index, index) });
  };
  for (const d of denied) for (const rule of rulesOf(d)) add(rule, asker(d), d.times, d.index);
  for (const r of refused)
    for (const nation of r.nations?.split(", ") ?? ["?"])
      add(`refused on posting: ${r.why}`, nation, 1, r.index);
  const part = (i) => [...new Set([...cells.keys()].map((key) => key.split("\n")[i]))].sort();
  const most = Math.max(...[...cells.values()].map((c) => c.times));
  return h(
    "div",
    {
      class: "scroll",
      role: "region",
      tabindex: "0",
      "aria-label": "Denials by rule and requester",
    },
    h(
      "table",
      { class: "matrix wide" },
      h("caption", {}, "How often each rule refused, by who asked or was to receive"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "rule"),
          part(1).map((who) => h("th", { scope: "col" }, who)),
        ),
      ),
      h(
        "tbody",
        {},
        part(0).map((rule) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, rule),
            part(1).map((who) => {
              const cell = cells.get(`${rule}\n${who}`);
              if (!cell)
                return h(
                  "td",
                  { class: "none" },
                  h("span", { "aria-hidden": "true" }, "·"),
                  h("span", { class: "unseen" }, "none"),
                );
              return h(
                "td",
                { class: `heat bad-heat heat-${Math.ceil((5 * cell.times) / most)}` },
                h(
                  "a",
                  {
                    href: `#/entry/${cell.index}`,
                    "aria-label": `${plural(cell.times, "time")}: ${rule}, ${who}; newest entry`,
                  },
                  String(cell.times),
                ),
              );
            }),
          ),
        ),
      ),
    ),
  );
}

export async function show() {
  const { denied, refused, most } = await ask("denials");
  return {
    title: "Denials",
    parts: [
      section(
        "By rule and requester",
        "A number leads to the newest entry that tells of it. A denial is told with the next reading of the audit trail, at most once a day; a rule of another party is not told.",
        panel(
          denied.length + refused.length
            ? heat(denied, refused)
            : h("p", { class: "empty" }, "Nothing was refused or denied, as far as you were told."),
        ),
      ),
      section(
        "Asked for in vain",
        null,
        cut(denied, most),
        panel(
          table(
            "Denials",
            [
              { title: "Last", cell: (d) => when(d.last_time) },
              { title: "Report", cell: (d) => (d.report ? reportLink(d.report) : "") },
              { title: "For", cell: asker },
              { title: "How", cell: (d) => d.how },
              { title: "Because", cell: (d) => d.why },
              { title: "Rules", cell: (d) => d.rules ?? "" },
              { title: "Times", number: true, cell: (d) => String(d.times) },
              { title: "Told in", number: true, cell: (d) => entryLink(d.index) },
            ],
            denied,
            "Nobody asked in vain, as far as you were told.",
          ),
        ),
      ),
      section(
        "Refused when posted",
        null,
        cut(refused, most),
        panel(
          table(
            "Refused reports",
            [
              { title: "Time", cell: (r) => when(r.time) },
              { title: "Report", cell: (r) => (r.report ? short(r.report) : "") },
              { title: "Why", cell: (r) => r.why },
              { title: "Nations", cell: (r) => r.nations ?? "" },
              { title: "Signer", cell: (r) => (r.requester ? short(r.requester) : "") },
              { title: "Entry", number: true, cell: (r) => entryLink(r.index) },
            ],
            refused,
            "No report of ours was refused.",
          ),
        ),
      ),
    ],
  };
}
