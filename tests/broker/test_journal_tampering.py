"""Who can write the database file cannot change what it says unseen."""

import asyncio
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from broker.journal import Record
from tests.broker.journal_world import (
    CHANNELS,
    World,
    event,
    follow,
    release,
    report,
    some_batches,
    statement,
    subscribe,
)
from tests.refusal import refused
from wire.errors import BrokerFault

pytestmark = pytest.mark.anyio

LIES = {
    # -- rows of the log, edited
    "leaf": "UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE idx = 6) WHERE idx = 5",
    "leaf cut short": "UPDATE entry SET leaf = x'01' WHERE idx = 5",
    "hash of a leaf": "UPDATE entry SET hashes = zeroblob(length(hashes)) WHERE idx = 4",
    "hash of a subtree": """UPDATE entry
        SET hashes = CAST(substr(hashes, 1, 32) || zeroblob(32) AS BLOB)
        WHERE length(hashes) = 64""",
    "tie of rows": "UPDATE entry SET rows = zeroblob(32) WHERE idx = 0",
    "no tie of rows": "UPDATE entry SET rows = x'' WHERE idx = 0",
    "link": """UPDATE link SET body = CAST(replace(body, 'release', 'refused') AS BLOB)
        WHERE at = 1280""",
    "channel of a link": "UPDATE link SET channel = 'SEN', count = 900 WHERE at = 1280",
    "count of a link": "UPDATE link SET count = count + 900 WHERE at = 1280",
    "view": """UPDATE view SET body = CAST(replace(body, 'number', 'numbed') AS BLOB)
        WHERE at = 1280""",
    "opening": "UPDATE view SET opening = zeroblob(32) WHERE at = 1280",
    "view erased by nobody": """UPDATE view SET opening = NULL, body = NULL, erased = 5
        WHERE at = 1280""",
    "checkpoint": "UPDATE head SET note = replace(note, 'minusx', 'plusxx') WHERE size = 4",
    "another checkpoint": """UPDATE head SET note = (SELECT note FROM head WHERE size = 4)
        WHERE size = (SELECT max(size) FROM head)""",
    "size of a checkpoint": "UPDATE head SET size = size + 1 WHERE size = 4",
    "name of a channel": "UPDATE channel SET name = 'USA' WHERE position = 4",
    "admission of a channel": "UPDATE channel SET since = 4 WHERE position = 4",
    "admission in the future": "UPDATE channel SET since = 100000 WHERE position = 4",
    # -- deleted
    "no entry": "DELETE FROM entry WHERE idx = 5",
    "no newest entry": "DELETE FROM entry WHERE idx = (SELECT max(idx) FROM entry)",
    "no link": "DELETE FROM link WHERE at = 1280",
    "no link among decoys": "DELETE FROM link WHERE at / 256 = 9",
    "one link less among decoys": """DELETE FROM link WHERE at = (SELECT max(at) FROM link
        WHERE at / 256 = 9)""",
    "a link beside the decoys": "UPDATE link SET at = at + 4 WHERE at / 256 = 9",
    "no view": "DELETE FROM view WHERE at = 1280",
    "no checkpoint": "DELETE FROM head WHERE size = 4",
    "no newest checkpoint": "DELETE FROM head WHERE size = (SELECT max(size) FROM head)",
    "no checkpoints": "DELETE FROM head",
    "no channel": "DELETE FROM channel WHERE position = 4",
    "no first channel": "DELETE FROM channel WHERE position = 0",
    "no channels": "DELETE FROM channel",
    # -- inserted
    "more entries": "INSERT INTO entry SELECT max(idx) + 1, leaf, hashes, rows FROM entry",
    "an entry before all": "INSERT INTO entry SELECT -1, leaf, hashes, rows FROM entry LIMIT 1",
    "one more link": """INSERT INTO link SELECT at + 9, channel, count + 900, body
        FROM link WHERE at = 1280""",
    "one more view": """INSERT INTO view SELECT at + 9, opening, body, NULL
        FROM view WHERE at = 1280""",
    "a link of the future": """INSERT INTO link SELECT at + 2560000, 'KEN', 900, body
        FROM link WHERE at = 1280""",
    "a checkpoint in between": "INSERT INTO head SELECT 6, note FROM head WHERE size = 4",
    "a checkpoint of the future": "INSERT INTO head SELECT 100000, note FROM head WHERE size = 4",
    "a checkpoint before all": "INSERT INTO head SELECT 0, note FROM head WHERE size = 4",
    "a link of a heads leaf": """INSERT INTO link SELECT 768, channel, count + 900, body
        FROM link WHERE at = 1280""",
    "a channel of the future": "INSERT INTO channel VALUES(5, 'USA', 100000)",
    "a gap between channels": "UPDATE channel SET position = 9 WHERE position = 4",
    "one more channel": "INSERT INTO channel VALUES(5, 'USA', 0)",
    # -- what the broker serves from
    "report text": "UPDATE report SET raw = x'00' WHERE idx = 1",
    "originator of a report": "UPDATE report SET originator = 'FRA' WHERE idx = 1",
    "no report": "DELETE FROM report WHERE idx = 1",
    "one more report": """INSERT INTO report SELECT 2, id || 'x', identity || 'x', originator,
        signer, created, raw FROM report WHERE idx = 1""",
    "report of the future": """INSERT INTO report SELECT 5000, id || 'x', identity || 'x',
        originator, signer, created, raw FROM report WHERE idx = 1""",
    "report moved": "UPDATE report SET idx = 2 WHERE idx = 1",
    "no statement": "DELETE FROM statement WHERE idx = 0",
    "statement": "UPDATE statement SET raw = x'00' WHERE idx = 0",
    "release to another": "UPDATE release SET nation = 'SEN' WHERE nation = 'GBR'",
    "more portions": "UPDATE release SET portion = 7 WHERE nation = 'GBR'",
    "one more release": """INSERT INTO release SELECT report_idx, 'SEN', portion, idx
        FROM release LIMIT 1""",
    "no release": "DELETE FROM release WHERE nation = 'GBR'",
    # -- the file
    "another program's file": "PRAGMA application_id = 7",
    "another version": "PRAGMA user_version = 7",
    "no table": "DROP TABLE release",
}  # fmt: skip

REORDERED = (
    ("entry", "idx", 4, 5),
    ("link", "at", 4 * 256, 5 * 256),
    ("view", "at", 4 * 256, 5 * 256),
    ("head", "size", 4, 8),
    ("channel", "position", 1, 2),
)


async def history(folder: Path) -> World:
    """Six small batches with something in every table."""
    world = World(folder)
    await world.write(
        [
            [statement(1), report(2), statement(3)],
            [Record(event(n, "KEN", "GBR")) for n in range(3)],
            [release(1, "GBR"), release(1, "FRA"), subscribe("m", "n", b"x")],
            *some_batches(seed=3, batches=3),
        ]
    )
    return world


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    return await history(tmp_path_factory.mktemp("original"))


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    shutil.copytree(original.folder, tmp_path / "copy")
    return World(tmp_path / "copy")


async def test_an_untouched_copy_opens(world: World) -> None:
    async with world.journal() as journal:
        await journal.scrub()


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_in_a_row_is_refused_at_the_start(world: World, lie: str) -> None:
    world.edit(LIES[lie])
    await world.cannot_open("journal-damaged")


@pytest.mark.slow
@pytest.mark.parametrize(
    "table", ["entry SET leaf", "link SET body", "view SET body", "head SET note", "report SET raw"]
)
async def test_a_value_of_another_type_is_refused(world: World, table: str) -> None:
    """A table forgets that it is strict, and holds what no column of ours holds."""
    name, value = table.split(maxsplit=1)[0], "3.5"
    schema = f"FROM sqlite_schema WHERE name = '{name}'"
    ((strict,),) = world.ask(f"SELECT sql {schema}")
    for sql in (strict.replace("STRICT", ""), strict):
        world.edit(
            "PRAGMA writable_schema = ON",
            f"UPDATE sqlite_schema SET sql = '{sql}' WHERE name = '{name}'",
        )
        if sql != strict:
            world.edit(f"UPDATE {table} = {value} WHERE rowid IN (SELECT max(rowid) FROM {name})")
    await world.cannot_open("journal-damaged")


@pytest.mark.parametrize("table", REORDERED, ids=[table[0] for table in REORDERED])
async def test_rows_that_changed_places_are_refused(
    world: World, table: tuple[str, str, int, int]
) -> None:
    name, key, one, other = table
    world.edit(
        f"UPDATE {name} SET {key} = -7 WHERE {key} = {one}",
        f"UPDATE {name} SET {key} = {one} WHERE {key} = {other}",
        f"UPDATE {name} SET {key} = {other} WHERE {key} = -7",
    )
    await world.cannot_open("journal-damaged")


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_older_than_the_start_looks_at_is_found_by_the_scrub(
    world: World, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.recovery.RECHECKED", 1)
    world.edit(LIES[lie])
    with refused("journal-damaged"):
        async with world.journal() as journal:
            await journal.scrub()


async def test_the_scrub_tells_how_far_it_is_and_runs_beside_the_writer(world: World) -> None:
    told: list[tuple[int, int]] = []
    async with world.journal() as journal:
        size = journal.size

        async def more() -> None:
            journal.add_channel("TCD")
            await journal.append([Record(event(1, "TCD"))])

        await asyncio.gather(journal.scrub(lambda *at: told.append(at)), more())
        assert told[-1] == (size, size)
        await journal.scrub()


async def test_the_fault_names_the_first_bad_entry(world: World) -> None:
    world.edit(LIES["view"])
    await world.cannot_open("journal-damaged", "entry 5: the view is not what was committed to")


async def test_the_fault_names_the_entry_that_is_missing(world: World) -> None:
    world.edit(LIES["no entry"])
    await world.cannot_open("journal-damaged", "entry 5: missing")


async def test_the_fault_names_the_entry_whose_link_is_missing_among_decoys(world: World) -> None:
    world.edit(LIES["one link less among decoys"])
    await world.cannot_open("journal-damaged", "entry 9: links are missing")


async def test_a_chain_that_the_writer_broke_is_refused(world: World) -> None:
    """Signed, and under the root: only following the chain shows it."""
    async with world.journal() as journal:
        tip = journal._state.tips["KEN"]
        tips = {**journal._state.tips, "KEN": replace(tip, commitment=bytes(32))}
        journal._state = replace(journal._state, tips=tips)
        await journal.append([Record(event(1, "KEN"))])
    await world.cannot_open("journal-damaged", "does not follow the one before it")


async def test_a_history_swapped_under_a_running_broker_is_found_by_the_scrub(
    world: World, tmp_path: Path
) -> None:
    """Made with our own keys and of the same size: only memory knows better."""
    other = await history(tmp_path / "other")
    async with world.journal() as journal:
        tables = ("entry", "link", "view", "head", "report", "statement", "release")
        world.edit(
            f"ATTACH '{other.database}' AS other",
            *(f"DELETE FROM {table}" for table in tables),
            *(f"INSERT INTO {table} SELECT * FROM other.{table}" for table in tables),
        )
        with refused("journal-damaged", "another history"):
            await journal.scrub()


async def test_a_damaged_index_is_found_by_the_scrub(world: World) -> None:
    world.edit(
        "PRAGMA writable_schema = ON",
        """UPDATE sqlite_schema
            SET sql = 'CREATE INDEX release_by_entry ON release(nation) WHERE idx > 0'
            WHERE name = 'release_by_entry'""",
    )
    async with world.journal() as journal:
        with refused("journal-damaged", "integrity"):
            await journal.scrub()


async def test_a_wrong_secret_or_key_does_not_open_the_journal(world: World) -> None:
    await world.cannot_open("journal-damaged", secret=bytes(32))


async def everything(world: World) -> list[object]:
    """All that a journal says, checked: to compare two copies."""
    async with world.journal() as journal:
        await journal.scrub()
        chains = [await follow(journal, channel) for channel in CHANNELS]
        names = ("statements", "subscriptions", "counts")
        rows = [await journal.rows(name) for name in names]
        return [journal.checkpoint, chains, rows, await journal.rows("reports_after", [-1, 99])]


@pytest.mark.slow
async def test_no_flipped_bit_is_ever_served(world: World, tmp_path: Path) -> None:
    """Anywhere in the file: refused at the start, by the scrub, or in bytes that mean nothing."""
    truth = await everything(world)
    chance, found = random.Random(5), 0
    for number in range(150):
        copy = World(tmp_path / f"flip{number}")
        shutil.copytree(world.folder, copy.folder, dirs_exist_ok=True)
        data = bytearray(copy.database.read_bytes())
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        copy.database.write_bytes(data)
        try:
            said = await everything(copy)
        except BrokerFault:
            found += 1
        else:
            assert said[1:] == truth[1:] or said == truth
        shutil.rmtree(copy.folder)
    assert found > 12  # most pages of a small file are mostly empty
