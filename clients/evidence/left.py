"""After a loss: the evidence of the log that was left, and what of it is gone from the next one.

Each log has a file of its own. The old one keeps every entry with its proof, under the checkpoints
that the old log signed: it shows what was acknowledged and lost. What of it is left must stand in
the new log unchanged, and is compared link by link: a link holds the hash of all before it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from clients.auditor import Auditor
from clients.continuing import read
from clients.evidence.store import EvidenceStore, file_of
from wire.base64_strict import decode
from wire.bodies import MissionContinue
from wire.entries import MISSION
from wire.errors import Malformed


@dataclass(frozen=True)
class Gone:
    """An entry that concerned the nation, and that the log has no more. Time in milliseconds."""

    log: str
    index: int
    time: int
    type: str
    report: str | None
    recipient: str | None
    statement: str | None


def whose(auditor: Auditor, back: int = 0) -> Mapping[str, str]:
    """Whose evidence a store must hold to be this auditor's: of the log that is followed, or of
    the one that was left so many moves ago.
    """
    public, moves = auditor.identity.public, auditor.follower.log.moves
    about = {"mission": public.mission, "nation": public.nation, "charter": public.charter}
    if back >= len(moves):
        return about
    statement = read(decode(moves[len(moves) - 1 - back].statements[-1]))
    body = statement.body(MissionContinue)
    start = f"{body.size} {body.root}"
    return {**about, "log": body.origin, "continued": statement.identity, "start": start}


def check(auditor: Auditor, store: EvidenceStore) -> None:
    """Compare what is left of the old log with what was seen of it, if this auditor pulled then.

    Raises `Malformed` ("broken-chain") naming the channel.
    """
    with _before(auditor, 0) as (old, size):
        for channel in (MISSION, auditor.identity.nation) if old is not None else ():
            assert old is not None
            sql = "SELECT max(count) AS n FROM fact WHERE channel = ? AND idx < ?"
            row = old.one(sql, channel, size)
            if row is None or row["n"] is None:
                continue
            number = row["n"]
            if old.evidence(channel, number).link != store.evidence(channel, number).link:
                where = f"up to entry {number} of {channel}"
                raise Malformed("broken-chain", f"{where}: other entries than before the loss")


def gone(auditor: Auditor) -> Iterator[Gone]:
    """Every entry of the nation's own channel that was seen and is lost, oldest log first."""
    moves = auditor.follower.log.moves
    for back in reversed(range(len(moves))):
        with _before(auditor, back) as (old, size):
            if old is None:
                continue
            sql = (
                "SELECT idx, time, type, report, recipient, statement FROM fact "
                "WHERE channel = ? AND idx >= ? ORDER BY idx"
            )
            log = old.whose.get("log", auditor.identity.public.origin)
            for row in old.rows(sql, auditor.identity.nation, size):
                yield Gone(log, *row.values())


@contextmanager
def _before(auditor: Auditor, back: int) -> Iterator[tuple[EvidenceStore | None, int]]:
    """The evidence of the log before the one that was left, or is followed, `back` moves ago, and
    how many entries of it are left. None where this auditor pulled nothing of it.
    """
    moves, about = auditor.follower.log.moves, whose(auditor, back + 1)
    if back >= len(moves) or not (auditor.identity.state / file_of(about)).exists():
        yield None, 0
        return
    statement = read(decode(moves[len(moves) - 1 - back].statements[0]))
    with EvidenceStore.open(auditor.identity.state, about, new=False) as old:
        yield old, statement.body(MissionContinue).size
