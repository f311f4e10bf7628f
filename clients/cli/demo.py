"""`tearline demo`: the main job, shown on this machine in a minute."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli import output
from clients.cli.common import run_async
from clients.cli.options import Json
from clients.demo import scenario, stage
from clients.demo.play import Play, Tally
from wire.errors import Malformed

SENDERS = ("KEN", "FRA", "GBR")
"""The nations whose partner systems send the rows of a file."""


def demo(
    reports: Annotated[
        Path | None, typer.Option("--reports", help="NDJSON rows instead of the written scenario.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", min=1)] = 60,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the mission here.")] = None,
    json: Json = False,
) -> None:
    """Five nations, a real broker, three systems that publish, and everything that can happen.

    Example: tearline demo --reports events.ndjson --limit 100
    """
    if keep is not None and keep.exists():
        raise Malformed("bad-input", f"{keep.name} exists already")
    sent = scenario.written()
    if reports is not None:
        sent = [row for row, _ in zip(scenario.rows(reports, SENDERS), range(limit), strict=False)]
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "mission"
        start = time.monotonic()
        if not json:
            _open(reports, len(sent))
        made = stage.build(folder)
        tally = run_async(lambda: _play(made, sent, quiet=json))
        seconds = time.monotonic() - start
    if json:
        output.line(_fields(tally, seconds))
    else:
        _close(tally, seconds, keep)


async def _play(made: stage.Stage, sent: list[scenario.Sent], *, quiet: bool) -> Tally:
    async with stage.broker(made):
        return await Play(made, sent, quiet=quiet).run()


def _open(reports: Path | None, count: int) -> None:
    nations = ", ".join(stage.NATIONS)
    output.say(f"[bold]Mission {stage.MISSION}[/bold], an exercise of {nations}: {count} reports.")
    if reports is not None:
        output.say(
            f"[dim]Place, time, kind and text come from {output.clean(reports.name)}; originator "
            "and release list are assigned by the scenario.[/dim]"
        )
    width = shutil.get_terminal_size().columns
    output.say("[dim]" + "-" * min(width, 100) + "[/dim]")


def _close(tally: Tally, seconds: float, keep: Path | None) -> None:
    output.say("")
    for nation, verdict in tally.verdicts.items():
        output.say(
            f"[green]{nation}'s auditor:[/green] complete and unaltered, {verdict.entries} entries "
            f"of a journal of {verdict.size}"
        )
    shared = _shared(tally)
    nations = stage.NATIONS
    rows = [(a, *(str(shared.get((a, b), "")) for b in nations)) for a in nations]
    rows = [row for row in rows if any(row[1:])]
    output.table("Who shared what with whom (reports)", ("from \\ to", *nations), rows)
    delivered = sum(tally.delivered.values())
    output.say(
        f"{tally.accepted} reports accepted, {tally.refused} refused by policy, {delivered} times "
        f"opened and verified by an analyst, in {seconds:.0f} s"
    )
    if keep is not None:
        output.say(f"kept in {keep}: tearline serve {keep / 'broker'}")


def _shared(tally: Tally) -> dict[tuple[str, str], int]:
    """Releases by (originator, recipient), as each originator's own auditor proved them."""
    return {
        pair: count
        for nation, verdict in tally.verdicts.items()
        for pair, count in verdict.shared.items()
        if pair[0] == nation
    }


def _fields(tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "accepted": tally.accepted,
        "refused": tally.refused,
        "delivered": tally.delivered,
        "ended": tally.ended,
        "complete": {n: v.complete for n, v in tally.verdicts.items()},
        "shared": [
            {"originator": a, "to": b, "reports": n} for (a, b), n in sorted(_shared(tally).items())
        ],
        "seconds": round(seconds, 1),
    }
