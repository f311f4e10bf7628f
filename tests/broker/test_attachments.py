"""Attachments: ciphertexts in pieces, for those who may have the portion and nobody else."""

import asyncio
import errno
import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker import attachments
from broker.answers import Receipt
from tests import sealing
from tests.broker.house import House
from tests.people import Person
from tests.refusal import refused
from wire.errors import BrokerFault, Conflict, NotAllowed, TearlineError

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 12_000  # three pieces of a download
ID = "ab" * 16


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


async def announced(
    house: House, content: bytes = CONTENT, *, more: bool = False, **label: Any
) -> Receipt:
    """A report of Kenya's to Britain whose first portion names an attachment; there may be more."""
    kenya = house["KEN"]
    place = kenya.place()
    fields = kenya.label("SECRET", **{"release_to": "GBR", **label})
    attachment = {
        "id": ID,
        "sha256": hashlib.sha256(content).hexdigest(),
        "len": len(content),
        "media_type": "image/png",
    }
    frame = sealing.portion(
        place,
        fields,
        b"See the picture.",
        kenya.keys_for(fields),
        house.world.random,
        attachments=[attachment],
    )
    frames = [frame]
    if more:
        at, fields = replace(place, index=1), kenya.label("SECRET", "GBR")
        keys, random = kenya.keys_for(fields), house.world.random
        frames.append(sealing.portion(at, fields, b"And a text.", keys, random))
    return await house.submits(kenya.assembles(place, frames))


async def uploads(house: House, report: str, content: bytes = CONTENT, step: int = 1 << 20) -> None:
    sender = house.member(house["KEN"].system)
    for at in range(0, len(content), step):
        chunk = content[at : at + step]
        progress = await house.broker.put_chunk(sender, report, ID, at, len(content), chunk)
    assert progress.complete


async def downloads(
    house: House,
    person: Person,
    report: str,
    start: int = 0,
    end: int | None = None,
    keeps: frozenset[str] = frozenset(),
) -> bytes:
    reader = house.member(person)
    found = await house.broker.read_attachment(reader, report, ID, start, end, keeps)
    pieces = [piece async for piece in found.chunks]
    assert found.total == len(CONTENT)
    return b"".join(pieces)


async def slug(work: Any) -> str:
    with pytest.raises(TearlineError) as caught:
        await work
    return caught.value.slug


# -- up and down


@pytest.mark.slow
async def test_what_was_uploaded_in_pieces_comes_down_whole_or_in_part(house: House) -> None:
    report = (await announced(house)).report
    await uploads(house, report)
    analyst = house["GBR"].analyst
    assert await downloads(house, analyst, report) == CONTENT
    part = await downloads(house, analyst, report, 1_000_000, 1_500_000)
    assert part == CONTENT[1_000_000:1_500_000]
    assert await downloads(house, analyst, report, 3_000_000, 9_999_999) == CONTENT[3_000_000:]
    await house.restarts()
    assert await downloads(house, analyst, report) == CONTENT


@pytest.mark.slow
async def test_an_upload_goes_on_after_a_break_even_of_the_broker(house: House) -> None:
    report = (await announced(house)).report
    system, total = house["KEN"].system, len(CONTENT)
    half = total // 2
    await house.broker.put_chunk(house.member(system), report, ID, 0, total, CONTENT[:half])
    (part,) = (house.folder / "data" / "attachments").iterdir()
    with part.open("ab") as file:
        file.write(b"written, but never counted" * total)
    await house.restarts()
    progress = await house.broker.attachment_status(house.member(system), report, ID, total)
    assert (progress.received, progress.complete) == (half, False)
    reader = house.member(house["GBR"].analyst)
    assert await slug(house.broker.read_attachment(reader, report, ID, 0, None)) == "incomplete"
    progress = await house.broker.put_chunk(
        house.member(system), report, ID, half, total, CONTENT[half:]
    )
    assert progress.complete
    assert await downloads(house, house["GBR"].analyst, report) == CONTENT


@pytest.mark.slow
async def test_a_release_is_journalled_before_the_first_byte(house: House) -> None:
    report = (await announced(house)).report
    await uploads(house, report)
    assert not [1 for kind, _ in await house.channel("GBR") if kind == "release"]
    await house.broker.read_attachment(house.member(house["GBR"].analyst), report, ID, 0, None)
    assert [told["to"] for kind, told in await house.channel("KEN") if kind == "release"] == ["GBR"]


# -- refusals


@pytest.mark.slow
async def test_another_content_than_the_signed_one_is_discarded(house: House) -> None:
    report = (await announced(house)).report
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    half = total // 2
    await house.broker.put_chunk(sender, report, ID, 0, total, CONTENT[:half])
    wrong = house.broker.put_chunk(sender, report, ID, half, total, bytes(total - half))
    assert await slug(wrong) == "bad-envelope"
    assert not list((house.folder / "data" / "attachments").iterdir())
    progress = await house.broker.attachment_status(sender, report, ID, total)
    assert (progress.received, progress.complete) == (0, False)
    await uploads(house, report)


@pytest.mark.slow
async def test_pieces_must_follow_one_another(house: House) -> None:
    report = (await announced(house)).report
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    put = house.broker.put_chunk
    assert await slug(put(sender, report, ID, 1, total, b"x")) == "bad-range"
    await put(sender, report, ID, 0, total, CONTENT[:10])
    assert await slug(put(sender, report, ID, 0, total, CONTENT[:10])) == "bad-range"
    assert await slug(put(sender, report, ID, 11, total, b"x")) == "bad-range"
    assert await slug(put(sender, report, ID, 10, total, b"")) == "bad-range"
    assert await slug(put(sender, report, ID, 10, total - 1, b"x")) == "bad-range"
    assert await slug(put(sender, report, ID, 10, total + 1, b"x")) == "too-large"
    assert await slug(put(sender, report, ID, total - 1, total, b"xx")) == "too-large"
    large = bytes(attachments.CHUNK + 1)
    assert await slug(put(sender, report, ID, 10, total, large)) == "too-large"
    status = house.broker.attachment_status
    assert (await status(sender, report, ID, total)).received == 10
    assert await slug(status(sender, report, ID, total - 1)) == "bad-range"
    assert await slug(status(sender, report, ID, total + 1)) == "too-large"


@pytest.mark.slow
async def test_the_same_piece_sent_twice_at_once_counts_once(house: House) -> None:
    report = (await announced(house)).report
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    pieces = [
        house.broker.put_chunk(sender, report, ID, 0, total, CONTENT[:1000]) for _ in range(4)
    ]
    results = await asyncio.gather(*pieces, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 3
    assert (await house.broker.attachment_status(sender, report, ID, total)).received == 1000


@pytest.mark.slow
async def test_only_the_originators_nation_uploads(house: House) -> None:
    report = (await announced(house)).report
    for person in (house["GBR"].system, house["FRA"].system, house["KEN"].analyst):
        sender = house.member(person)
        work = house.broker.put_chunk(sender, report, ID, 0, len(CONTENT), b"x")
        assert await slug(work) == "not-found"
        status = house.broker.attachment_status(sender, report, ID, len(CONTENT))
        assert await slug(status) == "not-found"


@pytest.mark.slow
async def test_who_may_not_have_the_portion_gets_the_answer_of_what_is_not_there(
    house: House,
) -> None:
    report = (await announced(house)).report
    kenya, read = house["KEN"], house.broker.read_attachment
    france, britain = house.member(house["FRA"].analyst), house.member(house["GBR"].analyst)
    cases = [(france, report, ID), (britain, report, "00" * 16), (britain, "00" * 32, ID)]
    incomplete = [await slug(read(who, which, what, 0, None)) for who, which, what in cases]
    await uploads(house, report)
    complete = [await slug(read(who, which, what, 0, None)) for who, which, what in cases]
    assert incomplete == complete == ["not-found"] * 3
    await house.files(kenya.says("report.recall", {"report": report, "reason": "wrong"}))
    assert await slug(read(britain, report, ID, 0, None)) == "not-found"
    sender, total = house.member(kenya.system), len(CONTENT)
    assert await slug(house.broker.attachment_status(sender, report, ID, total)) == "not-found"


async def test_an_attachment_whose_portion_ends_while_the_rest_is_released_is_not_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal before its length is told: what is left of the report has no attachment."""
    ends = house.world.clock.now + 60
    report = (await announced(house, more=True, expires=ends)).report
    await uploads(house, report)
    reader, read = house.member(house["GBR"].analyst), house.broker.journal.rows

    async def rows(query: str, params: Any = ()) -> Any:
        if query == "reports_at":
            house.world.clock.now = ends
        return await read(query, params)

    monkeypatch.setattr(house.broker.journal, "rows", rows)
    assert await slug(house.broker.read_attachment(reader, report, ID, 0, None)) == "not-found"
    released = [told["portions"] for kind, told in await house.channel("GBR") if kind == "release"]
    assert released == [[0, 1], [1]]


async def test_a_range_outside_is_refused(house: House) -> None:
    report = (await announced(house)).report
    await uploads(house, report)
    reader, total = house.member(house["GBR"].analyst), len(CONTENT)
    for start, end in ((total, None), (5, 5), (7, 5)):
        work = house.broker.read_attachment(reader, report, ID, start, end)
        assert await slug(work) == "bad-range"


async def test_a_recall_and_a_revocation_cut_a_download_in_the_middle(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    report = (await announced(house)).report
    await uploads(house, report)
    for person in (britain.analyst, britain.officer):
        found = await house.broker.read_attachment(house.member(person), report, ID, 0, None)
        await anext(found.chunks)
        recall = {"report": report, "reason": "wrong"}
        revoked = person is britain.analyst
        cut = britain.revokes(person) if revoked else kenya.says("report.recall", recall)
        await house.files(cut)
        with pytest.raises(NotAllowed):
            await anext(found.chunks)


async def test_a_journal_that_stops_cuts_a_download_in_the_middle(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves a broker that can write down nothing more, not even what it has begun."""
    report = (await announced(house)).report
    await uploads(house, report)
    reader = house.member(house["GBR"].analyst)
    found = await house.broker.read_attachment(reader, report, ID, 0, None)
    await anext(found.chunks)

    async def broken() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(house.broker.journal._store, "commit", broken)
    with pytest.raises(BrokerFault):
        await house.files(house["KEN"].opens_epoch())
    with refused("journal-stopped"):
        await anext(found.chunks)


@pytest.mark.slow
async def test_no_room_is_said_and_what_was_stored_before_is_not_believed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = (await announced(house)).report
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    await house.broker.put_chunk(sender, report, ID, 0, total, CONTENT[:10])

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    work = house.broker.put_chunk(sender, report, ID, 10, total, CONTENT[10:20])
    with pytest.raises(BrokerFault, match="disk-full"):
        await work
    monkeypatch.undo()
    assert (await house.broker.attachment_status(sender, report, ID, total)).received == 0
    await uploads(house, report)


async def test_one_nations_upload_is_nothing_to_anothers_of_the_same_content(house: House) -> None:
    """Else who announces the same digest could see how far the other is, and spoil it."""
    report = (await announced(house)).report
    other = (await announced(house)).report
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    await house.broker.put_chunk(sender, report, ID, 0, total, CONTENT[:10])
    assert (await house.broker.attachment_status(sender, other, ID, total)).received == 0


@pytest.mark.slow
async def test_an_attachment_asks_of_a_client_what_its_portion_asks(house: House) -> None:
    """Else it would be the way round the duties of the text that it belongs to."""
    report = (await announced(house, display_to="FRA", obligations=["WATERMARK"])).report
    await uploads(house, report)
    france = house["FRA"].analyst
    for keeps, lacks in (((), "DISPLAY, WATERMARK"), (("DISPLAY",), "WATERMARK")):
        with refused("obligation-unsupported", f"^{lacks}$"):
            await downloads(house, france, report, keeps=frozenset(keeps))
    both = frozenset({"DISPLAY", "WATERMARK"})
    assert await downloads(house, france, report, keeps=both) == CONTENT


@pytest.mark.slow
async def test_a_recall_deletes_attachments_whole_and_in_parts(house: House) -> None:
    """Also what a crash left behind after the recall was journalled."""
    whole, half = [(await announced(house)).report for _ in range(2)]
    await uploads(house, whole)
    sender, total = house.member(house["KEN"].system), len(CONTENT)
    await house.broker.put_chunk(sender, half, ID, 0, total, CONTENT[:1000])
    folder = house.folder / "data/attachments"
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(kept) == 2
    for report in (whole, half):
        recall = {"report": report, "reason": "wrong"}
        await house.files(house["KEN"].says("report.recall", recall))
    assert list(folder.iterdir()) == []
    work = house.broker.put_chunk(sender, half, ID, 1000, total, CONTENT[1000:2000])
    assert await slug(work) == "not-found"
    for path, data in kept.items():
        path.write_bytes(data)
    await house.restarts()
    assert list(folder.iterdir()) == []
