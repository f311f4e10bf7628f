"""How far a push has come, on disk beside the evidence that it sends.

What is recorded here decides what is sent after a crash, so each step is durable before the next
is taken: a batch is named before it is sent, and the cursor moves with the receiver's yes, or with
an event's place on the list of dead letters, in one transaction. Whoever can change it can make
the push repeat or leave out; the evidence itself does not depend on it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.evidence.store import EvidenceStore
from wire.errors import Conflict

LOCK: Final = "push.lock"


@dataclass(frozen=True)
class State:
    """All entries before `cursor` were delivered or given up. A batch that ends before `upto` is
    under way, if that is beyond the cursor; it was refused `tries` times. Until `singly`, events go
    out one by one. Nothing is sent before `rest` (Unix milliseconds), or at all while `gone`.
    """

    cursor: int = 0
    upto: int = 0
    tries: int = 0
    singly: int = 0
    rest: int = 0
    gone: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """An event that its receiver does not take: why, how often it was tried, when last."""

    target: str
    index: int
    tries: int
    why: str
    time: int


class Outbox:
    """The state of one push: of a store, to one target."""

    def __init__(self, store: EvidenceStore, target: str) -> None:
        self._store, self._target = store, target

    def state(self) -> State:
        """What is known."""
        sql = "SELECT cursor, upto, tries, singly, rest, gone FROM push WHERE target = ?"
        row = self._store.one(sql, self._target)
        return State() if row is None else State(**row)

    def keep(self, state: State) -> None:
        """Make it so: durable when this returns."""
        self._store.change((_KEEP, (self._target, *vars(state).values())))

    def bury(self, state: State, letter: DeadLetter) -> None:
        """The same, with a dead letter, which takes the place of an older one."""
        self._store.change(
            (_BURY, tuple(vars(letter).values())),
            (_KEEP, (self._target, *vars(state).values())),
        )

    def dead(self) -> list[DeadLetter]:
        """The dead letters of this target, in the order of the journal."""
        return [letter for letter in dead_letters(self._store) if letter.target == self._target]

    def revived(self, index: int) -> None:
        """A dead letter was taken after all."""
        sql = "DELETE FROM dead_letter WHERE target = ? AND idx = ?"
        self._store.change((sql, (self._target, index)))


_KEEP: Final = "INSERT OR REPLACE INTO push VALUES(?, ?, ?, ?, ?, ?, ?)"
_BURY: Final = "INSERT OR REPLACE INTO dead_letter VALUES(?, ?, ?, ?, ?)"


def dead_letters(store: EvidenceStore) -> list[DeadLetter]:
    """All dead letters, by target and in the order of the journal."""
    sql = 'SELECT target, idx AS "index", tries, why, time FROM dead_letter ORDER BY target, idx'
    return [DeadLetter(**row) for row in store.rows(sql)]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other push of this member at the same time: two would send everything twice.

    Raises `Conflict` ("undelivered") if there is one.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("undelivered", "another push of this member is under way") from None
        yield
    finally:
        os.close(descriptor)
