"""`--display`: a report on the screen of now, and nowhere else.

What a nation may only look at is shown page by page on the terminal's second screen, which leaves
nothing to scroll back to, under its banner and over a watermark that names who looks and when.
Nothing is written to a file, a pipe or the store. Who looks can still retype or photograph it: the
watermark then says who did (`docs/threat-model.md`).
"""

import datetime as dt
import os
import sys
from typing import Final

import anyio
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from clients.cli import output, shown
from clients.identity import Identity
from clients.opened import OpenedReport
from wire.errors import Malformed
from wire.labels import DISPLAY

KEEPS: Final = frozenset({DISPLAY, "NO PRINT", "WATERMARK"})
"""The duties that a screen of this kind keeps; another word in a label is not for it."""

EVERY: Final = 6  # lines of text under each line of the watermark: no photograph without one
FEWEST: Final = 3  # lines of text on a page of the smallest terminal
FRAME: Final = 4  # columns of the frame
AROUND: Final = 4  # rows of the frame, of the last watermark and of the last line


def check_screen(*, elsewhere: bool) -> None:
    """Refuse to show where a copy would stay; `elsewhere` says that other output was asked for.

    Raises `Malformed` ("bad-input").
    """
    if elsewhere:
        raise Malformed("bad-input", "--display keeps no copy: leave out --json and --save")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Malformed("bad-input", "--display shows on a terminal only, not in a pipe or file")


def watermark(identity: Identity, now: float) -> str:
    """Who looks, and when."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    return f"SHOWN TO {identity.nation} {identity.kid} {moment:%Y-%m-%d %H:%M:%SZ}"


def pages(report: OpenedReport, mark: str, console: Console) -> list[Group]:
    """The report cut into pages of this terminal, each with its banner above and below."""
    width, height = console.size
    banner = Text(output.plain_line(report.banner), style="bold reverse", justify="center")
    rows = len(banner.wrap(console, width))
    room = max(FEWEST, height - 2 * rows - AROUND)
    lines = list(shown.written(report).wrap(console, max(1, width - FRAME)))
    here = max(1, room - room // (EVERY + 1))
    cut = [lines[at : at + here] for at in range(0, len(lines), here)]
    return [
        Group(
            banner,
            Panel(_marked(page, mark), border_style="blue"),
            banner,
            Text(f"page {number} of {len(cut)}; Enter goes on", style="dim"),
        )
        for number, page in enumerate(cut, 1)
    ]


def _marked(lines: list[Text], mark: str) -> Text:
    marked = []
    for at in range(0, len(lines), EVERY):
        marked += [*lines[at : at + EVERY], Text(mark, style="dim italic", no_wrap=True)]
    return Text("\n").join(marked)


async def show(report: OpenedReport, identity: Identity, now: float) -> None:
    """Show it until its reader has gone through all pages; then it is gone."""
    console = output.console
    with console.screen(hide_cursor=True) as screen:
        for page in pages(report, watermark(identity, now), console):
            screen.update(page)
            await _enter()


async def _enter() -> None:
    """Wait for the Enter key. A terminal that was closed interrupts."""
    await anyio.wait_readable(sys.stdin)
    if not os.read(sys.stdin.fileno(), 4_096):
        raise KeyboardInterrupt
