"""A journal looked at and copied by another process than the broker's: by its operator.

Nothing here writes to a journal, but for `rename` to one that nobody has open. A journal that a
broker has open may be copied, with one reader more; SQLite allows that as long as it neither writes
nor folds the log back (see `store`).
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

from broker.journal import memory
from broker.journal.anchor import Anchor
from broker.journal.memory import Remembered
from broker.journal.queries import QUERIES
from broker.journal.recovery import PAGE, check_pages, check_prefix, compare_anchor, recover
from broker.journal.schema import RENAME_HEAD
from broker.journal.state import Seals, State
from broker.journal.store import Reads, Store, faults
from wire.errors import BrokerFault

BUSY_SECONDS: Final = 10.0
"""How long a copy waits for a broker that is just starting."""

Progress = Callable[[int, int], None]
"""Told (done, in all)."""


class AtRest:
    """A journal's database that no broker has open, verified from its first entry to its last.

    Made by `open`, which raises `BrokerFault` "journal-damaged" with the first entry that
    disagrees, and in what.
    """

    def __init__(self, reads: Reads, state: State, seals: Seals) -> None:
        self._reads, self._seals = reads, seals
        self._places: Mapping[str, int] | None = None
        self.state = state

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Path, seals: Seals, progress: Progress
    ) -> AsyncIterator["AtRest"]:
        """Verify everything; `progress` is told how far that is."""
        with faults():
            async with Reads.of(database) as reads:
                state = await recover(reads, seals, progress, whole=True)
                await check_pages(reads)
                if state is None:
                    raise BrokerFault("journal-damaged", "there is no entry in it")
                yield cls(reads, state, seals)

    async def compare(self, anchor: Path) -> None:
        """Raises `BrokerFault` "rollback-detected" unless the journal goes on from its anchor."""
        await compare_anchor(
            self._reads, Anchor(anchor), self.state, self._seals, accept_missing=False
        )

    async def follows(self, name: str, note: str) -> int:
        """The size of a checkpoint that somebody saw, if the journal goes on from it.

        Raises `BrokerFault` "rollback-detected".
        """
        return await check_prefix(self._reads, note, self.state, self._seals, name)

    async def rows(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query of `queries.QUERIES` finds."""
        return await self._reads.read(QUERIES[query], params)

    async def remembered(self, form: str) -> Remembered:
        """What was remembered last. Raises `memory.UnfitError`."""
        return await memory.read(self._reads, self.state, self._seals, form)

    async def statements(self) -> AsyncIterator[tuple[int, bytes, int]]:
        """All statements in order: index, bytes, and the time of the entry in seconds."""
        after = -1
        while rows := await self._reads.read(QUERIES["statements_timed"], (after, PAGE)):
            for index, raw, time_ms in rows:
                yield index, raw, time_ms // 1000
            after = rows[-1][0]

    async def heads(self) -> Sequence[tuple[int, str]]:
        """The checkpoint of every batch, with its size."""
        return [(size, note) for size, note in await self._reads.read(QUERIES["heads"])]

    async def attachments(self) -> Sequence[tuple[Any, ...]]:
        """All attachments there ever were: report, portion, id, SHA-256, length, received."""
        return await self.rows("attachments")

    async def report(self, identity: str) -> bytes:
        """The bytes of a report, as far as no entry deleted them."""
        if self._places is None:
            self._places = await self._reports()
        ((*_, raw),) = await self.rows("report_by_index", (self._places[identity],))
        assert isinstance(raw, bytes)
        return raw

    async def _reports(self) -> Mapping[str, int]:
        """Where each report stands: nothing in the database finds it by its identity."""
        places, after = dict[str, int](), -1
        while rows := await self.rows("report_identities", (after, PAGE)):
            places.update((identity, index) for index, identity in rows)
            after = rows[-1][0]
        return places


def copy(source: Path, target: Path) -> None:
    """Copy a database as it stands at one moment, while a broker may be writing to it.

    The copy is new, durable and its owner's alone. Raises `BrokerFault`.
    """
    with faults():
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        reading = f"{source.resolve().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(reading, uri=True, timeout=BUSY_SECONDS)) as original,
            closing(sqlite3.connect(target)) as fresh,
        ):
            # In one step: its reader then sees one moment, and a broker that has to fold the log
            # back waits for it (`store.Store.fold_all`).
            original.backup(fresh, pages=-1)


async def newest_head(database: Path) -> str:
    """The newest checkpoint that is stored, not verified at all. Raises `BrokerFault`."""
    with faults():
        async with Reads.of(database) as reads:
            heads = await reads.read(QUERIES["heads"])
    if not heads:
        raise BrokerFault("journal-damaged", "there is no entry in it")
    return str(heads[-1][1])


async def rename(folder: Path, notes: Sequence[tuple[str, int]]) -> None:
    """Put other checkpoints, with their sizes, in the place of those that are stored: all or none.

    The journal must be locked, and what it holds verified. Raises `BrokerFault`.
    """
    with faults():
        store = await Store.open(folder)
        try:
            await store.stage([(RENAME_HEAD, notes)])
            await store.commit()  # from here on the log has its new name
            await store.fold_all()
        finally:
            await store.close(clean=True)
