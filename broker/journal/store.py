"""The SQLite file: one connection that writes and checkpoints, and a few that only read.

Who can change the file can stop the broker from starting, move cursors, change subscriptions, mark
views as erased, and claim that an attachment is whole. What was said, reported, stated and released
he cannot change unseen (`replay`). Who can read it, and the journal secret, reads every view.

SQLite before 3.51.3 can corrupt a database when two connections write or checkpoint at once
(sqlite.org/wal.html#walresetbug), so exactly one ever does; readers open the file read-only.
After an error the writer is not touched again until it is closed: closing rolls an open
transaction back, and no fsync that failed is ever repeated and believed.
"""

import asyncio
import errno
import itertools
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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
FOLD_PAUSE: Final = 0.05
FOLD_PAUSES: Final = 2400
"""Seconds between tries to fold the log while another process reads, and how many: two minutes,
in which a backup copies tens of gigabytes. Nothing is accepted meanwhile."""
PAGE_BYTES: Final = 8 << 10
"""A report takes three pages: every page is a frame of the log, and is written twice."""
CACHE_KIB: Final = 16 << 10
"""Page cache of the writer."""

Step: TypeAlias = tuple[str, Sequence[tuple[Any, ...]]]
"""One statement and the rows of its parameters."""

_WRITER: Final[dict[str, tuple[str, str | int]]] = {
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),  # NORMAL loses acknowledged entries at a power cut, unnoticed
    "secure_delete": ("ON", 1),  # erased views must not stay readable in free pages
    "wal_autocheckpoint": ("0", 0),  # ours: at a chosen size, never inside a commit
    "trusted_schema": ("OFF", 0),
    "cell_size_check": ("ON", 1),
    "mmap_size": ("0", 0),  # a mapped file turns an I/O error into a dead process
    "cache_size": (f"-{CACHE_KIB}", -CACHE_KIB),
}
_READER: Final[dict[str, tuple[str, str | int]]] = {
    "query_only": ("ON", 1),
    "trusted_schema": ("OFF", 0),
    "cell_size_check": ("ON", 1),
    "mmap_size": ("0", 0),
}
"""Settings with what SQLite must say of them afterwards: it ignores what it cannot do."""


class Reads:
    """Connections that only read one journal database. Raises `sqlite3.Error` when in use."""

    def __init__(self) -> None:
        self._readers: list[aiosqlite.Connection] = []
        self._idle: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def of(cls, path: Path) -> AsyncIterator["Reads"]:
        """One reader of a database file that nobody writes to now; it changes no file.

        Raises `BrokerFault` "journal-damaged" if it is none of ours.
        """
        async with AsyncExitStack() as closing:
            reads = cls()
            # A log left by a crash is read as well, for which SQLite keeps an index of it beside.
            wal = path.with_name(path.name + "-wal")
            left = wal.exists() and wal.stat().st_size
            await reads._add_reader(path, "ro" if left else "ro&immutable=1", closing)
            await _check_ours(reads._readers[0])
            yield reads

    async def read(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, from the newest committed state."""
        reader = await self._idle.get()
        try:
            return list(await reader.execute_fetchall(sql, params))  # type: ignore[arg-type]
        finally:
            self._idle.put_nowait(reader)

    async def _add_reader(self, path: Path, mode: str, undo: AsyncExitStack) -> None:
        reader = await _connect(path, mode, undo)
        await _settle(reader, _READER)
        await reader.execute_fetchall("SELECT 1 FROM sqlite_schema")  # now it holds the file open
        self._readers.append(reader)
        self._idle.put_nowait(reader)


class Store(Reads):
    """The writer and its readers. Made by `open`."""

    def __init__(self, path: Path, writer: aiosqlite.Connection) -> None:
        super().__init__()
        self._wal = path.with_name(path.name + "-wal")
        self._writer = writer

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Open or create the database. Raises `BrokerFault` "journal-damaged" if it is not ours."""
        path = (folder / DATABASE_FILE).resolve()
        _create_private(path)
        async with AsyncExitStack() as undo:
            writer = await _connect(path, "rw", undo)
            store = cls(path, writer)
            await writer.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file alone
            await _settle(writer, _WRITER)
            await store._create_tables()
            for _ in range(READERS):
                await store._add_reader(path, "ro", undo)
            undo.pop_all()
        return store

    async def _create_tables(self) -> None:
        writer = self._writer
        tables = await _one(writer, "SELECT count(*) FROM sqlite_schema")
        if await _numbers(writer) == (0, 0) and not tables:
            await self.stage([(sql, [()]) for sql in DDL])
            # Inside the transaction, so that half a schema never looks like ours.
            await writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            await writer.execute(f"PRAGMA user_version = {VERSION}")
            await self.commit()
        await _check_ours(writer)

    # -- writing

    async def stage(self, steps: Sequence[Step]) -> None:
        """Begin the transaction and put everything into it; nobody sees it yet."""
        await self._writer.execute("BEGIN IMMEDIATE")
        for sql, rows in steps:
            await self._writer.executemany(sql, rows)

    async def commit(self) -> None:
        """Make what was staged durable. When this returns, it is on the disk."""
        await self._writer.execute("COMMIT")

    async def fold(self) -> None:
        """Fold the write-ahead log into the database if it has grown to `WAL_BYTES`.

        A reader in the middle of a query only puts it off, until there are `WAL_BYTES_MOST`.
        """
        size = self._wal.stat().st_size
        if size >= WAL_BYTES_MOST:
            await self.fold_all()
        elif size >= WAL_BYTES:
            await self._checkpoint()

    async def fold_all(self) -> None:
        """Fold the write-ahead log into the database; readers wait. Both are durable then.

        Readers of another process (a backup under way, an operator's shell) are waited for.
        Raises `BrokerFault` "journal-stopped" if it cannot be done.
        """
        taken = [await self._idle.get() for _ in self._readers]
        try:
            waits = itertools.chain(itertools.repeat(FOLD_PAUSE, FOLD_PAUSES), [0.0])
            for pause in waits:
                if folded := await self._checkpoint():
                    break
                await asyncio.sleep(pause)
        finally:
            for reader in taken:
                self._idle.put_nowait(reader)
        if not folded:
            raise BrokerFault("journal-stopped", "the write-ahead log cannot be folded back")

    async def _checkpoint(self) -> bool:
        rows = await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        busy: int = next(iter(rows))[0]
        return not busy

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


async def _settle(
    connection: aiosqlite.Connection, settings: Mapping[str, tuple[str, str | int]]
) -> None:
    for name, (value, expected) in settings.items():
        await connection.execute_fetchall(f"PRAGMA {name} = {value}")
        if await _one(connection, f"PRAGMA {name}") != expected:
            raise BrokerFault("journal-stopped", f"SQLite cannot keep the setting {name} here")


async def _check_ours(connection: aiosqlite.Connection) -> None:
    if await _numbers(connection) != (APPLICATION_ID, VERSION):
        raise BrokerFault("journal-damaged", "the file is not a journal of this version")


async def _numbers(connection: aiosqlite.Connection) -> tuple[int, int]:
    application: int = await _one(connection, "PRAGMA application_id")
    version: int = await _one(connection, "PRAGMA user_version")
    return application, version


async def _one(connection: aiosqlite.Connection, sql: str) -> Any:
    return next(iter(await connection.execute_fetchall(sql)))[0]


def _create_private(path: Path) -> None:
    """Make an empty database that only its owner reads, with a durable name."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)


_THE_DISK: Final = tuple(
    f"SQLITE_{word}" for word in ("IOERR", "BUSY", "LOCKED", "READONLY", "CANTOPEN", "CONSTRAINT")
)
"""Errors that say nothing against the bytes in the file; all others do."""


@contextmanager
def faults() -> Iterator[None]:
    """Turns errors of SQLite and the system into `BrokerFault`; of theirs it keeps a code word."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise _as_fault(error) from error
    except UnicodeDecodeError as error:  # SQLite quotes the bytes of a damaged schema
        raise BrokerFault("journal-damaged", "not UTF-8") from error


def _as_fault(error: sqlite3.Error | OSError) -> BrokerFault:
    word: str = getattr(error, "sqlite_errorname", type(error).__name__)
    number = error.errno if isinstance(error, OSError) else None
    if word == "SQLITE_FULL" or number in {errno.ENOSPC, errno.EDQUOT}:
        return BrokerFault("disk-full")
    if isinstance(error, OSError) or word.startswith(_THE_DISK):
        return BrokerFault("journal-stopped", word)
    return BrokerFault("journal-damaged", word)
