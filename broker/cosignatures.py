"""What witnesses have cosigned, gathered until a quorum stands behind one tree: then it is out.

Writes never wait for witnesses; publication does. One tree at a time is the candidate, so that the
cosignatures of many witnesses meet under it: it stays until it has the quorum, then the journal's
newest takes its place. One that nobody completes for an hour gives way, for a witness that has
cosigned a newer tree cannot go back. Whose keys count is asked for each tree: nations replace them.

Both notes are kept beside the anchor. Who changes these files gains nothing: every line in them is
verified when it is read, and again by every client. A published tree that is newer than the journal
means that the journal was rolled back.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.journal import Journal
from broker.journal.anchor import write_anchor
from wire.errors import BrokerFault, Malformed, NotAllowed, TearlineError
from wire.notes import Checkpoint, SignedLine, VKey, open_checkpoint, verified_lines
from wire.witness_keys import Witnesses

CANDIDATE_SECONDS: Final = 3_600
AHEAD_SECONDS: Final = 300
"""What a witness's clock may be ahead of ours: a time of next year would never be renewed."""
NOTE_MAX: Final = 65_536
"""Bytes of a note that brings cosignatures: both keys of a dozen witnesses."""
PUBLISHED_FILE: Final = "published"
CANDIDATE_FILE: Final = "candidate"


@dataclass(frozen=True)
class Gathered:
    """How many witnesses have cosigned the tree of `size` entries, of how many that must."""

    size: int
    witnesses: int
    quorum: int


@dataclass
class _Gathering:
    """One tree, and the lines of those who have cosigned it."""

    note: str
    since: int
    lines: dict[VKey, SignedLine] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.note.rpartition("\n\n")[0] + "\n"

    @property
    def size(self) -> int:
        return Checkpoint.parse(self.text).size

    @property
    def whole(self) -> str:
        return self.note + "".join(line.text for line in self.lines.values())

    def take(self, lines: Mapping[VKey, SignedLine]) -> bool:
        """Add what is new or newer; says whether anything was."""
        fresh = {
            key: line
            for key, line in lines.items()
            if key not in self.lines or line.time > self.lines[key].time
        }
        self.lines |= fresh
        return bool(fresh)

    def witnesses(self, whose: Witnesses) -> int:
        """How many have signed with every key that counts for this tree."""
        keys = whose.at(self.size)
        names = {key.name for key in keys}
        return sum(all(k in self.lines for k in keys if k.name == name) for name in names)


class Cosignatures:
    """The candidate and the published checkpoint. A mission without witnesses publishes at once.

    `whose` gives the witnesses as the whole journal says.
    """

    def __init__(
        self,
        journal: Journal,
        log_keys: Sequence[VKey],
        whose: Callable[[], Witnesses],
        folder: Path,
        now: int,
    ) -> None:
        """Take up what was kept. Raises `BrokerFault` ("rollback-detected")."""
        self._journal, self._folder = journal, folder
        self._log_keys, self._whose, self._quorum = log_keys, whose, whose().quorum
        self._writing = asyncio.Lock()
        published = self._kept(PUBLISHED_FILE, now)
        reached = published is not None and published.witnesses(whose()) >= self._quorum
        self._published = published if reached else None
        candidate = self._kept(CANDIDATE_FILE, now)
        for kept in (published, candidate):
            if kept is not None and kept.size > journal.size:
                raise BrokerFault("rollback-detected", "witnesses have cosigned a newer tree")
        done = self._published
        past = done is not None and candidate is not None and candidate.size <= done.size
        self._candidate = done if past else candidate

    def published(self) -> str:
        """The newest checkpoint with a quorum; the journal's own, if the mission asks for none.

        Raises `NotAllowed` ("not-found") before the first one.
        """
        if not self._quorum:
            return self._journal.checkpoint
        if self._published is None:
            raise NotAllowed("not-found")
        return self._published.whole

    def candidate(self, now: int) -> str:
        """The checkpoint that witnesses are to cosign now, signed by the log alone."""
        if not self._quorum:
            return self._journal.checkpoint
        return self._current(now).note

    async def add(self, note: bytes, now: int) -> Gathered:
        """Take the cosignatures of the mission's witnesses from a note; other lines are ignored.

        The note is of the candidate, or of what is published: late ones, and newer times, count.
        Raises `Malformed` ("bad-checkpoint") for a false line, `NotAllowed` ("not-found") for
        another tree, `BrokerFault` ("disk-full"): they count until the next start.
        """
        try:
            text = note.decode()
        except UnicodeDecodeError as error:
            raise Malformed("bad-checkpoint", "a note is UTF-8") from error
        checkpoint, _ = verified_lines(text, ())
        meant, whose = self._meant(checkpoint), self._whose()
        _, lines = verified_lines(text, whose.at(checkpoint.size))
        if any(line.time > now + AHEAD_SECONDS for line in lines.values()):
            raise Malformed("bad-checkpoint", "a cosignature from the future")
        if meant.take(lines):
            async with self._writing:
                await self._keep(meant)
        return Gathered(checkpoint.size, meant.witnesses(whose), self._quorum)

    def _current(self, now: int) -> _Gathering:
        held, newest = self._candidate, self._journal.checkpoint
        done = held is None or held is self._published or now - held.since > CANDIDATE_SECONDS
        if held is None or (done and held.note != newest):
            self._candidate = held = _Gathering(newest, now)
        return held

    def _meant(self, checkpoint: Checkpoint) -> _Gathering:
        for held in (self._candidate, self._published):
            if held is not None and held.text == checkpoint.text():
                return held
        raise NotAllowed("not-found", "no checkpoint that waits for cosignatures")

    async def _keep(self, held: _Gathering) -> None:
        if held is self._candidate and held.witnesses(self._whose()) >= self._quorum:
            self._published = held
        name = PUBLISHED_FILE if held is self._published else CANDIDATE_FILE
        try:
            await asyncio.to_thread(write_anchor, self._folder / name, held.whole)
        except OSError as error:
            raise BrokerFault("disk-full", "cosignatures cannot be kept") from error

    def _kept(self, name: str, now: int) -> _Gathering | None:
        """What an earlier run has kept, if it is of this log and whole."""
        try:
            note = (self._folder / name).read_bytes()[: NOTE_MAX * 4].decode()
            size = open_checkpoint(note, self._log_keys).checkpoint.size
            keys = self._whose().at(size)
            checkpoint, lines = verified_lines(note, (*self._log_keys, *keys))
        except (OSError, UnicodeDecodeError, TearlineError):
            return None
        own = "".join(lines[key].text for key in self._log_keys)
        signed = {key: line for key, line in lines.items() if key in keys}
        return _Gathering(f"{checkpoint.text()}\n{own}", now, signed)
