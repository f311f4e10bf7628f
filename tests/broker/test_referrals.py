"""The officers' queue: who sees which case, when it leaves, and what it tells nobody."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Referral
from broker.matching import Filter
from tests.broker.house import House
from tests.coalition import Nation
from tests.people import Person
from tests.refusal import refused
from wire import report

pytestmark = pytest.mark.anyio

ALL = 'permit (principal, action == Action::"release", resource);'
REFERS = f"""
@id("KEN/all")
@says("What the label permits.")
{ALL}
@id("KEN/sources")
@says("What could lead to a source goes through an officer.")
forbid (principal, action == Action::"release", resource in Caveat::"SOURCE SENSITIVE")
unless {{ context.approvals >= 1 }};
"""
ALSO = """
@id("KEN/place")
@says("This place is for an officer too.")
forbid (principal, action == Action::"release", resource in Touching::"KE")
unless { context.approvals >= 1 };
"""
TAKES_IN = """
@id("GBR/in")
@says("An officer takes it in.")
permit (principal in Nation::"GBR", action == Action::"accept", resource)
when { context.approvals >= 1 };
"""
SENSITIVE: dict[str, Any] = {"caveats": ["SOURCE SENSITIVE"]}
RULES = ("KEN/all", "KEN/sources")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        await found.files(found["KEN"].adopts(release=REFERS))
        yield found


async def queue(house: House, who: Nation | Person, limit: int = 50) -> list[Referral]:
    """Everything in the queue of a nation's officer."""
    officer = who.officer if isinstance(who, Nation) else who
    found, cursor, more = list[Referral](), None, True
    while more:
        page = await house.broker.referrals(house.member(officer), cursor, limit)
        found += page.referrals
        cursor, more = page.cursor, page.more
    return found


async def sent(house: House, code: str = "KEN", **label: Any) -> bytes:
    raw = house[code].seals(**{"release_to": "GBR", **SENSITIVE, **label})
    await house.submits(raw)
    return raw


@pytest.mark.slow
async def test_a_referred_case_is_in_the_queue_of_its_layers_owner_alone(house: House) -> None:
    raw = await sent(house)
    (case,) = await queue(house, house["KEN"])
    assert (case.layer, case.owner, case.to) == ("release", "KEN", "GBR")
    assert case.report == report.parse(raw).identity
    assert case.banner == "MINUSX SECRET//KEN//SOURCE SENSITIVE//REL TO KEN, GBR//ORCON"
    assert [(rule.id, rule.says) for rule in case.rules] == [
        ("KEN/all", "What the label permits."),
        ("KEN/sources", "What could lead to a source goes through an officer."),
    ]
    assert (case.needed, case.signed) == (1, 0)
    assert await queue(house, house["GBR"]) == []
    assert await queue(house, house["FRA"]) == []


@pytest.mark.slow
async def test_only_officers_read_the_queue_and_that_they_did_is_journalled(house: House) -> None:
    for who in (house["KEN"].analyst, house["KEN"].auditor, house["KEN"].system):
        with refused("not-allowed"):
            await queue(house, who)
    await queue(house, house["KEN"])
    seen = [view for kind, view in await house.channel("KEN") if kind == "referral.read"]
    assert seen == [{"reader": house["KEN"].officer.kid, "limit": 50}]
    assert "referral.read" not in {kind for kind, _ in await house.channel("GBR")}


@pytest.mark.slow
async def test_an_approved_case_leaves_the_queue_and_comes_back_when_it_ends(house: House) -> None:
    raw = await sent(house)
    await house.files(house["KEN"].approves(raw, "GBR", *RULES))
    assert await queue(house, house["KEN"]) == []
    house.world.clock.forward(hours=1)
    assert len(await queue(house, house["KEN"])) == 1


@pytest.mark.slow
async def test_a_rejected_case_releases_nothing_until_it_is_approved_anew(house: House) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    raw = await sent(house)
    await house.files(kenya.approves(raw, "GBR", *RULES))
    assert len(await house.pulls(analyst)) == 1
    no = {"verdict": "reject", "reason": "source at risk"}
    await house.files(kenya.approves(raw, "GBR", *RULES, **no))
    assert await house.pulls(analyst) == [], "a no takes back the yes"
    assert await queue(house, kenya) == []
    await house.restarts()
    assert await house.pulls(analyst) == []
    await house.files(kenya.approves(raw, "GBR", *RULES))
    assert len(await house.pulls(analyst)) == 1


@pytest.mark.slow
async def test_a_rule_that_comes_later_refers_what_was_released(house: House) -> None:
    """The approval of the old rule does not open the new one, nor the old one in another text."""
    kenya, analyst = house["KEN"], house["GBR"].analyst
    raw = await sent(house)
    await house.files(kenya.approves(raw, "GBR", *RULES))
    plain = await sent(house, caveats=[])
    assert len(await house.pulls(analyst)) == 2
    await house.files(kenya.adopts(release=REFERS + ALSO))
    assert await house.pulls(analyst) == []
    cases = await queue(house, kenya)
    assert [[rule.id for rule in case.rules] for case in cases] == [
        ["KEN/all", "KEN/place", "KEN/sources"],
        ["KEN/all", "KEN/place"],
    ]
    await house.files(kenya.approves(raw, "GBR", *RULES))
    assert await house.pulls(analyst) == [], "not for the rule that was not named"
    await house.files(kenya.approves(raw, "GBR", *RULES, "KEN/place"))
    await house.files(kenya.approves(plain, "GBR", "KEN/all", "KEN/place"))
    assert len(await house.pulls(analyst)) == 2


@pytest.mark.slow
async def test_the_same_text_adopted_again_keeps_its_approvals(house: House) -> None:
    raw = await sent(house)
    await house.files(house["KEN"].approves(raw, "GBR", *RULES))
    await house.files(house["KEN"].adopts(release=REFERS))
    assert len(await house.pulls(house["GBR"].analyst)) == 1


@pytest.mark.slow
async def test_a_recipients_officers_learn_of_a_case_once_all_others_agreed(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    await house.files(britain.adopts(accept=TAKES_IN))
    raw = await sent(house)
    assert await queue(house, britain) == []
    assert len(await queue(house, kenya)) == 1, "whatever the recipient will say"
    await house.files(kenya.approves(raw, "GBR", *RULES))
    (case,) = await queue(house, britain)
    assert (case.layer, case.owner, case.to) == ("accept", "GBR", "GBR")
    assert await house.pulls(britain.analyst) == []
    await house.files(britain.approves(raw, "GBR", "GBR/in", layer="accept"))
    assert len(await house.pulls(britain.analyst)) == 1
    assert await queue(house, britain) == []


@pytest.mark.slow
async def test_two_officers_are_counted_down(house: House) -> None:
    kenya = house["KEN"]
    second = kenya.enlists("officer2", kind="officer")
    await house.files(house.world.history[-1].statement)
    await house.files(kenya.delegates("release", kenya.officer, second))
    await house.files(kenya.adopts(release=REFERS.replace(">= 1", ">= 2")))
    raw = await sent(house)
    await house.files(kenya.approves(raw, "GBR", *RULES))
    (case,) = await queue(house, second)
    assert (case.needed, case.signed) == (2, 1)
    await house.files(kenya.approves(raw, "GBR", *RULES, by=[second.sign]))
    assert len(await house.pulls(house["GBR"].analyst)) == 1


@pytest.mark.slow
async def test_an_emergency_needs_two_officers_and_is_marked_for_review(house: House) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    second = kenya.enlists("officer2", kind="officer")
    await house.files(house.world.history[-1].statement)
    await house.files(kenya.delegates("release", kenya.officer, second))
    raw = await sent(house)
    urgent = {"emergency": True, "reason": "a convoy is on its way there"}
    await house.files(kenya.approves(raw, "GBR", **urgent))
    assert await house.pulls(analyst) == [], "one officer is not enough, though the rule asks one"
    await house.files(kenya.approves(raw, "GBR", by=[second.sign], **urgent))
    assert len(await house.pulls(analyst)) == 1
    marked = [view for _, view in await house.channel("KEN") if view.get("emergency")]
    assert len(marked) == 2
    for other in ("GBR", "FRA", "MISSION"):
        assert not any("emergency" in view for _, view in await house.channel(other))


@pytest.mark.slow
async def test_an_emergency_opens_nothing_that_the_text_withholds(house: House) -> None:
    """Default deny holds: officers decide what their own text leaves to them, and nothing else."""
    kenya, analyst = house["KEN"], house["GBR"].analyst
    second = kenya.enlists("officer2", kind="officer")
    await house.files(house.world.history[-1].statement)
    await house.files(kenya.delegates("release", kenya.officer, second))
    raw = await sent(house)
    never = (
        '@id("KEN/no")\n@says("No.")\nforbid (principal, action == Action::"release", resource);'
    )
    await house.files(kenya.adopts(release=REFERS + never))
    urgent = {"emergency": True, "reason": "a convoy is on its way there"}
    both = [kenya.officer.sign, second.sign]
    await house.files(kenya.approves(raw, "GBR", by=both, **urgent))
    assert await house.pulls(analyst) == []


@pytest.mark.slow
async def test_the_queue_comes_in_pages_and_each_case_once(house: House) -> None:
    raws = [await sent(house) for _ in range(3)]
    found = await queue(house, house["KEN"], limit=1)
    assert [case.report for case in found] == [report.parse(raw).identity for raw in raws]
    page = await house.broker.referrals(house.member(house["KEN"].officer), None, 1)
    second = house["KEN"].enlists("officer2", kind="officer")
    await house.files(house.world.history[-1].statement)
    with refused("bad-cursor"):
        await house.broker.referrals(house.member(second), page.cursor, 1)


@pytest.mark.slow
async def test_a_recalled_or_expired_report_waits_for_nobody(house: House) -> None:
    raw = await sent(house)
    await sent(house, expires=house.world.clock.now + 60)
    gone = {"report": report.parse(raw).identity, "reason": "wrong place"}
    await house.files(house["KEN"].says("report.recall", gone))
    house.world.clock.forward(seconds=60)
    assert await queue(house, house["KEN"]) == []


@pytest.mark.slow
async def test_contributors_have_a_case_of_their_own(house: House) -> None:
    """What Kenya's source went into needs Kenya's officer, wherever Kenya's text refers it."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    source = await sent(house, caveats=[], release_to="GBR FRA")
    assert len(await house.pulls(britain.analyst)) == 1
    frame = report.parse(source)
    drawn = {"report": frame.identity, "portion": frame.portions[0].commitment}
    raw = await sent(house, "GBR", release_to="FRA", derived_from=[drawn])
    cases = await queue(house, kenya)
    assert {(case.layer, case.originator) for case in cases} == {("release", "GBR")}
    assert [case.to for case in cases] == ["FRA", "GBR"]
    assert await queue(house, britain) == []
    assert len(await house.pulls(france.analyst)) == 1, "the source alone"
    await house.files(kenya.approves(raw, "FRA", *RULES))
    assert len(await house.pulls(france.analyst)) == 2


@pytest.mark.slow
async def test_the_recipient_sees_no_difference_while_a_case_waits(tmp_path: Path) -> None:
    """Two worlds, one with a referred report, its queue read, a no and a half of an approval."""
    seen = []
    for busy in (False, True):
        folder = tmp_path / str(busy)
        folder.mkdir()
        async with House.of("KEN", "GBR", "FRA", folder=folder, drain_seconds=0.1) as house:
            kenya, britain = house["KEN"], house["GBR"]
            await house.files(kenya.adopts(release=REFERS.replace(">= 1", ">= 2")))
            following = await house.follows(britain.analyst)
            if busy:
                raw = await sent(house)
                await queue(house, kenya)
                await house.files(kenya.approves(raw, "GBR", *RULES))
                no = {"verdict": "reject", "reason": "not now"}
                await house.files(kenya.approves(raw, "GBR", *RULES, **no))
            page = await house.broker.pull(house.member(britain.analyst), Filter(), None, 9)
            queued = await house.broker.referrals(house.member(britain.officer), None, 9)
            channel = [(kind, sorted(view)) for kind, view in await house.channel("GBR")]
            seen.append((page.releases, page.more, len(page.cursor), queued.referrals, channel))
            assert await following.rest() == []
    assert seen[0] == seen[1]
