// Elements, tables and words: everything on a page is made here, of text, never of markup.

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// A date and a time of day; a narrow table may put one below the other.
export const when = (ms) => {
  const [date, time] = moment(ms).split(" ");
  return h("time", {}, h("span", {}, date), time ? [" ", h("span", {}, time)] : []);
};

export const moment = (ms) =>
  ms === null || ms === undefined
    ? ""
    : new Date(ms).toISOString().slice(0, 19).replace("T", " ") + "Z";

export function age(seconds) {
  for (const [unit, length] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ])
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

export const short = (hex) => h("code", { title: hex }, hex.slice(0, 16));

export const entryLink = (index, words) =>
  h(
    "a",
    {
      class: "entry",
      href: `#/entry/${index}`,
      "aria-label": words ?? `Entry ${index} and its proof`,
    },
    String(index),
  );

export const reportLink = (report) =>
  h("a", { href: `#/report/${report}`, class: "mono", title: report }, report.slice(0, 16));

export function address(view, words = {}) {
  const query = new URLSearchParams(
    Object.entries(words).filter(([, v]) => v !== null && v !== undefined && v !== ""),
  );
  return `#/${view}${query.size ? `?${query}` : ""}`;
}

// Columns: {title, cell(row), number}. A table that is wider than the screen scrolls by itself.
export function table(caption, columns, rows, empty = "Nothing.") {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  return h(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((c) => h("th", { scope: "col", class: c.number && "number" }, c.title)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            columns.map((c) => h("td", { class: c.number && "number" }, c.cell(row) ?? "")),
          ),
        ),
      ),
    ),
  );
}

export const section = (title, about, ...inside) =>
  h("section", {}, h("h2", {}, title), about && h("p", { class: "about" }, about), ...inside);

export const panel = (...inside) => h("div", { class: "panel" }, ...inside);

// A verdict is a word, a sign and a colour: none of them alone.
export const verdict = (state, title, ...inside) =>
  h(
    "div",
    { class: `verdict ${state}`, role: "status" },
    h(
      "span",
      { class: "sign", "aria-hidden": "true" },
      { good: "✓", bad: "✗", wait: "…", warn: "!" }[state],
    ),
    h("div", {}, h("p", { class: "headline" }, title), ...inside),
  );

// What is not shown is said.
export const cut = (rows, most) =>
  rows.length < most
    ? null
    : h(
        "p",
        { class: "note" },
        `Only the newest ${most} are shown; tearline audit ask has all of them.`,
      );

export const tag = (word, kind = "") => h("span", { class: `tag ${kind}` }, word);
