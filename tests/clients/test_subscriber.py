"""What an analyst is shown: everything, once, the urgent first, whatever the link does."""

import io
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients import seal, subscriber, transport
from clients.draft import AttachmentFile, Draft
from clients.identity import Identity
from clients.publisher import Publisher
from clients.received import Notable, Received, Unopened
from clients.shown import Place
from clients.subscriber import Subscriber
from tests.broker.server import serving
from tests.clients.cutting import Link, unlimited
from tests.pilot import PASSPHRASE, Pilot, draft, free_port, open_policy
from tests.refusal import refused
from wire.errors import TearlineError

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("subscriber")
    with Pilot.of(*NATIONS, folder=folder, doors=1, policies=POLICIES) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(subscriber, "PAUSES", (0.01,))
    monkeypatch.setattr(transport, "PAUSES", (0.01,) * 8)


def about(place: str) -> dict[str, Any]:
    """Reports of one test: a place that no other test reports from."""
    return {"regions": {place}}


async def publish(pilot: Pilot, *drafts: Draft) -> list[str]:
    async with pilot.publisher("KEN") as publisher:
        return [(await publisher.publish(one)).report for one in drafts]


async def titles(reports: AsyncIterator[Received]) -> list[str]:
    return [received.title async for received in reports]


async def first(count: int, reports: Any) -> list[Received]:
    """The first reports of a watch."""
    found: list[Received] = []
    async with aclosing(reports) as stream:
        async for received in stream:
            found.append(received)
            if len(found) == count:
                break
    return found


def numbered(count: int, **label: Any) -> list[Draft]:
    return [draft(f"{number}", {"GBR", "FRA"}, **label) for number in range(count)]


# -- everything, once


@pytest.mark.long
@pytest.mark.parametrize(("seed", "place"), [(7, "UG"), (8, "MZ"), (9, "TZ")])
async def test_whatever_breaks_there_is_no_gap_and_nothing_comes_twice(
    pilot: Pilot, impatient: None, seed: int, place: str
) -> None:
    """The link is cut again and again, in streams and requests alike, also within one answer."""
    chance = random.Random(seed)
    sent = numbered(40, **about(place))
    async with Link.over(pilot.doors[0], pilot.port) as link:
        link.down = lambda: chance.choice((300, 30_000, 150_000))
        async with Subscriber(pilot.device("GBR", "analyst", port=link.port)) as client:
            link.cut()
            seen: list[str] = []
            with anyio.fail_after(60):
                async with anyio.create_task_group() as group:
                    group.start_soon(publish, pilot, *sent)
                    async with aclosing(client.watch(regions={place})) as reports:
                        async for received in reports:
                            seen.append(received.title)
                            if chance.random() < 0.2:
                                link.cut()
                            if len(seen) == len(sent):
                                break
            assert sorted(seen, key=int) == [one.title for one in sent]
            assert link.cuts > 20
            assert await titles(client.fetch(regions={place})) == []


async def test_a_watch_goes_on_where_it_stopped(pilot: Pilot) -> None:
    await publish(pilot, *numbered(4, **about("RW")))
    device = pilot.device("GBR", "analyst")
    async with Subscriber(device) as client:
        before = await first(3, client.watch(regions={"RW"}))
    async with Subscriber(device) as client:
        after = await first(1, client.watch(regions={"RW"}))
    assert [r.title for r in (*before, *after)] == ["0", "1", "2", "3"]


async def test_each_subscription_shows_what_is_its_own_and_fetch_what_nobody_showed(
    pilot: Pilot,
) -> None:
    """Two windows on two filters: a report that answers both is missing in neither."""
    await publish(pilot, *numbered(2, **about("BI")))
    async with pilot.subscriber("GBR") as client:
        async with anyio.create_task_group() as group:
            found: dict[str, list[str]] = {}

            async def look(name: str, **filters: Any) -> None:
                reports = await first(2, client.watch(**filters))
                found[name] = [r.title for r in reports]

            group.start_soon(lambda: look("place", regions={"BI"}))
            group.start_soon(lambda: look("both", regions={"BI"}, threats={"conflict"}))
        assert found == {"place": ["0", "1"], "both": ["0", "1"]}
        assert await titles(client.fetch(regions={"BI"})) == []
        assert await titles(client.fetch(regions={"BI"}, again=True)) == ["0", "1"]
        named = await first(2, client.watch(regions={"BI"}, name="a-third"))
        assert [r.title for r in named] == ["0", "1"]


async def test_a_process_that_dies_while_a_report_is_looked_at_shows_it_again(
    pilot: Pilot, tmp_path: Path
) -> None:
    """Better twice than never: what was not finished counts as not shown."""
    await publish(pilot, *numbered(3, **about("ER")))
    device = pilot.device("GBR", "analyst")
    async with Subscriber(device) as client, aclosing(client.watch(regions={"ER"})) as reports:
        assert [(await anext(reports)).title for _ in range(2)] == ["0", "1"]
        shutil.copytree(device.folder, tmp_path / "left")  # what a kill leaves behind
    revived = Identity.load(tmp_path / "left", PASSPHRASE)
    async with Subscriber(revived) as client:
        assert [r.title for r in await first(2, client.watch(regions={"ER"}))] == ["1", "2"]
    async with Subscriber(device) as client:  # the one that could close knows better
        assert [r.title for r in await first(1, client.watch(regions={"ER"}))] == ["2"]


async def test_fetch_goes_through_all_pages_and_flash_comes_first_in_each(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PAGE", 3)
    order = ("ROUTINE", "PRIORITY", "FLASH", "ROUTINE", "IMMEDIATE", "FLASH", "ROUTINE")
    sent = [draft(word, {"GBR"}, precedence=word, regions={"DJ"}) for word in order]
    await publish(pilot, *sent)
    async with pilot.subscriber("GBR") as client:
        assert await titles(client.fetch(regions={"DJ"})) == [
            *("FLASH", "PRIORITY", "ROUTINE"),
            *("FLASH", "IMMEDIATE", "ROUTINE"),
            "ROUTINE",
        ]


async def test_flash_overtakes_what_waits_in_a_watch(pilot: Pilot) -> None:
    sent = [
        *numbered(3, **about("MG")),
        draft("urgent", {"GBR"}, precedence="FLASH", regions={"MG"}),
    ]
    await publish(pilot, *sent)
    async with pilot.subscriber("GBR") as client:
        found = await first(4, client.watch(regions={"MG"}))
    assert [r.title for r in found] == ["urgent", "0", "1", "2"]
    assert found[0].precedence == "FLASH"


async def test_a_report_by_its_name(pilot: Pilot) -> None:
    (report,) = await publish(pilot, draft("by name", {"GBR"}, regions={"SC"}))
    async with pilot.subscriber("GBR") as client:
        found = await client.fetch_one(report)
        assert (found.identity, found.title, found.originator) == (report, "by name", "KEN")
        assert found.proof.use == "release"
        assert found.proof.accepted < found.proof.index < found.proof.size
        with refused("not-found"):
            await client.fetch_one("0" * 64)
    async with pilot.subscriber("FRA") as client:
        with refused("not-found"):
            await client.fetch_one(report)


# -- what is kept


async def test_what_was_shown_is_in_the_store_and_what_is_for_display_is_nowhere(
    pilot: Pilot,
) -> None:
    one = draft("to keep or to look at", {"GBR"}, display_to={"FRA"}, regions={"KM"})
    (report,) = await publish(pilot, one)
    for nation, use in (("GBR", "release"), ("FRA", "display")):
        device = pilot.device(nation, "analyst")
        async with Subscriber(device, keeps={"DISPLAY"}) as client:
            await client.follower.sync()
            before = sum(p.stat().st_size for p in device.state.rglob("*"))
            async for received in client.fetch(regions={"KM"}):
                assert received.proof.use == use
                assert (f"report:{report}" in client.store) == (use == "release"), "before shown"
            after = sum(p.stat().st_size for p in device.state.rglob("*"))
            assert (after - before > 2_000) == (use == "release")
            assert bool(received.raw) == (use == "release")
            if use == "release":
                assert client.store.get(f"report:{report}") == received.raw


# -- what stops, and what does not


async def test_a_report_that_does_not_open_is_told_and_stops_nothing(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one partner's broken system would silence all the others for ever."""
    encrypted = seal._encrypted

    def garbled(plaintext: bytes, key: bytes, context: bytes) -> bytes:
        return encrypted(b"no content" if b"garbled" in plaintext else plaintext, key, context)

    monkeypatch.setattr(seal, "_encrypted", garbled)
    sent = [draft(title, {"GBR"}, regions={"SZ"}) for title in ("before", "garbled", "after")]
    reports = await publish(pilot, *sent)
    told: list[Notable] = []
    async with pilot.subscriber("GBR") as client:
        found = await titles(client.fetch(regions={"SZ"}, notice=told.append))
        assert found == ["before", "after"]
        watched = await first(2, client.watch(regions={"SZ"}, notice=told.append))
        assert [r.title for r in watched] == ["before", "after"]
        with refused("bad-content"):
            await client.fetch_one(reports[1])
    for what in told:
        assert isinstance(what, Unopened)
        assert (what.identity, what.originator, what.reason.slug) == (
            reports[1],
            "KEN",
            "bad-content",
        )
    assert len(told) == 2


async def test_a_new_member_is_told_what_it_has_no_key_to_and_reads_the_rest(pilot: Pilot) -> None:
    (old,) = await publish(pilot, draft("old", {"FRA"}, regions={"LS"}))
    async with pilot.officer("FRA") as officer:
        await officer.rotate()
        newcomer = pilot.joins("FRA", "newcomer", "analyst")
        await officer.add(newcomer.keys.card, "analyst", clearance="SECRET")
    await publish(pilot, draft("new", {"FRA"}, regions={"LS"}))
    told: list[Any] = []
    async with Subscriber(newcomer) as client:
        assert await titles(client.fetch(regions={"LS"}, notice=told.append)) == ["new"]
    assert [(what.identity, what.reason.slug) for what in told] == [(old, "no-key")]


async def test_a_subscription_that_asks_for_something_else_begins_anew(pilot: Pilot) -> None:
    """Its old place means nothing under another filter; it must not stop it for ever."""
    await publish(pilot, draft("a", {"GBR"}, regions={"ZM"}), draft("b", {"GBR"}, regions={"ZW"}))
    async with pilot.subscriber("GBR") as client:
        for place, title in (("ZM", "a"), ("ZW", "b")):
            (found,) = await first(1, client.watch(regions={place}, name="changing"))
            assert found.title == title


async def test_a_place_that_the_broker_no_longer_knows_is_given_up(
    pilot: Pilot, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its operator renewed the key of cursors: then from the beginning, and without repeats."""
    await publish(pilot, *numbered(3, **about("MW")))
    reach = Place.reach
    with monkeypatch.context() as patch:
        patch.setattr(Place, "reach", lambda self, event: reach(self, "A" * len(event)))
        async with pilot.subscriber("GBR") as client:
            await first(2, client.watch(regions={"MW"}))
    told: list[Any] = []
    async with Subscriber(client.identity) as client:
        (last,) = await first(1, client.watch(regions={"MW"}, notice=told.append))
    assert last.title == "2"
    assert [what.slug for what in told] == ["bad-cursor"]


async def test_two_clients_on_one_subscription_do_not_fight_for_it(pilot: Pilot) -> None:
    await publish(pilot, *numbered(1, **about("NA")))
    device = pilot.device("GBR", "analyst")
    async with Subscriber(device) as one, Subscriber(device) as other:
        reports = one.watch(regions={"NA"})
        await anext(reports)
        async with anyio.create_task_group() as group:

            async def lose() -> None:
                with refused("replaced"):
                    await anext(reports)
                group.cancel_scope.cancel()

            group.start_soon(lose)
            await first(1, other.watch(regions={"NA"}))


async def test_a_revoked_member_is_told_and_not_kept_waiting(pilot: Pilot) -> None:
    lost = pilot.joins("GBR", "lost", "analyst")
    async with pilot.officer("GBR") as officer:
        await officer.add(lost.keys.card, "analyst", clearance="SECRET")
        await publish(pilot, *numbered(1, **about("BW")))
        async with Subscriber(lost) as client:
            reports = client.watch(regions={"BW"})
            await anext(reports)
            await officer.revoke(lost.kid, "device lost")
            with anyio.fail_after(10), refused("unknown-signer"):
                await anext(reports)
            with refused("unsigned-request", "stands no more"):
                await titles(client.fetch())


async def test_what_the_broker_does_not_know_is_refused_at_once(pilot: Pilot) -> None:
    async with pilot.subscriber("GBR") as client:
        unknown: list[dict[str, Any]] = [{"regions": {"XX"}}, {"threats": {"weather"}}]
        for filters in unknown:
            with refused("unknown-term"):
                await titles(client.fetch(**filters))
            with refused("unknown-term"):
                await anext(client.watch(**filters))
        with refused("bad-fields"):
            await anext(client.watch(precedence={"URGENT"}))


async def test_a_watch_outlives_the_broker(tmp_path: Path, impatient: None) -> None:
    """Stopped, and started again on the same port: the reader does not even notice."""
    pilot = Pilot.laid_out("KEN", "GBR", folder=tmp_path)
    pilot.port = free_port()
    told: list[str] = []
    seen: list[str] = []

    def notice(what: Notable) -> None:
        assert isinstance(what, TearlineError)
        told.append(what.slug)

    with anyio.fail_after(60):
        async with pilot.subscriber("GBR") as client:
            reports = client.watch(notice=notice)
            for title in ("one", "two"):
                with serving(pilot.folder / "broker", port=pilot.port):
                    await publish(pilot, draft(title))
                    seen.append((await anext(reports)).title)
            await reports.aclose()
    assert seen == ["one", "two"]
    assert "stopping" in told or "unreachable" in told


# -- attachments


async def test_attachments_arrive_whole_over_a_link_that_breaks(
    pilot: Pilot, impatient: None
) -> None:
    """9 MB in pieces, up and down; the link lasts for a fraction of a piece, or for two."""
    chance = random.Random(11)
    data = random.Random(1).randbytes(9_000_001)
    file = AttachmentFile.of_bytes("map.bin", data)
    async with Link.over(pilot.doors[0], pilot.port) as link:
        link.up = lambda: chance.choice((1_200_000, 3_000_000))
        async with Publisher(pilot.device("KEN", "system", port=link.port)) as publisher:
            receipt = await publisher.publish(draft(attachments=[file], regions={"GA"}))
        assert link.cuts > 2
        link.up, link.down = unlimited, lambda: chance.choice((900_000, 5_000_000))
        async with Subscriber(pilot.device("GBR", "analyst", port=link.port)) as client:
            received = await client.fetch_one(receipt.report)
            (attachment,) = received.report.portions[0].attachments
            into = io.BytesIO()
            assert await client.attachment(received, attachment, into) == len(data)
            assert into.getvalue() == data
        assert link.cuts > 4


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ({"regions": {"Kenya"}}, "the place `Kenya`; did you mean KE Kenya"),
        ({"threats": {"explosiv"}}, "the threat type `explosiv`; did you mean explosive"),
    ],
)
async def test_a_word_that_the_mission_has_not_is_refused_with_the_one_it_has(
    pilot: Pilot, wanted: dict[str, Any], meant: str
) -> None:
    async with pilot.subscriber("GBR") as subscriber:
        with refused("unknown-term", meant):
            await anext(subscriber.fetch(**wanted))
        with refused("unknown-term", meant):
            await anext(subscriber.watch(**wanted))
