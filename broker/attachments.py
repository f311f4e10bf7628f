"""Attachments: ciphertexts of up to a gibibyte, uploaded and downloaded in pieces.

    data/attachments/<SHA-256 of "report/attachment">.part   while it comes in
    data/attachments/<SHA-256 of "report/attachment">        once its digest is the signed one

The name is made from identities, never from what a client wrote into a path; and not from the
digest of the content alone, or one nation could see, and spoil, the upload of another.
A piece is on the disk before it is counted, and what was not counted is cut off again. Nobody gets
a byte before the release of its portion is journalled, and every piece is asked for anew.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from broker import logs
from broker.answers import Download, Progress
from broker.held import Held, HeldAttachment, HeldPortion
from broker.journal import Change, Journal
from broker.release import Asker, Releases
from broker.state import State
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed
from wire.members import Member

CHUNK: Final = 4 << 20
"""Bytes of one uploaded piece at most."""
PIECE: Final = 1 << 20
"""Bytes read at a time for a download."""
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Found = tuple[Held, HeldPortion, HeldAttachment]
T = TypeVar("T")


class Attachments:
    """The folder of attachments. Who can change its files is found out by every reader."""

    def __init__(self, folder: Path, state: State, releases: Releases, journal: Journal) -> None:
        self._folder, self._state = folder, state
        self._releases, self._journal = releases, journal
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def status(
        self, uploader: Member, identity: str, attachment: str, total: int
    ) -> Progress:
        """How much of `total` bytes is stored.

        Raises `NotAllowed` ("not-found") for all but the originator, `Malformed` ("too-large") or
        `Conflict` ("bad-range") if the label says another length.
        """
        found = self._own(uploader, identity, attachment)
        progress = await self._progress(found)
        if total > found[2].length:
            raise Malformed("too-large", f"{found[2].length} bytes were declared")
        if total != found[2].length:
            raise Conflict("bad-range", f"{found[2].length} bytes were declared")
        return progress

    async def put(
        self, uploader: Member, identity: str, attachment: str, start: int, total: int, chunk: bytes
    ) -> Progress:
        """Store bytes from `start` on of a ciphertext of `total` bytes.

        Raises `NotAllowed` ("not-found"), `Malformed` ("too-large", "bad-envelope" for a digest
        that is not the signed one: all of it is discarded), `Conflict` ("bad-range") for what does
        not continue what is stored, or `BrokerFault` ("disk-full").
        """
        found = self._own(uploader, identity, attachment)
        length = found[2].length
        if total > length or start + len(chunk) > length or len(chunk) > CHUNK:
            raise Malformed("too-large", f"{length} bytes were declared, {CHUNK} come at a time")
        async with self._lock(identity, attachment):
            found = self._own(uploader, identity, attachment)  # it may be recalled meanwhile
            progress = await self._progress(found)
            if total != length or start != progress.received or not chunk:
                raise Conflict("bad-range", f"{progress.received} of {length} bytes are stored")
            return await self._stored(found, start, chunk)

    async def read(
        self, asker: Asker, identity: str, attachment: str, start: int, end: int | None
    ) -> Download:
        """Bytes `start` up to `end` for a reader who may have the portion.

        Raises `NotAllowed` ("obligation-unsupported", or "not-found" for whatever other reason),
        `Conflict` ("incomplete", "bad-range").
        """
        found = self._find(identity, attachment)
        if found is None or not self._may_read(asker, found):
            raise self._refusal(asker, found)
        await self._releases.one(asker, found[0])
        if not self._may_read(asker, found):
            raise NotAllowed("not-found")
        total = found[2].length
        if not self._path(found).exists():
            raise Conflict("incomplete")
        end = total if end is None else min(end, total)
        if not 0 <= start < end:
            raise Conflict("bad-range", f"the attachment has {total} bytes")
        return Download(total, start, end, self._pieces(asker, found, start, end))

    async def remove(self, held: Held, gone: Collection[int]) -> None:
        """Delete the attachments of portions (by index), also those that are not complete."""
        for portion in held.portions:
            for one in portion.attachments if portion.index in gone else ():
                async with self._lock(held.identity, one.id):
                    path = self._path((held, portion, one))
                    await _in_thread(partial(_unlink, path, path.with_suffix(".part")))

    def _lock(self, identity: str, attachment: str) -> asyncio.Lock:
        return self._locks.setdefault((identity, attachment), asyncio.Lock())

    # -- whose is it

    def _find(self, identity: str, attachment: str) -> Found | None:
        held = self._state.holdings.by_identity(identity)
        for portion in () if held is None else held.portions:
            for one in portion.attachments:
                if held is not None and one.id == attachment:
                    erased = held.erased >> portion.index & 1
                    return None if erased else (held, portion, one)
        return None

    def _own(self, uploader: Member, identity: str, attachment: str) -> Found:
        found = self._find(identity, attachment)
        if found is None or found[0].originator != uploader.nation or not uploader.signs:
            raise NotAllowed("not-found")
        return found

    def _may_read(self, asker: Asker, found: Found) -> bool:
        visible = self._releases.look(asker, found[0])
        return visible is not None and found[1] in visible.portions

    def _refusal(self, asker: Asker, found: Found | None) -> NotAllowed:
        """Why an asker gets nothing of an attachment, as far as it may know."""
        beyond = None if found is None else self._releases.beyond(asker, found[0])
        if found is None or beyond is None or found[1] not in beyond.portions:
            return NotAllowed("not-found")
        return self._releases.refusal(asker, found[0])

    def _path(self, found: Found) -> Path:
        held, _, attachment = found
        return self._folder / file_name(held.identity, attachment.id)

    # -- writing

    async def _progress(self, found: Found) -> Progress:
        held, portion, attachment = found
        path = self._path(found)
        if path.exists():
            return Progress(attachment.length, complete=True)
        part = path.with_suffix(".part")
        stored = part.stat().st_size if part.exists() else 0  # less than counted: the file was lost
        place = (held.identity, portion.index, attachment.id)
        rows = await self._journal.rows("attachment", place)
        return Progress(min(rows[0][-1], stored), complete=False)

    async def _stored(self, found: Found, start: int, chunk: bytes) -> Progress:
        path, attachment = self._path(found), found[2]
        part = path.with_suffix(".part")
        try:
            await _in_thread(partial(_write, part, start, chunk))
            received = start + len(chunk)
            complete = received == attachment.length
            if complete:
                await _in_thread(partial(_finish, part, path, attachment.sha256))
        except (Malformed, BrokerFault):
            await self._note(found, 0)
            raise
        await self._note(found, received)
        if complete:
            logs.event("attachment.complete", report=found[0].identity, attachment=attachment.id)
        return Progress(received, complete)

    async def _note(self, found: Found, received: int) -> None:
        held, portion, attachment = found
        params = (received, held.identity, portion.index, attachment.id)
        await self._journal.note_progress(Change("attachment.received", params))

    # -- reading

    async def _pieces(
        self, asker: Asker, found: Found, start: int, end: int
    ) -> AsyncGenerator[bytes, None]:
        path = self._path(found)
        for at in range(start, end, PIECE):
            self._state.member(asker.kid, self._journal.size)
            if not self._may_read(asker, found):
                raise NotAllowed("not-found")
            yield await _in_thread(partial(_read, path, at, min(PIECE, end - at)))


def file_name(identity: str, attachment: str) -> str:
    """Under which name the whole ciphertext of a report's attachment is kept."""
    return hashlib.sha256(f"{identity}/{attachment}".encode()).hexdigest()


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _write(part: Path, start: int, chunk: bytes) -> None:
    """Put a piece behind the counted ones, durably. If it raises, none of it counts."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o600), "r+b", buffering=0) as file:
            file.truncate(start)
            file.seek(start)
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
    except OSError as error:  # an fsync that failed is not tried again: all of it goes
        part.unlink(missing_ok=True)
        raise _fault(error) from error


def _finish(part: Path, path: Path, sha256: str) -> None:
    """Give the whole file its name, if it is what was signed; discard it if it is not."""
    try:
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            part.unlink()
            raise Malformed("bad-envelope", "the attachment is not the one that was signed")
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _fault(error) from error


def _unlink(*paths: Path) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _fault(error) from error


def _read(path: Path, at: int, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(length)
    except OSError as error:
        raise _fault(error) from error


def _fault(error: OSError) -> BrokerFault:
    logs.event("attachment.failed", number=error.errno)
    return BrokerFault("disk-full" if error.errno in NO_ROOM else "internal")
