"""The journal keeps what it was told, all of it, and proves it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.journal import THIS_INDEX, Change, Journal, Record, Row, erase_view
from tests.broker.journal_world import (
    CHANNELS,
    LOG_KEYS,
    World,
    event,
    follow,
    leaves_of,
    plain_root,
    records,
    release,
    report,
    root_of,
    some_batches,
    statement,
    subscribe,
)
from tests.refusal import refused
from wire.entries import MISSION, Event
from wire.notes import open_checkpoint
from wire.prove import verify_entry

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_was_appended_is_there_after_a_restart(world: World) -> None:
    async with world.journal() as journal:
        entries = await journal.append([report(1), statement(2)])
        before = journal.size, journal.checkpoint, journal.channels
        assert [entry.index for entry in entries] == [0, 1]
    async with world.journal() as journal:
        assert (journal.size, journal.checkpoint, journal.channels) == before
        assert await journal.rows("report_by_index", [0]) == [
            (0, f"{1:032x}", f"{1:064x}", "KEN", "a" * 32, 1_700_000_000, b"raw 1")
        ]
        assert await journal.rows("counts") == [(1, 1, 0, 0, 0)]


async def test_every_entry_comes_with_proof_for_each_channel_concerned(world: World) -> None:
    async with world.journal() as journal:
        for batch in some_batches(seed=1, batches=12):
            for entry, record in zip(await journal.append(batch), batch, strict=True):
                assert entry.evidence.keys() == record.event.views.keys()
                assert len(entry.evidence) == len(record.event.views)
                for channel, evidence in entry.evidence.items():
                    proven = verify_entry(evidence, LOG_KEYS, channel)
                    assert proven.view == record.event.views[channel]
                    assert (proven.index, proven.time) == (entry.index, entry.time_ms)
                    assert evidence.checkpoint == journal.checkpoint


async def test_every_channel_walks_to_all_its_entries_and_no_other(world: World) -> None:
    batches = some_batches(seed=2, batches=15)
    async with world.journal() as journal:
        for batch in batches:
            await journal.append(batch)
        for channel in CHANNELS:
            _, found = await follow(journal, channel, limit=7)
            told = [r.event.views[channel] for b in batches for r in b if channel in r.event.views]
            assert [entry.view for entry in found] == told


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shape=st.lists(st.integers(1, 12), min_size=1, max_size=12), restart=st.integers(0, 12))
async def test_any_batches_give_the_root_of_the_plain_tree(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], restart: int
) -> None:
    world = World(tmp_path_factory.mktemp("journal"))
    journal = await world.open()
    for number, count in enumerate(shape):
        if number == restart:
            await journal.close()
            journal = await world.open()
        await journal.append(records(100 * number, count))
        assert root_of(journal.checkpoint) == plain_root(await leaves_of(journal))
    assert journal.size == sum(shape) + len(shape)
    await journal.scrub()
    await journal.close()


async def test_an_empty_journal_has_a_signed_checkpoint(world: World) -> None:
    async with world.journal() as journal:
        assert open_checkpoint(journal.checkpoint, LOG_KEYS).checkpoint.size == 0
        assert await journal.append([]) == []
        assert journal.size == 0


async def test_time_in_the_journal_never_goes_backwards(world: World) -> None:
    async with world.journal() as journal:
        (first,) = await journal.append(records(1, 1))
        world.clock.now -= 3600
        (second,) = await journal.append(records(2, 1))
    async with world.journal() as journal:
        (third,) = await journal.append(records(3, 1))
        world.clock.now += 7200
        (fourth,) = await journal.append(records(4, 1))
    assert first.time_ms == second.time_ms == third.time_ms == 1_700_000_000_000
    assert fourth.time_ms == 1_700_003_600_000


async def test_tasks_that_append_at_once_get_batches_one_after_the_other(world: World) -> None:
    async with world.journal() as journal:
        batches = await asyncio.gather(*(journal.append(records(n, 3)) for n in range(8)))
        assert sorted(e.index for batch in batches for e in batch) == [
            index for index in range(32) if index % 4 != 3
        ]
        await journal.scrub()


# -- rows and changes


async def test_a_row_names_the_entry_that_wrote_it(world: World) -> None:
    async with world.journal() as journal:
        await journal.append([statement(1), report(2), statement(3)])
        await journal.append([release(1, "GBR", 0b101), release(1, "FRA")])
        assert [row[0] for row in await journal.rows("statements")] == [0, 2]
        assert await journal.rows("releases_of", [1, "GBR"]) == [(0b101, 4)]
        assert await journal.rows("releases_between", ["FRA", 0, 9]) == [(1, 1, 5)]


async def test_the_rows_of_one_entry_may_come_in_any_order(world: World) -> None:
    rows = [Row("release", (0, nation, 1, THIS_INDEX)) for nation in ("SEN", "FRA", "GBR")]
    for order in (rows, rows[::-1]):
        async with world.journal() as journal:
            index = journal.size
            stated = [Row("release", (index, *row.values[1:])) for row in order]
            await journal.append([Record(event(1), tuple(stated))])
            await journal.scrub()


async def test_changes_happen_in_the_order_of_their_records(world: World) -> None:
    drop = Record(event(9, "KEN"), (), (Change("subscription.drop", ("m", "a")),))
    async with world.journal() as journal:
        await journal.append([subscribe("m", "a", b"1"), drop, subscribe("m", "a", b"2")])
        await journal.append([subscribe("m", "a", b"3"), subscribe("m", "b", b"4"), drop])
        assert await journal.rows("subscriptions") == [("m", "b", b"4", 5)]


async def test_an_event_that_concerns_an_unknown_channel_changes_nothing(world: World) -> None:
    async with world.journal() as journal:
        with refused("journal-damaged"):
            await journal.append([report(1), Record(event(2, "USA"))])
        await journal.append([report(1)])
        assert journal.size == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Row("statement", (THIS_INDEX, "a")),
        lambda: Row("report", (0, "a", "b", "KEN", "c", 1, b"")),
        lambda: Row("release", (1, "KEN", 1, 7)),
        lambda: Change("subscription.drop", ("m",)),
        lambda: Record(event(1), (), (Change("cursor.set", ("m", "n", 1)),)),
    ],
    ids=["too few values", "its own index", "another entry's index", "parameters", "progress"],
)
def test_a_row_or_change_that_cannot_be_written_is_refused_when_it_is_made(make: object) -> None:
    with pytest.raises(ValueError, match=r"row|parameters|progress"):
        make()  # type: ignore[operator]


def test_no_statement_outside_the_tables_can_be_named() -> None:
    with pytest.raises(KeyError):
        Row("entry", ())
    with pytest.raises(KeyError):
        Change("drop table", ())


async def test_a_cursor_moves_outside_the_log(world: World) -> None:
    async with world.journal() as journal:
        await asyncio.gather(*(journal.set_cursor("m", f"s{n}", n) for n in range(20)))
        await asyncio.gather(*(journal.set_cursor("m", "s3", position) for position in (7, 8, 9)))
        assert journal.size == 0
    async with world.journal() as journal:
        assert await journal.rows("cursor", ["m", "s3"]) == [(9,)]
        assert len(await journal.rows("cursors")) == 20


async def test_an_attachment_grows_outside_the_log(world: World) -> None:
    row = Row("attachment", ("d" * 64, 0, "e" * 32, "f" * 64, 1000, 0))
    async with world.journal() as journal:
        await journal.append([Record(event(1), (row,))])
        await journal.note_progress(Change("attachment.received", (400, "d" * 64, 0, "e" * 32)))
        assert await journal.rows("attachment", ["d" * 64, 0, "e" * 32]) == [
            ("d" * 64, 0, "e" * 32, "f" * 64, 1000, 400)
        ]
        await journal.scrub()


# -- channels


async def test_a_new_nation_gets_its_chain_with_the_next_batch(world: World) -> None:
    async with world.journal() as journal:
        await journal.append(records(1, 2))
        journal.add_channel("TCD")
        journal.add_channel("TCD")
        with refused("not-found"):
            await journal.segment("TCD")
        await journal.append([Record(event(3, "TCD", "KEN"))])
        _, found = await follow(journal, "TCD")
        assert [entry.index for entry in found] == [3]
    async with world.journal() as journal:
        assert journal.channels == (*CHANNELS, "TCD")
        await journal.append(records(4, 1, "TCD"))
        await journal.scrub()


async def test_a_channel_added_without_a_batch_is_forgotten_at_a_restart(world: World) -> None:
    async with world.journal() as journal:
        await journal.append(records(1, 1))
        journal.add_channel("TCD")
    async with world.journal() as journal:
        assert journal.channels == CHANNELS


async def test_a_journal_of_other_channels_is_refused(world: World) -> None:
    await world.write([records(1, 1)])
    await world.cannot_open("bad-settings", channels=("KEN", MISSION))
    async with world.journal(channels=CHANNELS[:2]) as journal:
        assert journal.channels == CHANNELS


# -- erasure


async def test_an_erased_view_is_gone_and_every_proof_stays_valid(world: World) -> None:
    secret = "informant in quarter seven"
    async with world.journal() as journal:
        told = Event("release", {"GBR": {"about": secret}, "KEN": {"about": "nothing"}})
        await journal.append([Record(told), *records(2, 3)])
        erasure = Event("view.erased", {"GBR": {"first": 0, "until": 1}})
        row = Row("sweep", (THIS_INDEX, "GBR", 0, 1, 1, 0))
        await journal.append([Record(erasure, (row,), (erase_view(0, 0),))])
        _, found = await follow(journal, "GBR")
        assert found[0].view is None
        assert (await follow(journal, "KEN"))[1][0].view == {"about": "nothing"}
        await journal.scrub()
    assert secret.encode() not in world.database.read_bytes()
    async with world.journal() as journal:
        await journal.scrub()


async def test_a_view_that_no_sweep_covers_was_not_erased(world: World) -> None:
    """The broker's own mistake is found at the next start like anybody's. Expect refusal."""
    async with world.journal() as journal:
        await journal.append(records(1, 2, "GBR"))
        row = Row("sweep", (THIS_INDEX, "GBR", 0, 1, 1, 0))
        erasure = Event("view.erased", {"GBR": {"first": 0, "until": 1}})
        await journal.append([Record(erasure, (row,), (erase_view(0, 0), erase_view(1, 0)))])
    await world.cannot_open("journal-damaged", "entry 1: a view is missing")


async def test_the_writer_runs_with_the_settings_that_durability_needs(world: World) -> None:
    async with world.journal() as journal:
        writer, reader = journal._store._writer, journal._store._readers[0]
        for pragma, expected in (
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("secure_delete", 1),
            ("wal_autocheckpoint", 0),
        ):
            assert list(await writer.execute_fetchall(f"PRAGMA {pragma}")) == [(expected,)]
        assert list(await reader.execute_fetchall("PRAGMA query_only")) == [(1,)]
    assert world.database.stat().st_mode & 0o077 == 0


async def test_the_write_ahead_log_stays_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.store.WAL_BYTES", 1 << 18)
    sizes = []
    async with world.journal() as journal:
        for number in range(60):
            await journal.append(records(number, 8))
            sizes.append(world.wal.stat().st_size)
    assert max(sizes) < (1 << 18) + (1 << 17)
    assert sizes != sorted(sizes)


@pytest.mark.slow
async def test_a_reader_cannot_keep_the_write_ahead_log_from_being_folded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.store.WAL_BYTES", 1 << 16)
    monkeypatch.setattr("broker.journal.store.WAL_BYTES_MOST", 1 << 18)
    async with world.journal() as journal:
        await journal.append(records(0, 20))
        async with a_long_query(journal) as finish:
            while world.wal.stat().st_size < 1 << 18:  # put off, not failed
                await journal.append(records(1, 8))
            waiting = asyncio.create_task(journal.append(records(2, 8)))
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            finish.set()
        await waiting
        assert world.wal.stat().st_size < 1 << 17
        await journal.scrub()


@asynccontextmanager
async def a_long_query(journal: Journal) -> AsyncIterator[threading.Event]:
    """A reader that is in the middle of a SELECT until the event is set."""
    there, finish = threading.Event(), threading.Event()

    def hold() -> int:
        there.set()
        return not finish.wait(10)

    for reader in journal._store._readers:
        await reader.set_progress_handler(hold, 1)
    query = asyncio.create_task(journal.rows("counts"))
    await asyncio.to_thread(there.wait, 10)
    yield finish
    assert await query == [(0, 0, 0, 0, 0)]


async def test_a_closed_journal_refuses_and_may_be_closed_again(world: World) -> None:
    journal: Journal = await world.open()
    await journal.close()
    await journal.close()
    with refused("journal-stopped"):
        await journal.append(records(1, 1))
    with refused("journal-stopped"):
        await journal.rows("counts")
