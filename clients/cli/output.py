"""What the commands print: tables and colours where people look, one JSON object a line where
programs look.

Text from reports and from the broker may hold anything; terminal control characters never reach
the terminal.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import typer
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
    text = json.dumps(fields, ensure_ascii=False)
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
    """A table for people; cells are foreign text."""
    grid = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*(Text.from_markup(cell, emoji=False) for cell in row))
    console.print(grid)


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
