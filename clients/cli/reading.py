"""`tearline fetch | watch`: reports, in."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from clients.cli import display as screen
from clients.cli import output, shown
from clients.cli.common import load, precedence_of, split
from clients.cli.options import As, Json, Shown
from clients.cli.session import using
from clients.delivery import Unsupported
from clients.identity import Identity
from clients.received import Notable, Unopened
from clients.subscriber import Received, Subscriber
from wire.errors import Malformed, TearlineError
from wire.witness import ConfirmedCheckpoint

Many = list[str]
Region = Annotated[Many, typer.Option("--region", help="Place code: KE, 014, mission:north.")]
Threat = Annotated[Many, typer.Option("--threat", help="Threat type: explosive.ied_emplaced.")]


def fetch(
    identity: As,
    region: Region = [],
    threat: Threat = [],
    precedence: Annotated[Many, typer.Option("--precedence")] = [],
    again: Annotated[bool, typer.Option("--again", help="Also what was shown before.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Save .tlr files and attachments here.")
    ] = None,
    display: Shown = False,
    json: Json = False,
) -> None:
    """Every matching report that you may have and have not been shown yet, FLASH first.

    Example: tearline fetch --as kit/GBR/analyst --region 014 --threat explosive
    """
    if display:
        screen.check_screen(elsewhere=json or save is not None)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
    loaded = load(identity)

    async def work(subscriber: Subscriber) -> tuple[int, int]:
        count = unsaved = 0
        confirmed: ConfirmedCheckpoint | None = None
        async for received in subscriber.fetch(
            regions=split(region),
            threats=split(threat),
            precedence=[precedence_of(word) for word in split(precedence)],
            again=again,
            notice=_notice,
        ):
            if json and not count:
                confirmed = await subscriber.confirmed()
            await _show(received, loaded, confirmed, display=display, json=json)
            if save is not None:
                unsaved += await _save(subscriber, received, save)
            count += 1
        return count, unsaved

    count, unsaved = using(_reader(display=display), loaded, work)
    if not json:
        output.say(f"[dim]{count} {'report' if count == 1 else 'reports'}[/dim]")
    if unsaved:
        detail = f"{unsaved} attachments are not saved; fetch with --again --save to try once more"
        raise Malformed("bad-input", detail)


def watch(
    identity: As,
    region: Region = [],
    threat: Threat = [],
    precedence: Annotated[Many, typer.Option("--precedence")] = [],
    name: Annotated[str | None, typer.Option("--name", help="Of the subscription.")] = None,
    display: Shown = False,
    json: Json = False,
) -> None:
    """Reports as they come; goes on where it stopped, whatever broke in between.

    Example: tearline watch --as kit/GBR/analyst --region 014 --threat explosive
    """
    if display:
        screen.check_screen(elsewhere=json)
    loaded = load(identity)

    async def work(subscriber: Subscriber) -> None:
        await subscriber.follower.sync()
        if not json:
            output.say("[dim]watching; Ctrl-C ends it, the place is kept[/dim]")
        async for received in subscriber.watch(
            regions=split(region),
            threats=split(threat),
            precedence=[precedence_of(word) for word in split(precedence)],
            name=name,
            notice=_notice,
        ):
            await _show(received, loaded, None, display=display, json=json)

    with suppress(KeyboardInterrupt):
        using(_reader(display=display), loaded, work)


def _reader(*, display: bool) -> Callable[[Identity], Subscriber]:
    """What reads for somebody at a screen that shows and keeps nothing, or for anybody."""
    return partial(Subscriber, keeps=screen.KEEPS if display else ())


async def _show(
    received: Received,
    identity: Identity,
    confirmed: ConfirmedCheckpoint | None,
    *,
    display: bool,
    json: bool,
) -> None:
    if display:
        await screen.show(received.report, identity, time.time())
    elif json:
        amended = {
            "supersedes": sorted(received.supersedes),
            "superseded_by": received.superseded_by,
        }
        proof = asdict(received.proof)
        proof["confirmed"] = confirmed is not None and confirmed.covers(received.proof.index)
        output.line({**shown.report_fields(received.report, proof), **amended})
    else:
        shown.show_report(received.report, asdict(received.proof))
        for old in sorted(received.supersedes):
            output.say(f"  [dim]takes the place of report {old[:16]}[/dim]")
        if received.superseded_by is not None:
            output.say(f"  [yellow]superseded by report {received.superseded_by[:16]}[/yellow]")


def _notice(what: Notable) -> None:
    """Say beside the reports what did not open, what is held back, and what is tried again."""
    if isinstance(what, Unopened) and what.reason.slug == "recalled":
        text = f"{what.originator} took back report {what.identity}: {what.reason.detail}; "
        text += "what was kept here is destroyed, and so must be every other copy"
    elif isinstance(what, Unopened):
        text = f"report {what.identity[:16]} from {what.originator} does not open: {what.reason}"
    elif isinstance(what, Unsupported):
        lacks = ", ".join(what.lacks)
        text = f"report {what.report[:16]} has more for a client that keeps {lacks}; see --display"
    else:
        text = f"{what}; trying again"
    output.note(f"[yellow]{output.clean_line(text)}[/yellow]")


async def _save(subscriber: Subscriber, received: Received, folder: Path) -> int:
    """Save the sealed report and its attachments; gives how many of these could not be had.

    Nothing appears under its name before it verifies to the last byte.
    """
    if not received.may_keep:
        output.note("[yellow]for display only: nothing is saved[/yellow]")
        return 0
    (folder / f"{received.identity[:16]}.tlr").write_bytes(received.raw)
    unsaved, taken = 0, set[str]()
    for portion in received.report.portions:
        for attachment in portion.attachments:
            name = attachment.name
            if name.lower() in taken:  # two portions may each have a `photo.jpg`
                name = f"{portion.index}-{attachment.id[:8]}-{name}"
            taken.add(name.lower())
            home = folder / received.identity[:16]
            home.mkdir(exist_ok=True)
            try:
                with _appearing(home / name) as into:
                    await subscriber.attachment(received, attachment, into)
            except TearlineError as error:
                unsaved += 1
                output.note(f"[yellow]{output.clean_line(f'{name}: {error}')}[/yellow]")
    return unsaved


@contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends well, and is gone otherwise."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "w+b") as into:
            yield into
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
