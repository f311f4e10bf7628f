"""Release: who gets which portions, journalled before, and what nobody may notice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.matching import Filter
from tests.broker.house import House
from tests.coalition import Portion
from wire.errors import NotAllowed, TearlineError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


def releases(entries: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [view for kind, view in entries if kind == "release"]


# -- what a reader gets


async def test_a_reader_gets_what_it_can_verify_and_open(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals("An ambush.", release_to="GBR"))
    release = await house.fetches(britain.analyst, receipt.report)
    read, entry = house.proven(release, "GBR")
    assert release.use == "release"
    assert read.identity == receipt.report
    assert all(set(p.frame.wraps) == {0} for p in read.portions), "no other nation's wrap"
    assert entry.view is not None
    assert entry.view["to"] == "GBR"
    assert entry.view["reader"] == britain.analyst.kid


async def test_the_originator_finds_every_release_in_its_channel_but_not_who_read(
    house: House,
) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.fetches(britain.analyst, receipt.report)
    (view,) = releases(await house.channel("KEN"))
    assert (view["report"], view["to"], view["portions"]) == (receipt.report, "GBR", [0])
    assert "reader" not in view
    assert "accept/GBR" not in view["rules"], "another nation's rules are its own business"
    assert not releases(await house.channel("FRA"))


async def test_a_nation_needs_one_entry_however_many_of_it_read(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    second = britain.enlists("deputy", "analyst")
    await house.files(house.world.history[-1].statement)
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    first = await house.fetches(britain.analyst, receipt.report)
    again = await house.fetches(second, receipt.report)
    assert again.evidence.index == first.evidence.index
    assert len(releases(await house.channel("GBR"))) == 1


async def test_a_reader_gets_the_portions_that_he_is_cleared_for_and_proof_of_no_others(
    house: House,
) -> None:
    """Otherwise his own proof would tell him that there is more."""
    kenya, britain = house["KEN"], house["GBR"]
    junior = britain.enlists("junior", "analyst", clearance="RESTRICTED")
    await house.files(house.world.history[-1].statement)
    below = Portion("A road is closed.", classification="RESTRICTED", release_to="GBR FRA")
    receipt = await house.submits(kenya.seals("An ambush.", release_to="GBR", portions=[below]))
    everything = await house.fetches(britain.analyst, receipt.report)
    part = await house.fetches(junior, receipt.report)
    read, entry = house.proven(everything, "GBR")
    assert [p.index for p in read.portions] == [0, 1]
    read, entry = house.proven(part, "GBR")
    assert [p.index for p in read.portions] == [1]
    assert entry.view is not None
    assert entry.view["portions"] == [1]
    (fra,) = [await house.fetches(house["FRA"].analyst, receipt.report)]
    assert [p.index for p in house.proven(fra, "FRA")[0].portions] == [1]


async def test_the_originators_own_analyst_reads_it_and_that_is_one_entry(house: House) -> None:
    kenya = house["KEN"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.fetches(kenya.analyst, receipt.report)
    (view,) = releases(await house.channel("KEN"))
    assert view["reader"] == kenya.analyst.kid


async def test_a_release_survives_a_restart_and_is_not_journalled_twice(house: House) -> None:
    britain = house["GBR"]
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    before = await house.fetches(britain.analyst, receipt.report)
    await house.restarts()
    after = await house.fetches(britain.analyst, receipt.report)
    assert after.report == before.report
    assert after.evidence.index == before.evidence.index
    house.proven(after, "GBR")
    assert len(releases(await house.channel("GBR"))) == 1


# -- who gets nothing, and cannot tell why


async def refusal(house: House, person: Any, identity: str) -> tuple[str, str]:
    with pytest.raises(NotAllowed) as caught:
        await house.fetches(person, identity)
    return caught.value.slug, caught.value.detail


async def test_unknown_forbidden_recalled_and_expired_get_the_same_answer(house: House) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    now = house.world.clock.now
    forbidden = await house.submits(kenya.seals(release_to="FRA"))
    recalled = await house.submits(kenya.seals(release_to="GBR"))
    expired = await house.submits(kenya.seals(release_to="GBR", expires=now + 60))
    await house.fetches(analyst, recalled.report)
    await house.fetches(analyst, expired.report)
    body = {"report": recalled.report, "reason": "an error"}
    await house.files(kenya.says("report.recall", body))
    house.world.clock.forward(seconds=60)
    answers = {
        await refusal(house, analyst, identity)
        for identity in ("00" * 32, forbidden.report, recalled.report, expired.report)
    }
    assert answers == {("not-found", "")}


async def test_an_auditor_never_reads_content(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    auditor = house["GBR"].auditor
    assert await refusal(house, auditor, receipt.report) == await refusal(house, auditor, "0" * 64)
    for ask in (
        house.broker.pull(house.member(auditor), Filter(), None, 1),
        house.broker.subscribe(house.member(auditor), "all", Filter()),
    ):
        with pytest.raises(NotAllowed, match="not-allowed"):
            await ask


@pytest.mark.slow
async def test_a_tightened_policy_takes_effect_at_once_and_a_recall_too(house: House) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    first, second = [await house.submits(kenya.seals(release_to="GBR")) for _ in range(2)]
    assert await house.pulls(analyst) == [first.report, second.report]
    await house.files(kenya.says("report.recall", {"report": first.report, "reason": "wrong"}))
    assert await house.pulls(analyst) == [second.report]
    nothing = (
        '@id("KEN/nobody")\n@says("Nothing leaves.")\n'
        'forbid (principal, action == Action::"release", resource);'
    )
    await house.files(kenya.adopts(release=nothing))
    assert await house.pulls(analyst) == []
    assert await house.pulls(kenya.analyst) == [second.report]
    assert await refusal(house, analyst, second.report) == ("not-found", "")


async def test_only_the_originator_recalls(house: House) -> None:
    """A nation that received a report cannot take it from the others, nor learn if there is one."""
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    for identity in (receipt.report, "00" * 32):
        body = {"report": identity, "reason": "we do not like it"}
        statement = house["GBR"].drafts("report.recall", body)
        with pytest.raises(NotAllowed, match="not-found"):
            await house.files(statement)
    await house.fetches(house["GBR"].analyst, receipt.report)


async def test_a_recall_tells_those_who_got_it_and_nobody_else(house: House) -> None:
    kenya = house["KEN"]
    receipt = await house.submits(kenya.seals(release_to="GBR FRA"))
    await house.fetches(house["GBR"].analyst, receipt.report)
    await house.files(kenya.says("report.recall", {"report": receipt.report, "reason": "wrong"}))
    told = {
        nation: [v.get("report") for _, v in await house.channel(nation) if v.get("type")]
        for nation in ("KEN", "GBR", "FRA")
    }
    assert receipt.report in told["KEN"]
    assert receipt.report in told["GBR"]
    assert receipt.report not in told["FRA"]


async def test_a_revoked_reader_gets_nothing_more(house: House) -> None:
    britain = house["GBR"]
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    reader = house.member(britain.analyst)
    await house.broker.fetch(reader, receipt.report)
    await house.files(britain.revokes(britain.analyst))
    with pytest.raises(NotAllowed, match="unknown-signer"):
        await house.broker.fetch(reader, receipt.report)


# -- pages


@pytest.mark.slow
async def test_pages_count_only_what_the_reader_may_have(house: House) -> None:
    """However much others send in between, a reader's pages look as if it were not there."""
    kenya, france = house["KEN"], house["FRA"]
    ours = []
    for _ in range(5):
        await house.submits(kenya.seals(release_to="FRA"))
        ours.append((await house.submits(france.seals(release_to="GBR"))).report)
        await house.submits(kenya.seals(release_to="FRA"))
    reader = house.member(house["GBR"].analyst)
    sizes, cursor, more = [], None, True
    while more:
        page = await house.broker.pull(reader, Filter(), cursor, 2)
        sizes.append((len(page.releases), page.more, len(page.cursor)))
        cursor, more = page.cursor, page.more
    assert sizes == [(2, True, 48), (2, True, 48), (1, False, 48)]
    assert await house.pulls(house["GBR"].analyst) == ours
    later = await house.submits(kenya.seals(release_to="GBR"))
    page = await house.broker.pull(reader, Filter(), cursor, 2)
    assert len(page.releases) == 1
    assert house.proven(page.releases[0], "GBR")[0].identity == later.report


async def test_a_cursor_is_good_for_its_reader_and_filter_alone(house: House) -> None:
    britain, france = house["GBR"], house["FRA"]
    await house.submits(house["KEN"].seals(release_to="GBR FRA"))
    page = await house.broker.pull(house.member(britain.analyst), Filter(), None, 1)
    for person, wanted in ((france.analyst, Filter()), (britain.analyst, Filter(regions=("KE",)))):
        with pytest.raises(TearlineError, match="bad-cursor"):
            await house.broker.pull(house.member(person), wanted, page.cursor, 1)
    with pytest.raises(TearlineError, match="unknown-term"):
        await house.broker.pull(house.member(britain.analyst), Filter(regions=("ZZ",)), None, 1)


async def test_one_matching_portion_brings_all_that_the_reader_may_have(house: House) -> None:
    more = Portion("Elsewhere.", label={"regions": ["SO"]}, release_to="GBR")
    hidden = Portion("Not for you.", label={"regions": ["FR"]}, release_to="FRA")
    raw = house["KEN"].seals(release_to="GBR", portions=[more, hidden])
    receipt = await house.submits(raw)
    assert await house.pulls(house["GBR"].analyst, regions=("SO",)) == [receipt.report]
    page = await house.broker.pull(
        house.member(house["GBR"].analyst), Filter(regions=("SO",)), None, 1
    )
    assert [p.index for p in house.proven(page.releases[0], "GBR")[0].portions] == [0, 1]
    # A portion that the reader may not have must not bring the others: that would tell of it.
    assert await house.pulls(house["GBR"].analyst, regions=("FR",)) == []


async def test_a_portion_above_the_readers_clearance_brings_nothing(house: House) -> None:
    """Whether it answers the filter must not be told to who may not have it."""
    junior = house["GBR"].enlists("junior", "analyst", clearance="RESTRICTED")
    await house.files(house.world.history[-1].statement)
    kenya = house["KEN"]
    below = Portion("A road.", classification="RESTRICTED", label={"regions": ["KE"]})
    raws = [kenya.seals(release_to="GBR", portions=[below], regions=["SO"]) for _ in range(2)]
    receipt = await house.submits(raws[0])
    assert await house.pulls(junior, regions=("SO",)) == []
    assert await house.pulls(junior, regions=("KE",)) == [receipt.report]
    following = await house.follows(junior, regions=("SO",))
    assert await following.rest() == []
    before = len(releases(await house.channel("GBR")))
    await house.submits(raws[1])
    assert await following.rest() == []
    assert len(releases(await house.channel("GBR"))) == before, "nor is a release written down"


# -- approvals


REFERRED = """
@id("KEN/officer")
@says("An officer agrees first.")
permit (principal, action == Action::"release", resource) when { context.approvals >= 1 };
"""


@pytest.mark.slow
async def test_a_referred_report_is_released_once_an_officer_has_signed(house: House) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    await house.files(kenya.adopts(release=REFERRED))
    raw = kenya.seals(release_to="GBR")
    receipt = await house.submits(raw)
    assert await house.pulls(analyst) == []
    twin = await house.submits(kenya.seals(release_to="GBR"))
    # The recipient's officers do not know of it yet, and other layers do not count.
    early = house["GBR"].approves(raw, "GBR", layer="accept")
    with pytest.raises(NotAllowed, match="not-found"):
        await house.files(early)
    await house.files(kenya.approves(raw, "GBR", "KEN/officer", layer="handle"))
    assert await house.pulls(analyst) == []
    await house.files(kenya.approves(raw, "GBR", "KEN/officer"))
    assert await house.pulls(analyst) == [receipt.report]
    assert await refusal(house, analyst, twin.report) == ("not-found", ""), "it was for one report"
    await house.restarts()
    assert await house.pulls(analyst) == [receipt.report]
    house.world.clock.forward(seconds=3_600)
    assert await house.pulls(analyst) == [], "an approval ends"


async def test_a_policy_that_changes_while_a_release_is_written_still_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the journal entry and the bytes there is time enough for a recall."""
    kenya, analyst = house["KEN"], house["GBR"].analyst
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    recall = kenya.says("report.recall", {"report": receipt.report, "reason": "wrong"})
    read_rows = house.broker.journal.rows

    async def rows(query: str, params: Any = ()) -> Any:
        if query == "reports_at":
            await house.files(recall)
        return await read_rows(query, params)

    monkeypatch.setattr(house.broker.journal, "rows", rows)
    assert await refusal(house, analyst, receipt.report) == ("not-found", "")
    assert len(releases(await house.channel("GBR"))) == 1, "said too much, never too little"


async def test_two_readers_of_a_nation_at_once_make_one_entry(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one batch, and also when the second comes while the first is being written."""
    kenya, britain = house["KEN"], house["GBR"]
    first, second = [await house.submits(kenya.seals(release_to="GBR")) for _ in range(2)]
    people = (britain.analyst, britain.officer, britain.system)
    same = await asyncio.gather(*(house.fetches(person, first.report) for person in people))
    assert len({release.evidence.index for release in same}) == 1
    append = house.broker.journal.append
    late: list[asyncio.Future[Any]] = []

    async def slow(records: Any) -> Any:
        if not late:
            late.append(asyncio.ensure_future(house.fetches(britain.officer, second.report)))
            await asyncio.sleep(0)
        return await append(records)

    monkeypatch.setattr(house.broker.journal, "append", slow)
    early = await house.fetches(britain.analyst, second.report)
    assert (await late[0]).evidence.index == early.evidence.index
    assert len(releases(await house.channel("GBR"))) == 2


# -- answers are remembered, and rules about time hold


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["age", "now"])
async def test_what_was_decided_holds_until_a_rule_about_time_says_otherwise(
    house: House, clock: str
) -> None:
    kenya, analyst = house["KEN"], house["GBR"].analyst
    end = datetime.fromtimestamp(house.world.clock.now + 3_600, UTC)
    until = {
        "age": 'context.age < duration("1h")',
        "now": f'context.now < datetime("{end:%Y-%m-%dT%H:%M:%SZ}")',
    }[clock]
    rule = f"""@id("KEN/fresh")
@says("For an hour.")
permit (principal, action == Action::"release", resource) when {{ {until} }};"""
    await house.files(kenya.adopts(release=rule))
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.fetches(analyst, receipt.report)
    house.world.clock.forward(seconds=3_599)
    await house.fetches(analyst, receipt.report)
    house.world.clock.forward(seconds=1)
    assert await refusal(house, analyst, receipt.report) == ("not-found", "")
