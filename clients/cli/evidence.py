"""`tearline audit pull|status|ask|prove|report|reconcile|export`, and `verify FILE`.

`clients/cli/audit.py` names the commands; the work is done in `clients/evidence/`.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json
from clients.evidence import files, left, pull
from clients.evidence.pull import Pulled
from clients.evidence.status import Status, status_of
from clients.evidence.store import EvidenceStore
from clients.identity import Identity, read_public
from clients.witness import attend
from wire.erasures import erased_by
from wire.errors import Malformed
from wire.evidence_file import Proven
from wire.prove import VerifiedEntry
from wire.witness import ConfirmedCheckpoint

COSIGNED_FRESH_S: Final = 600  # seconds: cosignatures that are older are called so
SHOWN: Final = 16  # hex digits of a name that people see

_DIGEST: Final = re.compile("[0-9a-f]{32,64}")

Charter = Annotated[
    str | None,
    typer.Option("--charter", help="Identity of the charter, or of what continued the log."),
]
MaybeAs = Annotated[
    Path | None, typer.Option("--as", help="Identity folder, such as KIT/KEN/auditor.")
]


@contextmanager
def opened(identity: Identity, auditor: Auditor | None = None) -> Iterator[EvidenceStore]:
    """The evidence of a member, which must be as it was left."""
    auditor = auditor or Auditor(identity)
    with EvidenceStore.open(identity.state, pull.whose(auditor), new=False) as store:
        pull.check(auditor, store)
        yield store


def now_ms() -> int:
    """This machine's time, Unix milliseconds."""
    return time.time_ns() // 1_000_000


# -- pull


def pull_evidence(identity: As, json: Json = False) -> None:
    """Fetch what is new, verify it, and keep it as your own evidence.

    Goes on where the last pull ended or broke. If the nation's witness is in
    the folder, it cosigns what it was shown; `tearline witness follow` goes on
    doing so.
    Example: tearline audit pull --as kit/KEN/auditor
    """
    bring(load(identity), json=json)


def bring(loaded: Identity, *, json: bool) -> None:
    """Pull, let the nation's witness cosign, and say what came."""

    async def work(auditor: Auditor) -> tuple[Pulled, bool, ConfirmedCheckpoint | None]:
        await auditor.follower.sync()  # which log it is that is pulled
        mine = EvidenceStore.open(loaded.state, pull.whose(auditor), new=True)
        with mine as store, progress_bar(quiet=json) as told:
            found = await pull.pull(auditor, store, told)
        cosigned = await attend.once(auditor)
        return found, cosigned is not None, await auditor.confirmed()

    found, cosigned, confirmed = using(Auditor, loaded, work)
    size = 0 if confirmed is None else confirmed.checkpoint.size
    if json:
        output.line({**vars(found), "cosigned": cosigned, "confirmed_size": size})
        return
    output.say(
        f"[green]verified[/green]: {found.new} new entries; {found.entries} concern "
        f"{found.nation}, in a journal of {found.size}"
    )
    if confirmed is not None:
        output.say(f"  confirmed by {len(confirmed.cosigned_by)} witnesses up to {size} entries")


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each channel, on standard error, gone at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars = Progress(*columns, TimeRemainingColumn(), console=output.errors, transient=True)
    tasks: dict[str, Any] = {}

    def told(channel: str, done: int, total: int) -> None:
        if channel not in tasks:
            tasks[channel] = bars.add_task(channel, total=total)
        bars.update(tasks[channel], completed=done, total=total)

    if quiet or not output.errors.is_terminal:
        yield told
        return
    with bars:
        yield told


# -- status


def status(identity: As, json: Json = False) -> None:
    """What your evidence says, on one screen: whole or not, how old, what was erased.

    Asks nobody. Example: tearline audit status --as kit/KEN/auditor
    """
    loaded = load(identity)
    auditor = Auditor(loaded)
    with opened(loaded, auditor) as store:
        found = status_of(store, loaded.nation, now_ms(), auditor.last_confirmed())
    gone = sum(1 for _ in left.gone(auditor))
    if json:
        output.line({**found.fields(), "lost": gone})
    else:
        show_status(found)
        if gone:
            words = "entries of ours were acknowledged and are gone: tearline audit lost"
            output.say(f"  [yellow]lost[/yellow]        {gone} {words}")
    if not found.good:
        raise typer.Exit(1)


def show_status(found: Status) -> None:
    """A status as people read it."""
    verdict = "[bold green]GREEN[/bold green]" if found.good else "[bold red]RED[/bold red]"
    output.say(f"{verdict}  {found.nation}: {output.clean_line(found.verdict)}")
    output.say(f"  tree        {found.size} entries, root {found.root[:16]}")
    output.say(f"  concern us  {found.entries} entries, and {found.mission_entries} of the mission")
    output.say(f"  newest      {moment(found.newest_ms)}, checkpoint {age(found.age_s)} old")
    output.say(f"  confirmed   {_confirmed(found)}")
    output.say(f"  erased      {found.erased} views; their proofs hold")
    for one in found.erased_by:
        order = f"by order {one.order[:SHOWN]} of {found.nation}"
        output.say(f"              {one.views} from before {moment(one.before * 1000)}, {order}")
    for coming in found.ordered:
        order = f"views {_days(coming.views)}, payloads {_days(coming.payloads)}"
        start = f"[yellow]counts from {moment(coming.counts_from * 1000)}[/yellow]"
        output.say(f"  ordered     {order}; {start}: pull before")
    output.say(f"  pulls       {found.trees} trees, each proven to extend the one before")
    for finding in found.findings:
        output.say(f"  [red]finding[/red]     {output.clean_line(finding)}")


def _days(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _confirmed(found: Status) -> str:
    """What witnesses say of it; cosignatures that are old say little of today."""
    if found.cosigned_age_s is None:
        return "by no quorum of witnesses"
    whole = "all that concerns us" if found.confirmed else "not yet all that concerns us"
    old = " [yellow](old)[/yellow]" if found.cosigned_age_s > COSIGNED_FRESH_S else ""
    return f"{whole}: {found.confirmed_size} entries, cosigned {age(found.cosigned_age_s)} ago{old}"


def moment(time_ms: int | None) -> str:
    """A time as people read it."""
    if time_ms is None:
        return "none"
    return f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%SZ}"


def age(seconds: int) -> str:
    """How long ago, in the largest unit that fits."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def lost(identity: As, json: Json = False) -> None:
    """What concerned your nation, was acknowledged, and was lost with a disk.

    The evidence of the log before keeps each entry with its proof. Asks nobody.
    Example: tearline audit lost --as kit/KEN/auditor
    """
    found = list(left.gone(Auditor(load(identity))))
    if json:
        for one in found:
            output.line(vars(one))
        return
    rows = [
        (str(one.index), moment(one.time), one.type, one.recipient or "", one.report or "")
        for one in found
    ]
    columns = ("index", "time", "entry", "to", "report")
    output.table(f"{len(found)} entries were lost", columns, rows)


# -- verify


def verify_file(file: Path, identity: Path | None, charter: str | None, *, json: bool) -> None:
    """Verify an evidence file offline; what it is checked against must be said."""
    if identity is not None:
        charter = charter or read_public(identity).charter
    if charter is None:
        detail = "say which mission: --charter with its identity, or --as with a member's folder"
        raise Malformed("bad-input", detail)
    proven = files.read(file, charter, now_ms=now_ms())
    if json:
        output.line(file_fields(proven))
        return
    show_file(proven)


def file_fields(proven: Proven) -> dict[str, Any]:
    """What a file proves, as `--json` shows it."""
    tree = proven.newest.checkpoint
    return {
        "kind": proven.header.kind,
        "mission": proven.header.mission,
        "nation": proven.header.nation,
        "size": tree.size,
        "root": tree.root.hex(),
        "complete": proven.header.kind == "history",
        "entries": len(proven.entries),
        "erased": sum(entry.view is None for entry in proven.entries),
        "confirmed": _quorum(proven),
        "proven": [
            {
                "index": entry.index,
                "channel": entry.channel,
                "type": entry.type,
                "time": entry.time,
                "view": None if entry.view is None else dict(entry.view),
            }
            for entry in proven.entries
            if proven.header.kind == "receipt"
        ],
    }


def show_file(proven: Proven) -> None:
    """What a file proves, as people read it."""
    header, tree = proven.header, proven.newest.checkpoint
    if header.kind == "history":
        ours = len(proven.of(header.nation))
        others = f"{len(proven.entries) - ours} of the mission {header.mission}"
        output.say(
            f"[green]complete and unaltered[/green]: all {ours} entries that concern "
            f"{header.nation}, and {others}"
        )
    else:
        output.say(
            f"[green]proven[/green]: {len(proven.entries)} entries of {header.mission}, shown by "
            f"{header.nation}; a receipt says nothing about others"
        )
        for entry in proven.entries:
            where = f"entry {entry.index} of {entry.channel}, {moment(entry.time)}"
            output.say(f"\n  [bold]{entry.type}[/bold]  {where}")
            for name, value in (entry.view or _erased(proven, entry)).items():
                output.say(f"    {name:14} {output.clean_line(words(value))}")
        output.say("")
    output.say(f"  journal of {tree.size} entries, root {tree.root.hex()}")
    if proven.confirmed is None:
        output.say("  no quorum of witnesses is shown")
        return
    names, size = proven.confirmed.cosigned_by, proven.confirmed.checkpoint.size
    output.say(f"  confirmed by {len(names)} witnesses up to {size} entries")


def _quorum(proven: Proven) -> dict[str, Any] | None:
    """Up to where a quorum stands behind it, who that is, and since when (seconds)."""
    found = proven.confirmed
    if found is None:
        return None
    by = sorted(found.cosigned_by)
    return {"size": found.checkpoint.size, "by": by, "time": found.time}


def _erased(proven: Proven, entry: VerifiedEntry) -> Mapping[str, Any]:
    """Why an entry says nothing any more."""
    by = erased_by(entry, proven.entries)
    told = {} if by is None else dict(by.view or {})
    return {
        "erased": "its proof holds",
        "by": f"entry {0 if by is None else by.index}, {moment(None if by is None else by.time)}",
        "by order": f"{words(told.get('order'))} of {told.get('nation')}",
    }


def words(value: Any) -> str:
    """What a view says, for people: names of 16 bytes and more are cut short, as all commands
    take them. `--json` has everything.
    """
    match value:
        case Mapping():
            return "; ".join(f"{name}: {words(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(words, value)) or "none"
        case str() if _DIGEST.fullmatch(value):
            return value[:SHOWN]
    return str(value)
