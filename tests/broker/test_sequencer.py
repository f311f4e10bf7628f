"""The one writer: acts become true together, in one order, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from broker import sequencer
from broker.journal import Entry, Record
from broker.sequencer import Act, Moment
from tests.broker.house import House
from wire.entries import MISSION, Event
from wire.errors import BrokerFault, NotAllowed
from wire.links import HEADS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


class Note(Act[int]):
    """Journals a note of the operator's; gives its index."""

    def __init__(self, text: str = "noted", claim: str = "") -> None:
        self.text, self.claim = text, claim
        self.planned = -1

    def plan(self, moment: Moment) -> Sequence[Record]:
        claim = ("note", self.claim)
        if self.claim and claim in moment.claimed:
            raise NotAllowed("not-allowed", "noted before")
        moment.claimed.add(claim)
        self.planned = moment.position
        return (Record(Event("operator.note", {MISSION: {"text": self.text}})),)

    def settle(self, entries: Sequence[Entry]) -> int:
        return entries[0].index


class Alone(Note):
    alone: ClassVar[bool] = True

    async def prepare(self, moment: Moment) -> None:
        await asyncio.sleep(0)


class Nothing(Act[int]):
    def plan(self, moment: Moment) -> Sequence[Record]:
        return ()

    def settle(self, entries: Sequence[Entry]) -> int:
        return len(entries)


class Broken(Note):
    """An act with a mistake of ours in it."""

    def plan(self, moment: Moment) -> Sequence[Record]:
        raise ZeroDivisionError


class BrokenLater(Note):
    def settle(self, entries: Sequence[Entry]) -> int:
        raise ZeroDivisionError


async def done(house: House, *acts: Act[int]) -> list[int | BaseException]:
    """All acts, put into the inbox in one go."""
    work = (house.broker._sequencer.do(act) for act in acts)
    return await asyncio.gather(*work, return_exceptions=True)


async def test_each_act_stands_where_it_was_planned(house: House) -> None:
    notes = [Note() for _ in range(10)]
    assert await done(house, *notes) == [note.planned for note in notes]


async def test_an_act_that_goes_alone_shares_no_batch(house: House) -> None:
    acts = [Note(), Note(), Alone(), Note(), Alone(), Alone(), Note()]
    places = await done(house, *acts)
    leaf = house.broker.journal.leaf
    for act, place in zip(acts, places, strict=True):
        assert isinstance(place, int)
        if act.alone:
            assert [(await leaf(place + step))[0] for step in (-1, 1)] == [HEADS, HEADS]
    first, second = places[:2]
    assert second == first + 1, "the others do"  # type: ignore[operator]


async def test_a_refusal_or_a_mistake_of_ours_hurts_nobody_else_in_the_batch(house: House) -> None:
    refused = Note(claim="once")
    results = await done(house, Note(claim="once"), refused, Broken(), Nothing(), Note())
    assert [getattr(result, "slug", "done") for result in results] == [
        "done",
        "not-allowed",
        "internal",
        "done",
        "done",
    ]
    assert results[3] == 0
    assert results[4] == results[0] + 1  # type: ignore[operator]
    assert await done(house, Note(claim="once")) == [house.broker.journal.size - 2]


async def test_a_view_that_cannot_be_written_is_its_authors_fault_alone(house: House) -> None:
    results = await done(house, Note("a line\nbreak"), Note())
    assert [getattr(result, "slug", "done") for result in results] == ["bad-json", "done"]


async def test_a_mistake_after_the_commit_stops_the_service_for_good(house: House) -> None:
    """Memory could be other than the journal from there on; the next start finds out."""
    results = await done(house, Note(), BrokenLater(), Note())
    assert isinstance(results[0], int)
    assert [getattr(result, "slug", "done") for result in results[1:]] == ["journal-stopped"] * 2
    with pytest.raises(BrokerFault, match="journal-stopped"):
        house.broker.check_ready()
    await house.restarts()
    house.broker.check_ready()


async def test_a_caller_that_has_gone_does_not_hold_up_the_others(house: House) -> None:
    gone = asyncio.ensure_future(house.broker._sequencer.do(Note()))
    rest = asyncio.ensure_future(done(house, Note(), Note()))
    await asyncio.sleep(0)
    gone.cancel()
    assert all(isinstance(place, int) for place in await rest)


async def test_a_batch_waits_a_little_for_what_is_on_its_way_and_not_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = house.broker._sequencer
    coming = [8]
    monkeypatch.setattr(writer, "_upcoming", lambda: coming[0])
    first = asyncio.ensure_future(writer.do(Note()))
    await asyncio.sleep(0)
    more = [asyncio.ensure_future(writer.do(Note())) for _ in range(3)]
    places = [await first, *[await one for one in more]]
    assert places == list(range(places[0], places[0] + 4)), "one batch"
    alone = Note()
    assert await writer.do(alone) == alone.planned, "though eight more never came"


async def test_a_batch_has_a_limit(house: House) -> None:
    places = await done(house, *(Note() for _ in range(sequencer.BATCH + 1)))
    last, before = places[-1], places[-2]
    assert last == before + 2, "a heads leaf between"  # type: ignore[operator]
