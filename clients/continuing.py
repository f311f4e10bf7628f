"""After a loss: what a client asks before it follows its log under another name.

A log that goes on from an older tree is a fork to everybody who saw more. It is followed only
where the nations agreed to it, by what this client knows of their roots, and only if all that it
saw and that is left stands there unchanged. What it saw of the log that it leaves stays with it:
who knows more than the rest has the proof.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from clients.store import Store
from clients.transport import Transport
from clients.trees import Seen, Trees
from wire import continuing, statements, strict_json
from wire.base64_strict import decode, encode
from wire.bodies import MissionContinue
from wire.directory import Continued, Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.model import Strict
from wire.notes import VKey
from wire.statements import STATEMENT_MAX, Statement

MOVES: Final = "continued"  # the name under which it is kept
RECORD_MAX: Final = 16 * STATEMENT_MAX  # bytes: more losses than a mission survives


class Move(Strict):
    """A log that was left: by which statements, and the newest checkpoint that was seen of it."""

    statements: tuple[str, ...]
    seen: str


class Moves(Strict):
    """Every log that was left, oldest first."""

    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Log:
    """The log that is followed: its name, its keys, and what led to it from the founding one."""

    origin: str
    keys: tuple[VKey, ...]
    moves: tuple[Move, ...] = ()

    @classmethod
    def kept(cls, origin: str, keys: Sequence[str], store: Store) -> "Log":
        """The log that is followed now, if it was founded as this one."""
        data = store.get(MOVES)
        if data is None:
            return cls(origin, tuple(map(VKey.parse, keys)))
        moves = strict_json.load(data, Moves, limit=RECORD_MAX, prose=True).moves
        body = read(decode(moves[-1].statements[-1])).body(MissionContinue)
        return cls(body.origin, tuple(map(VKey.parse, body.log_keys)), moves)

    def name(self, what: str) -> str:
        """Under which something about this log is kept: of each log apart."""
        return f"{what} {self.origin}" if self.moves else what

    def after(self, body: MissionContinue, move: Move) -> "Log":
        """The log that a statement leads to."""
        keys = tuple(map(VKey.parse, body.log_keys))
        return Log(body.origin, keys, (*self.moves, move))

    @property
    def left(self) -> Mapping[str, Statement]:
        """By which statement each log was left."""
        raws = (decode(raw) for move in self.moves for raw in move.statements)
        found = [statements.parse(raw) for raw in raws]
        return {statement.body(MissionContinue).continues: statement for statement in found}


class Following(Protocol):
    """What is known of one log."""

    log: Log
    directory: Directory
    trees: Trees

    @property
    def complete_to(self) -> int:
        """Entries up to which all statements are known."""

    @property
    def places(self) -> Iterable[tuple[int, int, Statement]]:
        """Position, time (seconds) and statement of all there are, in order."""

    @property
    def ground(self) -> Sequence[Seen]:
        """Trees that were verified."""


def read(raw: bytes) -> Statement:
    """A statement by which a log is continued. Raises `Malformed`."""
    statement = statements.parse(raw)
    if statement.head.type != "mission.continue":
        raise Malformed("bad-statement", "it continues no log")
    return statement


async def follow(
    old: Following,
    transport: Transport,
    store: Store,
    beside: Callable[[Log], Awaitable[Following]],
) -> tuple[Log, Continued]:
    """Follow the log to where the nations moved it: gives it, and by what the old one was left.

    `beside` follows another log from the pinned charter on. Raises what `compare` raises, and
    `Malformed` ("bad-checkpoint") if the broker shows no way on.
    """
    asked = await _asked(transport, old.log)
    body = asked.body(MissionContinue)
    new = await beside(old.log.after(body, Move(statements=(), seen="")))
    ours = await compare(old, new, asked, store)
    since = {c.statement for c in new.directory.continued if c.position >= ours.position}
    raws = [encode(said.raw) for _, _, said in new.places if said.identity in since]
    log = old.log.after(body, Move(statements=tuple(raws), seen=old.trees.newest.note))
    keep(store, log)
    return log, ours


async def _asked(transport: Transport, log: Log) -> Statement:
    """By what the broker says that the log was continued."""
    try:
        answer = await transport.get("/v1/log/continuation")
    except NotAllowed as error:
        detail = f"a checkpoint of another log than {log.origin}"
        raise Malformed("bad-checkpoint", detail) from error
    asked = read(answer.body)
    # What is known of a log is kept under its name, and nobody may have it dropped for a trial.
    if asked.body(MissionContinue).origin in {log.origin, *log.left}:
        raise Malformed("bad-checkpoint", f"it leads back, and not on from {log.origin}")
    return asked


async def compare(old: Following, new: Following, asked: Statement, store: Store) -> Continued:
    """Check that the nations moved the log that is followed to where `new` was followed.

    Gives by what the old log was left. Raises `Malformed` or `NotAllowed` for a log that they did
    not agree to, or that is not what was seen before; `Conflict` ("fork-detected"), after writing
    both down, for two ways on from one log.
    """
    # (1) Folded from the pinned charter, the new log's own chain leads to its name and keys.
    founded, chain = new.directory.founded, new.directory.continued
    if (founded.origin, founded.log_keys) != (new.log.origin, tuple(map(str, new.log.keys))) or (
        not chain or chain[-1].statement != asked.identity
    ):
        raise Malformed("bad-checkpoint", f"the nations did not move the log to {new.log.origin}")
    # (2) It is the one way on from the log that is followed, and from each that was left before.
    said = {s.identity: (time, s) for _, time, s in new.places if s.head.type == asked.head.type}
    for one in chain:
        known = old.log.left.get(one.body.continues)
        if known is not None and known.identity != one.statement:
            raise _fork(store, known, said[one.statement][1])
    ours = next((one for one in chain if one.body.continues == old.log.origin), None)
    if ours is None:
        raise Malformed("bad-checkpoint", f"{new.log.origin} does not continue {old.log.origin}")
    # (3) It starts with every tree that the nations named.
    for one in chain:
        await new.trees.start_with(one.body.size, bytes.fromhex(one.body.root))
    # (4) What was seen and is left is there: every tree, and every statement in its place.
    left = ours.body.size
    for seen in old.ground:
        if seen.size <= left:
            await new.trees.start_with(seen.size, seen.root)
    end = min(left, old.complete_to)
    if list(_until(end, old)) != list(_until(end, new)):
        raise Malformed("broken-chain", "the log goes on from other statements than were seen")
    # (5) Who saw more asks by what he saw: a root may have been replaced in what is lost.
    if old.directory.position >= left:
        time, statement = said[ours.statement]
        continuing.check_agreed(old.directory, statement, time)
    return ours


def _until(end: int, one: Following) -> Iterator[tuple[int, int, str]]:
    return ((at, time, s.identity) for at, time, s in one.places if at < end)


def _fork(store: Store, known: Statement, shown: Statement) -> Conflict:
    """Write the two statements down for everybody to see: they are the proof."""
    what = f"two ways on from {known.body(MissionContinue).continues}"
    pair = [encode(statement.raw) for statement in (known, shown)]
    text = json.dumps({"what": what, "seen": pair[0], "shown": pair[1]}, indent=1).encode()
    path = store.publish(f"fork-continued-{shown.identity[:16]}.json", text)
    return Conflict("fork-detected", f"{what}; see {path.name} in the state folder")


def keep(store: Store, log: Log) -> None:
    """Write down that another log is followed, and for everybody what was seen of the old one."""
    move = log.moves[-1]
    said = {"statement": move.statements[0], "seen": move.seen}
    size = read(decode(move.statements[0])).body(MissionContinue).size
    text = json.dumps(said, indent=1, ensure_ascii=False).encode()
    store.publish(f"continued-{size}.json", text)
    record = Moves(moves=log.moves).model_dump(mode="json")
    data = strict_json.dump(record, limit=RECORD_MAX, prose=True)
    store.put(MOVES, data)  # from here on the new log is followed


def told(ours: Continued, gone: int) -> Conflict:
    """The word to who saw what is lost."""
    body = ours.body
    entries = f"{gone} entries that you saw are gone"
    detail = f"{body.continues} goes on as {body.origin} from size {body.size}: {entries}"
    return Conflict("log-continued", detail)
