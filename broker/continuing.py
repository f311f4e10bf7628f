"""What an operator does to go on after a loss, once the nations have agreed (decision 0033).

    loss     verify the copy that is left, and write down what the nations are to sign
    go_on    with what they signed, give the log its new name

The copy keeps its entries; all its trees are signed anew, under the new name. The statement is the
first entry behind them, for the broker publishes what lies in `genesis/` before anything else; what
was lost with the rest and nations hand in is said again right after it. The anchor comes last:
until then no broker starts, and doing it again makes good what was broken off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.cosignatures import CANDIDATE_FILE, PUBLISHED_FILE
from broker.custody import locked
from broker.eras import CONTINUED, continued, eras_of, log_keys, seals_of
from broker.journal import outside
from broker.journal.anchor import sync_folder, write_anchor, write_durably
from broker.journal.outside import AtRest, Progress
from broker.journal.state import Era, Seals
from broker.journal.store import DATABASE_FILE, faults
from broker.settings import Settings
from broker.startup import ANCHOR_FILE, make_folders
from wire import fold, statements
from wire.bodies import MissionContinue
from wire.continuing import Loss
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import BrokerFault, Malformed, TearlineError
from wire.notes import Checkpoint, open_checkpoint, sign_checkpoint
from wire.statements import STATEMENT_MAX, Statement

KEPT: Final = "before-{size}"
"""A folder beside the anchor: the anchors of the log that was lost are evidence."""


@dataclass(frozen=True)
class Gone:
    """The log's new name, the size from which it goes on, and how many statements are handed in."""

    origin: str
    size: int
    again: int


async def loss(settings: Settings, origin: str | None, progress: Progress) -> Loss:
    """What is left of a log, verified; `origin` is its next name, if not the usual one.

    Raises `BrokerFault`, and `Malformed` ("bad-input") if nothing is missing, the key included.
    """
    make_folders(settings)
    before = continued(settings)
    seals = _known(settings, before)
    with faults(), locked(settings.data_folder):
        async with AtRest.open(settings.data_folder / DATABASE_FILE, seals, progress) as journal:
            note, directory = journal.state.checkpoint, await _directory(settings, journal)
    tree, seen = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n"), _seen(settings, seals)
    signs = seals_of(settings, eras_of(before)).log_keys == seals.log_keys
    if signs and seen is not None and seen <= tree.size:
        raise Malformed("bad-input", "nothing is missing of it: start the broker")
    name = origin or f"{settings.origin}/{len(before) + 2}"
    later = seals_of(settings, (*eras_of(before), Era(tree.size, name)))
    return Loss(
        v=1,
        mission=settings.mission,
        charter=settings.charter,
        continues=tree.origin,
        size=tree.size,
        root=tree.root.hex(),
        seen=seen or tree.size,
        seq=directory.chain.seq + 1,
        prev=directory.chain.prev,
        origin=name,
        log_keys=tuple(map(str, later.log_keys)),
    )


async def go_on(
    settings: Settings,
    raw: bytes,
    again: Sequence[Path],
    progress: Progress,
    clock: Callable[[], float],
) -> Gone:
    """Give the log the name that the nations agreed on; `again` are files of lost statements.

    Raises `BrokerFault`, and what the fold raises for a statement that does not stand here.
    """
    statement = statements.parse(raw)
    if statement.head.type != "mission.continue":
        raise Malformed("bad-statement", "it does not continue a log")
    body = statement.body(MissionContinue)
    before = tuple(one for one in continued(settings) if one.origin != body.origin)
    later = seals_of(settings, eras_of((*before, body)))
    if body.log_keys != tuple(map(str, later.log_keys)):
        raise BrokerFault("bad-settings", "the statement names another `log-key`")
    with faults():
        raws = [raw, *_distinct(again, statement)]
    with faults(), locked(settings.data_folder):
        database = settings.data_folder / DATABASE_FILE
        stored = (await outside.newest_head(database)).partition("\n")[0]
        done = stored == body.origin
        seals = later if done else _known(settings, before)
        async with AtRest.open(database, seals, progress) as journal:
            size, root = journal.state.size, journal.state.frontier.root()
            directory = await _directory(settings, journal)
            fold.apply(directory, statement, size, int(clock()), viewer=MISSION)
            if root.hex() != body.root:
                raise BrokerFault("rollback-detected", "the statement is about another tree")
            heads = await journal.heads()
        notes = [(_signed(note, later), at) for at, note in heads]
        if not done:
            await outside.rename(settings.data_folder, notes)
        _file(settings.genesis_folder, size, raws)
        _keep_old(settings, size, body.origin)
        write_anchor(settings.anchor_folder / ANCHOR_FILE, notes[-1][0])
    return Gone(body.origin, size, len(raws) - 1)


# -- parts


def _known(settings: Settings, before: Sequence[MissionContinue]) -> Seals:
    """By what the stored checkpoints verify; the log's key may have been lost and replaced."""
    seals = seals_of(settings, eras_of(before))
    return Seals(seals.origin, (), seals.secret, seals.eras, log_keys(settings, before))


async def _directory(settings: Settings, journal: AtRest) -> Directory:
    directory = Directory(settings.mission, settings.charter)
    async for index, raw, time in journal.statements():
        directory = fold.apply(directory, statements.parse(raw), index, time, viewer=MISSION)
    return directory


def _seen(settings: Settings, seals: Seals) -> int | None:
    """How far the log had come by its anchor, if there is one."""
    try:
        note = (settings.anchor_folder / ANCHOR_FILE).read_text("utf-8", "replace")
        return open_checkpoint(note, seals.log_keys).checkpoint.size
    except (OSError, TearlineError):
        return None


def _signed(note: str, seals: Seals) -> str:
    """The same tree, under the log's name and key of now."""
    tree = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
    return sign_checkpoint(Checkpoint(seals.origin, tree.size, tree.root), seals.signers)


def _distinct(paths: Sequence[Path], statement: Statement) -> list[bytes]:
    """Each statement once, in the order of the files' names: that of the log that was lost.

    Nations hand in the same ones; who may see more of one has the longer file. Raises `Malformed`.
    """
    found: dict[str, bytes] = {}
    for path in sorted(paths, key=lambda path: path.name):
        with path.open("rb") as file:
            raw = file.read(STATEMENT_MAX + 1)
        identity = statements.parse(raw).identity
        if len(raw) > len(found.get(identity, b"")):
            found[identity] = raw  # in its first place, if it has one
    found.pop(statement.identity, None)
    return list(found.values())


def _file(folder: Path, size: int, raws: Sequence[bytes]) -> None:
    """What the broker publishes first of all; durable, and the statement itself last."""
    for number, raw in reversed(list(enumerate(raws))):
        write_durably(folder / CONTINUED.format(size=size, number=number), raw)
    sync_folder(folder)


def _keep_old(settings: Settings, size: int, origin: str) -> None:
    """Move the anchors of the lost log aside."""
    kept = settings.anchor_folder / KEPT.format(size=size)
    kept.mkdir(mode=0o700, exist_ok=True)
    for name in (ANCHOR_FILE, PUBLISHED_FILE, CANDIDATE_FILE):
        path = settings.anchor_folder / name
        if path.exists() and path.read_text("utf-8", "replace").partition("\n")[0] != origin:
            path.replace(kept / name)
    sync_folder(settings.anchor_folder)
