"""The SQLite file: one connection that writes and checkpoints, and a few that only read.

SQLite before 3.51.3 can corrupt a database when two connections write or checkpoint at once
(sqlite.org/wal.html#walresetbug), so exactly one ever does; readers open the file read-only.
After an error the writer is not touched again until it is closed: closing rolls an open
transaction back, and no fsync that failed is ever repeated and believed.
"""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import aiosqlite

from broker.journal.anchor import sync_folder
from broker.journal.schema import APPLICATION_ID, DDL, VERSION
from wire.errors import BrokerFault

DATABASE_FILE: Final = "journal.db"
READERS: Final = 2
"""Readers that may run at the same time; more than the machine's cores only adds waiting."""
WAL_BYTES: Final = 8 << 20
"""Size of the write-ahead log at which it is folded back into the database."""
WAL_BYTES_MOST: Final = 64 << 20
"""Size at which readers are made to wait so that it can be."""
CACHE_KIB: Final = 16 << 10
"""Page cache of the writer."""

Step: TypeAlias = tuple[str, Sequence[tuple[Any, ...]]]
"""One statement and the rows of its parameters."""

_WRITER: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL loses acknowledged entries at a power cut, unnoticed
    "PRAGMA secure_delete = ON",  # erased views must not stay readable in free pages
    "PRAGMA wal_autocheckpoint = 0",  # ours: at a chosen size, never inside a commit
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",  # a mapped file turns an I/O error into a dead process
    f"PRAGMA cache_size = -{CACHE_KIB}",
)
_READER: Final = ("PRAGMA query_only = ON", "PRAGMA trusted_schema = OFF", "PRAGMA mmap_size = 0")


class Store:
    """Connections to one journal database. Made by `open`; raises `sqlite3.Error` when in use."""

    def __init__(self, path: Path, writer: aiosqlite.Connection) -> None:
        self._wal = path.with_name(path.name + "-wal")
        self._writer = writer
        self._readers: list[aiosqlite.Connection] = []
        self._idle: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Open or create the database. Raises `BrokerFault` "journal-damaged" if it is not ours."""
        path = (folder / DATABASE_FILE).resolve()
        _create_private(path)
        async with AsyncExitStack() as undo:
            writer = await _connect(path, "rw", undo)
            store = cls(path, writer)
            for pragma in _WRITER:
                await writer.execute_fetchall(pragma)
            await store._create_tables()
            for _ in range(READERS):
                reader = await _connect(path, "ro", undo)
                for pragma in _READER:
                    await reader.execute_fetchall(pragma)
                await reader.execute_fetchall("SELECT 1 FROM head")  # now it holds the file open
                store._readers.append(reader)
                store._idle.put_nowait(reader)
            undo.pop_all()
        return store

    async def _create_tables(self) -> None:
        found = await self._one("PRAGMA application_id"), await self._one("PRAGMA user_version")
        tables = await self._one("SELECT count(*) FROM sqlite_schema")
        if found == (0, 0) and not tables:
            await self.stage([(sql, [()]) for sql in DDL])
            # Inside the transaction, so that half a schema never looks like ours.
            await self._writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            await self._writer.execute(f"PRAGMA user_version = {VERSION}")
            await self.commit()
        elif found != (APPLICATION_ID, VERSION):
            raise BrokerFault("journal-damaged", "the file is not a journal of this version")

    async def _one(self, sql: str) -> Any:
        return next(iter(await self._writer.execute_fetchall(sql)))[0]

    # -- writing

    async def stage(self, steps: Sequence[Step]) -> None:
        """Begin the transaction and put everything into it; nobody sees it yet."""
        await self._writer.execute("BEGIN IMMEDIATE")
        for sql, rows in steps:
            await self._writer.executemany(sql, rows)

    async def commit(self) -> None:
        """Make what was staged durable. When this returns, it is on the disk."""
        await self._writer.execute("COMMIT")

    async def fold(self, *, at_least: int = WAL_BYTES, most: int = WAL_BYTES_MOST) -> None:
        """Fold the write-ahead log into the database once it has `at_least` bytes.

        A reader in the middle of a query only puts it off, until the log has `most` bytes: then
        the readers wait instead, and it is folded when this returns.
        """
        size = self._wal.stat().st_size if self._wal.exists() else 0
        if size < max(at_least, 1):
            return
        if size < most:
            await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        taken = [await self._idle.get() for _ in self._readers]
        try:
            rows = await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            for reader in taken:
                self._idle.put_nowait(reader)
        if next(iter(rows))[0]:
            raise BrokerFault("journal-stopped", "the write-ahead log cannot be folded back")

    # -- reading

    async def read(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, from the newest committed state."""
        reader = await self._idle.get()
        try:
            return list(await reader.execute_fetchall(sql, params))  # type: ignore[arg-type]
        finally:
            self._idle.put_nowait(reader)

    # -- the end

    async def close(self, *, clean: bool) -> None:
        """Close all connections.

        The last connection to a database folds the log back when it goes. After a failure that
        must not happen (the next start decides what is true), and a reader that outlives the
        writer prevents it.
        """
        order = [*self._readers, self._writer] if clean else [self._writer, *self._readers]
        async with AsyncExitStack() as closing:
            for connection in reversed(order):
                closing.push_async_callback(connection.close)


async def _connect(path: Path, mode: str, undo: AsyncExitStack) -> aiosqlite.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=0)
    undo.push_async_callback(connection.close)
    return connection


def _create_private(path: Path) -> None:
    """Make an empty database that only its owner reads, with a durable name."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)


@contextmanager
def faults() -> Iterator[None]:
    """Turns errors of SQLite and the system into `BrokerFault`; of theirs it keeps a code word."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise _as_fault(error) from error


def _as_fault(error: sqlite3.Error | OSError) -> BrokerFault:
    word: str = getattr(error, "sqlite_errorname", type(error).__name__)
    number = error.errno if isinstance(error, OSError) else None
    if word == "SQLITE_FULL" or number in {errno.ENOSPC, errno.EDQUOT}:
        return BrokerFault("disk-full")
    if word == "SQLITE_NOTADB" or word.startswith("SQLITE_CORRUPT"):
        return BrokerFault("journal-damaged", word)
    return BrokerFault("journal-stopped", word)
