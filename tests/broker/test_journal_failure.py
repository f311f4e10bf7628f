"""Every outside write fails both ways: it failed, and it failed but happened.

After either nothing more is accepted, and the next start finds out what is true.
"""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from broker.journal import Journal
from tests.broker.journal_world import World, records, report, statement
from tests.refusal import refused
from wire.errors import BrokerFault

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def has_stopped(journal: Journal) -> None:
    """Nothing later is accepted, and nothing more is answered."""
    assert journal._stopped
    size, checkpoint = journal.size, journal.checkpoint
    for _ in range(2):
        with refused("journal-stopped"):
            await journal.append(records(50, 1))
    with refused("journal-stopped"):
        await journal.set_cursor("m", "n", 1)
    with refused("journal-stopped"):
        await journal.rows("counts")
    with refused("journal-stopped"):
        await journal.segment("KEN")
    assert (journal.size, journal.checkpoint) == (size, checkpoint)


@contextmanager
def files_cannot_grow(size: int) -> Iterator[None]:
    """Every write beyond `size` fails with EFBIG, as a broken disk fails with EIO."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
async def test_a_full_disk_is_named_and_stops_the_journal(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([report(1)])
        pages = (await journal._store.read("PRAGMA page_count"))[0][0]
        await journal._store._writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        with refused("disk-full"):
            for number in range(2, 100):
                await journal.append([report(number)])
        acknowledged = journal.size
        await has_stopped(journal)
    async with world.journal() as journal:
        assert journal.size == acknowledged
        await journal.append([report(200)])
        await journal.scrub()


async def test_a_write_that_fails_at_the_commit_stops_the_journal(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([report(1)])
        with files_cannot_grow(world.wal.stat().st_size), refused("journal-stopped", "SQLITE_IO"):
            await journal.append([report(2)])
        await has_stopped(journal)
        assert journal.size == 2
    async with world.journal() as journal:
        assert journal.size == 2
        assert await journal.rows("report_by_index", [2]) == []
        await journal.append([report(2)])
        await journal.scrub()


async def test_a_failed_cursor_stops_the_journal_too(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([report(1)])
        with files_cannot_grow(world.wal.stat().st_size), refused("journal-stopped", "SQLITE_IO"):
            await journal.set_cursor("m", "n", 1)
        await has_stopped(journal)


async def test_a_repeated_row_stops_the_journal_and_leaves_nothing_behind(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([statement(1)])
        with refused("journal-stopped", "SQLITE_CONSTRAINT"):
            await journal.append([report(2), statement(1)])
        await has_stopped(journal)
    async with world.journal() as journal:
        assert journal.size == 2
        assert await journal.rows("counts") == [(0, 1, 0, 0, 0)]


async def test_an_anchor_that_cannot_be_written_stops_the_journal_though_the_batch_happened(
    world: World,
) -> None:
    async with world.journal() as journal:
        await journal.append([report(1)])
        obstacle = world.anchor.with_name("anchor.new")
        obstacle.mkdir()  # a read-only folder would not stop a test that runs as root
        with refused("journal-stopped", "IsADirectoryError"):
            await journal.append([report(2)])
        await has_stopped(journal)
        assert journal.size == 2
        obstacle.rmdir()
    async with world.journal() as journal:
        assert journal.size == 4  # true, though nobody was told
        await journal.scrub()


@asynccontextmanager
async def held_at(
    statement: str, journal: Journal
) -> AsyncIterator[tuple[threading.Event, threading.Event]]:
    """Hold SQLite's own thread at a statement: (it is there, let it go on)."""
    there, go_on = threading.Event(), threading.Event()

    def trace(running: str) -> None:
        if running == statement:
            there.set()
            assert go_on.wait(10)

    await journal._store._writer.set_trace_callback(trace)
    yield there, go_on


async def test_a_cancellation_at_the_commit_stops_the_journal_though_the_batch_happened(
    world: World,
) -> None:
    async with world.journal() as journal:
        await journal.append([report(1)])
        async with held_at("COMMIT", journal) as (there, go_on):
            task = asyncio.create_task(journal.append([report(2)]))
            await asyncio.to_thread(there.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await has_stopped(journal)
            go_on.set()
        assert journal.size == 2
    async with world.journal() as journal:
        assert journal.size == 4
        await journal.scrub()


async def test_a_cancellation_before_its_turn_changes_nothing(world: World) -> None:
    async with world.journal() as journal:
        async with held_at("COMMIT", journal) as (there, go_on):
            first = asyncio.create_task(journal.append([report(1)]))
            await asyncio.to_thread(there.wait, 10)
            second = asyncio.create_task(journal.append([report(2)]))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            go_on.set()
            await first
        await journal.append([report(2)])
        assert journal.size == 4


async def test_closing_waits_for_the_batch_under_way(world: World) -> None:
    journal = await world.open()
    async with held_at("BEGIN IMMEDIATE", journal) as (there, go_on):
        task = asyncio.create_task(journal.append([report(1)]))
        await asyncio.to_thread(there.wait, 10)
        closing = asyncio.create_task(journal.close())
        await asyncio.sleep(0)
        go_on.set()
        (entry,) = await task
    await closing
    assert entry.index == 0
    async with world.journal() as journal:
        assert journal.size == 2


async def test_what_waits_behind_a_failure_fails_too(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([statement(1)])
        results = await asyncio.gather(
            journal.append([statement(1)]),
            journal.append([report(2)]),
            journal.set_cursor("m", "n", 1),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [BrokerFault] * 3
        assert journal.size == 2


async def test_a_stopped_journal_leaves_the_write_ahead_log_to_the_next_start(
    world: World,
) -> None:
    """Folding it back would sync again what could not be synced."""
    journal = await world.open()
    await journal.append([statement(1)])
    with refused("journal-stopped"):
        await journal.append([statement(1)])
    before = world.wal.read_bytes()
    await journal.close()
    assert before
    assert world.wal.read_bytes() == before
    async with world.journal() as journal:
        assert world.wal.stat().st_size == 0
    assert not world.wal.exists()
