"""Disclosure is not release: what may only be looked at goes to clients that keep its duties."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Unsupported
from broker.matching import Filter
from tests.broker.house import Following, House
from tests.coalition import Portion
from tests.refusal import refused

pytestmark = pytest.mark.anyio

SHOWS = {"DISPLAY"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


async def mixed(house: House) -> str:
    """A report of which France may keep one portion and look at the other."""
    shown = Portion("How it was seen.", release_to="GBR", display_to="FRA")
    sealed = house["KEN"].seals("An ambush.", release_to="GBR FRA", portions=[shown])
    return (await house.submits(sealed)).report


async def views(house: House, channel: str, report: str) -> list[tuple[Any, ...]]:
    """(to, use, portions, those for display) of every release of a report."""
    return [
        (view["to"], view["use"], view["portions"], view["display"])
        for kind, view in await house.channel(channel)
        if kind == "release" and view["report"] == report
    ]


# -- who is given what


@pytest.mark.slow
async def test_a_display_copy_goes_only_to_a_client_that_declares_display(house: House) -> None:
    france = house["FRA"].analyst
    report = (await house.submits(house["KEN"].seals(release_to="GBR", display_to="FRA"))).report
    with refused("obligation-unsupported", "^DISPLAY$"):
        await house.fetches(france, report)
    assert await house.pulls(france) == []
    assert (await house.fetches(france, report, SHOWS)).use == "display"
    assert await house.pulls(france, SHOWS) == [report]
    assert (await house.fetches(house["GBR"].analyst, report)).use == "release"


@pytest.mark.slow
@pytest.mark.parametrize("word", ["WATERMARK", "A WORD THAT NOBODY KNOWS"])
async def test_an_obligation_binds_every_reader_also_the_originators(
    house: House, word: str
) -> None:
    """A client that does not know a word cannot keep it: nothing is served in the hope that."""
    report = (await house.submits(house["KEN"].seals(release_to="GBR", obligations=[word]))).report
    for nation in ("GBR", "KEN"):
        with refused("obligation-unsupported", f"^{word}$"):
            await house.fetches(house[nation].analyst, report, SHOWS)
        release = await house.fetches(house[nation].analyst, report, {word, *SHOWS})
        assert release.use == "release"


@pytest.mark.slow
async def test_all_duties_of_a_portion_have_to_be_declared(house: House) -> None:
    sealed = house["KEN"].seals(release_to="GBR", display_to="FRA", obligations=["NO PRINT"])
    report = (await house.submits(sealed)).report
    with refused("obligation-unsupported", "^NO PRINT$"):
        await house.fetches(house["FRA"].analyst, report, SHOWS)
    with refused("obligation-unsupported", "^DISPLAY$"):
        await house.fetches(house["FRA"].analyst, report, {"NO PRINT"})
    await house.fetches(house["FRA"].analyst, report, {"NO PRINT", *SHOWS})


@pytest.mark.slow
async def test_portion_by_portion_each_client_gets_what_it_can_keep(house: House) -> None:
    """And the journal says which portions were released, and which were only shown."""
    report = await mixed(house)
    plain = await house.fetches(house["FRA"].analyst, report)
    shown = await house.fetches(house["FRA"].analyst, report, SHOWS)
    assert (plain.use, shown.use) == ("release", "display")
    assert [p.index for p in house.proven(plain, "FRA")[0].portions] == [0]
    assert [p.index for p in house.proven(shown, "FRA")[0].portions] == [0, 1]
    both = [("FRA", "release", [0], []), ("FRA", "display", [0, 1], [1])]
    assert await views(house, "FRA", report) == both
    assert await views(house, "KEN", report) == both


@pytest.mark.slow
async def test_who_contributed_to_one_portion_learns_nothing_of_how_another_is_used(
    house: House,
) -> None:
    """Only Kenya's own portion draws on Britain's report; that the other is for display, and that
    there is another, is none of Britain's business.
    """
    britain, kenya = house["GBR"], house["KEN"]
    source = britain.seals("A source.", release_to="KEN FRA", derive="within_release")
    given = (await house.submits(source)).report
    read, _ = house.proven(await house.fetches(kenya.analyst, given), "KEN")
    origin = {"report": given, "portion": read.portions[0].frame.commitment}
    drawn = Portion(
        "Drawn on it.", release_to="FRA GBR", display_to="", label={"derived_from": [origin]}
    )
    own = kenya.seals("Its own.", release_to="KEN", display_to="FRA", portions=[drawn])
    report = (await house.submits(own)).report
    await house.fetches(house["FRA"].analyst, report, SHOWS)
    assert await views(house, "GBR", report) == [("FRA", "release", [1], [])]
    assert await views(house, "KEN", report) == [("FRA", "display", [0, 1], [0])]


# -- what the reader is told


@pytest.mark.slow
async def test_who_may_not_have_it_is_not_told_which_client_would_do(house: House) -> None:
    report = (await house.submits(house["KEN"].seals(display_to="FRA"))).report
    with refused("not-found", "^$"):
        await house.fetches(house["GBR"].analyst, report)
    page = await house.broker.pull(house.member(house["GBR"].analyst), Filter(), None, 9)
    assert page.unsupported == ()
    recall = {"report": report, "reason": "an error"}
    await house.files(house["KEN"].says("report.recall", recall))
    with refused("not-found", "^$"):
        await house.fetches(house["FRA"].analyst, report)


@pytest.mark.slow
async def test_a_page_names_what_another_client_would_be_given(house: House) -> None:
    france = house.member(house["FRA"].analyst)
    part = await mixed(house)
    whole = (await house.submits(house["KEN"].seals(display_to="FRA"))).report
    page = await house.broker.pull(france, Filter(), None, 9)
    lacks = {one.report: one.lacks for one in page.unsupported}
    assert lacks == {part: ("DISPLAY",), whole: ("DISPLAY",)}
    assert len(page.releases) == 1
    full = await house.broker.pull(france, Filter(), None, 9, frozenset(SHOWS))
    assert (len(full.releases), full.unsupported) == (2, ())


async def told(following: Following) -> Unsupported:
    event = await following.next()
    assert event.kind == "unsupported", event
    fields = json.loads(event.data)
    return Unsupported(report=fields["report"], lacks=tuple(fields["lacks"]))


@pytest.mark.slow
async def test_a_stream_tells_once_and_goes_on(house: House) -> None:
    """Reports of another client's kind are named, and nothing behind them is held up."""
    kenya, france = house["KEN"], house["FRA"].analyst
    whole = (await house.submits(kenya.seals(display_to="FRA", precedence="FLASH"))).report
    part = await mixed(house)
    after = (await house.submits(kenya.seals(release_to="FRA"))).report
    following = await house.follows(france)
    assert await told(following) == Unsupported(report=whole, lacks=("DISPLAY",))
    assert await following.report() == part
    assert await told(following) == Unsupported(report=part, lacks=("DISPLAY",))
    assert await following.rest() == [after]
    again = await house.follows(france, cursor=following.cursor)
    assert await again.rest() == [], "the cursor moved on"
    shows = await house.follows(france, "shows", keeps=SHOWS)
    assert await shows.rest() == [whole, part, after]


@pytest.mark.slow
async def test_a_stream_that_waits_is_woken_by_what_its_client_cannot_keep(house: House) -> None:
    france = house["FRA"].analyst
    plain = await house.follows(france)
    shows = await house.follows(france, "shows", keeps=SHOWS)
    assert await plain.rest() == await shows.rest() == []
    report = (await house.submits(house["KEN"].seals(display_to="FRA"))).report
    assert (await told(plain)).report == report
    assert await shows.report() == report
    assert await views(house, "FRA", report) == [("FRA", "display", [0], [0])]


@pytest.mark.slow
async def test_what_does_not_answer_the_filter_is_not_named(house: House) -> None:
    await house.submits(house["KEN"].seals(display_to="FRA", regions=["KE"]))
    following = await house.follows(house["FRA"].analyst, regions=("SN",))
    assert await following.rest() == []
