"""Denials: silent to who asked, loud to those whose rules refused."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker import denials, refusals
from tests.broker.house import House
from tests.coalition import Portion
from tests.people import Person
from wire import report
from wire.errors import NotAllowed
from wire.model import Channel

pytestmark = pytest.mark.anyio

UNKNOWN = "ab" * 32

NOBODY = """
@id("{0}/none")
@says("Nothing for now.")
forbid (principal, action == Action::"{1}", resource);
"""

REFERRED = """
@id("KEN/officer")
@says("An officer agrees first.")
permit (principal, action == Action::"release", resource) when { context.approvals >= 1 };
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        yield found


async def read(house: House, nation: Channel) -> dict[str, Any]:
    """The entry of a nation's own read of its channel."""
    page = await house.broker.views(house.member(house[nation].auditor), 0, 0, 1_000)
    last = page.segment.entries[-1]
    assert json.loads(last.link)["type"] == "audit.read"
    view: dict[str, Any] = json.loads(last.view or b"")
    return view


async def told(house: House, nation: Channel) -> list[dict[str, Any]]:
    """The denials that it brings."""
    found: list[dict[str, Any]] = (await read(house, nation))["denials"]
    return found


async def in_vain(house: House, person: Person, identity: str, times: int = 1) -> None:
    """Ask for a report and get nothing."""
    for _ in range(times):
        with pytest.raises(NotAllowed, match="not-found"):
            await house.fetches(person, identity)


# -- loud inwards


async def test_the_originator_finds_who_asked_for_a_report_that_was_not_for_it(
    house: House,
) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    await in_vain(house, house["FRA"].analyst, receipt.report, times=3)
    now = house.world.clock.now
    (denial,) = await told(house, "KEN")
    assert denial == {
        "report": receipt.report,
        "originator": "KEN",
        "portions": [0],
        "to": "FRA",
        "kind": "person",
        "how": "fetch",
        "purpose": house.broker.directory.terms.purposes[0],
        "because": "not-listed",
        "outcome": "WITHHOLD",
        "rules": {},
        "another_party": False,
        "first": now,
        "last": now,
        "times": 3,
    }
    assert await told(house, "GBR") == [], "it is no party to this"


@pytest.mark.slow
async def test_each_owner_finds_its_own_rule_and_of_others_that_there_are_some(
    house: House,
) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.files(kenya.adopts(release=NOBODY.format("KEN", "release")))
    await house.files(britain.adopts(accept=NOBODY.format("GBR", "accept")))
    await in_vain(house, britain.analyst, receipt.report)
    (denial,) = await told(house, "KEN")
    assert (denial["because"], denial["outcome"]) == ("policy", "WITHHOLD")
    assert denial["rules"] == {"release/KEN": ["KEN/none"]}
    assert denial["another_party"] is True
    ours = await told(house, "GBR")
    assert [set(d) & {"rules", "originator"} for d in ours] == [set()], "only that it asked"


@pytest.mark.slow
async def test_a_nation_hears_of_its_own_refusal_where_nobody_else_refuses(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.files(britain.adopts(accept=NOBODY.format("GBR", "accept")))
    assert await house.pulls(britain.analyst) == []
    (denial,) = await told(house, "GBR")
    assert (denial["report"], denial["originator"]) == (receipt.report, "KEN")
    assert denial["rules"] == {"accept/GBR": ["GBR/none"]}
    assert denial["another_party"] is False
    (others,) = await told(house, "KEN")
    assert (others["rules"], others["another_party"]) == ({}, True)


@pytest.mark.slow
async def test_a_pull_and_a_stream_tell_what_they_passed_over(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    await house.files(kenya.adopts(release=REFERRED))
    following = await house.follows(britain.analyst)
    assert await following.rest() == []
    identity = (await house.submits(kenya.seals(release_to="GBR", regions=["KE"]))).report
    assert await following.rest() == []
    assert await house.pulls(britain.system, regions=("SN",)) == [], (
        "this one asks for another place"
    )
    assert await house.pulls(britain.system) == []
    found = await told(house, "KEN")
    assert {(d["how"], d["kind"], d["outcome"], d["report"]) for d in found} == {
        ("stream", "person", "REFER", identity),
        ("pull", "system", "REFER", identity),
    }
    assert await told(house, "GBR") == [], "a filter names nothing, so nothing was asked in vain"


@pytest.mark.slow
async def test_a_part_that_is_withheld_is_told_of_and_a_part_for_others_is_not(
    house: House,
) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    later = Portion("Later.", classification="SECRET", release_to="GBR")
    parts = [Portion("For France.", classification="RESTRICTED", release_to="FRA"), later]
    raw = kenya.seals(release_to="GBR", classification="RESTRICTED", portions=parts)
    identity = (await house.submits(raw)).report
    low = """
    @id("KEN/low")
    @says("Up to RESTRICTED.")
    permit (principal, action == Action::"release", resource in UpTo::"RESTRICTED");
    """
    await house.files(kenya.adopts(release=low))
    release = await house.fetches(britain.analyst, identity)
    assert [p.index for p in report.parse(release.report).portions] == [0]
    (denial,) = await told(house, "KEN")
    assert (denial["portions"], denial["rules"]) == ([2], {"release/KEN": []})
    assert await told(house, "GBR") == [], "it got what it asked for"


async def test_a_recalled_report_that_is_asked_for_again_is_told_of(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    identity = (await house.submits(kenya.seals(release_to="GBR"))).report
    await house.fetches(britain.analyst, identity)
    await house.files(kenya.says("report.recall", {"report": identity, "reason": "an error"}))
    await in_vain(house, britain.analyst, identity)
    (denial,) = await told(house, "KEN")
    assert denial["because"] == "recalled"


@pytest.mark.slow
async def test_a_contributor_finds_its_own_rule_about_what_was_drawn_from_it(house: House) -> None:
    kenya, france, britain = house["KEN"], house["FRA"], house["GBR"]
    free: dict[str, Any] = {"derive": "within_release", "onward": "release_list"}
    source = kenya.seals(release_to="FRA GBR", **free)
    receipt = await house.submits(source)
    await house.fetches(france.analyst, receipt.report)
    drawn = {"report": receipt.report, "portion": report.parse(source).portions[0].commitment}
    raw = france.seals(release_to="GBR", derived_from=[drawn], **free)
    identity = (await house.submits(raw)).report
    await house.files(kenya.adopts(release=NOBODY.format("KEN", "release")))
    await in_vain(house, britain.analyst, identity)
    (ours,) = [d for d in await told(house, "KEN") if d["report"] == identity]
    assert ours["rules"] == {"release/KEN": ["KEN/none"]}
    (theirs,) = await told(house, "FRA")
    assert (theirs["rules"], theirs["another_party"]) == ({}, True)


async def test_the_originator_does_not_hear_who_of_a_nation_is_cleared(house: House) -> None:
    """Expect nothing in its channel: a person of Britain may not have it, and Britain may."""
    kenya, britain = house["KEN"], house["GBR"]
    junior = britain.enlists("junior", "analyst", clearance="RESTRICTED")
    await house.files(house.world.history[-1].statement)
    identity = (await house.submits(kenya.seals(release_to="GBR", classification="SECRET"))).report
    await in_vain(house, junior, identity)
    assert await told(house, "KEN") == []
    asked, refused = await told(house, "GBR")
    assert asked["reader"] == junior.kid
    assert (refused["report"], refused["originator"]) == (identity, "KEN")


# -- silent outwards


async def test_a_denial_does_not_show_in_the_log(house: House) -> None:
    """Expect the same entries, whether there is such a report or not, and leaves of one size."""
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    sizes = set()
    for identity in (UNKNOWN, receipt.report):
        before = house.broker.journal.size
        await in_vain(house, house["FRA"].analyst, identity)
        assert house.broker.journal.size == before
        await told(house, "FRA")
        await told(house, "KEN")
        leaves = [await house.broker.journal.leaf(at) for at in range(before, before + 4)]
        sizes.add((house.broker.journal.size - before, tuple(map(len, leaves))))
    assert len(sizes) == 1


async def test_who_asks_finds_the_same_of_unknown_and_withheld_reports(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    france, found = house["FRA"], []
    for identity in (UNKNOWN, receipt.report):
        await in_vain(house, france.analyst, identity)
        (denial,) = await told(house, "FRA")
        assert denial.pop("report") == identity
        found.append(denial)
    assert found[0] == found[1]
    assert found[0]["reader"] == france.analyst.kid


# -- bounds


@pytest.mark.slow
async def test_a_poller_is_told_of_once_a_day(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    france, times = house["FRA"], 0
    for hour in range(24):
        await in_vain(house, france.analyst, receipt.report, times=5)
        times += sum(d["times"] for d in await told(house, "KEN"))
        assert times == 5, hour
        house.world.clock.forward(hours=1)
    (denial,) = await told(house, "KEN")
    assert denial["times"] == 23 * 5


async def test_what_waits_is_bounded_and_the_rest_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who fills it does not hide what another nation does."""
    monkeypatch.setattr(denials, "WAITING", 3)
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    for number in range(8):
        await in_vain(house, house["FRA"].analyst, f"{number:064x}")
    view = await read(house, "FRA")
    assert (len(view["denials"]), view["left_out"]) == (3, 5)
    assert (await read(house, "FRA"))["left_out"] == 0
    await in_vain(house, house["FRA"].analyst, receipt.report)
    assert len(await told(house, "KEN")) == 1
    assert len(await told(house, "FRA")) == 1
    assert len(house.broker._denials) == 0


async def test_room_is_made_by_what_is_told_already_and_of_the_same_nation_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only goes on gives way to what is new; what is new, or waits for others, stays."""
    monkeypatch.setattr(denials, "WAITING", 2)
    receipt = await house.submits(house["KEN"].seals())
    for fresh in (1, 0):
        await in_vain(house, house["GBR"].analyst, receipt.report)
        assert len(await told(house, "KEN")) == len(await told(house, "GBR")) == fresh
    old, new, newer = (f"{number:064x}" for number in range(3))
    france = house["FRA"].analyst
    await in_vain(house, france, old)
    assert len(await told(house, "FRA")) == 1
    for identity in (new, old, newer):
        await in_vain(house, france, identity)
    view = await read(house, "FRA")
    assert ([d["report"] for d in view["denials"]], view["left_out"]) == ([new, newer], 0)
    house.world.clock.forward(days=1)
    assert len(await told(house, "KEN")) == len(await told(house, "GBR")) == 1


async def test_what_is_asked_while_a_read_is_written_waits_for_the_next(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    found, clock = house.broker._denials, house.world.clock
    await in_vain(house, house["FRA"].analyst, receipt.report)
    clock.forward(seconds=3)
    await in_vain(house, house["FRA"].analyst, receipt.report)
    due = found.due("KEN")
    clock.forward(seconds=5)
    await in_vain(house, house["FRA"].analyst, receipt.report)
    await found.keep(house.broker.journal)
    found.settle("KEN", *due)
    await house.restarts()
    (denial,) = await told(house, "KEN")
    assert (denial["times"], denial["last"] - denial["first"]) == (1, 5)


async def test_a_read_tells_so_many_and_the_next_one_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials, "PER_ENTRY", 2)
    for number in range(3):
        await in_vain(house, house["FRA"].analyst, f"{number:064x}")
    assert [len(await told(house, "FRA")) for _ in range(3)] == [2, 1, 0]


@pytest.mark.slow
async def test_long_lists_of_rules_do_not_keep_a_nation_from_reading(house: House) -> None:
    """A policy has as many rules as its nation likes. Expect no entry too long for the journal."""
    kenya, britain = house["KEN"], house["GBR"]
    rules = "".join(NOBODY.format(f"KEN/{n:03}" + "x" * 30, "release") for n in range(60))
    reports = [(await house.submits(kenya.seals(release_to="GBR"))).report for _ in range(64)]
    await house.files(kenya.adopts(release=rules))
    for identity in reports:
        await in_vain(house, britain.analyst, identity)
    found = await told(house, "KEN")
    assert all(len(d["rules"]["release/KEN"]) == refusals.RULES_SHOWN for d in found)
    while more := await told(house, "KEN"):
        found += more
    assert {d["report"] for d in found} == set(reports)


@pytest.mark.slow
async def test_denials_outlive_a_restart_and_are_told_once(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    await in_vain(house, house["FRA"].analyst, receipt.report)
    await house.restarts()
    assert len(await told(house, "KEN")) == 1
    await house.restarts()
    assert await told(house, "KEN") == []
