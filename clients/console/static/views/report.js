// Reports, and one report's life: accepted, released, asked for in vain, recalled, confirmed.

import { ask } from "../api.js";
import { picture } from "../chart.js";
import {
  address,
  cut,
  entryLink,
  h,
  moment,
  panel,
  plural,
  reportLink,
  section,
  short,
  table,
  tag,
  verdict,
  when,
} from "../dom.js";

// A nation's code, or the beginning of an identity.
const asked = (text) =>
  /^[A-Za-z]{3}$/.test(text) && !/^[a-f]{3}$/.test(text)
    ? { with: text.toUpperCase() }
    : { report: text.toLowerCase() };

export async function list(_, words) {
  const rows = h("div", {});
  let turn = 0;
  const fill = async (text) => {
    const mine = ++turn;
    const { reports, most } = await ask("reports", asked(text.trim()));
    if (mine !== turn) return; // somebody typed on
    rows.replaceChildren(
      cut(reports, most) ?? "",
      table(
        "Reports",
        [
          { title: "Report", cell: (r) => reportLink(r.report) },
          { title: "From", cell: (r) => r.originator ?? "" },
          { title: "First", cell: (r) => when(r.first_time) },
          {
            title: "Released to",
            cell: (r) => r.recipients?.split(",").sort().join(", ") ?? "nobody yet",
          },
          {
            title: "Now",
            cell: (r) => (r.recalled_time ? tag("recalled", "warn") : tag("current")),
          },
          { title: "Newest entry", number: true, cell: (r) => entryLink(r.index) },
        ],
        reports,
        text ? "No report of yours is called that, or went there." : "No report concerns you yet.",
      ),
    );
  };
  const field = h("input", {
    type: "search",
    id: "find",
    autocomplete: "off",
    spellcheck: "false",
    value: words.find ?? "",
    input: () => {
      history.replaceState(null, "", address("reports", { find: field.value }));
      fill(field.value);
    },
  });
  await fill(field.value);
  return {
    title: "Reports",
    parts: [
      h(
        "p",
        { class: "about" },
        "What your nation sent, got, or that draws on what it sent. The journal names reports by identity; what they say is sealed.",
      ),
      h(
        "div",
        { class: "form" },
        h("div", {}, h("label", { for: "find" }, "Find by identity or nation"), field),
      ),
      panel(rows),
    ],
  };
}

const KINDS = {
  "report.accepted": [
    "accepted",
    "good",
    (e) =>
      `The broker accepted it from ${e.originator}, signed by ${e.actor?.slice(0, 16) ?? "a member"}.`,
  ],
  release: [
    "released",
    "accent",
    (e) =>
      `${e.detail === "display" ? "Shown to" : "Released to"} ${e.recipient}${e.actor ? `, reader ${e.actor.slice(0, 16)}` : ""}.`,
  ],
  "report.expired": ["expired", "warn", () => "Its time was over: payload and keys were deleted."],
  "report.erased": [
    "erased",
    "warn",
    () => "Payload and keys were erased, by order of its nation.",
  ],
  "report.refused": ["refused", "bad", (e) => `Refused: ${e.slug}.`],
  "report.recall": ["recalled", "warn", (e) => `${e.author} took it back.`],
  "recall.confirm": ["confirmed", "good", (e) => `${e.author} says what became of its copies.`],
  "report.release": ["consent", "accent", (e) => `${e.author} let it go further.`],
  approval: ["approved", "accent", (e) => `An officer of ${e.author} agreed.`],
  "report.complaint": ["complaint", "bad", (e) => `${e.author} complained.`],
};

function step(e) {
  const [word, colour, words] = KINDS[e.spoke ?? e.type] ?? [
    e.spoke ?? e.type,
    "",
    () => e.detail ?? "",
  ];
  return h(
    "li",
    {},
    h("p", { class: "when" }, when(e.time), " ", entryLink(e.index)),
    h("p", {}, tag(word, colour), " ", words(e)),
    e.banner && h("p", { class: "banner" }, e.banner),
    e.rules && h("p", { class: "rules" }, "Permitted by ", e.rules),
  );
}

const refusal = (d) =>
  h(
    "li",
    {},
    h("p", { class: "when" }, when(d.time), " ", entryLink(d.index)),
    h(
      "p",
      {},
      tag("denied", "bad"),
      ` ${d.recipient} asked in vain${d.times > 1 ? ` ${plural(d.times, "time")}` : ""} (${d.how}): ${d.because ?? "not for this reader"}.`,
    ),
    d.rules && h("p", { class: "rules" }, "Refused by ", d.rules),
  );

// Sources to the left, what draws on it to the right, who got what below each other.
function provenance(report, found) {
  const nodes = new Map();
  const edges = [];
  const node = (id, name, depth, kind, to) =>
    nodes.has(id) || nodes.set(id, { id, name, depth, kind, to });
  node(report, report.slice(0, 8), 1, "own", null);
  const releases = found.life.filter((e) => e.type === "release");
  const from = found.life.find((e) => e.originator)?.originator;
  if (from) {
    node(`from ${from}`, from, 0, "nation", null);
    edges.push({
      source: `from ${from}`,
      target: report,
      words: "accepted from",
      to: found.life[0]?.index,
    });
  }
  for (const e of releases) {
    if (!nodes.has(`to ${e.recipient}`))
      edges.push({
        source: report,
        target: `to ${e.recipient}`,
        words: "released to",
        to: e.index,
      });
    node(`to ${e.recipient}`, e.recipient, 2, "nation", null);
  }
  for (const d of found.drawn) {
    const other = d.source === report ? d.report : d.source;
    if (!other) continue;
    if (!nodes.has(other))
      edges.push(
        d.source === report
          ? { source: report, target: other, words: "drawn on by", to: d.index }
          : { source: other, target: report, words: "draws on", to: d.index },
      );
    node(other, other.slice(0, 8), d.source === report ? 2 : 0, "report", `#/report/${other}`);
  }
  const by = (depth) => [...nodes.values()].filter((n) => n.depth === depth);
  const places = new Map(
    [0, 1, 2].flatMap((depth) =>
      by(depth).map((n, i, all) => [n.id, [depth, (i + 0.5) / all.length]]),
    ),
  );
  const name = (id) => nodes.get(id).name;
  return picture({
    title: "Provenance",
    about: `${plural(edges.length, "step")} from source to holder.`,
    size: nodes.size > 9 ? "" : "low",
    option: (ink, width) => ({
      grid: { left: width < 500 ? 44 : 90, right: width < 500 ? 78 : 130, top: 20, bottom: 28 },
      xAxis: { show: false, min: 0, max: 2 },
      yAxis: { show: false, min: 0, max: 1, inverse: true },
      series: [
        {
          type: "graph",
          layout: "none",
          coordinateSystem: "cartesian2d",
          roam: false,
          edgeSymbol: ["none", "arrow"],
          edgeSymbolSize: 8,
          label: { show: true, color: ink.ink, fontSize: width < 500 ? 10 : 12 },
          edgeLabel: {
            show: width >= 500,
            color: ink.muted,
            fontSize: 11,
            formatter: (p) => (p.data.words === "released to" ? "" : p.data.words),
            position: "middle",
          },
          lineStyle: { color: ink.muted, width: 1.5, opacity: 1 },
          data: [...nodes.values()].map((n) => ({
            id: n.id,
            name: n.name,
            to: n.to,
            value: places.get(n.id),
            label: { position: ["left", "bottom", "right"][n.depth] },
            symbol: n.kind === "nation" ? "circle" : "roundRect",
            symbolSize: n.kind === "nation" ? 22 : [30, 22],
            itemStyle: { color: ink[{ own: "accent", nation: "b", report: "d" }[n.kind]] },
          })),
          links: edges,
        },
      ],
    }),
    table: table(
      "Provenance",
      [
        { title: "From", cell: (e) => name(e.source) },
        { title: "How", cell: (e) => e.words },
        {
          title: "To",
          cell: (e) =>
            nodes.get(e.target).to
              ? h("a", { href: nodes.get(e.target).to }, name(e.target))
              : name(e.target),
        },
        { title: "Entry", number: true, cell: (e) => entryLink(e.to) },
      ],
      edges,
    ),
    onclick: (p) => (p.dataType === "edge" ? `#/entry/${p.data.to}` : p.data.to),
  });
}

function outcomes(portions) {
  const nations = [...new Set(portions.map((p) => p.nation))].sort();
  const parts = [...new Set(portions.map((p) => p.part))];
  const of = (part, nation) =>
    portions.find((p) => p.part === part && p.nation === nation)?.outcome;
  return table(
    "Portions and what was decided when it was accepted",
    [
      { title: "Portion", cell: (part) => String(part) },
      {
        title: "Label (SHA-256)",
        cell: (part) => short(portions.find((p) => p.part === part).label),
      },
      ...nations.map((n) => ({
        title: n,
        cell: (part) =>
          of(part, n)
            ? tag(of(part, n), { RELEASE: "good", REFER: "warn", WITHHOLD: "bad" }[of(part, n)])
            : "·",
      })),
    ],
    parts,
  );
}

export async function show(name) {
  const found = await ask(`report/${name}`);
  const steps = [
    ...found.life.map((e) => [e.time, step(e)]),
    ...found.denied.map((d) => [d.time, refusal(d)]),
  ].sort((a, b) => a[0] - b[0]);
  const recall = found.life.find((e) => e.spoke === "report.recall");
  const holders = [
    ...new Set(found.life.filter((e) => e.type === "release").map((e) => e.recipient)),
  ].sort();
  return {
    title: `Report ${name.slice(0, 16)}`,
    parts: [
      recall &&
        verdict(
          "warn",
          "Recalled",
          h(
            "p",
            {},
            `${recall.author} took it back on ${moment(recall.time)}: `,
            entryLink(recall.index),
          ),
        ),
      panel(
        h(
          "dl",
          { class: "pairs" },
          h("dt", {}, "Identity"),
          h("dd", {}, h("code", { class: "long" }, found.report)),
          h("dt", {}, "Received by"),
          h("dd", { id: "receivers" }, holders.length ? holders.join(", ") : "nobody yet"),
          h("dt", {}, "Label"),
          h(
            "dd",
            {},
            found.label
              ? `${found.label.classifications.join(", ")} · ${found.label.regions.join(", ")} · ${found.label.threats.join(", ")}`
              : "not held here; the journal has its digest",
          ),
        ),
      ),
      section(
        "Its life",
        "Every entry of yours that names it, in the order of the journal.",
        panel(
          h(
            "ol",
            { class: "life" },
            steps.map(([, item]) => item),
          ),
        ),
      ),
      section(
        "Provenance",
        "Where it came from, which nations got it, and what draws on it, as far as the journal names it to you.",
        panel(provenance(found.report, found)),
      ),
      found.portions.length
        ? section(
            "Portions",
            "What was decided for each nation when it was accepted.",
            panel(outcomes(found.portions)),
          )
        : null,
    ].filter(Boolean),
  };
}
