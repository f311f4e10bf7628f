"""`tearline officer denials`: who asked for what in vain, and which rules refused."""

import datetime as dt
from contextlib import suppress
from typing import Annotated

import typer

from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import As, Json, load, run_async
from clients.denials import Denial, LeftOut

COLUMNS = ("last", "nation", "who", "how", "times", "report", "portions", "why")

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

    async def work() -> None:
        async with Auditor(loaded) as auditor:
            if not follow:
                _show(await auditor.denials(), json=json)
                return
            async for denial in auditor.follow_denials(every):
                _tell(denial, json=json)

    with suppress(KeyboardInterrupt):
        run_async(work)


def _show(found: list[Denial], *, json: bool) -> None:
    if json:
        for denial in found:
            _tell(denial, json=True)
    elif not found:
        output.say("nobody was refused anything")
    else:
        output.table("Denials", COLUMNS, [row(denial) for denial in found])


def _tell(denial: Denial, *, json: bool) -> None:
    """One denial on one line, at once."""
    if json:
        output.line(denial.model_dump(mode="json") | {"why": row(denial)[-1]})
    else:
        output.say("  ".join(filter(None, row(denial))))


def row(denial: Denial) -> tuple[str, ...]:
    """A denial as people read it."""
    if isinstance(denial, LeftOut):
        return ("", "", "", "", str(denial.left_out), "", "", "more than there was room to keep")
    moment = dt.datetime.fromtimestamp(denial.last, dt.UTC)
    return (
        f"{moment:%Y-%m-%d %H:%M:%SZ}",
        denial.to,
        denial.who,
        denial.how,
        str(denial.times),
        denial.report[:16],
        denial.where,
        denial.why,
    )
