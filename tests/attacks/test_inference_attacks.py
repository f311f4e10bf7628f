"""What a nation could infer about another from answers that it may have: order, repetition, sizes,
places, names. Expect nothing.

None of it is content, and each was found in an honest broker: an answer can be right and still tell
more than it says.
"""

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from broker import live
from broker.explaining import told
from broker.matching import Filter
from tests.broker.house import House
from tests.coalition import Portion
from tests.people import Person, random_of
from wire import report
from wire.entries import MISSION
from wire.errors import NotAllowed
from wire.labels import PRECEDENCES

pytestmark = pytest.mark.anyio

LOW: dict[str, Any] = {"classification": "RESTRICTED"}

TWO_OFFICERS = """
@id("KEN/low")
@says("Up to RESTRICTED to all on the list.")
permit (principal, action == Action::"release", resource in UpTo::"RESTRICTED");
@id("KEN/officers")
@says("Two officers agree first.")
permit (principal, action == Action::"release", resource) when { context.approvals >= 2 };
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        yield found


async def enlisted(house: House, nation: str, name: str, **how: Any) -> Person:
    """A further member, known to the broker."""
    person = house[nation].enlists(name, **{"kind": "analyst", **how})
    await house.files(house.world.history[-1].statement)
    return person


async def views(house: House, channel: str, kind: str) -> list[Mapping[str, Any]]:
    return [view for type_, view in await house.channel(channel) if type_ == kind]


# -- repetition


@pytest.mark.slow
async def test_an_approval_that_opens_nothing_yet_brings_nothing_again(house: House) -> None:
    """The report would come a second time as it was, and say: there is more, and an officer of
    Kenya has just agreed to let you have it.
    """
    kenya, britain = house["KEN"], house["GBR"]
    second = await enlisted(house, "KEN", "officer2", kind="officer")
    await house.files(kenya.delegates("release", kenya.officer, second))
    await house.files(kenya.adopts(release=TWO_OFFICERS))
    hidden = Portion("The source.", classification="SECRET", release_to="GBR")
    raw = kenya.seals("A road is closed.", release_to="GBR", portions=[hidden], **LOW)
    identity = (await house.submits(raw)).report
    following = await house.follows(britain.analyst)
    assert await following.rest() == [identity]
    before = following.cursor
    reader = house.member(britain.analyst)
    page = await house.broker.pull(reader, Filter(), None, 9)
    await house.files(kenya.approves(raw, "GBR", "KEN/officers", index=1))
    assert await following.rest() == []
    assert (await house.broker.pull(reader, Filter(), page.cursor, 9)).releases == ()
    await house.files(kenya.approves(raw, "GBR", "KEN/officers", index=1, by=[second.sign]))
    assert await following.rest() == [identity], "now it is more than it was"
    (release,) = (await house.broker.pull(reader, Filter(), page.cursor, 9)).releases
    assert [p.index for p in report.parse(release.report).portions] == [0, 1]
    await house.restarts()
    again = await house.follows(britain.analyst, cursor=before)
    assert set(await again.rest()) == {identity}


# -- order


async def test_a_hidden_portion_makes_a_report_no_more_urgent(house: House) -> None:
    """Of one's own nation too: a FLASH portion above a reader's clearance, or one that waits for an
    officer of Kenya, must not let the rest of its report overtake.
    """
    kenya, britain = house["KEN"], house["GBR"]
    junior = await enlisted(house, "GBR", "junior", clearance="RESTRICTED")
    first = (
        await house.submits(kenya.seals(release_to="GBR", precedence="PRIORITY", **LOW))
    ).report
    flash = Portion(
        "Now.", classification="SECRET", release_to="GBR", label={"precedence": "FLASH"}
    )
    raw = kenya.seals(release_to="GBR", precedence="ROUTINE", portions=[flash], **LOW)
    second = (await house.submits(raw)).report
    assert await (await house.follows(junior)).rest() == [first, second]
    assert await (await house.follows(britain.analyst)).rest() == [second, first]


async def test_a_report_of_two_precedences_comes_once_and_is_behind_its_own_cursor(
    house: House,
) -> None:
    """It stands in two lanes, and the cursor that comes with it counts for both."""
    flash = Portion("Now.", release_to="GBR", label={"precedence": "FLASH"})
    raw = house["KEN"].seals(release_to="GBR", precedence="ROUTINE", portions=[flash])
    identity = (await house.submits(raw)).report
    following = await house.follows(house["GBR"].analyst)
    assert await following.report() == identity
    await following.closes()
    again = await house.follows(house["GBR"].analyst, cursor=following.cursor)
    assert await again.rest() == []


@pytest.mark.slow
async def test_every_reader_gets_every_report_once_in_the_order_of_what_it_may_see(
    house: House,
) -> None:
    """Against a plain model, also over breaks."""
    chance, kenya = random.Random(75), house["KEN"]
    junior = await enlisted(house, "GBR", "junior", clearance="RESTRICTED")
    readers = {junior: {"RESTRICTED"}, house["GBR"].analyst: {"RESTRICTED", "SECRET"}}
    expected: dict[Person, list[tuple[int, int, str]]] = {reader: [] for reader in readers}
    for position in range(14):
        portions = [
            Portion(
                "x",
                classification=chance.choice(["RESTRICTED", "SECRET"]),
                release_to=chance.choice(["GBR", "GBR FRA", "FRA"]),
                label={"precedence": chance.choice(PRECEDENCES)},
            )
            for _ in range(chance.randint(1, 3))
        ]
        one, *more = portions
        raw = kenya.seals(
            one.text,
            one.classification or "",
            release_to=one.release_to or "",
            portions=more,
            **(one.label or {}),
        )
        identity = (await house.submits(raw)).report
        for reader, levels in readers.items():
            ranks = [
                PRECEDENCES.index((p.label or {})["precedence"])
                for p in portions
                if p.classification in levels and "GBR" in (p.release_to or "")
            ]
            if ranks:
                expected[reader].append((min(ranks), position, identity))
    for reader, reports in expected.items():
        following = await house.follows(reader)
        assert await following.rest() == [identity for *_, identity in sorted(reports)]
        await following.closes()
        again = await house.follows(reader, cursor=following.cursor)
        assert await again.rest() == [], "all of it was taken"
        got, cursor = list[str](), None
        for _ in range(4):
            broken = await house.follows(reader, "broken", cursor)
            got += [await broken.report() for _ in range(chance.randint(1, 2))]
            cursor = broken.cursor
            await broken.closes()
        rest = await house.follows(reader, "broken", cursor)
        got += await rest.rest()
        assert set(got) == {identity for *_, identity in reports}


# -- sizes


@pytest.mark.slow
async def test_what_a_reader_may_not_see_does_not_count_as_waiting_for_it(house: House) -> None:
    """Else a reader that takes nothing would be told, by being cut off, that much came."""
    kenya, britain = house["KEN"], house["GBR"]
    junior = await enlisted(house, "GBR", "junior", clearance="RESTRICTED")
    following = await house.follows(junior)
    seen = (await house.submits(kenya.seals(release_to="GBR", **LOW))).report
    assert await following.report() == seen  # and now it does not come back for the next
    text, mixed = "x" * (live.BUFFER_BYTES // 2), list[str]()
    for _ in range(3):
        high = Portion(text, classification="SECRET", release_to="GBR")
        await house.submits(kenya.seals(text, "SECRET", release_to="GBR"))
        raw = kenya.seals("Low.", release_to="GBR", portions=[high], **LOW)
        mixed.append((await house.submits(raw)).report)
        house.world.clock.forward(seconds=live.SLOW_S)
    assert await following.rest() == mixed, "and no end"
    assert len(await house.pulls(britain.analyst)) == 7, "the control"


# -- places and numbers


async def test_a_recall_tells_nobody_how_many_others_had_the_report(house: House) -> None:
    """A leaf shows how many channels an entry has, and its evidence the place of one's own. More
    than two for a report whose list says Kenya and Britain: then there is a hidden portion.
    """
    kenya, places = house["KEN"], set[tuple[str, int, int]]()
    for others in ((), ("FRA",)):
        hidden = [Portion("Not for Britain.", release_to=nation) for nation in others]
        receipt = await house.submits(kenya.seals(release_to="GBR", portions=hidden))
        for nation in ("GBR", *others):
            await house.fetches(house[nation].analyst, receipt.report)
        body = {"report": receipt.report, "reason": "an error"}
        await house.files(kenya.says("report.recall", body))
        for channel in (MISSION, "GBR"):
            last = (await house.broker.journal.segment(channel)).entries[-1]
            places.add((channel, last.slot, last.leaf[1]))
        for nation in ("KEN", "GBR", "FRA"):
            told_of = (await views(house, nation, "statement"))[-1].get("report")
            concerned = nation in ("KEN", "GBR", *others)
            assert (told_of == receipt.report) is concerned, nation
    assert len(places) == 2, places


# -- names


async def test_contributors_are_named_to_the_originator_alone(house: House) -> None:
    """A recipient that was never shown the source must not learn whose it is; nor one contributor
    what else the report holds. Nor does the originator's proof of a release, which it may show to
    others: what it was derived from stands in the acceptance.
    """
    kenya, france, britain = house["KEN"], house["FRA"], house["GBR"]
    free: dict[str, Any] = {"derive": "within_release", "onward": "release_list"}
    source = kenya.seals(release_to="FRA GBR", **free)
    receipt = await house.submits(source)
    await house.fetches(france.analyst, receipt.report)
    drawn = {"report": receipt.report, "portion": report.parse(source).portions[0].commitment}
    own = Portion("Our own view.", release_to="GBR", label={"derived_from": []})
    raw = france.seals(release_to="GBR", derived_from=[drawn], portions=[own], **free)
    identity = (await house.submits(raw)).report
    await house.fetches(britain.analyst, identity)
    shown = {}
    for nation in ("KEN", "FRA", "GBR"):
        (shown[nation],) = [
            view for view in await views(house, nation, "release") if view["report"] == identity
        ]
    layers = {nation: set(view["policies"]) for nation, view in shown.items()}
    assert layers["GBR"] == {"handle/COALITION", "carry/MINUSX", "release/FRA", "accept/GBR"}
    assert layers["FRA"] == layers["GBR"]
    assert layers["KEN"] == layers["GBR"] | {"release/KEN"}
    (accepted,) = [
        view for view in await views(house, "FRA", "report.accepted") if view["report"] == identity
    ]
    assert ("release/KEN" in accepted["policies"], accepted["sources"]) == (True, [receipt.report])
    assert "KEN" not in json.dumps(shown["GBR"]["rules"])
    portions = {nation: view["portions"] for nation, view in shown.items()}
    assert portions == {"KEN": [0], "FRA": [0, 1], "GBR": [0, 1]}


async def test_the_journal_names_a_reader_that_listens_and_stands(house: House) -> None:
    """Not the one that opened the first stream of this kind: it may have left long ago, and then
    its nation's auditor would look for a leak that there is not.
    """
    kenya, britain = house["KEN"], house["GBR"]
    others = [await enlisted(house, "GBR", name) for name in ("one", "two")]
    streams = [await house.follows(person) for person in (britain.analyst, *others)]
    for following in streams:
        assert await following.rest() == []
    await streams[0].closes()
    await house.files(britain.revokes(others[0]))
    waiting = asyncio.ensure_future(streams[2].report())
    await asyncio.sleep(0)
    identity = (await house.submits(kenya.seals(release_to="GBR"))).report
    assert await waiting == identity
    (view,) = await views(house, "GBR", "release")
    assert view["reader"] == others[1].kid


async def test_how_many_others_withhold_is_not_told() -> None:
    """Two lines in place of one: a second party, or that it has not looked at the newest words."""

    def line(owner: str | None, outcome: str) -> dict[str, Any]:
        usual = {"layer": "release", "rules": (), "needs": (), "approvals_needed": 0}
        return {**usual, "owner": owner, "outcome": outcome}

    answers = []
    for others in (["WITHHOLD"], ["REFER", "WITHHOLD"], ["WITHHOLD", "RELEASE", "WITHHOLD"]):
        lines = [line(None, outcome) for outcome in others]
        said = {"outcome": "WITHHOLD", "lines": [line("KEN", "RELEASE"), *lines]}
        answers.append(told({"portions": [{"nations": {"GBR": said}}]}))
    assert answers[0] == answers[1] == answers[2]
    nations = answers[0]["portions"][0]["nations"]
    assert nations["GBR"]["lines"] == ["withheld by another party"]


@pytest.mark.slow
async def test_an_id_that_another_nation_used_is_not_taken(house: House) -> None:
    """A refusal would tell that there is one, and anybody could take the ids of others."""
    kenya, britain = house["KEN"], house["GBR"]
    one = await house.submits(kenya.seals(release_to="FRA", report_id="ab" * 16))
    other = await house.submits(britain.seals(release_to="FRA", report_id="ab" * 16))
    assert one.report != other.report
    await house.restarts()
    assert set(await house.pulls(house["FRA"].analyst)) == {one.report, other.report}


@pytest.mark.slow
async def test_a_case_that_others_withhold_is_not_there_for_the_recipients_officers(
    house: House,
) -> None:
    """An approval for one's own intake would otherwise be a question: is there such a report?"""
    kenya, britain = house["KEN"], house["GBR"]
    await house.files(kenya.adopts(release=TWO_OFFICERS))
    raw = kenya.seals(release_to="GBR", classification="SECRET")
    await house.submits(raw)
    body = britain.approval_body(raw, "GBR", "GBR/accept-all", layer="accept")
    with pytest.raises(NotAllowed, match="not-found"):
        await house.files(britain.drafts("approval", body))
    await house.files(kenya.adopts())
    await house.files(britain.says("approval", body))


# -- all of it once more, on a stream


async def events(house: House, reader: Person, raws: Sequence[bytes], *, busy: bool) -> list[Any]:
    """What a stream brings while these reports come; between them others', if it is busy."""
    kenya, found = house["KEN"], list[Any]()
    following = await house.follows(reader)
    assert await following.rest() == []

    async def others() -> None:
        kinds: Sequence[dict[str, Any]] = (
            {"release_to": "FRA", **LOW},
            {"release_to": "GBR", "precedence": "FLASH"},
        )
        for how in kinds if busy else ():
            text = "y" * chance.randrange(9_000)
            await house.submits(kenya.seals(text, report_id=secrets.token_hex(16), **how))

    chance = random.Random(76)
    for raw in raws:
        await others()
        await house.submits(raw)
        await others()
        house.broker.beat()
        while (event := await following.next()).kind == "report":
            release = json.loads(event.data)
            found.append((event.kind, len(event.id or ""), release["report"], release["use"]))
        beat = json.loads(event.data)
        found.append((event.kind, len(event.id or ""), sorted(beat), beat["time"]))
    return found


@pytest.mark.slow
async def test_75_a_stream_does_not_depend_on_reports_that_its_reader_may_not_see(
    tmp_path: Path,
) -> None:
    told_of = []
    raws: list[bytes] = []
    for busy in (False, True):
        folder = tmp_path / str(busy)
        async with House.of("KEN", "GBR", "FRA", folder=folder, drain_seconds=0.1) as house:
            house.world.random = random_of("busy", busy)
            junior = await enlisted(house, "GBR", "junior", clearance="RESTRICTED")
            if not raws:
                for precedence in PRECEDENCES:
                    raws += [house["KEN"].seals(release_to="GBR", precedence=precedence, **LOW)]
            told_of.append(await events(house, junior, raws, busy=busy))
    assert told_of[0] == told_of[1]
    assert [kind for kind, *_ in told_of[0]] == ["report", "heartbeat"] * len(raws)
