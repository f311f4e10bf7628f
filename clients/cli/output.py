"""What the commands print: tables and colours where people look, one JSON object a line where
programs look.

Text from reports and from the broker may hold anything; terminal control characters never reach
the terminal.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from typing import Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from wire.errors import Malformed

STYLES = {"FLASH": "bold white on red", "IMMEDIATE": "bold red", "PRIORITY": "yellow"}
OUTCOMES = {"RELEASE": "green", "REFER": "yellow", "WITHHOLD": "red"}

console = Console(highlight=False, emoji=False)
errors = Console(stderr=True, highlight=False, emoji=False)

_NOTHING = "[none][/none]"  # markup that shows nothing


def show_any_text() -> None:
    """Let a terminal that knows fewer letters show the others as their codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def clean(text: str) -> str:
    """Foreign text for a terminal: no control characters, no markup; every other one as it is."""
    plain = _plain(text)
    body = plain.rstrip("\\")
    tail = len(plain) - len(body)  # backslashes that would escape whatever markup comes next
    return escape(body) + ("\\" * 2 * tail + _NOTHING if tail else "")


def plain_line(text: str) -> str:
    """Foreign text on one line, for where no markup is read: no control characters."""
    return _plain(" ".join(text.split("\n")))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text.expandtabs(4))


def clean_line(text: str) -> str:
    """The same for what has to stay on one line."""
    return clean(" ".join(text.split("\n")))


def line(fields: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output, at once."""
    utf = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(fields, ensure_ascii=not utf)
    # JSON escapes C0 only; what else steers a terminal is escaped as well, and means the same.
    sys.stdout.write("".join(c if c.isprintable() else _escaped(c) for c in text) + "\n")
    sys.stdout.flush()


def plain(text: str) -> None:
    """A line for other programs, as it is: whoever made it let no control character through."""
    sys.stdout.write(text + "\n")


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]  # two surrogates beyond the first plane


def say(text: str) -> None:
    """A line for people; markup is ours. A terminal breaks it, not we."""
    console.print(text, soft_wrap=True)


def note(text: str) -> None:
    """A line beside the results, on standard error; markup is ours."""
    errors.print(text, soft_wrap=True)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for people; cells are foreign text. Where the screen is too narrow for a table whose
    words are whole, each row is a few lines: an identity cut short is of no use to anybody.
    """
    names = list(columns)
    cells = [[Text.from_markup(cell, emoji=False) for cell in row] for row in rows]
    widths = _widths([names, *([cell.plain for cell in row] for row in cells)])
    if widths is None:
        _records(title, names, cells)
        return
    grid = Table(title=title, title_justify="left", title_style="bold")
    for name, width in zip(names, widths, strict=True):
        grid.add_column(name, width=width)
    for row in cells:
        grid.add_row(*row)
    console.print(grid)


def _widths(rows: Sequence[Sequence[str]]) -> list[int] | None:
    """The width of each column, so that no word is broken; None if the screen is too narrow."""
    columns = list(zip(*rows, strict=True))
    words = [
        max(cell_len(w) for cell in column for w in cell.split() or [""]) for column in columns
    ]
    lines = [
        max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns
    ]
    spare = console.width - sum(words) - 3 * len(words) - 1
    if spare < 0:
        return None
    widths = words[:]
    for place in sorted(range(len(words)), key=lambda place: lines[place] - words[place]):
        more = min(spare, lines[place] - words[place])  # who wants least is given it first
        widths[place] += more
        spare -= more
    return widths


def _records(title: str, names: Sequence[str], rows: Iterable[Iterable[Text]]) -> None:
    console.print(Text(title, "bold"))
    for row in rows:
        fields = Table.grid(padding=(0, 2))
        fields.add_column(style="dim")
        fields.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            if cell.plain:
                fields.add_row(f"  {name}", cell)
        console.print(fields)
        console.print()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone, unless the answer was given beforehand."""
    if yes:
        return
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:  # nobody to answer, or Ctrl-C: the question still stands on this line
        typer.echo(err=True)
        sure = False
    if not sure:
        raise Malformed("bad-input", "no yes, so nothing was done; --yes answers beforehand")
