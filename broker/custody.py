"""What an operator does with a journal that no broker serves: check it, copy it, bring it back.

    fsck      verify every entry of a stopped journal; change nothing
    backup    copy a journal, stopped or being served, and verify the copy
    restore   put a copy where a broker looks for it; the anchor then says whether it may serve
    resume    go on from a copy whose anchor is lost, if no nation has seen more

A copy that is older than what any nation saw is never served under the same name: its next entries
would be a second history, and every client stops at a fork (`docs/decisions/0025`). Under another
name it may be, if the nations sign that (`continuing`).
"""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from broker import audit, comparing
from broker.attachments import file_name
from broker.eras import seals_of
from broker.journal import Journal, Record
from broker.journal.anchor import sync_folder, write_anchor
from broker.journal.lock import FolderLock
from broker.journal.outside import AtRest, Progress, copy, newest_head
from broker.journal.state import Seals
from broker.journal.store import DATABASE_FILE, faults
from broker.settings import Settings
from broker.startup import ANCHOR_FILE, ATTACHMENTS_FOLDER, make_folders
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import BrokerFault, Malformed
from wire.report import parse

CHECKPOINT_FILE: Final = "checkpoint"
"""Of a backup: the checkpoint of its last entry, in clear, to compare with what others saw."""

Standing = Literal["served", "older", "no anchor"]
"""What an anchor says of a restored journal."""


@dataclass(frozen=True, slots=True)
class Found:
    """A journal that was verified to its last entry; `missing` are attachments that are lost: they
    came whole, no entry deleted them, and there is no file.

    `memory` is what a start makes of what is remembered beside it, if that was asked.
    """

    entries: int
    checkpoint: str
    attachments: int
    missing: int
    memory: str | None = None


async def fsck(settings: Settings, progress: Progress) -> Found:
    """Verify everything that a stopped broker has, and change nothing; compare what it remembers.

    Raises `BrokerFault` "locked" while it is served, "journal-damaged" naming the first entry that
    disagrees, or "rollback-detected".
    """
    data = settings.data_folder
    with locked(data):
        async with _verified(settings, data, progress) as (journal, found):
            await journal.compare(_anchor(settings))
            directory = Directory(settings.mission, settings.charter)
            said = await comparing.compare(journal, directory, journal.state.time_ms // 1000)
            return replace(found, memory=said)


async def backup(settings: Settings, target: Path, progress: Progress) -> Found:
    """Copy the journal and attachments into a new folder, and verify what was copied.

    It may be served meanwhile. The folder has its name only once it is whole. Keys are not in it.
    Raises `BrokerFault`, and `Malformed` "bad-input" if the folder is there already.
    """
    _check_new(target)
    source = settings.data_folder
    if not (source / DATABASE_FILE).is_file():
        raise BrokerFault("bad-settings", "there is no journal in `data`")
    fresh = target.with_name(target.name + ".partial")
    with faults(), _removed_on_failure(fresh):
        fresh.mkdir(mode=0o700)
        copy(source / DATABASE_FILE, fresh / DATABASE_FILE)
        # After the database: what it counts of an attachment is in the file by then.
        _copy_attachments(source, fresh)
        async with _verified(settings, fresh, progress) as (_, found):
            write_anchor(fresh / CHECKPOINT_FILE, found.checkpoint)
        fresh.rename(target)
        sync_folder(target.parent)
    return found


async def restore(source: Path, settings: Settings, progress: Progress) -> tuple[Found, Standing]:
    """Put a backup where the broker looks for its journal, and verify it there.

    Gives what it is, and what its anchor says of it: "served" (nothing is missing), "older"
    (acknowledged entries are not in it: it is refused) or "no anchor" (see `resume`).

    Raises `BrokerFault`, and `Malformed` "bad-input" if there is a journal already, or no copy.
    """
    if not (source / DATABASE_FILE).is_file():
        raise Malformed("bad-input", f"there is no copy of a journal in {source}")
    make_folders(settings)
    data = settings.data_folder
    stored, origin = (
        (await newest_head(source / DATABASE_FILE)).partition("\n")[0],
        seals_of(settings).origin,
    )
    if stored != origin:
        raise Malformed("bad-input", f"a copy of {stored}, and the log is {origin} by now")
    with faults(), locked(data):
        if (data / DATABASE_FILE).exists():
            raise Malformed("bad-input", "there is a journal in `data`; move it away and keep it")
        fresh = data / "restoring"
        with _removed_on_failure(fresh):
            fresh.mkdir(mode=0o700)
            copy(source / DATABASE_FILE, fresh / DATABASE_FILE)
            _copy_attachments(source, fresh)
            async with _verified(settings, fresh, progress) as (journal, found):
                if found.checkpoint != (source / CHECKPOINT_FILE).read_text("utf-8", "replace"):
                    raise BrokerFault("journal-damaged", "the backup has another checkpoint")
                said = await _asked(journal, _anchor(settings))
            shutil.rmtree(data / ATTACHMENTS_FOLDER)
            (fresh / ATTACHMENTS_FOLDER).rename(data / ATTACHMENTS_FOLDER)
            (fresh / DATABASE_FILE).rename(data / DATABASE_FILE)
            sync_folder(data)
        fresh.rmdir()
    return found, said


async def resume(
    settings: Settings, heads: Sequence[Path], progress: Progress, clock: Callable[[], float]
) -> int:
    """Go on from a restored journal whose anchor is lost; gives the index of its entry.

    `heads` are files with the newest checkpoint that each nation saw. The journal must go on from
    all of them. The anchor comes last: until then no broker starts.

    Raises `BrokerFault` "rollback-detected" if a nation saw more, and `Malformed` "bad-input" if
    there is an anchor or a nation's checkpoint is missing.
    """
    make_folders(settings)
    if _is_there(_anchor(settings)):
        raise Malformed("bad-input", "there is an anchor: start the broker, it compares with it")
    seals, data = seals_of(settings), settings.data_folder
    with locked(data):
        async with AtRest.open(data / DATABASE_FILE, seals, progress) as journal:
            nations, size = len(journal.state.channels) - 1, journal.state.size
            if len(heads) < nations:
                raise Malformed("bad-input", f"{nations} nations, {len(heads)} checkpoints")
            for path in heads:
                await journal.follows(path.name, path.read_text("utf-8", "replace"))
    return await _resumed(settings, seals, size, len(heads), clock)


async def _resumed(
    settings: Settings, seals: Seals, size: int, heads: int, clock: Callable[[], float]
) -> int:
    data, making = settings.data_folder, settings.data_folder / "resuming"
    making.unlink(missing_ok=True)
    opened = await Journal.open(
        data,
        anchor=making,
        signers=seals.signers,
        origin=seals.origin,
        secret=seals.secret,
        eras=seals.eras,
        channels=(MISSION,),
        clock=clock,
        random=os.urandom,
        accept_missing_anchor=True,
    )
    try:
        event = audit.resumed(version("tearline"), size, heads)
        (entry,) = await opened.append([Record(event)])
        write_anchor(_anchor(settings), opened.checkpoint)
    finally:
        await opened.close()
    making.unlink()
    return entry.index


# -- parts


def _anchor(settings: Settings) -> Path:
    return settings.anchor_folder / ANCHOR_FILE


def _is_there(path: Path) -> bool:
    return path.exists()


def _check_new(folder: Path) -> None:
    if folder.exists():
        raise Malformed("bad-input", f"{folder.name} exists already; name a new folder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While nobody else uses the journal in this folder. Raises `BrokerFault` ("locked")."""
    with faults():
        if not folder.is_dir():
            raise BrokerFault("bad-settings", "there is no folder `data`")
        lock = FolderLock.take(folder)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@asynccontextmanager
async def _verified(
    settings: Settings, folder: Path, progress: Progress
) -> AsyncIterator[tuple[AtRest, Found]]:
    """What is in a folder, with every byte checked."""
    database = folder / DATABASE_FILE
    if not database.is_file():
        raise BrokerFault("rollback-detected", "there is no journal")
    async with AtRest.open(database, seals_of(settings), progress) as journal:
        whole = missing = 0
        for identity, portion, name, sha256, length, received in await journal.attachments():
            path = folder / ATTACHMENTS_FOLDER / file_name(identity, name)
            if path.is_file():
                whole += 1
                _check_attachment(path, identity, sha256)
            elif received == length and not await _was_deleted(journal, identity, portion):
                missing += 1
        yield journal, Found(journal.state.size, journal.state.checkpoint, whole, missing)


async def _was_deleted(journal: AtRest, identity: str, portion: int) -> bool:
    """Whether an entry deleted this portion's payload: then its attachments went with it."""
    frame = parse(await journal.report(identity))
    return not next(p.payload for p in frame.portions if p.index == portion)


def _check_attachment(path: Path, identity: str, sha256: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            what = f"an attachment of report {identity} is not what was signed"
            raise BrokerFault("journal-damaged", what)


async def _asked(journal: AtRest, anchor: Path) -> Standing:
    """What the anchor says of a restored journal."""
    if not _is_there(anchor):
        return "no anchor"
    try:
        await journal.compare(anchor)
    except BrokerFault:
        return "older"
    return "served"


def _copy_attachments(source: Path, target: Path) -> None:
    """Copy all attachments durably, those last that an upload may be finishing meanwhile."""
    fresh = target / ATTACHMENTS_FOLDER
    fresh.mkdir(mode=0o700)
    for pattern in ("*.part", "*"):
        for path in (source / ATTACHMENTS_FOLDER).glob(pattern):
            with suppress(FileNotFoundError):  # finished, or deleted with its report
                _copy_file(path, fresh / path.name)
    sync_folder(fresh)
    sync_folder(target)


def _copy_file(path: Path, target: Path) -> None:
    with path.open("rb") as original, target.open("wb") as fresh:
        os.fchmod(fresh.fileno(), 0o600)
        shutil.copyfileobj(original, fresh, 1 << 20)
        fresh.flush()
        os.fsync(fresh.fileno())
