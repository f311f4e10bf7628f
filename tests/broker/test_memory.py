"""What a start need not read again: believed only as long as it is what the journal says."""

import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker import custody, memory, sheets
from broker.journal import THIS_INDEX, Record, Row
from broker.journal.store import Store
from broker.settings import Settings
from tests.broker.house import House
from tests.broker.remembering import dies, image, same, shell, states
from tests.broker.test_retention import order
from tests.coalition import Portion
from tests.refusal import refused
from wire import report
from wire.entries import Event
from wire.errors import BrokerFault
from wire.report import Header

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(memory, "REPORTS", 2)
    async with House.of(*NATIONS, folder=tmp_path) as found:
        yield found


@pytest.fixture
def unfit(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Why memory was not believed, each time that it was not."""
    found = list[str]()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == "memory.unfit":
                found.append(str(getattr(record, "tearline", {})["because"]))

    caplog.set_level(logging.INFO, "tearline.broker")
    logging.getLogger("tearline.broker").addHandler(handler := Listening())
    yield found
    logging.getLogger("tearline.broker").removeHandler(handler)


async def busy(house: House, reports: int = 5) -> list[str]:
    """Some reports of Kenya's, of two portions, that Britain has got."""
    found = []
    for number in range(reports):
        below = Portion("Everybody may.", "RESTRICTED", release_to="GBR FRA")
        raw = house["KEN"].seals(f"{number}", release_to="GBR", portions=[below])
        found.append((await house.submits(raw)).report)
    await house.pulls(house["GBR"].analyst)
    return found


# -- what a start finds


async def test_after_a_clean_stop_nothing_is_read_again(house: House, unfit: list[str]) -> None:
    await busy(house)
    await house.broker.close()
    size = house.broker.journal.size
    unfit.clear()
    believed, read, remembered = await states(house)
    assert (remembered, unfit) == (size, [])
    assert all(held.unread for held in believed.holdings)
    assert not any(held.unread for held in read.holdings)
    assert image(believed) == image(read)


async def test_what_is_not_all_of_the_journal_is_not_written_down(
    house: House, unfit: list[str]
) -> None:
    """Somebody wrote into the journal past the broker: a start reads that as everything else."""
    raw = house["KEN"].seals(release_to="GBR")
    frame = report.parse(raw)
    header = Header.model_validate_json(frame.header_bytes)
    row = (THIS_INDEX, header.id, frame.identity, "KEN", header.signer, header.created, raw)
    event = Event("report.accepted", {"KEN": {"report": frame.identity}})
    await house.broker.journal.append([Record(event, (Row("report", row),))])
    size = house.broker.journal.size
    unfit.clear()
    await house.broker.close()
    assert unfit == ["the journal has other reports"]
    assert await same(house) < size


async def test_after_a_crash_only_what_came_later_is_read(house: House) -> None:
    """Reports, releases, a consent, a recall and a deletion: all of that may come later."""
    raw = house["KEN"].seals(release_to="GBR", expires=house.world.clock.now + 86_400)
    await house.submits(raw)
    reports = await busy(house)
    await house.broker._memory.keep()
    size = house.broker.journal.size
    await busy(house, 2)
    await house.pulls(house["FRA"].analyst)
    await house.files(house["KEN"].consents(raw, "FRA"))
    recall = {"report": reports[1], "reason": "x"}
    await house.files(house["KEN"].says("report.recall", recall))
    house.world.clock.forward(days=2)
    await house.broker._eraser.expire()
    await dies(house)
    assert await same(house) == size
    await house.opens()
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, reports[1])


async def test_what_is_far_behind_is_brought_up_to_date(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "BEHIND", 20)
    await house.broker._memory.keep()
    size = house.broker._memory.size
    await house.broker._memory.keep_if_due()
    assert house.broker._memory.size == size
    await busy(house, 15)
    await house.broker._memory.keep_if_due()
    size = house.broker.journal.size
    await dies(house)
    assert await same(house) == size


async def test_only_sheets_with_changes_are_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = await busy(house, 10)
    await house.broker._memory.keep()
    written = list[int]()
    stage = Store.stage

    async def staged(store: Store, steps: list[tuple[str, list[tuple[int, bytes]]]]) -> None:
        written.extend(rows[0] for sql, found in steps if "INTO sheet" in sql for rows in found)
        await stage(store, steps)

    monkeypatch.setattr(Store, "stage", staged)
    await house.fetches(house["FRA"].analyst, reports[5])
    await busy(house, 1)
    await house.broker._memory.keep()
    assert written == [0, 3, 6]
    await house.broker.close()
    await same(house)


# -- what was deleted


async def test_nothing_of_what_was_deleted_stays_in_it(house: House) -> None:
    """How long a payload was is all that memory has and a deletion takes: it goes from here too."""
    text = "A" * 9_000
    sealed = house["KEN"].seals(text, release_to="GBR", expires=house.world.clock.now + 86_400)
    await house.submits(sealed)
    await house.broker._memory.keep()
    size = len(report.parse(sealed).portions[0].payload) + len(
        report.parse(sealed).portions[0].descriptor
    )
    path = house.folder / "data" / "journal.db"
    assert b",%d," % size in path.read_bytes() + path.with_name("journal.db-wal").read_bytes()
    house.world.clock.forward(days=2)
    await house.broker.expire()
    await house.broker._memory.keep_if_due()
    assert path.with_name("journal.db-wal").stat().st_size == 0
    assert b",%d," % size not in path.read_bytes()
    await house.broker.close()
    await same(house)


async def test_what_grew_old_is_gone_after_the_next_start_too(house: House) -> None:
    await order(house, payloads=1, views=None)
    reports = await busy(house)
    house.world.clock.forward(days=40)
    for nation in house.world.nations:
        await house.files(nation.opens_epoch())
    await house.broker.expire()
    await house.restarts()
    for identity in reports:
        with refused("not-found"):
            await house.fetches(house["GBR"].analyst, identity)
    assert not house.broker._state.holdings._aging["KEN"]
    await house.broker.close()
    await same(house)


# -- what is not believed

UNBELIEVED = {
    "an edited sheet": (
        "it is not what was written",
        "UPDATE sheet SET body = CAST(body || ' ' AS BLOB)",
    ),
    "a portion opened to a nation": (
        "it is not what was written",
        "UPDATE sheet SET body = CAST(replace(CAST(body AS TEXT), 'GBR8', 'FRA8') AS BLOB)",
    ),
    "a sheet missing at the end": (
        "it is not what was written",
        "DELETE FROM sheet WHERE number = (SELECT max(number) FROM sheet)",
    ),
    "a sheet missing before": ("a sheet is missing", "DELETE FROM sheet WHERE number = 1"),
    "a sheet too many": (
        "it is not what was written",
        "INSERT INTO sheet SELECT max(number) + 1, body FROM sheet",
    ),
    "sheets exchanged": (
        "it is not what was written",
        "UPDATE sheet SET number = -1 WHERE number = 0",
        "UPDATE sheet SET number = 0 WHERE number = 1",
        "UPDATE sheet SET number = 1 WHERE number = -1",
    ),
    "another tag": ("it is not what was written", "UPDATE memory SET tag = zeroblob(32)"),
    "another form": ("another form", "UPDATE memory SET form = 'later'"),
    "another form's number": ("it is not what was written", ""),
    "an older checkpoint": (
        "it is not what was written",
        "UPDATE memory SET note = (SELECT note FROM head ORDER BY size LIMIT 1)",
    ),
    "nothing": ("there is none", "DELETE FROM memory"),
}


@pytest.mark.parametrize("name", UNBELIEVED)
async def test_memory_that_is_not_what_was_written_is_not_believed(
    name: str, house: House, unfit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect everything to be read from the journal, and nobody to get more."""
    reports = await busy(house)
    await house.broker.close()
    unfit.clear()
    reason, *lines = UNBELIEVED[name]
    if lines == [""]:
        shell(house, "UPDATE memory SET form = 'later'")
        monkeypatch.setattr(sheets, "FORM", "later")
    else:
        shell(house, *lines)
    believed, read, size = await states(house)
    assert (size, unfit) == (0, [reason])
    assert image(believed) == image(read)
    await house.opens()
    with refused("not-found"):
        await house.fetches(house["FRA"].analyst, "0" * 64)
    assert len(await house.pulls(house["GBR"].analyst)) == len(reports)


def taken(house: House) -> list[tuple[str, list[Any]]]:
    """What a stopped broker remembers, as rows."""
    return [(table, shell(house, f"SELECT * FROM {table}")[0]) for table in ("sheet", "memory")]


async def taken_later(house: House) -> list[tuple[str, list[Any]]]:
    """What it would remember after three more reports; its folder is then what it was."""
    kept = house.folder.with_name("kept")
    shutil.copytree(house.folder, kept)
    await house.opens()
    await busy(house, 3)
    await house.broker.close()
    found = taken(house)
    shutil.rmtree(house.folder)
    kept.rename(house.folder)
    return found


def put_back(house: House, rows: list[tuple[str, list[Any]]]) -> None:
    with closing(sqlite3.connect(house.folder / "data" / "journal.db")) as database:
        for table, found in rows:
            database.execute(f"DELETE FROM {table}")
            marks = ",".join("?" * len(found[0]))
            database.executemany(f"INSERT INTO {table} VALUES({marks})", found)
        database.commit()


async def test_older_memory_is_true_and_only_slower(house: House, unfit: list[str]) -> None:
    """What was recalled and deleted since is not given out again."""
    reports = await busy(house)
    await house.broker.close()
    older = taken(house)
    size = (await states(house))[2]
    await house.opens()
    await house.files(house["KEN"].says("report.recall", {"report": reports[0], "reason": "x"}))
    await busy(house, 2)
    await house.broker.close()
    put_back(house, older)
    unfit.clear()
    assert (await same(house), unfit) == (size, [])
    await house.opens()
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, reports[0])


async def test_memory_of_a_copy_that_went_another_way_is_not_believed(
    house: House, unfit: list[str]
) -> None:
    """The same keys and the same beginning: another history all the same."""
    await busy(house)
    await house.broker.close()
    other = await taken_later(house)
    await house.opens()
    await busy(house, 1)
    await house.pulls(house["FRA"].analyst)
    await house.broker.close()
    await busy_longer(house, len(other[0][1]))
    put_back(house, other)
    unfit.clear()
    assert (await same(house), unfit) == (0, ["another journal"])


async def busy_longer(house: House, sheets_: int) -> None:
    """Until the journal is longer than the one that the other memory is of."""
    await house.opens()
    await busy(house, 2 * sheets_)
    await house.broker.close()


async def test_memory_that_is_ahead_of_its_journal_is_not_believed(
    house: House, unfit: list[str]
) -> None:
    """An older copy of the database with newer memory put into it."""
    await busy(house)
    await house.broker.close()
    newer = await taken_later(house)
    put_back(house, newer)
    unfit.clear()
    assert (await same(house), unfit) == (0, ["another journal"])


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_a_crash_while_it_is_written_leaves_the_old_or_the_new(
    moment: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy(house)
    await house.broker._memory.keep()
    before = house.broker.journal.size
    await busy(house, 3)
    found = house.folder.with_name("found")
    commit = Store.commit

    async def dying(store: Store) -> None:
        if moment == "after the commit":
            await commit(store)
        shutil.copytree(house.folder, found)
        monkeypatch.undo()
        if moment == "before the commit":
            await commit(store)

    monkeypatch.setattr(Store, "commit", dying)
    await house.broker._memory.keep()
    after = house.broker.journal.size
    await house.broker.close()
    shutil.rmtree(house.folder)
    found.rename(house.folder)
    assert await same(house) == (before if moment == "before the commit" else after)


async def test_a_disk_that_is_full_when_it_is_written_stops_the_journal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like any other failure: what is on the disk is then for the next start to find out."""
    await busy(house, 1)

    async def full(store: Store) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(Store, "commit", full)
    with pytest.raises(BrokerFault, match="disk-full"):
        await house.broker._memory.keep()
    monkeypatch.undo()
    with pytest.raises(BrokerFault, match="journal-stopped"):
        await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.broker.close()
    await same(house)


# -- the operator's look at it


async def test_fsck_says_what_a_start_makes_of_it(house: House) -> None:
    settings = Settings.load(house.folder)
    await busy(house)
    alike = [Portion("The same for the same.")]
    await house.submits(house["KEN"].seals(release_to="GBR FRA", portions=alike))
    await house.broker.close()
    assert (await custody.fsck(settings, lambda *_: None)).memory == "believed"
    shell(house, "DELETE FROM sheet WHERE number = 1")
    assert (await custody.fsck(settings, lambda *_: None)).memory == "a sheet is missing"


async def test_fsck_names_the_report_that_is_remembered_as_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours would be under the right key, and no start would see it."""
    reports = await busy(house)
    held = house.broker._state.holdings.by_identity(reports[3])
    assert held is not None
    held.released["FRA", 1] = 7
    await house.broker.close()
    with pytest.raises(BrokerFault, match=f"report {reports[3]}, entry {held.position}"):
        await custody.fsck(Settings.load(house.folder), lambda *_: None)
