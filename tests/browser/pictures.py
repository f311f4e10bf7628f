"""The pictures of the console in `docs/images/`, made anew: `python -m tests.browser.pictures`.

A week is lived, and its views are taken at both widths, in both themes; one entry is edited on the
disk first, so that there is one to see in red.
"""

import sys
import tempfile
from pathlib import Path

import anyio

from tests.browser.looking import NARROW, WIDE, Scheme, Window, chromium, views, windows
from tests.browser.test_journeys import read_view, write_view
from tests.browser.week import Clock, lived, piloted
from tests.clients.console.serving import desk_of, serving

FOLDER = Path(__file__).parents[2] / "docs/images"
SHOTS: tuple[tuple[str, int, int, Scheme], ...] = (
    ("overview", WIDE, 860, "light"),
    ("sharing", WIDE, 1_010, "light"),
    ("timeline", WIDE, 940, "dark"),
    ("denials", WIDE, 900, "light"),
    ("source", WIDE, 1_380, "light"),
    ("entry", WIDE, 1_420, "light"),
    ("altered", WIDE, 900, "light"),
    ("watchers", WIDE, 700, "dark"),
    ("overview", NARROW, 844, "dark"),
    ("sharing", NARROW, 1_200, "light"),
    ("entry", NARROW, 1_200, "light"),
    ("timeline", NARROW, 844, "dark"),
)


def take(window: Window, view: str, path: Path, height: int) -> None:
    """One picture, as high as is asked for."""
    window.page.set_viewport_size({"width": window.page.evaluate("innerWidth"), "height": height})
    window.to(view)
    window.page.screenshot(path=path)


def main(folder: Path) -> None:
    """Take all of them."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as home:
        with piloted(Path(home), clock) as pilot:
            week = anyio.run(lived, pilot, clock)
        desk = desk_of(week.auditors["KEN"], week.labels(Path(home, "sent")))
        with serving(desk) as console, chromium() as browser:
            for name, width, height, scheme in SHOTS:
                with windows(browser, console, width, scheme) as window:
                    known = views(window, week)
                    path = folder / f"console-{name}-{width}.png"
                    if name != "altered":
                        take(window, known[name], path, height)
                        continue
                    index = int(known["entry"].partition("/")[2])
                    file = week.auditors["KEN"].state / "evidence.sqlite3"
                    view = read_view(file, index)
                    write_view(file, index, '{"report":"00","to":"FRA"}')
                    take(window, known["entry"], path, height)
                    write_view(file, index, view)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
