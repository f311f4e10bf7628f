"""A sealed file opens without any network, by what its reader had proven before."""

from collections.abc import Iterator

import anyio
import pytest

from clients.draft import Portion
from clients.identity import Identity
from clients.offline import open_file
from clients.publisher import Publisher
from clients.session import Session
from tests.pilot import PASSPHRASE, Pilot, draft, open_policy
from tests.refusal import refused
from wire.errors import TearlineError
from wire.report import parse

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    policies = {nation: open_policy(nation) for nation in NATIONS}
    with Pilot.of(*NATIONS, folder=tmp_path_factory.mktemp("offline"), policies=policies) as found:
        yield found


async def followed(pilot: Pilot, nation: str, kind: str = "analyst") -> Identity:
    """A device that has followed the mission, and is then on its own."""
    device = pilot.device(nation, kind)
    async with Session(device) as session:
        await session.follower.sync()
    return Identity.load(device.folder, PASSPHRASE)


async def sealed(pilot: Pilot) -> bytes:
    """The whole file as its author keeps it: two portions, one for fewer eyes."""
    below = draft("below", {"GBR", "FRA"})
    portion = Portion(label=below.label, title="below", body="for both")
    one = draft("above", {"GBR"}, classification="SECRET", portions=[portion])
    async with pilot.publisher("KEN") as publisher:
        return (await publisher.seal(one)).raw


async def test_each_nation_opens_its_portions_of_the_same_file(pilot: Pilot) -> None:
    raw, both = await sealed(pilot), ["above", "below"]
    for nation, titles in (("GBR", both), ("FRA", both[1:]), ("KEN", both)):
        opened = open_file(await followed(pilot, nation), raw)
        assert [portion.title for portion in opened.portions] == titles
        assert opened.originator == "KEN"
        assert not opened.closed


async def test_what_was_delivered_opens_as_well(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft())
    async with pilot.subscriber("GBR") as subscriber:
        received = await subscriber.fetch_one(receipt.report)
    opened = open_file(subscriber.identity, received.raw)
    assert (opened.identity, opened.banner) == (received.identity, received.banner)
    for cut in range(1, len(received.raw), 997):
        with refused("bad-envelope"):
            open_file(subscriber.identity, received.raw[:-cut])


async def test_a_file_for_others_is_refused_in_words(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        raw = (await publisher.seal(draft())).raw
    with refused("no-key", "no portion of this file is for FRA"):
        open_file(await followed(pilot, "FRA"), raw)


async def test_who_has_not_followed_its_mission_is_told_to(pilot: Pilot) -> None:
    with refused("no-key", "fetch something first"):
        open_file(pilot.device("GBR", "analyst"), await sealed(pilot))


async def test_who_has_no_seed_reads_nothing(pilot: Pilot) -> None:
    with refused("no-key"):
        open_file(await followed(pilot, "GBR", "auditor"), await sealed(pilot))


async def test_a_changed_file_does_not_open(pilot: Pilot) -> None:
    """Any byte that its reader sees: head, signature, label, records, own wrap, payload."""
    device = await followed(pilot, "GBR")
    whole = parse(await sealed(pilot))
    raw = whole.redacted([p.index for p in whole.portions], "GBR")
    opened = open_file(device, raw)
    for at in range(0, len(raw), len(raw) // 16):
        with pytest.raises(TearlineError):
            open_file(device, raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    assert open_file(device, raw) == opened


async def test_a_portion_that_was_readdressed_is_refused_and_not_left_out(pilot: Pilot) -> None:
    """Expect refusal: whom a portion is for is read from it only after it was verified."""
    device = await followed(pilot, "GBR")
    raw = await sealed(pilot)
    (ours, *_) = (r for p in parse(raw).portions for r in p.records if r.nation == "GBR")
    level = bytes([ours.level])
    with refused("bad-envelope"):
        open_file(device, raw.replace(b"GBR" + level, b"FIN" + level, 1))


async def test_the_signer_must_stand_as_far_as_is_known(pilot: Pilot) -> None:
    """A file from a key that was revoked since: who knows refuses, who does not cannot."""
    newcomer = pilot.joins("KEN", "station", "system")
    async with pilot.officer("KEN") as officer:
        await officer.add(newcomer.keys.card, "system", clearance="SECRET")
        knew = await followed(pilot, "GBR")
        async with Publisher(newcomer) as publisher:
            raw = (await publisher.seal(draft())).raw
        assert open_file(knew, raw).signer == newcomer.kid
        await officer.revoke(newcomer.kid, "lost")
    assert open_file(knew, raw).signer == newcomer.kid
    with refused("unknown-signer"):
        open_file(await followed(pilot, "GBR"), raw)


@pytest.mark.parametrize("raw", [b"", b"TLR1", b"%PDF-1.7", bytes(100_000)])
def test_what_is_no_report_is_refused(pilot: Pilot, raw: bytes) -> None:
    async def device() -> Identity:
        return await followed(pilot, "GBR")

    with refused("bad-envelope"):
        open_file(anyio.run(device), raw)


async def test_opening_writes_nothing(pilot: Pilot) -> None:
    raw, device = await sealed(pilot), await followed(pilot, "GBR")
    before = {p: p.stat().st_mtime_ns for p in device.state.iterdir()}
    assert parse(raw).identity == open_file(device, raw).identity
    assert {p: p.stat().st_mtime_ns for p in device.state.iterdir()} == before
