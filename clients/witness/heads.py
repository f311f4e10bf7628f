"""What a witness cosigned last, of each log: compared and replaced in one transaction.

The rule that this file keeps is all that a witness is worth: of two requests at once, the second
is compared with what the first one stored. It is on the disk before anything is signed.
"""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wire.errors import NotAllowed
from wire.notes import OpenedCheckpoint
from wire.witness import Head

PATIENCE: Final = 10.0  # seconds that one process waits for another's transaction

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS head (
  origin TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT
"""
_KEEP: Final = """
INSERT INTO head VALUES (?, ?, ?, ?, ?)
ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note
"""


class Heads:
    """The table of newest trees, in a file of its own. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(
            path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        path.chmod(0o600)
        self._rows.execute("PRAGMA synchronous = FULL")
        self._rows.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._rows.close()

    def advance(self, origin: str, judge: Callable[[Head], OpenedCheckpoint]) -> OpenedCheckpoint:
        """Let `judge` compare the log's newest tree with another, and keep that one instead.

        What it raises is raised, and nothing is kept.
        """
        self._rows.execute("BEGIN IMMEDIATE")  # from here on nobody else reads to write
        try:
            opened = judge(self.latest(origin))
            tree = opened.checkpoint
            row = (origin, name_of(origin), tree.size, tree.root, opened.note)
            self._rows.execute(_KEEP, row)
            self._rows.execute("COMMIT")  # from here on no other history is cosigned
        except BaseException:
            if self._rows.in_transaction:
                self._rows.execute("ROLLBACK")
            raise
        return opened

    def latest(self, origin: str) -> Head:
        """The tree cosigned last; the empty one, if there was none."""
        sql = "SELECT size, root, note FROM head WHERE origin = ?"
        row = self._rows.execute(sql, (origin,)).fetchone()
        return Head() if row is None else Head(*row)

    def note(self, name: str) -> str:
        """The note of the log with this name (`name_of`). Raises `NotAllowed` ("not-found")."""
        row = self._rows.execute("SELECT note FROM head WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise NotAllowed("not-found")
        return str(row[0])


def name_of(origin: str) -> str:
    """A log's name in a path: the SHA-256 of its origin, hex."""
    return hashlib.sha256(origin.encode()).hexdigest()
