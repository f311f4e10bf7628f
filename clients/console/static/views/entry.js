// One entry, and whether its proof holds: found out here, in the browser.

import { ask } from "../api.js";
import { entryLink, h, moment, panel, reportLink, section, short, verdict } from "../dom.js";
import { STEPS, prove } from "../proof.js";

const LONG = 160; // characters without a space
const WORDS = { good: "holds", bad: "does not hold", skip: "not checked" };

function value(name, said) {
  if (Array.isArray(said))
    return said.length
      ? typeof said[0] === "object"
        ? h(
            "ul",
            { class: "inner" },
            said.map((one) => h("li", {}, tree(one))),
          )
        : said.map((one, i) => [i ? ", " : "", value(name, one)])
      : "none";
  if (said !== null && typeof said === "object")
    return Object.keys(said).length ? tree(said) : "none";
  if (["report", "sources"].includes(name) && /^[0-9a-f]{64}$/.test(said)) return reportLink(said);
  if (name === "accepted") return entryLink(said);
  if (/time$|^first$|^last$|^issued$|^created$/.test(name) && Number.isSafeInteger(said))
    return moment(said * 1000);
  if (typeof said === "string" && /^[0-9a-f]{32,}$/.test(said)) return short(said);
  if (typeof said === "string" && said.length > LONG && !said.includes(" ")) return long(said);
  return said === null ? "none" : String(said);
}

// A key or a signature: its beginning, and the whole of it for who wants that.
const long = (said) =>
  h(
    "details",
    { class: "long" },
    h("summary", {}, h("code", {}, `${said.slice(0, 24)}…`), ` ${said.length} characters`),
    h("code", {}, said),
  );

const tree = (object) =>
  typeof object !== "object" || object === null
    ? value("", object)
    : h("dl", { class: "pairs" }, pairs(object));

const pairs = (object) =>
  Object.entries(object).flatMap(([name, said]) => [
    h("dt", {}, name.replaceAll("_", " ")),
    h("dd", {}, value(name, said)),
  ]);

const list = (steps) =>
  h(
    "ol",
    { class: "steps" },
    steps.map(({ name, state, words }) =>
      h(
        "li",
        { class: state, "data-step": name },
        h(
          "span",
          { class: "sign", "aria-hidden": "true" },
          { good: "✓", bad: "✗", skip: "–" }[state],
        ),
        h(
          "div",
          {},
          h(
            "p",
            {},
            h("strong", {}, STEPS[name]),
            h("span", { class: "state" }, ` ${WORDS[state]}`),
          ),
          h("p", { class: "words" }, words),
        ),
      ),
    ),
  );

function part(told, shown, { steps, found, good }) {
  const bad = steps.find((step) => step.state === "bad");
  const link = found.link;
  return [
    verdict(
      good ? "good" : "bad",
      good ? "Proven in this browser" : "Altered: this entry does not hold",
      h(
        "p",
        {},
        good
          ? `Entry ${told.index} of ${shown.channel} stands in the journal that the log signed, with these words.`
          : `${STEPS[bad.name]}: ${bad.words}. Keep the evidence file and the time, and tell the other nations' auditors.`,
      ),
    ),
    section(
      "What it says",
      good ? null : "What is below a step that does not hold was not proven, and is not shown.",
      panel(
        found.view === undefined
          ? h("p", { class: "empty" }, "Nothing of it is proven.")
          : [
              h(
                "dl",
                { class: "pairs" },
                h("dt", {}, "entry"),
                h("dd", {}, link.type),
                h("dt", {}, "time"),
                h("dd", {}, moment(link.time)),
                h("dt", {}, "number"),
                h("dd", {}, `${link.count} of ${link.channel}`),
                found.view === null ? [] : pairs(found.view),
              ),
              found.view === null &&
                h(
                  "p",
                  { class: "empty" },
                  "Its view was erased; its proof holds. By whose order: ",
                  shown.erased_by.length
                    ? shown.erased_by.map((index, i) => [i ? ", " : "entry ", entryLink(index)])
                    : "nothing says so.",
                ),
            ].filter(Boolean),
      ),
    ),
    section(
      "Proof",
      "Each step was computed by this page, from the bytes below it.",
      panel(list(steps)),
    ),
    found.said?.body
      ? section(
          "The statement",
          `SHA-256 ${found.said.identity.slice(0, 16)}…, which the entry names.`,
          panel(
            h(
              "details",
              {},
              h("summary", {}, `${found.said.head.type} of ${found.said.head.nation}`),
              tree(found.said.body),
            ),
          ),
        )
      : null,
    section(
      "The bytes",
      null,
      panel(
        h(
          "details",
          {},
          h("summary", {}, "Evidence as it was pulled, and the signed checkpoint"),
          h("pre", { tabindex: "0" }, h("code", {}, JSON.stringify(shown.evidence, null, 1))),
          h("pre", { tabindex: "0" }, h("code", {}, shown.checkpoint)),
        ),
      ),
    ),
  ].filter(Boolean);
}

export async function show(name, words) {
  const told = await ask(`entry/${name}`);
  const shown = told.shown.find((one) => one.channel === words.channel) ?? told.shown[0];
  const proven = await prove(told, shown);
  const channels =
    told.shown.length > 1
      ? h(
          "p",
          { class: "choices", role: "group", "aria-label": "Channel" },
          told.shown.map((one) =>
            h(
              "a",
              {
                href: `#/entry/${told.index}?channel=${one.channel}`,
                "aria-current": one === shown ? "true" : null,
              },
              one.channel,
            ),
          ),
        )
      : null;
  return {
    title: `Entry ${told.index}`,
    parts: [
      channels,
      ...part(told, shown, proven),
      h(
        "p",
        { class: "more" },
        "For a court: ",
        h("code", {}, `tearline audit prove ${told.index} --as DIR`),
      ),
    ].filter(Boolean),
  };
}
