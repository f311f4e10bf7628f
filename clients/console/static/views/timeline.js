// How much happened when, and what changed between: policies, recalls, revocations, admissions.

import { ask } from "../api.js";
import { picture } from "../chart.js";
import { address, age, entryLink, h, moment, panel, section, table, tag, when } from "../dom.js";

const KINDS = {
  accepted: ["Reports accepted", "a", "report.accepted"],
  released: ["Releases", "b", "release"],
  refused: ["Refused and denied", "bad", "report.refused"],
  said: ["Statements of ours", "d", "statement"],
  read: ["Readings of the trail", "g", "audit.read"],
  other: ["Other", "muted", null],
};
export const MARKS = {
  "policy.publish": ["policy", "accent"],
  "report.recall": ["recall", "warn"],
  "member.revoke": ["revoked", "bad"],
  "retention.set": ["retention", "warn"],
  "witness.set": ["witness", "muted"],
  "nation.admit": ["admitted", "good"],
  "nation.expel": ["expelled", "bad"],
  "mission.continue": ["continued after a loss", "bad"],
};
const change = (m) => `${MARKS[m.what][0]}${m.version ? ` v${m.version}` : ""}`;
const named = (m) => `${change(m)} ${m.nation}`;

// Lines that stand too close to be told apart are one, and lead to the first.
const together = (marks, near) =>
  marks.reduce((groups, mark) => {
    const last = groups.at(-1);
    if (last && mark.time - last[0].time < near) last.push(mark);
    else groups.push([mark]);
    return groups;
  }, []);

export async function show() {
  const found = await ask("timeline");
  if (!found.last)
    return { parts: [panel(h("p", { class: "empty" }, "Nothing concerns you yet."))] };
  const { step } = found;
  const start = Math.floor(found.first / step) * step;
  const at = (kind) =>
    new Map(found.pace.filter((p) => p.kind === kind).map((p) => [p.start, p.entries]));
  const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, at(kind)]));
  for (const { start: when, entries } of found.denied)
    counts.refused.set(when, (counts.refused.get(when) ?? 0) + entries);
  const starts = [];
  for (let when = start; when <= found.last; when += step) starts.push(when);
  // The founding was before anything was shared: its policies stand in the table, not in the picture.
  const marks = found.marks.filter((m) => m.time >= start && m.time <= found.last + step).reverse();
  const label = (when) =>
    step >= 86400000
      ? moment(when).slice(5, 10)
      : step >= 60000
        ? moment(when).slice(5, 16)
        : moment(when).slice(11, 19);
  const kinds = Object.keys(KINDS).filter((kind) => counts[kind].size);
  const rows = starts.filter((when) => kinds.some((kind) => counts[kind].get(when)));
  const span = (when, kind) =>
    address("entries", { type: KINDS[kind][2], since: when, until: when + step });
  return {
    title: "Timeline",
    parts: [
      section(
        "What happened when",
        `One column is ${age(step / 1000)}; lines mark what changed the rules. A column leads to its entries, a line to its own.`,
        panel(
          picture({
            title: "Timeline",
            about: `${rows.length} steps with entries, ${marks.length} changes.`,
            size: "tall",
            option: (ink, width) => ({
              grid: {
                left: 8,
                right: 16,
                top: width < 500 ? 108 : 60,
                bottom: 8,
                containLabel: true,
              },
              legend: {
                top: 0,
                left: 0,
                itemWidth: 12,
                itemHeight: 10,
                textStyle: { color: ink.muted, fontSize: 12 },
                inactiveColor: ink.line,
              },
              xAxis: {
                type: "time",
                min: start,
                max: starts.at(-1) + step,
                axisLabel: { color: ink.muted, hideOverlap: true, formatter: label },
                axisLine: { lineStyle: { color: ink.line } },
              },
              yAxis: {
                type: "value",
                minInterval: 1,
                axisLabel: { color: ink.muted },
                splitLine: { lineStyle: { color: ink.line } },
              },
              series: kinds.map((kind, i) => ({
                name: KINDS[kind][0],
                kind,
                type: "bar",
                stack: "all",
                barWidth: Math.max(2, Math.min(22, (0.8 * width) / starts.length)),
                itemStyle: { color: ink[KINDS[kind][1]] },
                data: starts.map((when) => [when + step / 2, counts[kind].get(when) ?? 0, when]),
                ...(i
                  ? {}
                  : {
                      markLine: {
                        symbol: ["none", "none"],
                        silent: false,
                        data: together(marks, ((found.last - start) * 110) / width).map((some) => {
                          const [m, words] = [
                            some[0],
                            some.length > 1 ? `${some.length} changes` : named(some[0]),
                          ];
                          return {
                            xAxis: m.time,
                            name: words,
                            index: m.index,
                            lineStyle: { color: ink[MARKS[m.what][1]], type: "dashed", width: 1.5 },
                            label: {
                              formatter: words,
                              color: ink.ink,
                              fontSize: 11,
                              position: "end",
                              distance: 4,
                              align: m.time - start < (found.last - start) / 12 ? "left" : "center",
                            },
                          };
                        }),
                      },
                    }),
              })),
            }),
            table: table(
              "Entries by step",
              [
                { title: "From", cell: when },
                ...kinds.map((kind) => ({
                  title: KINDS[kind][0],
                  number: true,
                  cell: (when) => {
                    const n = counts[kind].get(when);
                    return n
                      ? h(
                          "a",
                          {
                            href: kind === "refused" ? "#/denials" : span(when, kind),
                            "aria-label": `${n} ${KINDS[kind][0]}`,
                          },
                          String(n),
                        )
                      : "";
                  },
                })),
              ],
              rows,
            ),
            onclick: (p) =>
              p.componentType === "markLine"
                ? `#/entry/${p.data.index}`
                : p.seriesName === KINDS.refused[0]
                  ? "#/denials"
                  : span(p.data[2], kinds[p.seriesIndex]),
          }),
        ),
      ),
      section(
        "What changed",
        "Policies of all nations, recalls that concern you, revoked members, orders to erase, other keys of witnesses, who came and went.",
        panel(
          table(
            "Changes",
            [
              { title: "Time", cell: (m) => when(m.time) },
              { title: "What", cell: (m) => tag(change(m), MARKS[m.what][1]) },
              { title: "Nation", cell: (m) => m.nation },
              { title: "Entry", number: true, cell: (m) => entryLink(m.index) },
            ],
            found.marks,
          ),
        ),
      ),
    ],
  };
}
