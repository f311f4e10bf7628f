// The auditor's twenty-four questions, each as a table.

import { ask } from "../api.js";
import { address, entryLink, h, panel, reportLink, section, short, table, when } from "../dom.js";

const WORDS = {
  report: "Report",
  who: "Member",
  to: "Nation",
  policy: "Policy version or statement",
  index: "Entry",
  days: "Days of silence",
  hours: "Hours around",
};

export async function list() {
  const { questions } = await ask("questions");
  return {
    title: "Questions",
    parts: [
      h("p", { class: "about" }, "What auditors ask, answered from verified entries."),
      h(
        "ol",
        { class: "questions" },
        questions.map((q) =>
          h(
            "li",
            { value: q.number },
            h("a", { href: `#/question/${q.name}` }, q.asks),
            " ",
            h("code", {}, q.name),
          ),
        ),
      ),
    ],
  };
}

function cell(name, value) {
  if (value === null || value === undefined) return "";
  if (["index", "missing", "accepted", "accepted_index"].includes(name)) return entryLink(value);
  if (name === "time" || name.endsWith("_time")) return when(value);
  if (name === "report") return /^[0-9a-f]{64}$/.test(value) ? reportLink(value) : String(value);
  if (typeof value === "string" && /^[0-9a-f]{32,}( [0-9a-f]{32,})*$/.test(value))
    return value.split(" ").map((one, i) => [i ? " " : "", short(one)]);
  if (typeof value === "string" && value.includes("\n")) return h("pre", {}, value);
  return String(value);
}

export async function show(name, words) {
  const { questions } = await ask("questions");
  const known = questions.find((q) => q.name === name || String(q.number) === name);
  if (!known)
    return {
      title: "No such question",
      parts: [h("p", {}, h("a", { href: "#/questions" }, "All questions"))],
    };
  const needs = known.needs.filter((need) => WORDS[need]);
  const takes = [...new Set([...needs, "report", "to", "who"])];
  const missing = needs.filter((need) => !words[need] && !["days", "hours"].includes(need));
  const form = h(
    "form",
    {
      class: "form",
      submit: (event) => {
        event.preventDefault();
        location.hash = address(`question/${known.name}`, Object.fromEntries(new FormData(form)));
      },
    },
    takes.map((word) =>
      h(
        "div",
        {},
        h("label", { for: `q-${word}` }, WORDS[word] + (needs.includes(word) ? " (needed)" : "")),
        h("input", {
          id: `q-${word}`,
          name: word,
          value: words[word] ?? "",
          autocomplete: "off",
          spellcheck: "false",
          inputmode: ["index", "days", "hours"].includes(word) ? "numeric" : null,
        }),
      ),
    ),
    h("button", { type: "submit" }, "Ask"),
  );
  const parts = [
    h("p", { class: "about" }, `Question ${known.number}, `, h("code", {}, known.name)),
  ];
  if (known.needs.includes("with"))
    parts.push(
      panel(
        h(
          "p",
          {},
          "It needs a partner's evidence file: ",
          h("code", {}, "tearline audit reconcile --with FILE --as DIR"),
        ),
      ),
    );
  else if (missing.length)
    parts.push(
      form,
      h(
        "p",
        { class: "note" },
        `Say first: ${missing.map((word) => WORDS[word].toLowerCase()).join(", ")}.`,
      ),
    );
  else {
    const answer = await ask(`question/${known.name}`, words);
    const names = Object.keys(answer.rows[0] ?? {});
    parts.push(
      form,
      panel(
        table(
          known.asks,
          names.map((one) => ({
            title: one.replaceAll("_", " "),
            number:
              answer.rows.every((row) => row[one] === null || typeof row[one] === "number") &&
              !one.endsWith("time"),
            cell: (row) => cell(one, row[one]),
          })),
          answer.rows,
          "Nothing, as far as your evidence says.",
        ),
      ),
      answer.more
        ? h(
            "p",
            { class: "note" },
            `The first ${answer.rows.length} rows; tearline audit ask ${known.name} has all of them.`,
          )
        : null,
      answer.limits ? h("p", { class: "note" }, answer.limits) : null,
    );
  }
  return { title: known.asks, parts: parts.filter(Boolean) };
}
