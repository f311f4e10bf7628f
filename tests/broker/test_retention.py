"""A nation's root orders how long its views and payloads are kept; the broker carries it out."""

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker import retention
from tests.broker.house import House
from tests.broker.test_erasing import long_report, on_disk, pieces
from tests.coalition import Coalition
from tests.refusal import refused
from wire.entries import MISSION
from wire.erasures import Erasures, Orders
from wire.prove import Trust, VerifiedEntry, walk
from wire.statements import Statement

pytestmark = pytest.mark.anyio

FLOOR = 30
DAY = 86_400


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


async def order(
    house: House, nation: str = "KEN", *, views: int | None = FLOOR, payloads: int | None = None
) -> Statement:
    """The nation's root orders."""
    said = house[nation].says("retention.set", {"views": views, "payloads": payloads})
    await house.files(said)
    return said


async def days_pass(house: House, days: float) -> None:
    """Time passes, and the broker does what is due."""
    house.world.clock.forward(days=days)
    await house.broker.expire()


async def erased(house: House, nation: str) -> list[int]:
    """The numbers of the entries of a channel whose views are gone."""
    found, after = [], 0
    while entries := (await house.broker.journal.segment(nation, after)).entries:
        found += [after + i for i, entry in enumerate(entries) if entry.view is None]
        after += len(entries)
    return found


async def sweeps(house: House, channel: str) -> list[dict[str, Any]]:
    return [view for kind, view in await house.channel(channel) if kind == "view.erased"]


# -- what is erased, and when


async def test_nothing_is_erased_by_default(house: House) -> None:
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await days_pass(house, 5_000)
    assert await erased(house, "KEN") == []
    assert await sweeps(house, "KEN") == await sweeps(house, MISSION) == []


async def test_views_go_once_they_and_the_order_are_old_enough(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    said = await order(house)
    await days_pass(house, FLOOR - 1)
    assert await erased(house, "KEN") == []
    await days_pass(house, 2)
    gone = await erased(house, "KEN")
    assert gone == list(range(len(gone)))
    kinds = [kind for kind, _ in await house.channel("KEN")]
    assert kinds[len(gone) :] == ["view.erased"]
    (view,) = await sweeps(house, "KEN")
    midnight = house.world.clock.now // DAY * DAY
    assert view == {
        "nation": "KEN",
        "order": said.identity,
        "before": midnight - FLOOR * DAY,
        "first": 0,
        "until": len(gone),
    }
    assert receipt.index in [e.index for e in (await house.broker.journal.segment("KEN")).entries]


async def test_the_mission_is_told_what_is_public_and_no_more(house: House) -> None:
    said = await order(house)
    await days_pass(house, FLOOR + 1)
    told = await sweeps(house, MISSION)
    (own,) = await sweeps(house, "KEN")
    assert told == [{k: own[k] for k in ("nation", "order", "before")}]
    assert told[0]["order"] == said.identity
    assert await sweeps(house, "GBR") == []
    assert await erased(house, MISSION) == await erased(house, "GBR") == []


async def test_each_day_has_one_public_entry_whatever_there_is_to_erase(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many views went would tell how much concerns a nation."""
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(3):
        await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house)
    await days_pass(house, FLOOR + 1)
    own = await sweeps(house, "KEN")
    ends = [0, *(view["until"] for view in own)]
    assert [view["first"] for view in own] == ends[:-1]
    assert {b - a for a, b in itertools.pairwise(ends[:-1])} == {2}
    assert len(own) > 2
    assert len(await sweeps(house, MISSION)) == 1
    await house.broker.expire()  # the same day: nothing more
    assert len(await sweeps(house, "KEN")) == len(own)
    for days in (2, 3):
        await days_pass(house, 1)
        assert len(await sweeps(house, MISSION)) == days
    assert (await sweeps(house, "KEN"))[-1]["first"] == ends[-1] == await kept_from(house, "KEN")


async def kept_from(house: House, nation: str) -> int:
    """The number of the first entry of a channel that has its view."""
    gone = await erased(house, nation)
    assert gone == list(range(len(gone)))
    return len(gone)


async def test_what_was_erased_stands_in_no_file(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.fetches(house["GBR"].analyst, receipt.report)
    secret = await openings(house, "KEN", "GBR")
    assert on_disk(house, secret) == set(secret)
    await order(house)
    await order(house, "GBR")
    await days_pass(house, FLOOR + 1)
    assert on_disk(house, secret) == set()


async def openings(house: House, *channels: str) -> dict[str, bytes]:
    """What opens each view of these channels; the texts may stand in other channels as well."""
    return {
        f"{channel} {i}": entry.view_opening or b""
        for channel in channels
        for i, entry in enumerate((await house.broker.journal.segment(channel)).entries)
    }


# -- who orders what


async def test_an_order_reaches_its_nations_own_channel_and_no_other(house: House) -> None:
    for nation in ("KEN", "GBR"):
        raw = house[nation].seals(release_to="FRA")
        receipt = await house.submits(raw)
        await house.fetches(house["FRA"].analyst, receipt.report)
    await order(house, "KEN")
    await days_pass(house, FLOOR + 1)
    assert await erased(house, "KEN")
    for channel in ("GBR", "FRA", MISSION):
        assert await erased(house, channel) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("later", "days", "gone"),
    [
        ({"views": 60}, FLOOR + 1, False),  # keeps more: at once
        ({"views": None}, FLOOR + 1, False),
        ({"views": 60}, 61, True),
        ({"views": 30}, FLOOR + 1, True),  # keeps no more: changes nothing
    ],
)
async def test_a_younger_order_that_keeps_more_counts_at_once(
    house: House, later: dict[str, Any], days: int, *, gone: bool
) -> None:
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house)
    await days_pass(house, 10)
    await order(house, **later)
    await days_pass(house, days - 10)
    assert bool(await erased(house, "KEN")) == gone


async def test_a_shorter_time_counts_only_after_the_floor(house: House) -> None:
    """Who gets hold of the root cannot wipe a history today. Expect nothing to go."""
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house, views=400)
    await days_pass(house, 100)
    await order(house, views=FLOOR)
    await days_pass(house, FLOOR - 1)
    assert await erased(house, "KEN") == []
    await days_pass(house, 2)
    assert await erased(house, "KEN")


def test_no_officer_orders_it_whatever_his_roles() -> None:
    """Those whose acts the views tell cannot have them erased. Expect refusal."""
    kenya = Coalition.of("KEN", "GBR")["KEN"]
    second = kenya.enlists("officer2", "officer")
    kenya.delegates("policy", kenya.officer, second)
    for officers in ([kenya.officer], [second], [kenya.officer, second]):
        with refused("unknown-signer"):
            kenya.says(
                "retention.set", {"views": FLOOR, "payloads": None}, by=[o.sign for o in officers]
            )


async def test_an_expelled_nations_order_ends_with_it(house: House) -> None:
    raw = long_report(house)
    await house.submits(raw)
    await order(house, payloads=1)
    await house.files(house.world.expels("KEN"))
    await days_pass(house, FLOOR + 1)
    assert await erased(house, "KEN") == []
    assert on_disk(house, pieces(raw)) == set(pieces(raw))


# -- what still works


async def renewed(house: House) -> None:
    """Every nation opens its next epoch: nobody seals to an old one."""
    for nation in house.world.nations:
        await house.files(nation.opens_epoch())


@pytest.mark.slow
async def test_a_report_is_released_anew_where_its_release_was_erased(house: House) -> None:
    """Its readers need an entry that says so; the holders are the same."""
    receipt = await house.submits(house["KEN"].seals(release_to="GBR FRA"))
    first = await house.fetches(house["GBR"].analyst, receipt.report)
    other = await house.fetches(house["FRA"].analyst, receipt.report)
    await order(house, "GBR")
    await days_pass(house, FLOOR + 1)
    again = await house.fetches(house["GBR"].analyst, receipt.report)
    _, before = house.proven(first, "GBR")
    read, entry = house.proven(again, "GBR")
    assert read.identity == receipt.report
    assert entry.index > before.index
    assert (await house.fetches(house["GBR"].system, receipt.report)).evidence == again.evidence
    assert (await house.fetches(house["FRA"].analyst, receipt.report)).evidence == other.evidence
    broker = await house.restarts()
    await broker.journal.scrub()
    later = await house.fetches(house["GBR"].analyst, receipt.report)
    assert house.proven(later, "GBR")[1].index == entry.index


async def test_a_release_that_is_erased_while_it_is_read_is_made_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who asks later would be handed, as proof, a view that its nation had erased."""
    analyst = house["GBR"].analyst
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    before = await house.fetches(analyst, receipt.report)
    await order(house, "GBR")
    await days_pass(house, FLOOR - 1)
    await house.restarts()
    read = house.broker.journal.rows

    async def rows(query: str, params: Any = ()) -> Any:
        if query == "reports_at" and not await erased(house, "GBR"):
            await days_pass(house, 2)
        return await read(query, params)

    monkeypatch.setattr(house.broker.journal, "rows", rows)
    after = await house.fetches(analyst, receipt.report)
    assert await erased(house, "GBR")
    assert after.evidence.index > before.evidence.index
    house.proven(after, "GBR")


@pytest.mark.slow
async def test_every_start_and_scrub_accepts_what_was_erased_and_goes_on(house: House) -> None:
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house)
    await days_pass(house, FLOOR + 1)
    gone = await erased(house, "KEN")
    broker = await house.restarts()
    await broker.journal.scrub()
    assert await erased(house, "KEN") == gone
    await days_pass(house, 1)
    told = await sweeps(house, "KEN")
    assert told[-1]["first"] == told[-2]["until"] == len(gone)
    assert len(await sweeps(house, MISSION)) == 2
    await verified(house, "KEN")


async def test_what_explains_an_erasure_is_never_erased(house: House) -> None:
    """However old: else nobody could tell any more what was erased from what was hidden."""
    await order(house)
    for _ in range(3):
        await days_pass(house, FLOOR + 1)
    kinds = [kind for kind, _ in await house.channel("KEN")]
    gone = await erased(house, "KEN")
    assert kinds.count("view.erased") == 3
    assert [kinds[count] for count in gone].count("view.erased") == 0
    assert max(gone) < kinds.index("view.erased")
    (first, *_) = await sweeps(house, "KEN")
    assert first["until"] == len(gone)
    await verified(house, "KEN")


async def verified(house: House, nation: str) -> list[VerifiedEntry]:
    """A channel's whole history, as its auditor follows it: all that is missing was ordered."""
    directory, journal = house.broker.directory, house.broker.journal
    trust, erasures, found, complete = Trust(), Erasures(nation), list[VerifiedEntry](), False
    while not complete:
        page = await journal.segment(nation, trust.tip.count, 7)
        proof = await journal.consistency(trust.size, journal.size) if trust.size else []
        place = directory.channels.index(nation)
        trust, entries, complete = walk(trust, page, [house.log_key], nation, place, None, proof)
        for entry in entries:
            erasures.take(entry, Orders.of(directory))
        found += entries
    erasures.settle()
    return found


# -- payloads


@pytest.mark.slow
async def test_payloads_go_when_their_nation_keeps_them_no_longer(house: House) -> None:
    raw, other = long_report(house), house["GBR"].seals("Other. " * 3_000, release_to="KEN")
    receipt, kept = await house.submits(raw), await house.submits(other)
    said = await order(house, views=None, payloads=7)
    await days_pass(house, FLOOR - 1)
    assert on_disk(house, pieces(raw)) == set(pieces(raw))
    await house.fetches(house["GBR"].analyst, receipt.report)
    await days_pass(house, 2)
    assert on_disk(house, pieces(raw)) == set()
    assert on_disk(house, pieces(other)) == set(pieces(other))
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)
    await house.fetches(house["KEN"].analyst, kept.report)
    kind, view = (await house.channel("KEN"))[-2]
    assert (kind, view["order"], view["report"]) == (
        "report.erased",
        said.identity,
        receipt.report,
    )
    assert await erased(house, "KEN") == []
    broker = await house.restarts()
    await broker.journal.scrub()
    await broker.expire()
    kinds = [kind for kind, _ in await house.channel("KEN")]
    assert kinds.count("report.erased") == 1
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)
    await verified(house, "KEN")


async def test_a_younger_report_keeps_its_payloads(house: House) -> None:
    await order(house, views=None, payloads=20)
    await days_pass(house, FLOOR)
    await renewed(house)
    raw = long_report(house)
    receipt = await house.submits(raw)
    await days_pass(house, 19)
    await house.fetches(house["GBR"].analyst, receipt.report)
    await days_pass(house, 2)
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)


async def test_who_asks_for_what_is_gone_is_told_to_its_originator_as_expired(
    house: House,
) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house, views=None, payloads=7)
    await days_pass(house, FLOOR + 1)
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)
    auditor = house.member(house["KEN"].auditor)
    page = await house.broker.views(auditor, 0, 0, 500)
    view = json.loads(page.segment.entries[-1].view or b"")
    assert [denial["because"] for denial in view["denials"]] == ["expired"]
