"""A person at a browser: what a page shows, and whether it complained about anything."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.week import Lived
from tests.clients.console.serving import Served

CHROMIUM = Path(shutil.which("chromium") or "/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDE, NARROW = 1280, 390
Scheme = Literal["light", "dark"]
SETTLED = "main:not([aria-busy]) h1"
DRAWN = "() => !document.querySelector('.plot:not([data-drawn])')"
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of the system; nothing is downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """One window on one console."""

    page: Page
    served: Served
    complaints: list[str] = field(default_factory=list)

    def to(self, view: str) -> "Window":
        """Go to a view by its address, and wait until it is there with its pictures."""
        self.page.goto(f"{self.served.url}#/{view}")
        return self.settled()

    def settled(self) -> "Window":
        self.page.wait_for_selector(SETTLED)
        self.page.wait_for_function(DRAWN)
        return self

    @property
    def heading(self) -> str:
        return self.page.inner_text("h1")

    @property
    def text(self) -> str:
        """All words of the page, also those of closed parts."""
        return str(self.page.evaluate("() => document.querySelector('main').textContent"))

    @property
    def verdict(self) -> tuple[str, str]:
        """The colour of the verdict, and its words."""
        found = self.page.locator(".verdict").first
        return str(found.get_attribute("class")).split()[-1], found.inner_text()

    def told(self, path: str) -> Any:
        """What the page gets when it asks."""
        script = "async (p) => (await import('/console/static/api.js')).ask(p)"
        return self.page.evaluate(script, path)

    def hears(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@contextmanager
def windows(
    browser: Browser, served: Served, width: int = WIDE, scheme: Scheme = "light"
) -> Iterator[Window]:
    """A fresh window, signed in by a link of its own; at the end nothing was complained about:
    no error of a script, nothing that the page's policy refused.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    window = Window(page, served)
    page.on("console", window.hears)
    page.on("pageerror", lambda error: window.complaints.append(str(error)))
    try:
        page.goto(served.link())
        page.wait_for_selector("h1:text-is('Overview')")
        yield window
        assert window.complaints == []
    finally:
        context.close()


@dataclass(frozen=True)
class Seen:
    """What one view showed: its words, what axe-core found, and how much too wide it was."""

    text: str
    violations: str
    overflow: int


def tour(window: Window, week: Lived) -> dict[str, Seen]:
    """Look at every view once."""
    axe, found = Axe(), {}
    for name, view in views(window, week).items():
        results = axe.run(window.to(view).page)
        report = results.generate_report() if results.violations_count else ""
        found[name] = Seen(window.text, report, window.page.evaluate(OVERFLOW))
    window.complaints[:] = [c for c in window.complaints if "404" not in c]
    return found


def views(window: Window, week: Lived) -> dict[str, str]:
    """Every view by a name, with its address."""
    release = window.told("entries?type=release&originator=KEN&to=GBR")["entries"][0]["index"]
    spoken = window.told("entries?type=statement")["entries"][0]["index"]
    return {
        "overview": "overview",
        "sharing": "sharing",
        "threat": "sharing?by=threat",
        "timeline": "timeline",
        "denials": "denials",
        "reports": "reports",
        "recalled": f"report/{week.recalled}",
        "source": f"report/{week.source}",
        "watchers": "watchers",
        "questions": "questions",
        "question": "question/refusals",
        "asked": f"question/holders?report={week.recalled}",
        "entries": "entries",
        "entry": f"entry/{release}",
        "statement": f"entry/{spoken}?channel=MISSION",
        "nothing": "report/0000000000000000000000000000000000000000000000000000000000000000",
        "nowhere": "no-such-view",
    }
