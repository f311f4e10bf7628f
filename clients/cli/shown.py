"""A report, as `--json` and as people read it."""

from collections.abc import Mapping
from typing import Any

from rich.panel import Panel
from rich.text import Text

from clients.cli import output
from clients.opened import OpenedReport


def report_fields(report: OpenedReport, proof: Mapping[str, Any]) -> dict[str, Any]:
    """A report as `--json` shows it."""
    return {
        "report": report.identity,
        "id": report.id,
        "originator": report.originator,
        "created": report.created,
        "banner": report.banner,
        "title": report.title,
        "body": report.body,
        "precedence": report.precedence,
        "regions": sorted({place for p in report.portions for place in p.label.regions}),
        "threats": sorted({kind for p in report.portions for kind in p.label.threats}),
        "portions": [
            {
                "index": p.index,
                "portion": p.commitment,
                "mark": p.mark,
                "banner": p.banner,
                "classification": p.label.classification,
                "release_to": list(p.label.release_to),
                "cites": [f"{s.report}:{s.portion}" for s in p.label.derived_from],
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


def written(report: OpenedReport) -> Text:
    """The portions of a report as people read them, each with its mark."""
    parts = []
    for portion in report.portions:
        parts.append(
            f"[bold]{output.clean(portion.mark)} {output.clean_line(portion.title)}[/bold]"
        )
        parts.append(output.clean(portion.body))
        parts += [
            f"[dim]attached: {output.clean_line(a.name)} ({a.len} bytes sealed)[/dim]"
            for a in portion.attachments
        ]
        parts += [f"[dim]cites report {s.report[:16]}[/dim]" for s in portion.label.derived_from]
    parts += [
        f"[dim]one portion did not open: {output.clean(str(c.reason))}[/dim]" for c in report.closed
    ]
    return Text.from_markup("\n".join(parts), emoji=False)


def show_report(report: OpenedReport, proof: Mapping[str, Any]) -> None:
    """A report as people read it, its banner above and below."""
    urgency = report.precedence
    banner = output.clean_line(report.banner)
    proven = "opened offline: no journal was asked"
    if "index" in proof:
        proven = f"proven in the journal at {proof['index']}"
    output.console.print(
        Panel(
            written(report),
            title=f"[bold]{banner}[/bold]",
            subtitle=f"[bold]{banner}[/bold]",
            border_style=output.STYLES.get(urgency, "blue"),
        )
    )
    output.console.print(
        f"  [dim]{urgency}  from {report.originator}  report {report.identity[:16]}  "
        f"{proven}[/dim]",
        soft_wrap=True,
    )
