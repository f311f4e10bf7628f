"""Live streams: at once, urgent first, nothing missed, and nothing after the right has ended."""

import asyncio
import json
import random
import sqlite3
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker import live
from broker.matching import Filter
from tests import charter_words
from tests.broker.house import Following, House
from tests.coalition import Portion
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed
from wire.notes import open_checkpoint
from wire.report import parse

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.5) as found:
        yield found


async def sent(house: House, precedence: str = "ROUTINE", **label: object) -> str:
    """A report of Kenya's, and its identity."""
    fields = {"release_to": "GBR", "precedence": precedence, **label}
    return (await house.submits(house["KEN"].seals(**fields))).report  # type: ignore[arg-type]


# -- what comes


@pytest.mark.slow
async def test_a_report_comes_at_once_and_its_release_is_in_the_same_batch(house: House) -> None:
    following = await house.follows(house["GBR"].analyst)
    waiting = asyncio.ensure_future(following.next())
    await asyncio.sleep(0)
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    event = await waiting
    evidence = json.loads(event.data)["evidence"]
    assert evidence["index"] == receipt.index + 1
    assert evidence["checkpoint"] == receipt.evidence.checkpoint


@pytest.mark.slow
async def test_a_new_stream_begins_with_the_first_report_that_the_reader_may_have(
    house: House,
) -> None:
    first = await sent(house)
    await sent(house, release_to="FRA")
    second = await sent(house)
    following = await house.follows(house["GBR"].analyst)
    assert await following.rest() == [first, second]
    third = await sent(house)
    assert await following.report() == third


@pytest.mark.slow
async def test_only_what_was_asked_for_comes(house: House) -> None:
    following = await house.follows(house["GBR"].analyst, regions=("SO",), precedence=("FLASH",))
    await sent(house, "FLASH", regions=["FR"])
    await sent(house, "ROUTINE", regions=["SO"])
    wanted = await sent(house, "FLASH", regions=["014"])
    assert await following.rest() == [wanted]


@pytest.mark.slow
async def test_flash_overtakes_a_backlog(house: House) -> None:
    order = ["ROUTINE", "PRIORITY", "ROUTINE", "IMMEDIATE", "FLASH"]
    reports = [await sent(house, word) for word in order]
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == reports[4]
    assert await following.report() == reports[3]
    urgent = await sent(house, "FLASH")
    assert await following.report() == urgent
    assert await following.rest() == [reports[1], reports[0], reports[2]]


@pytest.mark.slow
async def test_the_urgency_of_a_portion_for_others_is_not_to_be_seen(house: House) -> None:
    first = await sent(house)
    hidden = Portion("For France.", release_to="FRA", label={"precedence": "FLASH"})
    raw = house["KEN"].seals(release_to="GBR", precedence="ROUTINE", portions=[hidden])
    second = (await house.submits(raw)).report
    assert await (await house.follows(house["GBR"].analyst)).rest() == [first, second]
    assert await (await house.follows(house["FRA"].analyst)).rest() == [second]


async def test_heartbeats_carry_the_signed_checkpoint(house: House) -> None:
    following = await house.follows(house["GBR"].analyst)
    waiting = asyncio.ensure_future(following.next())
    await asyncio.sleep(0)
    house.broker.beat()
    event = await waiting
    beat = json.loads(event.data)
    assert event.kind == "heartbeat"
    assert beat["time"] == house.world.clock.now
    opened = open_checkpoint(beat["checkpoint"], [house.log_key])
    assert opened.checkpoint.size == house.broker.journal.size


@pytest.mark.slow
async def test_a_long_backlog_does_not_hold_a_heartbeat_back_for_ever(house: House) -> None:
    for _ in range(3):
        await sent(house)
    following = await house.follows(house["GBR"].analyst)
    await following.report()
    house.broker.beat()
    await following.report()
    house.broker.beat()
    assert (await following.next()).kind == "heartbeat"


# -- resume


@pytest.mark.slow
async def test_a_resumed_stream_goes_on_where_it_stopped(house: House) -> None:
    reports = [await sent(house) for _ in range(4)]
    following = await house.follows(house["GBR"].analyst)
    assert [await following.report() for _ in range(2)] == reports[:2]
    await following.closes()
    again = await house.follows(house["GBR"].analyst, cursor=following.cursor)
    assert await again.rest() == reports[2:]
    await again.closes()
    later = await sent(house)
    last = await house.follows(house["GBR"].analyst, cursor=again.cursor)
    assert await last.rest() == [later]


@pytest.mark.slow
async def test_a_cursor_taken_after_an_overtaking_report_loses_nothing(house: House) -> None:
    """It is a low-water mark: the backlog behind the FLASH report comes after the break."""
    routine = [await sent(house) for _ in range(3)]
    flash = await sent(house, "FLASH")
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == flash
    await following.closes()
    again = await house.follows(house["GBR"].analyst, cursor=following.cursor)
    assert set(await again.rest()) >= set(routine)


@pytest.mark.slow
async def test_the_stored_cursor_counts_when_none_is_sent_and_survives_a_restart(
    house: House,
) -> None:
    first = await sent(house)
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == first
    assert following.cursor is not None
    reader = house.member(house["GBR"].analyst)
    await house.broker.set_cursor(reader, "all", following.cursor)
    await following.closes()
    second = await sent(house)
    await house.restarts()
    assert await (await house.follows(house["GBR"].analyst)).rest() == [second]


@pytest.mark.slow
async def test_asking_for_something_else_starts_anew_and_ends_the_open_stream(house: House) -> None:
    """Who asks for more wants what lies behind as well."""
    elsewhere = await sent(house, regions=["FR"])
    here = await sent(house)
    analyst = house["GBR"].analyst
    following = await house.follows(analyst, regions=("KE",))
    assert await following.report() == here
    assert following.cursor is not None
    await house.broker.set_cursor(house.member(analyst), "all", following.cursor)
    wider = await house.follows(analyst, regions=("KE", "FR"))
    assert await following.end() == "replaced"
    assert await wider.rest() == [elsewhere, here]
    with pytest.raises(Malformed, match="bad-cursor"):
        await house.follows(analyst, cursor=following.cursor, regions=("KE", "FR"))


@pytest.mark.slow
async def test_a_broken_link_loses_nothing_and_skips_nothing(house: House) -> None:
    """Streams that break at random places, with everything in between, add up to everything."""
    chance = random.Random(7)
    expected: list[str] = []
    got: list[str] = []
    cursor: str | None = None
    for _ in range(12):
        for _ in range(chance.randrange(4)):
            urgency = chance.choice(["FLASH", "PRIORITY", "ROUTINE"])
            if chance.random() < 0.3:
                await sent(house, urgency, release_to="FRA")
            else:
                expected.append(await sent(house, urgency))
        following = await house.follows(house["GBR"].analyst, cursor=cursor)
        house.broker.beat()
        for _ in range(chance.randrange(4)):
            event = await following.next()
            if event.kind == "heartbeat":
                break
            got.append(identity(event.data))
        cursor = following.cursor or cursor
        await following.closes()
    following = await house.follows(house["GBR"].analyst, cursor=cursor)
    got += await following.rest()
    assert set(got) == set(expected)


def identity(data: bytes) -> str:
    return parse(b64decode(json.loads(data)["report"])).identity


# -- what ends it


@pytest.mark.slow
async def test_a_revoked_readers_open_stream_ends_before_the_next_report(house: House) -> None:
    britain = house["GBR"]
    following = await house.follows(britain.analyst)
    waiting = asyncio.ensure_future(following.next())
    await asyncio.sleep(0)
    await house.files(britain.revokes(britain.analyst))
    await sent(house)
    event = await waiting
    assert (event.kind, json.loads(event.data)) == ("end", {"reason": "unknown-signer"})


@pytest.mark.slow
async def test_a_membership_that_runs_out_ends_the_stream(house: House) -> None:
    guest = house["GBR"].enlists("guest", "analyst", days=1)
    await house.files(house.world.history[-1].statement)
    following = await house.follows(guest)
    assert await following.rest() == []
    house.world.clock.forward(days=1)
    house.broker.beat()
    assert await following.end() == "unknown-signer"


@pytest.mark.slow
async def test_a_tightened_policy_and_a_recall_count_for_what_already_waits(house: House) -> None:
    kenya = house["KEN"]
    first, second, third = [await sent(house) for _ in range(3)]
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == first
    await house.files(kenya.says("report.recall", {"report": second, "reason": "wrong"}))
    assert (await following.next()).kind == "recall"
    assert await following.report() == third
    await sent(house)
    nothing = (
        '@id("KEN/none")\n@says("")\nforbid (principal, action == Action::"release", resource);'
    )
    await house.files(kenya.adopts(release=nothing))
    assert await following.rest() == []


@pytest.mark.slow
async def test_a_second_stream_of_a_subscription_ends_the_first(house: House) -> None:
    first = await house.follows(house["GBR"].analyst)
    assert await first.rest() == []
    second = await house.follows(house["GBR"].analyst)
    assert await second.rest() == []
    assert await first.end() == "replaced"
    report = await sent(house)
    assert await second.report() == report


@pytest.mark.slow
async def test_a_stream_ends_with_its_subscription(house: House) -> None:
    following = await house.follows(house["GBR"].analyst)
    assert await following.rest() == []
    await house.broker.unsubscribe(house.member(house["GBR"].analyst), "all")
    assert await following.end() == "not-found"


@pytest.mark.slow
async def test_a_stream_has_an_end_and_comes_back(house: House) -> None:
    following = await house.follows(house["GBR"].analyst)
    assert await following.rest() == []
    house.world.clock.forward(seconds=901)
    house.broker.beat()
    assert await following.end() == "stopping"


@pytest.mark.slow
async def test_a_stopping_broker_ends_streams_with_a_cursor(house: House) -> None:
    report = await sent(house)
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == report
    closing = asyncio.ensure_future(house.broker.close())
    await asyncio.sleep(0)
    assert await following.end() == "stopping"
    await closing
    await house.opens()
    again = await house.follows(house["GBR"].analyst, cursor=following.cursor)
    assert await again.rest() == []


async def test_a_journal_that_stops_ends_every_stream(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = await house.follows(house["GBR"].analyst)
    assert await following.rest() == []

    async def broken() -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error

    monkeypatch.setattr(house.broker.journal._store, "commit", broken)
    with pytest.raises(BrokerFault):
        await sent(house)
    assert await following.end() == "journal-stopped"


@pytest.mark.slow
async def test_a_reader_that_takes_nothing_is_cut_with_a_cursor(house: House) -> None:
    """What waits is only pointed at, so it costs no memory; but nobody waits for it for ever."""
    following = await house.follows(house["GBR"].analyst)
    first = await sent(house)
    assert await following.report() == first  # and now it does not come back for the next
    size = live.BUFFER_BYTES // 2
    text = "x" * size
    reports = [await sent(house, text=text) for _ in range(2)]
    house.world.clock.forward(seconds=live.SLOW_S)
    assert await following.report() == reports[0], "slow, and not yet too slow"
    reports += [await sent(house, text=text) for _ in range(2)]
    house.world.clock.forward(seconds=live.SLOW_S)
    reports.append(await sent(house, text=text))
    assert await following.end() == "too-slow"
    again = await house.follows(house["GBR"].analyst, cursor=following.cursor)
    assert await again.rest() == reports[1:]


# -- refusals before the first event


async def test_what_cannot_be_followed_is_refused_at_once(house: House) -> None:
    reader = house.member(house["GBR"].analyst)
    with pytest.raises(NotAllowed, match="not-found"):
        house.broker.stream(reader, "unknown", None)
    await house.broker.subscribe(reader, "all", Filter())
    with pytest.raises(Malformed, match="bad-cursor"):
        house.broker.stream(reader, "all", "A" * 48)


async def test_a_member_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, streams_per_member=2) as house:
        analyst = house["GBR"].analyst
        open_: list[Following] = []
        for name in ("a", "b"):
            open_.append(await house.follows(analyst, name))
            assert await open_[-1].rest() == []
        with pytest.raises(Conflict, match="quota"):
            await house.follows(analyst, "c")
        await open_[0].closes()
        assert await (await house.follows(analyst, "c")).rest() == []
        for following in open_:
            await following.closes()


# -- opened later


REFERRED = """
@id("KEN/officer")
@says("An officer agrees first.")
permit (principal, action == Action::"release", resource) when { context.approvals >= 1 };
"""


@pytest.mark.slow
async def test_an_approved_report_comes_on_the_open_stream_and_after_a_resume(house: House) -> None:
    """Its place is that of the approval, so a reader that has passed the report gets it too."""
    kenya = house["KEN"]
    await house.files(kenya.adopts(release=REFERRED))
    raw = kenya.seals(release_to="GBR")
    receipt = await house.submits(raw)
    following = await house.follows(house["GBR"].analyst)
    assert await following.rest() == []
    waiting = asyncio.ensure_future(following.report())
    await asyncio.sleep(0)
    cursor = following.cursor
    await house.files(kenya.approves(raw, "GBR", "KEN/officer"))
    assert await waiting == receipt.report
    await following.closes()
    again = await house.follows(house["GBR"].analyst, cursor=cursor)
    assert await again.rest() == [receipt.report]


@pytest.mark.slow
async def test_a_filter_is_read_by_the_words_of_the_newest_registry(house: House) -> None:
    following = await house.follows(house["GBR"].analyst, regions=("mission:sable",))
    assert await following.rest() == []
    body = charter_words.registry(house.world.directory.terms.version + 1)
    body["regions"]["mission:sable"]["parent"] = "155"
    await house.files(house.world.together.says("registry.publish", {"registry": body}))
    await house.files(*[house[code].adopts() for code in ("KEN", "GBR", "FRA")])
    await sent(house, regions=["KE"])
    wanted = await sent(house, regions=["FR"])
    assert await following.rest() == [wanted]
