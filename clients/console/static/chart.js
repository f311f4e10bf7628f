// Pictures: Apache ECharts on a canvas, which needs no inline style and no markup. Beside each stands
// the same as a table, for those who do not see it or have no mouse.

import { h } from "./dom.js";

let library;
const drawn = new Set();

// The colours of the page's theme, as a canvas needs them.
export function colours() {
  const probe = document.body.appendChild(h("span", { class: "unseen" }));
  const of = (name) => {
    probe.className = `unseen ink-${name}`;
    return getComputedStyle(probe).color;
  };
  const names = [
    "ink",
    "muted",
    "line",
    "surface",
    "good",
    "bad",
    "warn",
    "accent",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "i",
  ];
  const found = Object.fromEntries(names.map((name) => [name, of(name)]));
  probe.remove();
  return found;
}

const common = (ink) => ({
  animation: false,
  textStyle: { color: ink.ink, fontFamily: "system-ui, sans-serif" },
  tooltip: {
    renderMode: "richText",
    confine: true,
    backgroundColor: ink.surface,
    borderColor: ink.line,
    textStyle: { color: ink.ink, fontSize: 12 },
  },
});

// {title, about, size: "tall" | "low", option(ink, width), table, onclick(params) -> address}
export function picture({ title, about, size = "", option, table, onclick }) {
  const plot = h("div", { class: `plot ${size}`, role: "img", "aria-label": `${title}. ${about}` });
  const figure = h(
    "figure",
    {},
    plot,
    h("details", { class: "as-table" }, h("summary", {}, "As a table"), table),
  );
  let chart;
  const draw = () => {
    const ink = colours();
    const [base, own] = [common(ink), option(ink, plot.clientWidth)];
    chart.setOption({ ...base, ...own, tooltip: { ...base.tooltip, ...own.tooltip } }, true);
  };
  const watcher = new ResizeObserver(async () => {
    if (!plot.isConnected) {
      watcher.disconnect();
      drawn.delete(draw);
      chart?.dispose();
      return;
    }
    if (!plot.clientWidth) return;
    library ??= import("./vendor/echarts.esm.min.mjs");
    const echarts = await library;
    if (!chart) {
      chart = echarts.init(plot, null, { renderer: "canvas" });
      chart.on("finished", () => plot.setAttribute("data-drawn", ""));
      chart.on("click", (params) => {
        const to = onclick?.(params);
        if (to) location.hash = to;
      });
      drawn.add(draw);
    } else chart.resize();
    draw();
  });
  watcher.observe(plot);
  return figure;
}

export const redraw = () => drawn.forEach((draw) => draw());
