"""The core: reports and statements in, receipts out, and the same broker after every start."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Withheld
from broker.core import Broker
from broker.journal import THIS_INDEX, Record, Row
from broker.matching import Filter
from broker.settings import Settings
from tests.broker.house import House
from tests.broker.remembering import shell
from tests.broker.test_custody import fsck
from tests.coalition import DAY
from wire import bodies, statements
from wire.entries import MISSION, Event
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed
from wire.labels import Label
from wire.notes import open_checkpoint
from wire.prove import Trust, verify_entry, walk

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


# -- statements


async def test_a_statement_is_published_once_and_proven_in_the_missions_channel(
    house: House,
) -> None:
    statement = house["GBR"].opens_epoch()
    first = await house.files(statement)
    entry = verify_entry(first.evidence, [house.log_key], MISSION)
    assert entry.view == {
        "statement": statement.identity,
        "nation": "GBR",
        "seq": statement.head.seq,
        "type": "epoch.open",
    }
    again = await house.files(statement)
    assert (again.index, again.duplicate) == (first.index, True)
    with pytest.raises(Conflict, match="statement-conflict"):
        await house.files(replace_issued(house, statement))


async def test_the_same_statement_twice_at_once_is_published_once(house: House) -> None:
    """The second is judged while the first is on its way, and finds it there."""
    statement, size = house["GBR"].opens_epoch(), house.broker.journal.size
    first, again = await asyncio.gather(house.files(statement), house.files(statement))
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.index == first.index
    assert house.broker.journal.size == size + 2, "the entry, then the heads leaf"


def replace_issued(house: House, statement: statements.Statement) -> statements.Statement:
    """Another statement at the same place of the chain."""
    head, body = statement.head, statement.body(bodies.EpochOpen)
    fields: dict[str, Any] = {"seq": head.seq, "prev": head.prev, "issued": head.issued + 1}
    return house["GBR"].drafts("epoch.open", body, **fields)


async def test_statements_of_several_nations_at_once_all_count(house: House) -> None:
    """Each is judged before it has a place, and again if another one came between."""
    nations = [house[code] for code in ("KEN", "GBR", "FRA")]
    statements_ = [nation.opens_epoch() for nation in nations for _ in range(2)]
    await asyncio.gather(*(house.files(*statements_[i : i + 2]) for i in (0, 2, 4)))
    for nation in nations:
        known = house.broker.directory.nations[nation.code]
        assert (known.seq, known.newest_epoch) == (nation.state.seq, nation.state.newest_epoch)


@pytest.mark.slow
async def test_a_policy_outside_the_profile_is_never_journalled(house: House) -> None:
    size = house.broker.journal.size
    with pytest.raises(Malformed, match="policy-refused"):
        await house.files(house["KEN"].adopts(release="permit (principal, action, resource);"))
    assert house.broker.journal.size == size
    assert not (await house.submits(house["FRA"].seals(release_to="KEN"))).duplicate


async def test_pages_of_statements_withhold_the_bodies_of_others(house: House) -> None:
    """A nation's roster stays its own; every head is there, so the chain has no holes."""
    reader = house.member(house["GBR"].analyst)
    trust, after = Trust(), 0
    found: dict[str, bytes] = {}
    complete = False
    while not complete:
        page = await house.broker.statements(reader, after, trust.size, 7)
        trust, entries, complete = walk(
            trust, page.segment, [house.log_key], MISSION, 0, None, page.consistency
        )
        after = trust.tip.count
        found.update(page.statements)
        assert len(entries) <= 7
    parsed = {key: statements.parse(raw) for key, raw in found.items()}
    assert all(statement.identity == key for key, statement in parsed.items())
    assert len(parsed) == len(house.world.history)
    for statement in parsed.values():
        head = statement.head
        shown = head.scope == "mission" or head.nation == "GBR"
        assert (statement.body_bytes is not None) == shown


async def test_reading_the_own_channel_is_journalled_before_it_is_read(house: House) -> None:
    britain = house["GBR"]
    page = await house.broker.views(house.member(britain.auditor), 0, 0, 100)
    last = page.segment.entries[-1]
    opened = open_checkpoint(page.segment.checkpoint, [house.log_key])
    entry = verify_entry(last, [house.log_key], "GBR", checkpoint=opened)
    assert entry.type == "audit.read"
    assert entry.view is not None
    assert entry.view["reader"] == britain.auditor.kid
    with pytest.raises(NotAllowed, match="not-allowed"):
        await house.broker.views(house.member(britain.analyst), 0, 0, 100)


# -- preview


def label(house: House, **fields: Any) -> Label:
    made = house["KEN"].label("SECRET", **fields)
    return Label.model_validate_json(json.dumps(made))


@pytest.mark.slow
async def test_a_preview_says_what_posting_would(house: House) -> None:
    kenya = house["KEN"]
    await house.files(house["FRA"].adopts(accept=NOTHING_ACCEPTED))
    officer = house.member(kenya.officer)
    asked = [label(house, release_to="GBR FRA"), label(house, release_to="GBR")]
    found = await house.broker.preview(officer, asked)
    outcomes = [
        {nation: told.outcome for nation, told in portion.nations.items()}
        for portion in found.portions
    ]
    assert outcomes == [
        {"KEN": "RELEASE", "GBR": "RELEASE", "FRA": "WITHHOLD"},
        {"KEN": "RELEASE", "GBR": "RELEASE"},
    ]
    assert "FRA/nothing" not in found.model_dump_json()
    with pytest.raises(Withheld):
        await house.submits(kenya.seals(release_to="GBR FRA"))
    with pytest.raises(Malformed, match="unknown-term"):
        await house.broker.preview(officer, [label(house, caveats=["MAGIC"])])
    with pytest.raises(Malformed, match="bad-fields"):
        await house.broker.preview(officer, [])
    unknown = [{"report": "00" * 32, "portion": "00" * 32}]
    with pytest.raises(Malformed, match="bad-lineage"):
        await house.broker.preview(officer, [label(house, derived_from=unknown)])


NOTHING_ACCEPTED = (
    '@id("FRA/nothing")\n@says("Our secret rule.")\n'
    'forbid (principal in Nation::"FRA", action == Action::"accept", resource);'
)


# -- subscriptions


@pytest.mark.slow
async def test_subscriptions_belong_to_their_member_and_survive_a_restart(house: House) -> None:
    one, other = house["GBR"].analyst, house["FRA"].analyst
    wanted = Filter(regions=("SO", "KE"))
    await house.broker.subscribe(house.member(one), "east", wanted)
    await house.restarts()
    assert await house.broker.subscriptions(house.member(one)) == {"east": wanted.canonical}
    assert await house.broker.subscriptions(house.member(other)) == {}
    for ask in (house.broker.subscription, house.broker.unsubscribe):
        with pytest.raises(NotAllowed, match="not-found"):
            await ask(house.member(other), "east")
    size = house.broker.journal.size
    await house.broker.subscribe(house.member(one), "east", wanted)
    assert house.broker.journal.size == size, "asking for the same again is no event"
    await house.broker.unsubscribe(house.member(one), "east")
    kinds = [kind for kind, _ in await house.channel("GBR")]
    assert kinds[-2:] == ["subscription.set", "subscription.deleted"]
    for name in ("", "A", "a" * 65, "../x"):
        with pytest.raises(Malformed, match="bad-fields"):
            await house.broker.subscribe(house.member(one), name, wanted)


async def test_a_nation_has_so_many_subscriptions_and_no_more(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, subscriptions_per_nation=3) as house:
        reader = house.member(house["GBR"].analyst)
        asks = [house.broker.subscribe(reader, f"s{i}", Filter()) for i in range(5)]
        results = await asyncio.gather(*asks, return_exceptions=True)
        assert [getattr(result, "slug", None) for result in results].count("quota") == 2
        await house.broker.subscribe(house.member(house["FRA"].analyst), "s", Filter())


# -- starting, stopping, failing


@pytest.mark.slow
async def test_a_restart_comes_to_the_same_broker(house: House) -> None:
    kenya = house["KEN"]
    receipts = [await house.submits(kenya.seals(release_to="GBR")) for _ in range(3)]
    await house.pulls(house["GBR"].analyst)
    await house.files(kenya.says("report.recall", {"report": receipts[1].report, "reason": "x"}))
    before = house.broker._state
    await house.restarts()
    after = house.broker._state
    assert after is not before
    assert after.standing.directory == replace(before.standing.directory)
    assert [h.released for h in after.holdings] == [h.released for h in before.holdings]
    assert [h.recalled for h in after.holdings] == [False, True, False]
    assert [(h.position, h.accepted) for h in after.holdings] == [
        (h.position, h.accepted) for h in before.holdings
    ]
    assert after.statements == before.statements
    for one, other in zip(after.holdings, before.holdings, strict=True):
        assert [p.facts for p in one.portions] == [p.facts for p in other.portions]
    kinds = [kind for kind, _ in await house.channel(MISSION)]
    assert kinds[-2:] == ["operator.stop", "operator.start"]


@pytest.mark.parametrize("text", ["One.", "Other."], ids=["the same", "another of its id"])
async def test_a_report_that_stands_in_the_journal_twice_is_not_served(
    house: House, text: str
) -> None:
    """It is never written; and were it, no index of the database would refuse it."""
    one, again = (house["KEN"].seals(words, report_id="ab" * 16) for words in ("One.", text))
    receipt = await house.submits(one)
    journal = house.broker.journal
    ((_, report_id, identity, *row, _),) = await journal.rows("report_by_index", (receipt.index,))
    event = Event("report.accepted", {"KEN": {"report": identity}})
    twice = Row("report", (THIS_INDEX, report_id, identity, *row, again))
    await journal.append([Record(event, (twice,))])
    await house.broker.close()
    for forgotten in ("SELECT 1", "DELETE FROM memory"):
        shell(house, forgotten)
        with pytest.raises(BrokerFault, match="a report was accepted twice"):
            await fsck(house)
        with pytest.raises(BrokerFault, match="a report was accepted twice"):
            await house.opens()


async def test_a_clock_that_went_back_does_not_make_entries_older(house: House) -> None:
    house.world.clock.forward(days=1)
    first = await house.submits(house["KEN"].seals(release_to="GBR"))
    house.world.clock.forward(days=-1)
    assert house.broker.now() == house.world.clock.now + DAY
    await house.restarts()
    assert house.broker.now() == house.world.clock.now + DAY
    again = await house.submits(house["KEN"].seals(release_to="GBR"))
    entries = [verify_entry(r.evidence, [house.log_key], "KEN") for r in (first, again)]
    assert entries[0].time <= entries[1].time


@pytest.mark.slow
async def test_a_broker_without_its_mission_or_key_does_not_start(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as house:
        await house.broker.close()
        settings = Settings.load(house.folder)

        async def refusal(**changes: Any) -> str:
            with pytest.raises(BrokerFault) as caught:
                await Broker.open(
                    settings.model_copy(update=changes), clock=house.world.clock, random=bytes
                )
            return caught.value.slug

        assert await refusal(data="other", anchor="elsewhere", charter="0" * 64) == "bad-settings"
        (house.folder / "none").mkdir()
        empty = {"data": "empty", "anchor": "anchor-of-empty"}
        genesis = house.folder / "genesis"
        genesis.rename(house.folder / "kept")
        assert await refusal(**empty) == "bad-settings"
        (house.folder / "kept").rename(genesis)
        await house.opens()
        await house.broker.statements(house.member(house["GBR"].analyst), 0, 0, 1)


@pytest.mark.slow
async def test_a_stopped_journal_stops_everything(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    reader = house.member(house["GBR"].analyst)
    await house.broker.fetch(reader, receipt.report)

    async def broken() -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error

    monkeypatch.setattr(house.broker.journal._store, "commit", broken)
    raw = house["KEN"].seals(release_to="GBR")
    statement = house["KEN"].opens_epoch()
    with pytest.raises(BrokerFault):
        await house.submits(raw)
    monkeypatch.undo()
    for ask in (
        house.submits(raw),
        house.files(statement),
        house.broker.fetch(reader, receipt.report),
        house.broker.pull(reader, Filter(), None, 1),
        house.broker.subscribe(reader, "all", Filter()),
        house.broker.statements(reader, 0, 0, 1),
    ):
        with pytest.raises(BrokerFault, match="journal-stopped"):
            await ask
    with pytest.raises(BrokerFault, match="journal-stopped"):
        house.broker.check_ready()
    await house.restarts()
    assert (await house.submits(raw)).index > receipt.index
    assert (await house.broker.fetch(reader, receipt.report)).evidence.index


@pytest.mark.slow
async def test_a_release_that_could_not_be_journalled_hands_out_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    reader = house.member(house["GBR"].analyst)

    async def broken() -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error

    monkeypatch.setattr(house.broker.journal._store, "commit", broken)
    with pytest.raises(BrokerFault):
        await house.broker.fetch(reader, receipt.report)


@pytest.mark.slow
async def test_a_full_inbox_refuses_quickly(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, inbox=2) as house:
        raws = [house["KEN"].seals(release_to="GBR") for _ in range(12)]
        results = await asyncio.gather(*map(house.submits, raws), return_exceptions=True)
        slugs = [getattr(result, "slug", "accepted") for result in results]
        assert set(slugs) == {"accepted", "busy"}
        again = await asyncio.gather(*map(house.submits, raws[:1]))
        assert again[0].report


async def test_a_statement_goes_alone_among_reports(house: House) -> None:
    raws = [house["KEN"].seals(release_to="GBR") for _ in range(6)]
    house["GBR"].enlists("late", "analyst")
    statement = house.world.history[-1].statement
    before, alone, after = await asyncio.gather(
        asyncio.gather(*map(house.submits, raws[:3])),
        house.files(statement),
        asyncio.gather(*map(house.submits, raws[3:])),
    )
    assert len({receipt.index for receipt in (*before, *after)}) == len(raws)
    size = int((alone.evidence.checkpoint or "").splitlines()[1])
    assert size == alone.index + 2, "the entry, then the heads leaf"


async def test_a_closed_broker_says_that_it_is_stopping(house: House) -> None:
    await house.broker.close()
    with pytest.raises(BrokerFault, match="stopping"):
        await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.opens()
