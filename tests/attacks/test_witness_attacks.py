"""Attacks on the one history, by its operator and by witnesses. Expect refusal.

The operator has the log's key and runs two copies of his broker, each for half of the nations.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.auditor import Auditor
from clients.identity import Identity
from clients.witness import attend, bring
from clients.witness.bring import Brought
from clients.witness.folder import WitnessFolder
from clients.witness.remote import RemoteWitness
from tests.broker.server import Running, serving
from tests.clients.witness.serving import listening
from tests.pilot import PASSPHRASE, Pilot, draft
from tests.refusal import refused
from wire.notes import VKey, open_checkpoint
from wire.strict_json import parse

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA", "SEN")


@dataclass
class Split:
    """Two histories of one mission, and the addresses at which they are served."""

    pilot: Pilot
    one: Running
    other: Running

    def auditor(self, nation: str, side: Running) -> Identity:
        """A nation's auditor, with its witness, as it meets one of the histories."""
        return self.pilot.device(nation, "auditor", port=side.port)


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Split]:
    pilot = Pilot.laid_out(*NATIONS, folder=tmp_path)
    with serving(pilot.folder / "broker"):
        pass  # the beginning is common to both
    shutil.copytree(pilot.folder / "broker", pilot.folder / "second")
    with serving(pilot.folder / "broker") as one, serving(pilot.folder / "second") as other:
        yield Split(pilot, one, other)


def moved(identity: Identity, to: Running) -> Identity:
    """The same auditor, with all that it has seen, led to the other history."""
    text = (identity.folder / "identity.json").read_text()
    told = text.replace(identity.broker, f"http://127.0.0.1:{to.port}")
    (identity.folder / "identity.json").write_text(told)
    return Identity.load(identity.folder, PASSPHRASE)


async def looks(identity: Identity) -> Brought:
    """One look of a nation's witness."""
    async with Auditor(identity) as session:
        brought = await attend.once(session)
    assert brought is not None
    return brought


async def diverge(split: Split) -> None:
    """Each history gets a report that the other does not have."""
    for side, title in ((split.one, "For the one half"), (split.other, "For the other")):
        split.pilot.port = side.port
        async with split.pilot.publisher("KEN") as publisher:
            await publisher.publish(draft(title))


async def test_a_split_view_is_confirmed_on_one_side_at_most(split: Split) -> None:
    """Four witnesses, one of whom colludes and signs both: quorum three."""
    await diverge(split)
    for nation in ("KEN", "GBR", "SEN"):
        told = await looks(split.auditor(nation, split.one))
    assert told.confirmed
    for nation in ("FRA", "SEN"):
        told = await looks(split.auditor(nation, split.other))
    assert (told.witnesses, told.confirmed) == (2, False)
    assert split.other.ask("GET /v1/log/checkpoint").status == 404
    async with Auditor(split.auditor("FRA", split.other)) as session:
        assert await session.confirmed() is None, "who is lied to sees that nothing is confirmed"


async def test_a_witness_led_to_the_other_history_signs_nothing_and_keeps_the_proof(
    split: Split,
) -> None:
    """Within one look: also if its auditor has forgotten all, for the witness has not."""
    await diverge(split)
    identity = split.auditor("KEN", split.one)
    await looks(identity)
    for forgetful in (False, True):
        if forgetful:
            shutil.rmtree(identity.state)
        with refused("fork-detected"):
            await looks(moved(identity, split.other))
        check_proof(identity)


def check_proof(identity: Identity) -> None:
    """Two notes that the log signed, of trees that are not one history."""
    path = next(iter(identity.state.glob("fork-*.json")))
    told = parse(path.read_bytes(), prose=True)
    assert isinstance(told, dict)
    notes = [str(told[side]) for side in ("seen", "shown")]
    keys = [VKey.parse(key) for key in identity.log_keys]
    one, other = (open_checkpoint(note, keys).checkpoint for note in notes)
    assert (one.size, one.root) != (other.size, other.root)


async def test_the_head_of_a_witness_in_the_other_history_is_a_fork(split: Split) -> None:
    """How two halves that the operator keeps apart find out: by asking one another's witnesses."""
    await diverge(split)
    theirs, ours = split.auditor("FRA", split.other), split.auditor("KEN", split.one)
    await looks(theirs)
    home = attend.home_of(theirs)
    assert home is not None
    with listening(WitnessFolder.load(home)) as port:
        async with RemoteWitness(f"http://127.0.0.1:{port}") as there:
            async with Auditor(theirs) as session:
                assert await bring.compare_with(session, there) is not None
            async with Auditor(ours) as session:
                await session.follower.sync()
                with refused("fork-detected"):
                    await bring.compare_with(session, there)
            check_proof(ours)


async def test_a_witness_elsewhere_refuses_the_other_history(split: Split) -> None:
    """Whoever brings it: the witness knows what it cosigned."""
    await diverge(split)
    theirs, ours = split.auditor("FRA", split.other), split.auditor("KEN", split.one)
    home = attend.home_of(ours)
    assert home is not None
    with listening(WitnessFolder.load(home)) as port:
        async with RemoteWitness(f"http://127.0.0.1:{port}") as there:
            async with Auditor(ours) as session:
                assert (await bring.bring(session, there.add_checkpoint)).witnesses == 1
                assert (await bring.bring(session, there.add_checkpoint)).witnesses == 1
            async with Auditor(theirs) as session:
                with refused("fork-detected"):
                    await bring.bring(session, there.add_checkpoint)


async def test_a_rolled_back_journal_is_found_by_the_witness(tmp_path: Path) -> None:
    """The operator puts everything back, his anchor with it: the witness is ahead of him."""
    pilot = Pilot.laid_out(*NATIONS, folder=tmp_path)
    with serving(pilot.folder / "broker"):
        pass
    shutil.copytree(pilot.folder / "broker", pilot.folder / "older")
    with serving(pilot.folder / "broker") as newer:
        pilot.port = newer.port
        async with pilot.publisher("KEN") as publisher:
            for _ in range(3):
                await publisher.publish(draft())
        identity = pilot.device("KEN", "auditor")
        await looks(identity)
    shutil.rmtree(identity.state)
    with serving(pilot.folder / "older") as older, refused("fork-detected"):
        await looks(moved(identity, older))
