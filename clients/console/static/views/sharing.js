// Who shared what with whom: a matrix, and flows by what is known of the reports.

import { ask } from "../api.js";
import { picture } from "../chart.js";
import { address, cut, entryLink, h, panel, plural, reportLink, section, table } from "../dom.js";

const BY = {
  region: [
    "Region",
    (f, names) => f.label?.regions.map((code) => (names[code] ? `${code} ${names[code]}` : code)),
  ],
  threat: [
    "Threat",
    (f) => f.label && [...new Set(f.label.threats.map((path) => path.split(".")[0]))],
  ],
  classification: ["Classification", (f) => f.label?.classifications],
  precedence: ["Precedence", (f) => f.precedence?.split(",")],
};
const UNTOLD = "not told";
const PALETTE = ["a", "b", "c", "d", "e", "f", "g", "i"];

function matrix(pairs, own) {
  const nations = [...new Set([own, ...pairs.flatMap((p) => [p.originator, p.recipient])])];
  nations.sort((x, y) => (y === own) - (x === own) || x.localeCompare(y));
  const at = new Map(pairs.map((p) => [`${p.originator} ${p.recipient}`, p]));
  const most = Math.max(1, ...pairs.map((p) => p.reports));
  const cell = (from, to) => {
    const pair = at.get(`${from} ${to}`);
    if (!pair)
      return from === own || to === own
        ? NONE()
        : h(
            "td",
            { class: "unknown", title: "does not concern you" },
            h("span", { class: "unseen" }, "does not concern you"),
          );
    const words = `${plural(pair.reports, "report")} from ${from} to ${to}`;
    return h(
      "td",
      { class: `heat heat-${Math.ceil((5 * pair.reports) / most)}` },
      h(
        "a",
        {
          href: address("entries", { type: "release", originator: from, to }),
          "aria-label": words,
          title: `${words}, ${plural(pair.releases, "release")}`,
        },
        String(pair.reports),
      ),
    );
  };
  return h(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": "Matrix of sharing" },
    h(
      "table",
      { class: "matrix" },
      h(
        "caption",
        { class: "unseen" },
        "Reports released: originator in the rows, recipient in the columns",
      ),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "from \\ to"),
          nations.map((n) => h("th", { scope: "col" }, n)),
        ),
      ),
      h(
        "tbody",
        {},
        nations.map((from) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, from),
            nations.map((to) => cell(from, to)),
          ),
        ),
      ),
    ),
  );
}

function flows(all, by, names) {
  const between = all.filter((f) => f.originator !== f.recipient);
  const words = (f) => BY[by][1](f, names)?.filter(Boolean) ?? [];
  const links = new Map();
  const add = (source, target, flow) => {
    const key = `${source}\n${target}`;
    links.set(key, [...(links.get(key) ?? []), flow]);
  };
  for (const flow of between)
    for (const word of words(flow).length ? words(flow) : [UNTOLD]) {
      add(`from ${flow.originator}`, word, flow);
      add(word, `to ${flow.recipient}`, flow);
    }
  const places = [...new Set([...links.keys()].flatMap((key) => key.split("\n")))];
  const nations = [...new Set(between.flatMap((f) => [f.originator, f.recipient]))].sort();
  const told = between.filter((f) => words(f).length).length;
  const rows = [...links]
    .filter(([key]) => !key.startsWith("from "))
    .map(([key, found]) => ({ word: key.split("\n")[0], to: key.split("\n")[1].slice(3), found }));
  rows.sort((x, y) => y.found.length - x.found.length);
  const note =
    told === between.length
      ? null
      : h(
          "p",
          { class: "note" },
          by === "precedence"
            ? "Where nothing was told, the view was erased."
            : `The journal holds labels as digests, so it does not say the ${by} of ${plural(between.length - told, "release")} of ${between.length}. Give the reports that you hold with --reports: their labels are bound to the journal by the report's identity.`,
        );
  const ends = (key) => key.split("\n");
  return [
    note,
    picture({
      title: `Flows by ${by}`,
      about: `${plural(between.length, "release")} between nations, from originator over ${by} to recipient.`,
      size: places.length > 24 ? "tall" : "",
      option: (ink, width) => ({
        series: [
          {
            type: "sankey",
            left: 4,
            right: width < 500 ? 64 : 84,
            top: 8,
            bottom: 8,
            nodeWidth: 12,
            nodeGap: width < 500 ? 6 : 10,
            draggable: false,
            emphasis: { focus: "adjacency" },
            label: {
              color: ink.ink,
              fontSize: width < 500 ? 10 : 12,
              width: width < 500 ? 92 : 190,
              overflow: "truncate",
            },
            lineStyle: { opacity: 0.35 },
            data: places.map((name) => {
              const nation = /^(from|to) (.*)$/.exec(name)?.[2];
              return {
                name,
                itemStyle: {
                  color: nation
                    ? ink[PALETTE[nations.indexOf(nation) % PALETTE.length]]
                    : ink.muted,
                  borderWidth: 0,
                },
              };
            }),
            links: [...links].map(([key, found]) => ({
              source: ends(key)[0],
              target: ends(key)[1],
              value: found.length,
              found,
              lineStyle: { color: key.startsWith("from ") ? "source" : "target" },
            })),
          },
        ],
        tooltip: {
          formatter: (p) =>
            p.dataType === "edge"
              ? `${p.data.source} → ${p.data.target}: ${plural(p.data.value, "report")}`
              : p.name,
        },
      }),
      table: table(
        `Flows by ${by}`,
        [
          { title: BY[by][0], cell: (r) => r.word },
          { title: "To", cell: (r) => r.to },
          { title: "Reports", number: true, cell: (r) => String(r.found.length) },
          {
            title: "Entries",
            cell: (r) =>
              r.found
                .slice(0, 12)
                .flatMap((f) => [
                  entryLink(f.index, `Entry ${f.index}: release to ${f.recipient}`),
                  " ",
                ]),
          },
        ],
        rows,
      ),
      onclick: (p) =>
        p.dataType === "edge"
          ? p.data.found.length === 1
            ? `#/entry/${p.data.found[0].index}`
            : follow(p.data)
          : address("entries", {
              type: "release",
              ...(p.name.startsWith("from ")
                ? { originator: p.name.slice(5) }
                : p.name.startsWith("to ")
                  ? { to: p.name.slice(3) }
                  : {}),
            }),
    }),
  ];
}

const follow = ({ source, target }) =>
  address("entries", {
    type: "release",
    originator: source.startsWith("from ") ? source.slice(5) : null,
    to: target.startsWith("to ") ? target.slice(3) : null,
  });

const NONE = () =>
  h(
    "td",
    { class: "none" },
    h("span", { "aria-hidden": "true" }, "·"),
    h("span", { class: "unseen" }, "none"),
  );

export async function show(_, words) {
  const [{ pairs, flows: all, names, most }, { nation }] = await Promise.all([
    ask("sharing"),
    ask("whose"),
  ]);
  const by = BY[words.by] ? words.by : all.some((f) => f.label) ? "region" : "precedence";
  const tabs = h(
    "div",
    { class: "choices", role: "group", "aria-label": "Flows by" },
    Object.entries(BY).map(([name, [title]]) =>
      h(
        "a",
        { href: address("sharing", { by: name }), "aria-current": name === by ? "true" : null },
        title,
      ),
    ),
  );
  return {
    title: "Who shared what with whom",
    parts: [
      section(
        "Matrix",
        `Reports released: originator in the rows, recipient in the columns, as far as it concerns ${nation}. A number leads to its releases; hatched fields do not concern you, and your evidence holds nothing of them.`,
        panel(
          pairs.length
            ? matrix(pairs, nation)
            : h("p", { class: "empty" }, "Nothing was released yet."),
        ),
      ),
      section(
        "Flows",
        "From originator to recipient, one line a report. Reports that went to their own nation are left out.",
        panel(
          tabs,
          ...(all.some((f) => f.originator !== f.recipient)
            ? flows(all, by, names)
            : [h("p", { class: "empty" }, "Nothing went from one nation to another yet.")]),
        ),
      ),
      section(
        "Reports",
        null,
        cut(all, most),
        panel(
          table(
            "Reports released",
            [
              { title: "Report", cell: (f) => reportLink(f.report) },
              { title: "From", cell: (f) => f.originator },
              { title: "To", cell: (f) => f.recipient },
              { title: "Precedence", cell: (f) => f.precedence ?? UNTOLD },
              { title: "Region", cell: (f) => f.label?.regions.join(", ") ?? UNTOLD },
              { title: "Threat", cell: (f) => f.label?.threats.join(", ") ?? UNTOLD },
              { title: "Entry", number: true, cell: (f) => entryLink(f.index) },
            ],
            all.filter((f) => f.originator !== f.recipient),
            "None yet.",
          ),
        ),
      ),
    ],
  };
}
