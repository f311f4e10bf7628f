"""Follow the mission's own channel of the journal: who is who, proven, from the pinned charter on.

The broker sends pages of the MISSION chain and the statements they name. Every page is walked with
`wire.prove.walk`, every statement folded at its proven position, so a hidden revocation, a swapped
key or a second history is found here. What was verified is kept, and never followed backwards.
"""

import base64
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import anyio
from pydantic import ValidationError

from clients import continuing
from clients.continuing import Log
from clients.identity import Identity
from clients.keys import EpochKeyring
from clients.store import Store
from clients.transport import Transport
from clients.trees import SEEN, Seen, Trees
from wire import base64_strict, fold, pages, statements
from wire.bodies import EpochGrant, ReportRecall, ReportRelease
from wire.directory import Directory
from wire.entries import MISSION, Tip
from wire.errors import Malformed, NotAllowed
from wire.model import Hex32B, Strict
from wire.notes import OpenedCheckpoint, open_checkpoint
from wire.pages import PageAnswer
from wire.prove import Trust, VerifiedEntry, walk
from wire.statements import Statement

HISTORY: Final = "history"  # the name under which it is kept
PAGE: Final = 200  # entries a request: about 1.5 MB with their statements


class StatementPage(PageAnswer):
    """What `GET /v1/statements` answers."""

    statements: dict[Hex32B, str]


class Kept(Strict):
    """One statement with its proven position and time (seconds)."""

    position: int
    time: int
    raw: str


@dataclass(frozen=True)
class Recalled:
    """That a nation took a report back, by which statement at which entry."""

    statement: str
    nation: str
    index: int
    reason: str


@dataclass(frozen=True)
class Filed:
    """A proven statement, where it stands in the journal, and since when (seconds)."""

    statement: Statement
    index: int
    time: int


class History(Strict):
    """What the follower keeps between runs."""

    checkpoint: str
    count: int
    index: int
    slot: int
    commitment: str
    statements: tuple[Kept, ...]


class Follower:
    """The directory as this client has proven it, and the newest checkpoint it has seen.

    Many tasks may use it at once: pages are followed, and trees compared, one after the other.
    """

    def __init__(
        self, identity: Identity, transport: Transport, store: Store, log: Log | None = None
    ) -> None:
        self._identity, self._transport, self._store = identity, transport, store
        self._following = anyio.Lock()
        self._moves = log is None
        self._begin(log or self._kept_log())

    def _begin(self, log: Log) -> None:
        """Take up what is known of a log."""
        identity, self.log = self._identity, log
        self.directory = Directory(identity.mission, identity.charter)
        self.log_keys = log.keys
        self.trees = Trees(self._transport, self._store, log.keys, log.name(SEEN))
        self._trust, self._note = Trust(), ""
        self._complete_to = self._saved = 0
        self._kept: list[Kept] = []
        self._grants: list[EpochGrant] = []
        self.recalls: dict[str, Recalled] = {}
        """What was taken back of what this nation was sent or said, by report."""
        self._ring: EpochKeyring | None = None
        self.releases: list[ReportRelease] = []
        """Consents that this nation has a part in, in journal order; they may have ended since."""
        self._followed_at = -math.inf
        self._restore()

    async def sync(self, *, at_least: int = -1, within: float = 0) -> Directory:
        """Follow the chain to its end, or at least past this journal position.

        Nothing is asked if that was done in the last `within` seconds. Raises what fails to
        verify; nothing unverified is ever kept.
        """
        wanted = anyio.current_time() - within
        async with self._following:
            # While this waited its turn, another task may have followed to the end.
            if 0 <= at_least < self._complete_to or self._followed_at >= wanted:
                return self.directory
            begun = anyio.current_time()
            try:
                while not await self._page():
                    pass
                self._check_in_force()
            except NotAllowed as error:
                raise self._refused(error) from error
            self._complete_to, self._followed_at = self._trust.size, begun
            if self._trust.tip.count > self._saved:
                self._save()
            return self.directory

    def keyring(self) -> EpochKeyring:
        """What this member can open: the epochs that its nation granted to it."""
        if self._ring is None:
            keys, nation = self._identity.keys, self._identity.nation
            self._ring = EpochKeyring.from_grants(keys, nation, self._grants, self.directory.terms)
        return self._ring

    @property
    def history(self) -> Sequence[Kept]:
        """Every statement of the mission so far, folded and so proven, in order."""
        return self._kept

    def newest(self, kind: str) -> Statement | None:
        """The last statement of this type in the proven chain, if there is one."""
        for kept in reversed(self._kept):
            statement = statements.parse(base64.b64decode(kept.raw))
            if statement.head.type == kind:
                return statement
        return None

    @property
    def seen(self) -> Seen:
        """The newest tree that this client has verified."""
        return self.trees.newest

    async def observe(self, note: str) -> OpenedCheckpoint:
        """See `Trees.observe`. A log that goes on after a loss is followed to its new name first.

        Raises `Conflict` ("log-continued") once, if something that was seen is gone by that.
        """
        if self._is_elsewhere(note):
            async with self._following:
                await self._move(note)
        return await self.trees.observe(note)

    # -- after a loss

    @property
    def complete_to(self) -> int:
        """Entries up to which all statements are known."""
        return self._trust.size

    @property
    def places(self) -> Iterator[tuple[int, int, Statement]]:
        """Position, time (seconds) and statement of all there are, in order."""
        for kept in self._kept:
            yield kept.position, kept.time, statements.parse(base64.b64decode(kept.raw))

    @property
    def ground(self) -> Sequence[Seen]:
        """The trees that were verified last."""
        return (Seen(self._trust.size, self._trust.root), self.trees.newest)

    async def _move(self, note: str) -> bool:
        """If the note is of another log, follow the nations there; says whether that was so."""
        if not self._is_elsewhere(note):
            return False
        kept = self._kept_log()
        if len(kept.moves) > len(self.log.moves):  # another process of this member has, and said so
            self._begin(kept)
            return True
        log, ours = await continuing.follow(self, self._transport, self._store, self._beside)
        gone = self.seen.size - ours.body.size
        self._begin(log)
        if gone > 0:
            raise continuing.told(ours, gone)
        return True

    def _is_elsewhere(self, note: str) -> bool:
        """Whether it bears another name than the log's."""
        names = {key.name for key in self.log.keys}
        return self._moves and note.partition("\n")[0] not in names

    async def _beside(self, log: Log) -> "Follower":
        """Another log, followed from the pinned charter on: nothing of it is believed yet."""
        for name in (HISTORY, SEEN):
            self._store.drop(log.name(name))  # of an earlier try, and nobody agreed to that
        new = Follower(self._identity, self._transport, self._store, log)
        await new.sync()
        new.trees.keep()
        return new

    def _kept_log(self) -> Log:
        public = self._identity.public
        return Log.kept(public.origin, public.log_keys, self._store)

    # -- page by page

    async def _page(self) -> bool:
        """Follow one page; says whether it was the last."""
        trust, seen = self._trust, self.seen.size
        try:
            answer = await self._transport.page(
                "/v1/statements", PAGE, after=trust.tip.count, size=trust.size
            )
        except NotAllowed as error:
            if error.slug == "not-found" and await self._compare_with_newest():
                return False  # it has not got our tree, for it shows that of another log
            raise
        told, page = pages.read(answer.body, StatementPage)
        if await self._move(page.checkpoint):
            return False
        opened = await self.trees.observe(page.checkpoint, told.consistency, trust.size)
        if opened.checkpoint.size < seen:  # who is revoked since would still be there
            raise Malformed("broken-chain", "statements up to an older tree than was seen before")
        trust, entries, complete = walk(
            trust,
            page,
            self.log_keys,
            MISSION,
            0,
            None,
            _decoded(told.consistency),
            checkpoint=opened,
        )
        directory, kept = self.directory, list[Kept]()
        for entry in entries:
            if entry.type == "statement":
                item = _kept(entry, told.statements)
                directory = self._folded(directory, item)
                kept.append(item)
        self._trust, self.directory, self._note = trust, directory, opened.note
        self._take(kept)
        return complete

    async def _compare_with_newest(self) -> bool:
        """Whether the nations moved the log. If not, its newest tree must extend ours.

        Raises `Conflict` ("fork-detected").
        """
        answer = await self._transport.get("/v1/log/candidate")
        note = answer.body.decode("utf-8", "replace")
        moved = await self._move(note)
        if not moved:
            await self.trees.observe(note)
        return moved

    def _folded(self, directory: Directory, item: Kept) -> Directory:
        """The next directory: the same fold that the broker runs, through this nation's eyes."""
        statement = statements.parse(base64.b64decode(item.raw))
        nation = self._identity.nation
        directory = fold.apply(directory, statement, item.position, item.time, viewer=nation)
        if statement.head.type == "mission.charter":
            self._check_log(directory)
        return directory

    def _check_log(self, directory: Directory) -> None:
        """The log that this identity trusts must be the one that the nations founded."""
        charter, ours = directory.founded, self._identity.public
        if (charter.origin, set(charter.log_keys)) != (ours.origin, set(ours.log_keys)):
            raise Malformed("bad-identity", "its log is not the one that the charter names")

    def _check_in_force(self) -> None:
        """The log's own chain must not say that it goes on under another name."""
        founded, names = self.directory.founded, tuple(map(str, self.log.keys))
        if (founded.origin, set(founded.log_keys)) != (self.log.origin, set(names)):
            raise Malformed("bad-checkpoint", f"it was continued, as {founded.origin}")

    def _take(self, kept: list[Kept]) -> None:
        self._kept += kept
        for item in kept:
            statement = statements.parse(base64.b64decode(item.raw))
            if statement.head.type == "epoch.grant" and statement.body_bytes is not None:
                self._grants.append(statement.body(EpochGrant))
                self._ring = None
            if statement.head.type == "report.recall" and statement.body_bytes is not None:
                said, recall = statement.identity, statement.body(ReportRecall)
                recalled = Recalled(said, statement.head.nation, item.position, recall.reason)
                self.recalls.setdefault(recall.report, recalled)
            if statement.head.type == "report.release" and statement.body_bytes is not None:
                self.releases.append(statement.body(ReportRelease))

    def said(self, kind: str) -> Iterator[tuple[int, int, Statement]]:
        """Every proven statement of a type: its position, its time (seconds), and itself."""
        for item in self._kept:
            statement = statements.parse(base64.b64decode(item.raw))
            if statement.head.type == kind:
                yield item.position, item.time, statement

    def filed(self, *kinds: str) -> dict[str, Filed]:
        """The proven statements of these types, by identity."""
        found = (Filed(said, at, time) for kind in kinds for at, time, said in self.said(kind))
        return {filed.statement.identity: filed for filed in found}

    def _refused(self, error: NotAllowed) -> NotAllowed:
        """Why this member is not welcome, as far as it can tell by itself."""
        member = self.directory.members.get(self._identity.kid)
        if error.slug != "unsigned-request":
            return error
        if member is not None and member.expires <= self._transport.now():
            day = time.strftime("%Y-%m-%d", time.gmtime(member.expires))
            return NotAllowed(error.slug, f"this member's time ended on {day}")
        return NotAllowed(error.slug, "this member is unknown there, or stands no more")

    # -- what is kept

    def _save(self) -> None:
        trust = self._trust
        history = History(
            checkpoint=self._note,
            count=trust.tip.count,
            index=trust.tip.index,
            slot=trust.tip.slot,
            commitment=trust.tip.commitment.hex(),
            statements=tuple(self._kept),
        )
        self._store.put(self.log.name(HISTORY), history.model_dump_json().encode())
        self._saved = trust.tip.count

    def _restore(self) -> None:
        data = self._store.get(self.log.name(HISTORY))
        if data is None:
            return
        try:
            history = History.model_validate_json(data)
        except ValidationError as error:
            detail = "its state folder is of another version; remove it to follow anew"
            raise Malformed("bad-identity", detail) from error
        opened = open_checkpoint(history.checkpoint, self.log_keys)
        self.trees.take(opened)
        tip = Tip(history.count, history.index, history.slot, bytes.fromhex(history.commitment))
        size, root = opened.checkpoint.size, opened.checkpoint.root
        self._trust, self._note = Trust(size, root, tip, tip), history.checkpoint
        self._complete_to, self._saved = size, history.count
        self._take(list(history.statements))
        for item in self._kept:
            self.directory = self._folded(self.directory, item)


def _kept(entry: VerifiedEntry, sent: Mapping[str, str]) -> Kept:
    """The statement that a proven entry names, by its own identity."""
    identity = (entry.view or {}).get("statement")
    raw = sent.get(str(identity))
    if raw is None:
        raise Malformed("broken-chain", f"the statement of entry {entry.index} was not sent")
    if statements.parse(base64_strict.decode(raw)).identity != identity:
        raise Malformed("broken-chain", f"another statement was sent for entry {entry.index}")
    return Kept(position=entry.index, time=entry.time // 1000, raw=raw)


def _decoded(hashes: Sequence[str]) -> list[bytes]:
    return [base64_strict.decode(h) for h in hashes]
