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
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clients.open import OpenedReport

STYLES = {"FLASH": "bold white on red", "IMMEDIATE": "bold red", "PRIORITY": "yellow"}
OUTCOMES = {"RELEASE": "green", "REFER": "yellow", "WITHHOLD": "red"}

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def clean(text: str) -> str:
    """Foreign text for a terminal: no control characters, no markup."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text))


def line(fields: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output, at once."""
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line for people; markup is ours. A terminal breaks it, not we."""
    console.print(text, soft_wrap=True)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for people; cells are foreign text."""
    grid = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*(Text.from_markup(cell) for cell in row))
    console.print(grid)


def report_fields(report: OpenedReport, proof: Mapping[str, Any]) -> dict[str, Any]:
    """A report as `--json` shows it."""
    first = report.portions[0]
    return {
        "report": report.identity,
        "id": report.id,
        "originator": report.originator,
        "created": report.created,
        "banner": report.banner,
        "title": report.title,
        "body": report.body,
        "precedence": first.label.precedence,
        "regions": list(first.label.regions),
        "threats": list(first.label.threats),
        "portions": [
            {
                "index": p.index,
                "mark": p.mark,
                "banner": p.banner,
                "classification": p.label.classification,
                "release_to": list(p.label.release_to),
                "title": p.title,
                "body": p.body,
                "media_type": p.media_type,
                "attachments": [
                    {"id": a.id, "name": a.name, "media_type": a.media_type, "len": a.len}
                    for a in p.attachments
                ],
            }
            for p in report.portions
        ],
        "closed": [{"index": c.index, "reason": c.reason.slug} for c in report.closed],
        "proof": dict(proof),
    }


def show_report(report: OpenedReport, proof: Mapping[str, Any]) -> None:
    """A report as people read it: banner above and below, every portion with its mark."""
    parts = []
    for portion in report.portions:
        parts.append(f"[bold]{clean(portion.mark)} {clean(portion.title)}[/bold]")
        parts.append(clean(portion.body))
        parts += [
            f"[dim]attached: {clean(a.name)} ({a.len} bytes sealed)[/dim]"
            for a in portion.attachments
        ]
    parts += [f"[dim]one portion did not open: {clean(str(c.reason))}[/dim]" for c in report.closed]
    urgency = report.portions[0].label.precedence
    banner = clean(report.banner)
    where = proof.get("index")
    console.print(
        Panel(
            Text.from_markup("\n".join(parts)),
            title=f"[bold]{banner}[/bold]",
            subtitle=f"[bold]{banner}[/bold]",
            border_style=STYLES.get(urgency, "blue"),
        )
    )
    console.print(
        f"  [dim]{urgency}  from {report.originator}  report {report.identity[:16]}  "
        f"proven in the journal at {where}[/dim]"
    )


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone, unless the answer was given beforehand."""
    if not yes:
        typer.confirm(question, abort=True)
