// The console: sign in, find the view that the address names, show it. The address is all the state
// there is, so a link, a reload and the back button lead to the same page.

import { Refused, SignedOut, ask, signIn, signOut } from "./api.js";
import { redraw } from "./chart.js";
import { h, verdict } from "./dom.js";
import * as denials from "./views/denials.js";
import * as entries from "./views/entries.js";
import * as entry from "./views/entry.js";
import * as overview from "./views/overview.js";
import * as question from "./views/question.js";
import * as report from "./views/report.js";
import * as sharing from "./views/sharing.js";
import * as timeline from "./views/timeline.js";
import * as watchers from "./views/watchers.js";

const VIEWS = {
  overview: [overview.show, "Overview"],
  sharing: [sharing.show, "Sharing"],
  timeline: [timeline.show, "Timeline"],
  denials: [denials.show, "Denials"],
  reports: [report.list, "Reports"],
  entries: [entries.show, "Entries"],
  watchers: [watchers.show, "Watchers"],
  questions: [question.list, "Questions"],
  report: [report.show, "A report's life", "reports"],
  entry: [entry.show, "An entry and its proof", "entries"],
  question: [question.show, "A question", "questions"],
};
const THEMES = ["system", "light", "dark"];

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const leave = document.getElementById("leave");
const theme = document.getElementById("theme");
let turn = 0;

nav.append(
  h(
    "ul",
    {},
    Object.entries(VIEWS)
      .filter(([, v]) => !v[2])
      .map(([name, [, title]]) =>
        h("li", {}, h("a", { href: `#/${name}`, "data-view": name }, title)),
      ),
  ),
);

function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map(decodeURIComponent);
  return {
    view: view || "overview",
    name: rest.join("/"),
    words: Object.fromEntries(new URLSearchParams(query ?? "")),
  };
}

async function show() {
  const code = /^#sign-in=([0-9a-f]{64})$/.exec(location.hash)?.[1];
  const mine = ++turn;
  let why = code ? "link" : "session";
  try {
    if (code) {
      history.replaceState(null, "", "/console#/overview"); // the code leaves the address at once
      await signIn(code);
      why = "cookie";
    }
    const { view, name, words } = place();
    const [render, title, under] = VIEWS[view] ?? [];
    current(under ?? view);
    main.setAttribute("aria-busy", "true");
    const page = render ? await render(name, words) : missing();
    if (mine !== turn) return; // another view was asked for meanwhile
    const heading = h("h1", { tabindex: "-1" }, page.title ?? title ?? "No such page");
    main.replaceChildren(heading, ...page.parts);
    document.title = `${heading.textContent} · Tearline audit`;
    inside();
    heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  } catch (error) {
    if (mine === turn) failed(error, why);
  } finally {
    if (mine === turn) main.removeAttribute("aria-busy");
  }
}

function current(view) {
  for (const link of nav.querySelectorAll("a"))
    if (link.dataset.view === view) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
}

function inside() {
  nav.hidden = leave.hidden = false;
  if (!document.getElementById("whose").textContent)
    ask("whose").then(
      ({ mission, nation, exercise }) => {
        document.getElementById("whose").textContent =
          `${mission} · ${nation}'s auditor${exercise ? " · EXERCISE" : ""}`;
      },
      () => {},
    );
}

const missing = () => ({
  title: "No such page",
  parts: [
    h("p", {}, "Nothing has this address. ", h("a", { href: "#/overview" }, "To the overview")),
  ],
});

const OUT = {
  link: "This link is not good: it was used already, is older than two minutes, or was not copied whole.",
  cookie:
    "The link was good, but this browser did not keep the session's cookie. Use another browser, or serve the console over TLS with --certificate and --key.",
  session: "There is no session here. A session ends after a quarter of an hour without a request.",
};

function failed(error, why) {
  if (error instanceof SignedOut) {
    nav.hidden = leave.hidden = true;
    document.getElementById("whose").textContent = "";
    main.replaceChildren(
      h("h1", { tabindex: "-1" }, "Sign in"),
      h("p", {}, OUT[why]),
      h(
        "p",
        {},
        "On the machine that holds your evidence, run this, and open the link that it prints:",
      ),
      h("pre", { tabindex: "0" }, h("code", {}, "tearline audit console --as DIR")),
    );
    document.title = "Sign in · Tearline audit";
  } else if (error.slug === "not-found") {
    inside();
    main.replaceChildren(
      h("h1", { tabindex: "-1" }, "Not there"),
      h(
        "p",
        {},
        "No entry or report that concerns you is called that. ",
        h("a", { href: "#/overview" }, "To the overview"),
      ),
    );
    document.title = "Not there · Tearline audit";
  } else {
    const words =
      error instanceof Refused
        ? [error.message, error.advice]
        : ["this page failed", String(error)];
    main.replaceChildren(
      h("h1", { tabindex: "-1" }, "That did not work"),
      verdict("bad", words[0], h("p", {}, words[1] ?? "")),
    );
    document.title = "Refused · Tearline audit";
  }
  main.querySelector("h1").focus({ preventScroll: true });
}

function themed(name) {
  document.documentElement.dataset.theme = name;
  theme.textContent = `Theme: ${name}`;
  localStorage.setItem("theme", name);
  redraw();
}

theme.addEventListener("click", () =>
  themed(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]),
);
themed(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
leave.addEventListener("click", async () => {
  await signOut();
  failed(new SignedOut(), "session");
});
document.getElementById("skip").addEventListener("click", () => main.focus());
window.addEventListener("hashchange", show);
show();
