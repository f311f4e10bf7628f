"""Follow the mission's own channel of the journal: who is who, proven, from the pinned charter on.

The broker sends pages of the MISSION chain and the statements they name. Every page is walked with
`wire.prove.walk`, every statement folded at its proven position, so a hidden revocation, a swapped
key or a second history is found here. What was verified is kept, and never followed backwards.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from clients.identity import Identity
from clients.keys import EpochKeyring
from clients.store import Store
from clients.transport import Transport
from wire import base64_strict, fold, merkle, statements, strict_json
from wire.bodies import EpochGrant
from wire.directory import Directory
from wire.entries import MISSION, Tip
from wire.errors import Conflict, Malformed
from wire.evidence import MAX_SEGMENT_BYTES, Segment
from wire.model import Hex32B, Strict
from wire.notes import OpenedCheckpoint, VKey, open_checkpoint
from wire.prove import Trust, VerifiedEntry, walk

PAGE: Final = 200  # entries a request: about 1.5 MB with their statements
HISTORY_MAX: Final = 256 * 1024 * 1024  # bytes of the cached statements of a whole mission


class StatementPage(Strict):
    """What `GET /v1/statements` answers."""

    segment: Segment
    consistency: tuple[str, ...]
    statements: dict[Hex32B, str]


class Kept(Strict):
    """One statement with its proven position and time (seconds)."""

    position: int
    time: int
    raw: str


class History(Strict):
    """What the follower keeps between runs."""

    size: Annotated[int, Field(ge=0)]
    root: str
    count: int
    index: int
    slot: int
    commitment: str
    statements: tuple[Kept, ...]


class SeenTree(Strict):
    """The newest tree seen, as it is kept."""

    size: int
    root: Hex32B


@dataclass
class Seen:
    """The newest tree this client has verified, from whatever answer it came."""

    size: int = 0
    root: bytes = merkle.EMPTY_ROOT


class Follower:
    """The directory as this client has proven it, and the newest checkpoint it has seen."""

    def __init__(self, identity: Identity, transport: Transport, store: Store) -> None:
        self._identity, self._transport, self._store = identity, transport, store
        self.directory = Directory(identity.mission, identity.charter)
        self.log_keys = tuple(VKey.parse(key) for key in identity.log_keys)
        self._trust, self._complete_to, self.seen = Trust(), 0, Seen()
        self._kept: list[Kept] = []
        self._grants: list[EpochGrant] = []
        self._ring: EpochKeyring | None = None
        self._restore()

    async def sync(self, *, at_least: int = -1) -> Directory:
        """Follow the chain to its end, or at least past this journal position.

        Raises what fails to verify; nothing unverified is ever kept.
        """
        if 0 <= at_least < self._complete_to:
            return self.directory
        complete, moved = False, False
        while not complete:
            complete, changed = await self._page()
            moved |= changed
        self._complete_to = self._trust.size
        if moved:
            self._save()
        return self.directory

    def keyring(self) -> EpochKeyring:
        """What this member can open: the epochs that its nation granted to it."""
        if self._ring is None:
            keys, nation = self._identity.keys, self._identity.nation
            self._ring = EpochKeyring.from_grants(keys, nation, self._grants, self.directory.terms)
        return self._ring

    def keep_seen(self) -> None:
        """Write down the newest tree seen, so that the next run refuses an older one."""
        seen = {"size": self.seen.size, "root": self.seen.root.hex()}
        self._store.put("seen", strict_json.dump(seen))

    async def observe(self, note: str) -> OpenedCheckpoint:
        """Check that a checkpoint is the log's and extends everything seen before.

        Raises `Malformed`, or `Conflict` ("fork-detected") after writing both sides down.
        """
        opened = open_checkpoint(note, self.log_keys)
        size, root = opened.checkpoint.size, opened.checkpoint.root
        if size == self.seen.size or not self.seen.size:
            same = root == self.seen.root or not self.seen.size
            if not same:
                raise self._fork(note, f"two different trees of {size} entries")
        else:
            old, new = sorted(((self.seen.size, self.seen.root), (size, root)))
            answer = await self._transport.get("/v1/log/proof/consistency", old=old[0], new=new[0])
            try:
                merkle.verify_consistency(old[0], new[0], _proof(answer.body), old[1], new[1])
            except Malformed as error:
                raise self._fork(note, "a tree that does not extend the one seen before") from error
        if size > self.seen.size:
            self.seen = Seen(size, root)
        return opened

    async def _page(self) -> tuple[bool, bool]:
        trust = self._trust
        answer = await self._transport.get(
            "/v1/statements", after=trust.tip.count, size=trust.size, limit=PAGE
        )
        page = strict_json.load(answer.body, StatementPage, limit=MAX_SEGMENT_BYTES, prose=True)
        trust, entries, complete = walk(
            trust,
            page.segment,
            self.log_keys,
            MISSION,
            0,
            None,
            [base64_strict.decode(h) for h in page.consistency],
        )
        directory, kept = self.directory, []
        for entry in entries:
            if entry.type == "statement":
                item = _kept(entry, page.statements)
                directory = self._folded(directory, item)
                kept.append(item)
        self._trust, self.directory = trust, directory
        self._take(kept)
        await self.observe(page.segment.checkpoint)
        return complete, bool(entries)

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

    def _take(self, kept: list[Kept]) -> None:
        self._kept += kept
        for item in kept:
            statement = statements.parse(base64.b64decode(item.raw))
            if statement.head.type == "epoch.grant" and statement.body_bytes is not None:
                self._grants.append(statement.body(EpochGrant))
                self._ring = None

    def _fork(self, note: str, what: str) -> Conflict:
        proof = {"seen_size": self.seen.size, "seen_root": self.seen.root.hex(), "shown": note}
        self._store.put("fork-proof", strict_json.dump(proof, prose=True))
        return Conflict("fork-detected", what)

    # -- what is kept

    def _save(self) -> None:
        trust = self._trust
        history = History(
            size=trust.size,
            root=trust.root.hex(),
            count=trust.tip.count,
            index=trust.tip.index,
            slot=trust.tip.slot,
            commitment=trust.tip.commitment.hex(),
            statements=tuple(self._kept),
        )
        self._store.put("history", history.model_dump_json().encode())

    def _restore(self) -> None:
        seen = self._store.get("seen")
        if seen is not None:
            tree = strict_json.load(seen, SeenTree)
            self.seen = Seen(tree.size, bytes.fromhex(tree.root))
        data = self._store.get("history")
        if data is None:
            return
        history = History.model_validate_json(data)
        tip = Tip(history.count, history.index, history.slot, bytes.fromhex(history.commitment))
        self._trust = Trust(history.size, bytes.fromhex(history.root), tip, tip)
        self._complete_to = history.size
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


class Proof(Strict):
    """What the proof endpoints answer."""

    proof: tuple[str, ...]


def _proof(body: bytes) -> list[bytes]:
    return [base64_strict.decode(h) for h in strict_json.load(body, Proof).proof]
