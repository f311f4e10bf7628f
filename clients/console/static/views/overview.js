// Green or red, how old, confirmed by whom, and what contradicts itself.

import { ask } from "../api.js";
import {
  address,
  age,
  entryLink,
  h,
  moment,
  panel,
  plural,
  section,
  short,
  table,
  verdict,
  when,
} from "../dom.js";

// "entry 97 releases …": the number leads to the entry.
function linked(words) {
  const match = /^(.*?\bat index |entry )(\d+)(.*)$/s.exec(words);
  return match ? [match[1], entryLink(match[2]), match[3]] : [words];
}

const days = (n) => (n === null ? "for ever" : plural(n, "day"));

const fact = (name, ...value) =>
  h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, ...value));

export async function show() {
  const s = await ask("status");
  const findings = [
    ...(s.recheck ? [`stored evidence was altered: ${s.recheck}`] : []),
    ...s.findings,
  ];
  const cosigners = Object.keys(s.cosigned_by).sort();
  const confirmed =
    s.cosigned_age_s === null
      ? [
          "no quorum yet",
          `${s.quorum} of ${plural(s.witnesses, "witness", "witnesses")} are needed`,
        ]
      : [
          `${age(s.cosigned_age_s)} ago`,
          `${cosigners.length} of ${s.witnesses} witnesses, ${s.quorum} needed`,
        ];
  return {
    title: "Overview",
    parts: [
      verdict(
        s.good ? "good" : "bad",
        s.good
          ? "Complete and unaltered"
          : findings.length
            ? "Something is wrong"
            : "Not up to date",
        h(
          "p",
          {},
          s.recheck
            ? "The pull was whole; what is stored of it no longer is."
            : s.good
              ? `All ${s.entries} entries that concern ${s.nation}, and ${s.mission_entries} of the mission, in one journal of ${s.size}. ${s.recheck === null ? "There is too much of it to prove again at each start." : "All that is stored was proven again, and compared with what the pictures count, when this console started."}`
              : `${s.verdict[0].toUpperCase()}${s.verdict.slice(1)}.`,
        ),
        findings.length
          ? h(
              "ul",
              {},
              findings.map((words) => h("li", {}, ...linked(words))),
            )
          : null,
      ),
      h(
        "dl",
        { class: "facts" },
        fact(
          "Journal",
          h("strong", {}, s.size.toLocaleString("en")),
          h("small", {}, `entries; root ${s.root.slice(0, 12)}…`),
        ),
        fact(
          `Concern ${s.nation}`,
          h("strong", {}, s.entries.toLocaleString("en")),
          h("small", {}, `and ${s.mission_entries} of the mission`),
        ),
        fact("Newest cosignature", h("strong", {}, confirmed[0]), h("small", {}, confirmed[1])),
        fact(
          "Confirmed",
          h("strong", {}, s.quorum ? (s.confirmed ? "all" : "not yet all") : "not asked for"),
          h(
            "small",
            {},
            s.confirmed_size ? `that concerns us, in a tree of ${s.confirmed_size}` : "no tree yet",
          ),
        ),
        fact(
          "Checkpoint",
          h("strong", {}, `${age(s.age_s)} old`),
          h("small", {}, `newest entry ${moment(s.newest_ms)}`),
        ),
        fact(
          "Findings",
          h("strong", { class: findings.length ? "bad" : "good" }, findings.length || "none"),
          h("small", {}, "where the history contradicts itself"),
        ),
        fact("Erased", h("strong", {}, s.erased), h("small", {}, "views; their proofs hold")),
        fact(
          "Pulls",
          h("strong", {}, s.trees),
          h("small", {}, "trees, each extends the one before"),
        ),
      ),
      section(
        "What happened",
        `Entries that concern ${s.nation}, by type.`,
        panel(
          table(
            "Entries by type",
            [
              {
                title: "Type",
                cell: (r) => h("a", { href: address("entries", { type: r.type }) }, r.type),
              },
              { title: "Entries", number: true, cell: (r) => String(r.entries) },
              { title: "Newest", number: true, cell: (r) => entryLink(r.index) },
            ],
            s.types,
          ),
        ),
      ),
      section(
        "What was erased, and by whose order",
        null,
        panel(
          table(
            "Erased by order",
            [
              {
                title: "Order",
                cell: (r) => h("a", { href: "#/question/erased" }, short(r.order)),
              },
              { title: "Up to", cell: (r) => when(r.before * 1000) },
              { title: "Views missing here", number: true, cell: (r) => String(r.views) },
            ],
            s.erased_by,
            "Nothing.",
          ),
          s.ordered.map((r) =>
            h(
              "p",
              { class: "note" },
              "Ordered: views are kept ",
              days(r.views),
              ", payloads ",
              days(r.payloads),
              ". It counts from ",
              when(r.counts_from * 1000),
              "; what you pull before, you keep. Order ",
              short(r.order),
              ".",
            ),
          ),
        ),
      ),
      section(
        "What all of it rests on",
        null,
        panel(
          h(
            "dl",
            { class: "pairs" },
            h("dt", {}, "Mission"),
            h("dd", {}, `${s.mission}: ${s.name}${s.exercise ? " (exercise)" : ""}`),
            h("dt", {}, "Charter"),
            h("dd", {}, h("code", { class: "long" }, s.charter)),
            h("dt", {}, "Root"),
            h("dd", {}, h("code", { class: "long" }, s.root)),
            h("dt", {}, "Cosigned by"),
            h("dd", {}, cosigners.length ? cosigners.join(", ") : "nobody yet"),
            h("dt", {}, "Labels"),
            h(
              "dd",
              {},
              s.labels_held
                ? `of ${plural(s.labels_held, "report")} that you hold`
                : "none given; see --reports",
            ),
          ),
        ),
      ),
    ],
  };
}
