"""Attacks by whoever has a key that a witness had, and how a nation gets rid of it.

Four nations, quorum three, a real broker. Expect refusal.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.auditor import Auditor
from clients.identity import Identity
from clients.publisher import Publisher
from clients.witness import attend, folder
from clients.witness.bring import Brought
from clients.witness.folder import BEFORE_FILE, KEY_FILE, WitnessFolder, WitnessKeys
from tests.cli.terminal import here
from tests.pilot import PASSPHRASE, Pilot, draft
from tests.refusal import refused
from wire.notes import Checkpoint, signature_line

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA", "SEN")


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Pilot]:
    with Pilot.of(*NATIONS, folder=tmp_path) as running:
        yield running


def home(pilot: Pilot, nation: str = "KEN") -> Path:
    return pilot.folder / nation / "auditor/witness"


async def looks(pilot: Pilot, *nations: str) -> Brought:
    """One look of each nation's witness, as its auditor runs it."""
    brought = None
    for nation in nations:
        identity = Identity.load(pilot.folder / nation / "auditor", PASSPHRASE)
        async with Auditor(identity) as session:
            brought = await attend.once(session)
    assert brought is not None
    return brought


async def publishes(pilot: Pilot) -> int:
    async with pilot.publisher("KEN") as publisher:
        return (await publisher.publish(draft())).index


async def replace_keys(pilot: Pilot, nation: str = "KEN") -> int:
    """Give a nation's witness new keys, and let its root say so; gives the statement's entry."""
    keys = folder.renew(home(pilot, nation), os.urandom(folder.SEED)).keys
    return await sets(pilot, nation, *keys.vkeys)


async def sets(pilot: Pilot, nation: str, *keys: str) -> int:
    root = Identity.load(pilot.folder / nation / "root", PASSPHRASE).root
    async with pilot.officer(nation) as officer:
        (spoken,) = await officer.set_witness(keys, [root])
    return spoken.index


async def test_a_stolen_key_confirms_nothing_once_it_is_replaced(pilot: Pilot) -> None:
    """The thief and one colluding witness would have been enough with one honest one."""
    stolen = WitnessFolder.load(home(pilot)).keys
    at = await replace_keys(pilot)
    told = await looks(pilot, "GBR", "FRA")
    assert told.size > at
    assert told.witnesses == 2
    assert pilot.server is not None
    note = pilot.server.ask("GET /v1/log/candidate").body.decode()
    tree = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
    lines = "".join(signature_line(tree, one, 1_790_000_000) for one in stolen.signers)
    async with Auditor(pilot.device("SEN", "auditor")) as session:
        answer = await session.transport.send(
            "POST", "/v1/log/cosignatures", (note + lines).encode(), "text/plain; charset=utf-8"
        )
    assert b'"witnesses":2' in answer.body.replace(b" ", b"")
    assert pilot.server.ask("GET /v1/log/checkpoint").status == 404


async def test_new_keys_count_and_the_old_ones_may_be_destroyed(pilot: Pilot) -> None:
    await replace_keys(pilot)
    (home(pilot) / BEFORE_FILE).unlink()
    await looks(pilot, "KEN", "GBR")
    assert (await looks(pilot, "FRA")).confirmed
    async with Publisher(pilot.device("SEN", "system")) as publisher:
        confirmed = await publisher.confirmed()
        assert confirmed is not None
        assert set(confirmed.cosigned_by) == {
            WitnessFolder.load(home(pilot, n)).keys.name for n in ("KEN", "GBR", "FRA")
        }
        again = publisher.last_confirmed()
        assert again is not None
        assert again.note == confirmed.note


async def test_what_waits_while_keys_are_replaced_is_completed_by_the_old_ones(
    pilot: Pilot,
) -> None:
    """The witness cosigns with both, so no tree is left behind."""
    await looks(pilot, "GBR")  # the candidate is a tree from before
    at = await replace_keys(pilot)
    told = await looks(pilot, "KEN", "FRA")
    assert told.confirmed
    assert told.size <= at
    await publishes(pilot)
    told = await looks(pilot, "GBR", "FRA", "KEN")
    assert told.confirmed
    assert told.size > at


async def test_a_client_that_lags_follows_first_and_says_nothing_false(pilot: Pilot) -> None:
    """It knew the old keys when it was last here; a thief's quorum does not impress it."""
    async with Publisher(pilot.device("SEN", "system")) as lagging:
        await lagging.follower.sync()
        await replace_keys(pilot)
        await looks(pilot, "KEN", "GBR", "FRA")
        confirmed = await lagging.confirmed()
        assert confirmed is not None
        assert len(confirmed.cosigned_by) == 3
        assert lagging.follower.complete_to >= confirmed.checkpoint.size


async def test_a_lost_key_is_replaced_by_a_witness_made_anew(pilot: Pilot, tmp_path: Path) -> None:
    name = WitnessFolder.load(home(pilot)).keys.name
    logs = [str(key) for keys in WitnessFolder.load(home(pilot)).logs.values() for key in keys]
    folder.create(tmp_path / "anew", WitnessKeys(name, b"new" * 21 + b"!"), logs)
    await sets(pilot, "KEN", WitnessFolder.load(tmp_path / "anew").keys.vkeys[1])
    for file in (KEY_FILE, "witness.json"):
        (home(pilot) / file).write_bytes((tmp_path / "anew" / file).read_bytes())
    assert (await looks(pilot, "KEN", "GBR", "FRA")).confirmed


async def test_no_nation_replaces_the_keys_of_another(pilot: Pilot) -> None:
    """Expect refusal: neither with the other's keys, nor by the other's root."""
    with refused("bad-statement", "cosign, with the name"):
        await sets(pilot, "GBR", *WitnessFolder.load(home(pilot)).keys.vkeys)
    root = Identity.load(pilot.folder / "KEN/root", PASSPHRASE).root
    async with pilot.officer("GBR") as officer:
        with refused("unknown-signer"):
            await officer.set_witness(WitnessFolder.load(home(pilot, "GBR")).keys.vkeys, [root])


def test_a_nation_replaces_its_keys_by_two_commands(pilot: Pilot) -> None:
    kit = pilot.folder / "KEN"
    officer = kit / "officer"
    made = here("witness", "renew", home(pilot), "--json").done().row
    assert made["vkeys"] == list(WitnessFolder.load(home(pilot)).keys.vkeys)
    words = ("nation", "witness", "--from", home(pilot))
    said = here(*words, "--as", officer)
    assert (said.code, said.err.count("\n"), "--root" in said.err) == (1, 1, True)
    told = here(*words, "--root", kit / "root", "--yes", "--json", "--as", officer).done().row
    assert told["type"] == "witness.set"
    rows = here("nation", "witness", "--json", "--as", officer).done().rows
    ours = [(r["kind"], r["since"], r["until"]) for r in rows if r["nation"] == "KEN"]
    at = told["index"]
    assert ours == [
        ("Ed25519", None, at),
        ("ML-DSA-44", None, at),
        ("Ed25519", at, None),
        ("ML-DSA-44", at, None),
    ]
    shown = here("nation", "witness", "--as", officer).done().out
    assert "4 witnesses; 3 make a quorum" in shown
    assert f"from entry {at} on" in shown
