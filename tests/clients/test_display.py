"""What may only be looked at: shown by a client that declares it, and nowhere after that."""

import gc
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.delivery import Unsupported
from clients.draft import AttachmentFile, Draft
from clients.identity import Identity
from clients.offline import open_file
from clients.received import Received, Unopened
from clients.subscriber import Subscriber
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused
from wire import report

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}
SHOWS = {"DISPLAY", "WATERMARK"}
SECRET = "Seen from the water tower at first light."


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("display")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


def two_parts(place: str) -> Draft:
    """France may keep the first portion, and look at the second."""
    shown = draft("to look at", {"GBR"}, display_to={"FRA"}, regions={place}, body=SECRET)
    return draft("to keep", {"GBR", "FRA"}, regions={place}, portions=[shown])


async def publish(pilot: Pilot, one: Draft) -> tuple[str, bytes]:
    """The report's name, and all its sealed bytes."""
    async with pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(one)
        return receipt.report, receipt.raw


async def first(reports: Any) -> Received:
    async with aclosing(reports) as stream:
        received: Received = await anext(stream)
        return received


def everything_kept(device: Identity) -> bytes:
    """Every byte of the device's folder."""
    return b"".join(p.read_bytes() for p in device.folder.rglob("*") if p.is_file())


@pytest.mark.slow
async def test_what_was_shown_leaves_no_copy_and_the_place_moves_on(pilot: Pilot) -> None:
    """Nothing of it is in the store, in clear or sealed, and it does not come again."""
    name, raw = await publish(
        pilot, draft("only to look", {"GBR"}, display_to={"FRA"}, regions={"KM"}, body=SECRET)
    )
    (portion,) = report.parse(raw).portions
    device = pilot.device("FRA", "analyst")
    async with Subscriber(device, keeps=SHOWS) as client:
        shown = await first(client.watch(regions={"KM"}))
        assert (shown.body, shown.proof.use) == (SECRET, "display")
        assert (shown.raw, shown.may_keep) == (b"", frozenset())
        assert f"report:{name}" not in client.store
        assert [r.title async for r in client.fetch(regions={"KM"})] == [], "it was shown"
        assert not client._verified, "nor is it kept in memory"
        del shown
        gc.collect()
        assert not [o for o in gc.get_objects() if isinstance(o, Received)]
    left = everything_kept(device)
    wrap = next(w for i, w in portion.wraps.items() if portion.records[i].nation == "FRA")
    for piece in (SECRET.encode(), portion.payload[:64], wrap[:64], raw[:64]):
        assert piece not in left
    async with Subscriber(device, keeps=SHOWS) as client:
        with anyio.move_on_after(0.5):
            raise AssertionError(await first(client.watch(regions={"KM"})))


@pytest.mark.slow
async def test_of_two_portions_only_the_one_to_keep_is_kept(pilot: Pilot) -> None:
    name, _ = await publish(pilot, two_parts("MG"))
    device = pilot.device("FRA", "analyst")
    async with Subscriber(device, keeps=SHOWS) as client:
        found = await first(client.watch(regions={"MG"}))
        assert {p.title for p in found.report.portions} == {"to keep", "to look at"}
        kept = client.store.get(f"report:{name}")
    assert kept == found.raw
    assert kept is not None
    assert [p.index for p in report.parse(kept).portions] == list(found.may_keep)
    assert [p.title for p in open_file(device, kept).portions] == ["to keep"]


@pytest.mark.slow
async def test_a_client_that_declares_nothing_is_told_and_reads_the_rest(pilot: Pilot) -> None:
    name, _ = await publish(pilot, two_parts("MU"))
    only, _ = await publish(
        pilot, draft("only to look", {"GBR"}, display_to={"FRA"}, regions={"MU"})
    )
    told: list[Any] = []
    async with pilot.subscriber("FRA") as client:
        found = await first(client.watch(regions={"MU"}, notice=told.append))
        assert [p.title for p in found.report.portions] == ["to keep"]
        assert found.proof.use == "release"
        fetched = [r async for r in client.fetch(regions={"MU"}, again=True, notice=told.append)]
        assert [p.title for r in fetched for p in r.report.portions] == ["to keep"]
        with refused("obligation-unsupported", "DISPLAY"):
            await client.fetch_one(only)
    assert {(what.report, what.lacks) for what in told if isinstance(what, Unsupported)} == {
        (name, ("DISPLAY",)),
        (only, ("DISPLAY",)),
    }
    async with Subscriber(client.identity, keeps=SHOWS) as client:
        seen = [r async for r in client.fetch(regions={"MU"})]
    assert {r.identity for r in seen} == {name, only}, "another declaration has its own place"


@pytest.mark.slow
async def test_the_client_checks_again_what_a_broker_hands_out(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is not trusted to enforce: here it is told more than the client keeps."""
    name, _ = await publish(pilot, draft("not for it", {"GBR"}, display_to={"FRA"}, regions={"SC"}))
    mixed, _ = await publish(pilot, two_parts("SC"))
    monkeypatch.setattr(Subscriber, "_keeps", ["DISPLAY", "WATERMARK"])
    told: list[Any] = []
    async with pilot.subscriber("FRA") as client:
        (found,) = [r async for r in client.fetch(regions={"SC"}, notice=told.append)]
        assert (found.identity, [p.title for p in found.report.portions]) == (mixed, ["to keep"])
        assert [c.reason.slug for c in found.report.closed] == ["obligation-unsupported"]
        assert [p.index for p in report.parse(found.raw).portions] == list(found.may_keep)
        with refused("obligation-unsupported", "DISPLAY"):
            await client.fetch_one(name)
    (unopened,) = told
    assert isinstance(unopened, Unopened)
    assert (unopened.identity, unopened.reason.slug) == (name, "obligation-unsupported")


@pytest.mark.slow
async def test_a_file_is_a_copy_so_none_is_made_of_what_is_only_shown(
    pilot: Pilot, tmp_path: Path
) -> None:
    photo = AttachmentFile.of_bytes("photo.png", b"a picture", "image/png")
    one = draft("with a picture", {"GBR"}, display_to={"FRA"}, regions={"DJ"}, attachments=[photo])
    name, _ = await publish(pilot, one)
    for nation, kept in (("GBR", True), ("FRA", False)):
        async with pilot.subscriber(nation, keeps=SHOWS) as client:
            found = await client.fetch_one(name)
            (attachment,) = found.report.portions[0].attachments
            with (tmp_path / nation).open("w+b") as into:
                if kept:
                    assert await client.attachment(found, attachment, into) == len(b"a picture")
                else:
                    with refused("obligation-unsupported", "copy"):
                        await client.attachment(found, attachment, into)
                    assert into.seek(0, 2) == 0


@pytest.mark.slow
async def test_a_file_that_travelled_opens_only_where_its_duties_are_kept(pilot: Pilot) -> None:
    one = draft("as a file", {"GBR"}, display_to={"FRA"}, obligations={"NO PRINT"}, regions={"ER"})
    _, raw = await publish(pilot, one)
    device = pilot.device("FRA", "analyst")
    async with Subscriber(device) as client:
        await client.follower.sync()
    for keeps in ((), ("DISPLAY",), ("NO PRINT",)):
        with refused("obligation-unsupported"):
            open_file(device, raw, keeps=keeps)
    assert open_file(device, raw, keeps=("DISPLAY", "NO PRINT")).title == "as a file"


@pytest.mark.slow
async def test_auditors_of_both_sides_tell_what_was_shown_from_what_was_released(
    tmp_path: Path,
) -> None:
    with Pilot.of(*NATIONS, folder=tmp_path, policies=POLICIES) as pilot:
        await publish(pilot, two_parts("UG"))
        await publish(pilot, draft("only to look", {"GBR"}, display_to={"FRA"}, regions={"UG"}))
        await publish(pilot, draft("to keep", {"FRA"}, regions={"UG"}))
        async with pilot.subscriber("FRA", keeps=SHOWS) as client:
            assert len([r async for r in client.fetch()]) == 3
        for nation in ("KEN", "FRA"):
            async with pilot.auditor(nation) as auditor:
                verdict = await auditor.verify()
            assert verdict.findings == ()
            assert verdict.shared[("KEN", "FRA")] == 3
            assert verdict.shown == {("KEN", "FRA"): 2}
