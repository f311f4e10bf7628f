"""Attacks on the journal, by its operator and by who has its disk. Expect refusal.

The numbers are those of the attack list; 97 and what concerns statements is in `test_key_attacks`.
What a journal alone can be made to say is tried in `tests/broker/test_journal_tampering.py`; here
the whole broker starts on it, and the clients of nations look at it.
"""

import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.settings import Limits
from clients.auditor import Auditor
from clients.identity import Identity
from clients.publisher import Publisher
from clients.subscriber import Subscriber
from tests.broker.house import House
from tests.broker.server import Running, serving
from tests.coalition import Clock, Coalition
from tests.pilot import Pilot, draft, free_port, open_policy
from tests.refusal import refused
from wire.base64_strict import decode, encode
from wire.evidence import Evidence
from wire.merkle import leaf_hash, verify_inclusion
from wire.notes import (
    ED25519_COSIGNATURE,
    Checkpoint,
    Ed25519Signer,
    MLDSA44Signer,
    VKey,
    open_checkpoint,
    signature_line,
)
from wire.prove import verify_entry

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR")


# -- 90 to 92: what a client that follows the log is shown


@pytest.fixture
def pilot(tmp_path: Path) -> Pilot:
    """A kit whose broker always answers under the same address, whichever copy of it runs."""
    policies = {nation: open_policy(nation) for nation in NATIONS}
    pilot = Pilot.laid_out(*NATIONS, folder=tmp_path, policies=policies, witnesses=())
    pilot.port = free_port()
    return pilot


@contextmanager
def running(pilot: Pilot, copy: str = "broker", clock: Any = time.time) -> Iterator[Running]:
    with serving(pilot.folder / copy, clock, port=pilot.port) as server:
        yield server


def copied(pilot: Pilot, to: str) -> None:
    """Everything that the operator has, as it is now."""
    shutil.copytree(pilot.folder / "broker", pilot.folder / to)


async def test_90_without_fresh_keys_nothing_is_sealed_stale_epoch(pilot: Pilot) -> None:
    """A broker that holds back new epochs, or nations that open none: after at most 14 days a
    client has no key to seal to, and says whose is missing; nobody is skipped.
    """
    clock = Clock(int(time.time()))
    system = pilot.device("KEN", "system")
    with running(pilot, clock=clock) as server:
        async with Publisher(system, clock=clock) as publisher:
            await publisher.publish(draft())
            size = checkpoint(server).size
            clock.forward(days=14)
            with refused("stale-epoch", r"not sealed, for want of keys: GBR .*; KEN "):
                await publisher.publish(draft())
        assert checkpoint(server).size == size, "nothing was posted"


def checkpoint(server: Running) -> Checkpoint:
    note = server.ask("GET /v1/log/checkpoint").body.decode()
    return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")


async def test_91_an_older_history_than_the_one_seen_is_refused_fork_detected(
    pilot: Pilot,
) -> None:
    """The operator puts everything back, his anchor with it, and the broker notices nothing.

    No client here warns of a checkpoint by its age, as the list wants: it carries no time, and the
    one beside it is the broker's own word. A history that stands still is bounded by 90.
    """
    analyst, auditor = pilot.device("GBR", "analyst"), pilot.device("KEN", "auditor")
    with running(pilot):
        pass
    copied(pilot, "older")
    with running(pilot):
        async with Publisher(pilot.device("KEN", "system")) as publisher:
            for _ in range(2):
                await publisher.publish(draft())
        assert len(await received(analyst)) == 2
        async with Auditor(auditor) as session:
            await session.verify()
    with running(pilot, "older") as server:
        assert server.ask("GET /readyz").status == 200, "the broker itself cannot know"
        with refused("fork-detected"):
            await received(analyst)
        with refused("fork-detected"):
            async with Auditor(auditor) as session:
                await session.verify()


async def received(identity: Identity) -> list[str]:
    async with Subscriber(identity) as subscriber:
        return [one.identity async for one in subscriber.fetch(again=True)]


async def test_92_a_second_history_stops_the_client_with_proof_fork_detected(pilot: Pilot) -> None:
    """Two trees, both signed by the log: whoever has the two notes can show them to everybody."""
    copied(pilot, "second")
    analyst, system = pilot.device("GBR", "analyst"), pilot.device("KEN", "system")
    with running(pilot) as server:
        assert await received(analyst) == []
        async with Publisher(system) as publisher:
            await publisher.follower.sync()
        first = checkpoint(server)
    with running(pilot, "second") as server:
        second = checkpoint(server)
        assert (second.size, second.origin) == (first.size, first.origin)
        async with Publisher(system) as publisher:
            with refused("fork-detected"):
                await publisher.publish(draft())
        assert checkpoint(server) == second, "nothing was posted to it"
        async with Publisher(pilot.device("KEN", "system")) as newcomer:
            await newcomer.publish(draft())
        for _ in range(2):  # it is longer now; and nobody gets used to it
            with refused("fork-detected", r"fork-\d+\.json in the state folder"):
                await received(analyst)
    check_proof_of_fork(system, "two different trees")
    check_proof_of_fork(analyst, "no proof")
    with running(pilot):  # the true history has gone on, and is still believed
        assert await received(analyst) == []


def check_proof_of_fork(identity: Identity, what: str) -> None:
    """A plain file with two checkpoints that the log signed and no one history has."""
    (path,) = identity.state.glob("fork-*.json")
    proof = json.loads(path.read_bytes())
    keys = [VKey.parse(key) for key in identity.log_keys]
    seen, shown = (open_checkpoint(proof[which], keys).checkpoint for which in ("seen", "shown"))
    assert seen.root != shown.root
    assert what in proof["what"]


# -- 93: proofs


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Told:
    """A broker's history, and what it gave out as proof."""

    folder: Path
    world: Coalition
    log_key: VKey
    releases: Sequence[Evidence]
    leaves: Sequence[bytes]
    trees: Mapping[int, bytes]
    """Roots of all trees that were signed, by their size."""
    proofs: Mapping[tuple[int, int], Sequence[bytes]]
    """By index and size."""


@pytest.fixture(scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What a broker told before it was stopped."""
    folder = tmp_path_factory.mktemp("told")
    async with House.of(*NATIONS, folder=folder) as house:
        kenya, analyst, journal = house["KEN"], house["GBR"].analyst, house.broker.journal
        releases, trees = [], {}
        for _ in range(3):
            receipt = await house.submits(kenya.seals(release_to="GBR"))
            releases.append((await house.fetches(analyst, receipt.report)).evidence)
            tree = open_checkpoint(journal.checkpoint, [house.log_key]).checkpoint
            trees[tree.size] = tree.root
        return Told(
            house.folder,
            house.world,
            house.log_key,
            releases,
            [await journal.leaf(index) for index in range(journal.size)],
            trees,
            {(i, n): await journal.inclusion(i, n) for n in trees for i in range(n)},
        )


async def test_93_a_proof_for_another_leaf_or_size_is_refused_bad_proof(told: Told) -> None:
    """Each proof against each tree that was signed. A root says nothing of its size, so what counts
    is that both come from one signed checkpoint.
    """
    for (index, size), proof in told.proofs.items():
        hashed = leaf_hash(told.leaves[index])
        verify_inclusion(index, size, hashed, proof, told.trees[size])
        for other, root in told.trees.items():
            if other != size:
                with refused("bad-proof"):
                    verify_inclusion(index, other, hashed, proof, root)
        near = [i for i in (index - 1, index + 1) if 0 <= i < size]
        for other in near:
            with refused("bad-proof"):
                verify_inclusion(other, size, hashed, proof, told.trees[size])
            with refused("bad-proof"):
                leaf = leaf_hash(told.leaves[other])
                verify_inclusion(index, size, leaf, proof, told.trees[size])


async def test_93_evidence_that_is_put_together_from_two_entries_is_refused(told: Told) -> None:
    """What a lying broker could send a reader in place of an entry that it did not write."""
    one, other, _ = told.releases
    keys = [told.log_key]
    assert verify_entry(one, keys, "GBR").index == one.index
    fields, theirs = one.model_dump(mode="json"), other.model_dump(mode="json")
    expected = {
        **dict.fromkeys(("index", "leaf", "proof", "checkpoint"), "bad-proof"),
        **dict.fromkeys(("link", "opening", "view", "view_opening"), "broken-chain"),
    }
    for name, slug in expected.items():
        assert theirs[name] != fields[name]
        with refused(slug):
            verify_entry(changed(fields, **{name: theirs[name]}), keys, "GBR")
    for erased in ({"view": None}, {"view_opening": None}, {"slot": (one.slot + 1) % 4}):
        with refused("broken-chain"):
            verify_entry(changed(fields, **erased), keys, "GBR")
    with refused("broken-chain"):
        verify_entry(one, keys, "KEN")
    stranger = Ed25519Signer(told.log_key.name, bytes(32))
    with refused("bad-checkpoint"):
        verify_entry(one, [stranger.vkey], "GBR")


def changed(fields: Mapping[str, Any], **changes: Any) -> Evidence:
    return Evidence.model_validate_json(json.dumps({**fields, **changes}))


# -- 94 and 96: the disk


@pytest.fixture
async def house(told: Told, tmp_path: Path) -> AsyncIterator[House]:
    """That broker's house, closed: what somebody with the disk has before him."""
    shutil.copytree(told.folder, tmp_path / "broker")
    house = House(told.world.copy(), tmp_path / "broker", Limits())
    yield house
    if hasattr(house, "broker"):
        await house.broker.close()


async def test_94_a_restored_backup_is_not_served_rollback_detected(
    house: House, tmp_path: Path
) -> None:
    """The newest checkpoint is kept apart from the database, so an honest operator who restores
    an old copy of it is stopped too.
    """
    data, backup = house.folder / "data", tmp_path / "backup"
    shutil.copytree(data, backup)
    await house.opens()
    await house.submits(house["KEN"].seals(release_to="GBR", report_id="94" * 16))
    await house.broker.close()
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    with refused("rollback-detected"):
        await house.opens()


async def test_94_a_database_without_its_anchor_or_at_its_beginning_is_not_served(
    house: House,
) -> None:
    anchor = house.folder / "anchor/checkpoint"
    text = anchor.read_text()
    anchor.unlink()
    with refused("rollback-detected", "missing"):
        await house.opens()
    anchor.write_text(text)
    shutil.rmtree(house.folder / "data")  # the genesis statements would found it all anew
    with refused("rollback-detected"):
        await house.opens()


FORGERIES = {
    "untouched": (),
    "edited": ("UPDATE view SET body = CAST(replace(body, 'GBR', 'FRA') AS BLOB)",),
    "edited leaf": ("UPDATE entry SET leaf = zeroblob(34) WHERE idx = {accepted}",),
    "edited report": ("UPDATE report SET raw = x'00' WHERE idx = {accepted}",),
    "edited release": ("UPDATE release SET nation = 'KEN'",),
    "edited statement": ("UPDATE statement SET raw = x'00' WHERE idx = 0",),
    "deleted": ("DELETE FROM release WHERE report_idx = {accepted}",),
    "deleted entry": ("DELETE FROM entry WHERE idx = {accepted}",),
    "deleted end": (
        "DELETE FROM link WHERE at >= {accepted} * 256",
        "DELETE FROM view WHERE at >= {accepted} * 256",
        "DELETE FROM entry WHERE idx >= {accepted}",
        "DELETE FROM head WHERE size > {accepted}",
        "DELETE FROM report WHERE idx >= {accepted}",
        "DELETE FROM release WHERE idx >= {accepted}",
    ),
    "reordered": (
        "UPDATE report SET idx = -1 WHERE idx = {accepted}",
        "UPDATE report SET idx = {accepted} WHERE idx = {next}",
        "UPDATE report SET idx = {next} WHERE idx = -1",
    ),
    "inserted": (
        "INSERT INTO release SELECT report_idx, 'KEN', portion, idx FROM release LIMIT 1",
    ),
    "inserted entry": ("INSERT INTO entry SELECT max(idx) + 1, leaf, hashes, rows FROM entry",),
}
"""What somebody with an SQLite shell writes, by what he wants."""


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_96_a_forged_row_stops_the_start_journal_damaged(house: House, forgery: str) -> None:
    database = house.folder / "data/journal.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as shell:
        accepted = [idx for (idx,) in shell.execute("SELECT idx FROM report ORDER BY idx")]
        for statement in FORGERIES[forgery]:
            sql = statement.format(accepted=accepted[-2], next=accepted[-1])
            assert shell.execute(sql).rowcount > 0, sql
    if forgery == "untouched":
        await house.opens()
        return
    slug = "rollback-detected" if forgery == "deleted end" else "journal-damaged"
    with refused(slug):
        await house.opens()


# -- 95: witnesses


WITNESSES = {
    name: Ed25519Signer(f"{name}.example/witness", name.encode() * 8, ED25519_COSIGNATURE)
    for name in ("kena", "gbra", "fraa", "sena")
}
QUORUM = 2


def confirmed(note: str, log_key: VKey, witnesses: Sequence[VKey]) -> bool:
    """What a charter's quorum asks for. No client of this version does: they take what the log
    alone has signed, and say so in the threat model.
    """
    return len(open_checkpoint(note, [log_key], witnesses).cosigned_by) >= QUORUM


async def test_95_below_the_quorum_nothing_is_confirmed(told: Told) -> None:
    """The log's own signature, strangers, and half a witness do not count as witnesses."""
    note, now = told.releases[-1].checkpoint or "", told.world.clock.now
    tree = open_checkpoint(note, [told.log_key]).checkpoint
    kena, gbra, fraa, sena = WITNESSES.values()
    both = MLDSA44Signer(fraa.vkey.name, bytes(32))
    named = [kena.vkey, gbra.vkey, fraa.vkey, both.vkey]
    assert not confirmed(note, told.log_key, named)
    lines = {s.vkey.name: signature_line(tree, s, now) for s in (kena, gbra, fraa, sena)}
    one = note + lines[kena.vkey.name]
    assert not confirmed(one, told.log_key, named)
    assert not confirmed(one + lines[sena.vkey.name], told.log_key, named), "nobody's witness"
    assert not confirmed(one + lines[fraa.vkey.name], told.log_key, named), "one of its two keys"
    assert confirmed(one + lines[gbra.vkey.name], told.log_key, named)
    full = lines[fraa.vkey.name] + signature_line(tree, both, now)
    assert confirmed(one + full, told.log_key, named)


async def test_95_a_false_cosignature_spoils_the_note_bad_checkpoint(told: Told) -> None:
    """Better than not counting it: who is shown one knows that somebody is lying."""
    note, now = told.releases[-1].checkpoint or "", told.world.clock.now
    tree = open_checkpoint(note, [told.log_key]).checkpoint
    kena, gbra, *_ = WITNESSES.values()
    honest = note + signature_line(tree, kena, now)
    renamed = Ed25519Signer(gbra.vkey.name, bytes(32), ED25519_COSIGNATURE)
    forged = encode(gbra.vkey.id + decode(signature_line(tree, renamed, now).split()[-1])[4:])
    older = Checkpoint(tree.origin, tree.size - 1, tree.root)
    for line in (
        f"\u2014 {gbra.vkey.name} {forged}\n",
        signature_line(older, gbra, now),
        signature_line(tree, kena, now),  # a second time
    ):
        with refused("bad-checkpoint"):
            confirmed(honest + line, told.log_key, [kena.vkey, gbra.vkey])
