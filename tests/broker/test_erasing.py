"""What is recalled or over is deleted: its bytes are nowhere, and everything is still proven."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Release
from tests.broker.house import House
from tests.coalition import Portion
from tests.refusal import refused
from wire.errors import BrokerFault
from wire.report import parse

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


def pieces(raw: bytes, portions: set[int] | None = None) -> dict[str, bytes]:
    """What can be read of a report, or of some of its portions: each payload and each wrap."""
    found = {}
    for portion in parse(raw).portions:
        if portions is None or portion.index in portions:
            found[f"payload {portion.index}"] = portion.payload
            found |= {f"wrap {portion.index}/{i}": wrap for i, wrap in portion.wraps.items()}
    return found


def on_disk(house: House, wanted: dict[str, bytes]) -> set[str]:
    """Which of these stand in any file of the broker; a piece of 64 bytes is enough."""
    files = [path.read_bytes() for path in house.folder.rglob("*") if path.is_file()]
    return {
        name
        for name, data in wanted.items()
        if any(data[at : at + 64] in file for file in files for at in (0, len(data) // 2))
    }


async def recalls(house: House, identity: str) -> None:
    body = {"report": identity, "reason": "wrong"}
    await house.files(house["KEN"].says("report.recall", body))


def long_report(house: House, **how: Any) -> bytes:
    """More than a page of SQLite, so that its bytes stand in pages of their own."""
    return house["KEN"].seals("Ambush. " * 3_000, release_to="GBR", **how)


# -- recall


@pytest.mark.slow
async def test_a_recall_leaves_nothing_to_read_in_any_file(house: House) -> None:
    raw = long_report(house)
    receipt = await house.submits(raw)
    other = await house.submits(other_raw := long_report(house))
    await house.fetches(house["GBR"].analyst, receipt.report)
    assert on_disk(house, pieces(raw)) == set(pieces(raw))
    await recalls(house, receipt.report)
    assert on_disk(house, pieces(raw)) == set()
    assert on_disk(house, pieces(other_raw)) == set(pieces(other_raw))
    await house.fetches(house["GBR"].analyst, other.report)


@pytest.mark.slow
async def test_after_a_recall_every_start_and_scrub_passes_and_proofs_verify(house: House) -> None:
    raw = long_report(house)
    receipt = await house.submits(raw)
    await house.fetches(house["GBR"].analyst, receipt.report)
    await recalls(house, receipt.report)
    await house.broker.journal.scrub()
    broker = await house.restarts()
    await broker.journal.scrub()
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)
    rows = await broker.journal.rows("report_by_index", (receipt.index,))
    left = parse(rows[0][-1])
    assert left.identity == receipt.report
    assert [p.commitment for p in left.portions] == [p.commitment for p in parse(raw).portions]
    assert pieces(rows[0][-1]) == {f"payload {p.index}": b"" for p in left.portions}
    again = await house.submits(raw)
    assert (again.index, again.duplicate) == (receipt.index, True)
    assert on_disk(house, pieces(raw)) == set()


@pytest.mark.slow
async def test_a_recalled_report_posted_with_other_parts_is_no_duplicate(house: House) -> None:
    """Its first receipt is for who can show all of it, also when the broker cannot any more."""
    raw = long_report(house)
    receipt = await house.submits(raw)
    part = parse(raw).redacted([parse(raw).portions[0].index], "GBR")
    await recalls(house, receipt.report)
    with refused("id-reuse"):
        await house.submits(part)
    with refused("id-reuse"):
        await house.submits(parse(raw).stripped([parse(raw).portions[0].index]))
    with refused("id-reuse"):  # the payload is cut off by a byte, and says so
        await house.submits(shortened(raw))


def shortened(raw: bytes) -> bytes:
    """The report of one portion with the last byte of its payload missing."""
    size = len(parse(raw).portions[0].payload)
    start = len(raw) - size
    return raw[: start - 8] + (size - 1).to_bytes(8, "big") + raw[start:-1]


@pytest.mark.slow
async def test_a_second_recall_deletes_nothing_more(house: House) -> None:
    receipt = await house.submits(long_report(house))
    await recalls(house, receipt.report)
    await recalls(house, receipt.report)
    broker = await house.restarts()
    assert len(await broker.journal.rows("erased")) == 1


# -- the journal notices


ALTERED = "substr(raw, 1, 600) || X'00FF00FF' || substr(raw, 605)"
"""Four other bytes inside the signature of what is left: it is still a report."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE report SET raw = X'00' WHERE length(raw) < 20000",
        f"UPDATE report SET raw = CAST({ALTERED} AS BLOB)",
        "DELETE FROM erasure",
        "UPDATE erasure SET after = before",
        "UPDATE erasure SET before = after",
        "UPDATE erasure SET report_idx = report_idx + 1",
    ],
)
async def test_bytes_that_were_not_deleted_by_an_entry_are_missed(house: House, edit: str) -> None:
    """Who can write the file cannot pass a loss or a change off as a deletion. Expect refusal."""
    receipt = await house.submits(long_report(house))
    await recalls(house, receipt.report)
    await house.broker.close()
    with closing(sqlite3.connect(house.folder / "data/journal.db", isolation_level=None)) as shell:
        assert shell.execute(edit).rowcount > 0
    with pytest.raises(BrokerFault, match="journal-damaged"):
        await house.opens()


# -- the end of its time


@pytest.mark.slow
async def test_a_portion_is_served_up_to_its_time_and_then_deleted(house: House) -> None:
    soon = house.world.clock.now + 3_600
    below = Portion("Below the line. " * 2_000, label={"expires": soon})
    raw = long_report(house, portions=[below])
    receipt = await house.submits(raw)
    reader = house["GBR"].analyst
    house.world.clock.forward(seconds=3_599)
    await house.broker.expire()
    assert portions(await house.fetches(reader, receipt.report)) == [0, 1]
    house.world.clock.forward(seconds=1)
    assert portions(await house.fetches(reader, receipt.report)) == [0]
    assert on_disk(house, pieces(raw, {1})) == set(pieces(raw, {1}))
    await house.broker.expire()
    assert on_disk(house, pieces(raw, {1})) == set()
    assert portions(await house.fetches(reader, receipt.report)) == [0]
    kind, view = (await house.channel("KEN"))[-1]
    assert (kind, view) == ("report.expired", {"report": receipt.report, "portions": [1]})
    broker = await house.restarts()
    await broker.journal.scrub()
    assert portions(await house.fetches(reader, receipt.report)) == [0]


@pytest.mark.slow
async def test_what_is_deleted_piece_by_piece_is_accounted_for_piece_by_piece(
    house: House,
) -> None:
    now = house.world.clock.now
    others = [Portion(f"{i} " * 9_000, label={"expires": now + i * 3_600}) for i in (1, 2)]
    raw = long_report(house, portions=others)
    receipt = await house.submits(raw)
    for gone in ({1}, {1, 2}):
        house.world.clock.forward(hours=1)
        await house.broker.expire()
        await house.restarts()
        assert on_disk(house, pieces(raw, gone)) == set()
    await recalls(house, receipt.report)
    broker = await house.restarts()
    await broker.journal.scrub()
    assert on_disk(house, pieces(raw)) == set()
    assert (await house.submits(raw)).duplicate


@pytest.mark.slow
async def test_a_start_deletes_what_ended_while_the_broker_was_down(house: House) -> None:
    raw = long_report(house, expires=house.world.clock.now + 60)
    await house.submits(raw)
    await house.broker.close()
    house.world.clock.forward(seconds=61)
    await house.opens()
    assert on_disk(house, pieces(raw)) == set()


def portions(release: Release) -> list[int]:
    return [portion.index for portion in parse(release.report).portions]
