"""`tearline officer denials`: who asked for what in vain, and which rules refused."""

import datetime as dt
from contextlib import suppress
from typing import Annotated

import typer

from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load
from clients.cli.options import As, Json
from clients.cli.session import using
from clients.denials import Denial, LeftOut

Follow = Annotated[bool, typer.Option("--follow", help="Go on, and tell what comes.")]
Every = Annotated[
    float, typer.Option("--every", min=1, help="Seconds between two looks; each is journalled.")
]


def denials(identity: As, follow: Follow = False, every: Every = 60.0, json: Json = False) -> None:
    """Who was refused a report of yours, or by a rule of yours; and what your own people asked
    for in vain. From your nation's verified channel.

    Example: tearline officer denials --as kit/KEN/officer --follow
    """
    loaded = load(identity)

    async def work(auditor: Auditor) -> None:
        if not follow:
            _show(await auditor.denials(), json=json)
            return
        async for denial in auditor.follow_denials(every):
            _tell(denial, json=json)

    with suppress(KeyboardInterrupt):
        using(Auditor, loaded, work)


def _show(found: list[Denial], *, json: bool) -> None:
    for denial in found:
        _tell(denial, json=json)
    if not found and not json:
        output.say("nobody was refused anything")


def _tell(denial: Denial, *, json: bool) -> None:
    """One denial, at once."""
    if json:
        output.line(denial.model_dump(mode="json") | {"why": _why(denial)})
    elif isinstance(denial, LeftOut):
        output.say(f"[yellow]{denial.left_out} more[/yellow] than there was room to keep")
    else:
        moment = dt.datetime.fromtimestamp(denial.last, dt.UTC)
        portions = f"  portion {denial.where}" if denial.where else ""
        output.say(
            f"[dim]{moment:%Y-%m-%d %H:%M:%SZ}[/dim]  [bold]{denial.to}[/bold] {denial.who}  "
            f"{denial.how}, {denial.times} times  report {denial.report}{portions}"
        )
        output.say(f"    [red]{output.clean_line(_why(denial))}[/red]")


def _why(denial: Denial) -> str:
    return "more than there was room to keep" if isinstance(denial, LeftOut) else denial.why
