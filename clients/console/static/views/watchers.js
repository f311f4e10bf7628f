// Who watched the watchers: every reading of the trail is an entry of the trail.

import { ask } from "../api.js";
import { picture } from "../chart.js";
import { cut, entryLink, h, moment, panel, plural, section, short, table, when } from "../dom.js";

export async function show() {
  const { readings, own, most } = await ask("watchers");
  const readers = [...new Set(readings.map((r) => r.reader))];
  const name = (reader) =>
    (reader ? reader.slice(0, 8) : "erased") + (reader === own ? " (you)" : "");
  const rows = readers.map((reader) => ({
    reader,
    of: readings.filter((r) => r.reader === reader),
  }));
  return {
    title: "Who watched the watchers",
    parts: [
      section(
        "Readings of the trail",
        "To look is to be seen: each reading of your nation's entries, and of the cases that wait for its officers, is an entry of its own.",
        panel(
          readings.length
            ? picture({
                title: "Readings",
                about: `${plural(readings.length, "reading")} by ${plural(readers.length, "member")}.`,
                size: readers.length < 4 ? "strip" : "low",
                option: (ink, width) => ({
                  grid: { left: 8, right: 24, top: 12, bottom: 8, containLabel: true },
                  xAxis: {
                    type: "time",
                    boundaryGap: ["2%", "2%"],
                    axisLabel: {
                      color: ink.muted,
                      hideOverlap: true,
                      formatter: (v) => moment(v).slice(5, width < 500 ? 10 : 16),
                    },
                    axisLine: { lineStyle: { color: ink.line } },
                    splitLine: { show: true, lineStyle: { color: ink.line } },
                  },
                  yAxis: {
                    type: "category",
                    data: readers.map(name),
                    axisLabel: {
                      color: ink.ink,
                      fontFamily: "ui-monospace, monospace",
                      fontSize: 11,
                    },
                    axisLine: { show: false },
                    axisTick: { show: false },
                    splitLine: { show: true, lineStyle: { color: ink.line } },
                  },
                  series: [
                    {
                      type: "scatter",
                      symbolSize: 12,
                      itemStyle: { color: ink.accent, opacity: 0.75 },
                      data: readings.map((r) => [r.time, name(r.reader), r.index]),
                    },
                  ],
                }),
                table: table(
                  "By reader",
                  [
                    { title: "Reader", cell: (r) => (r.reader ? short(r.reader) : "erased") },
                    { title: "Readings", number: true, cell: (r) => String(r.of.length) },
                    { title: "First", cell: (r) => when(r.of.at(-1).time) },
                    { title: "Last", cell: (r) => when(r.of[0].time) },
                    { title: "Newest entry", number: true, cell: (r) => entryLink(r.of[0].index) },
                  ],
                  rows,
                ),
                onclick: (p) => `#/entry/${p.data[2]}`,
              })
            : h("p", { class: "empty" }, "Nobody has looked yet."),
        ),
      ),
      section(
        "One by one",
        null,
        cut(readings, most),
        panel(
          table(
            "Readings",
            [
              { title: "Time", cell: (r) => when(r.time) },
              {
                title: "What",
                cell: (r) => (r.type === "audit.read" ? "audit trail" : "waiting cases"),
              },
              {
                title: "Reader",
                cell: (r) => [
                  r.reader ? short(r.reader) : "erased",
                  r.reader === own ? " you" : "",
                ],
              },
              { title: "After entry", number: true, cell: (r) => r.after ?? "" },
              { title: "Denials told", number: true, cell: (r) => r.denials ?? "" },
              { title: "Entry", number: true, cell: (r) => entryLink(r.index) },
            ],
            readings,
            "None.",
          ),
        ),
      ),
    ],
  };
}
