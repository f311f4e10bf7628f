"""What a start finds: a crash loses nothing acknowledged, a rollback is never served."""

import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker.journal_world import SIGNER, World, records, report, root_of, some_batches
from wire.errors import BrokerFault
from wire.merkle import verify_consistency
from wire.notes import Checkpoint, Ed25519Signer, sign_checkpoint

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


# -- one process at a time


async def test_a_second_journal_in_the_same_process_is_refused(world: World) -> None:
    async with world.journal() as journal:
        await world.cannot_open("locked")
        await journal.append(records(1, 1))
    async with world.journal():
        pass


@pytest.mark.slow
async def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(world: World) -> None:
    with writer(world, seed=1) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("open")
        await world.cannot_open("locked")
    async with world.journal():
        pass


async def test_a_refused_start_lets_the_next_one_in(world: World) -> None:
    await world.write([records(1, 2)])
    for _ in range(2):
        await world.cannot_open("journal-damaged", secret=bytes(32))
    async with world.journal():
        pass


async def test_a_file_that_is_no_journal_is_refused(world: World) -> None:
    world.database.write_bytes(b"not a database, but long enough to be looked at" * 99)
    await world.cannot_open("journal-damaged", "SQLITE_NOTADB")


async def test_a_schema_that_is_not_text_is_refused(world: World) -> None:
    """SQLite quotes it in its error, and Python cannot read the error."""
    await world.write([records(1, 1)])
    data = world.database.read_bytes()
    data = data.replace(b"CREATE TABLE view", b"REATE  TABLE view")
    world.database.write_bytes(data.replace(b"tableviewview", b"tablevi\xd2wview"))
    await world.cannot_open("journal-damaged", "not UTF-8")


async def test_a_folder_that_is_not_there_is_refused(world: World) -> None:
    shutil.rmtree(world.data)
    await world.cannot_open("journal-stopped", "FileNotFoundError")


# -- the anchor


async def test_the_anchor_is_the_newest_checkpoint_before_the_caller_is_told(
    world: World,
) -> None:
    async with world.journal() as journal:
        assert world.anchor.read_text() == journal.checkpoint
        for batch in some_batches(seed=1, batches=3):
            await journal.append(batch)
            assert world.anchor.read_text() == journal.checkpoint


async def test_a_database_copied_back_is_refused(world: World, tmp_path: Path) -> None:
    await world.write(some_batches(seed=1, batches=3))
    shutil.copytree(world.data, tmp_path / "backup")
    await world.write(some_batches(seed=2, batches=1))
    shutil.rmtree(world.data)
    shutil.copytree(tmp_path / "backup", world.data)
    await world.cannot_open("rollback-detected", "but the anchor has")


async def test_a_database_that_vanished_is_refused(world: World) -> None:
    await world.write([records(1, 2)])
    world.database.unlink()
    await world.cannot_open("rollback-detected", "0 entries, but the anchor has 3")


async def test_newest_rows_that_vanished_with_their_checkpoint_are_refused(world: World) -> None:
    """The rows that are left fit together perfectly; only the anchor knows better."""
    await world.write([records(1, 2), records(3, 2)])
    world.edit(
        *(f"DELETE FROM {table} WHERE at >= 768" for table in ("link", "view")),
        "DELETE FROM entry WHERE idx >= 3",
        "DELETE FROM head WHERE size > 3",
    )
    await world.cannot_open("rollback-detected")


@pytest.mark.slow
async def test_an_anchor_of_another_history_is_refused(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    await world.write([records(1, 2), records(3, 4)])
    for batches in ([records(7, 2)], [records(7, 2), records(3, 4)]):
        await other.write(batches)  # once shorter than the journal, once of the same size
        shutil.copy(other.anchor, world.anchor)
        await world.cannot_open("rollback-detected", "another history")
        shutil.rmtree(other.folder)
        other = World(tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 4, 7])
async def test_an_anchor_that_our_key_signed_over_other_leaves_is_refused(
    world: World, size: int
) -> None:
    await world.write([records(1, 2), records(3, 3)])
    forged = Checkpoint(SIGNER.vkey.name, size, bytes(32))
    world.anchor.write_text(sign_checkpoint(forged, [SIGNER]))
    await world.cannot_open("rollback-detected", "another history")


async def test_an_anchor_that_is_not_ours_is_refused(world: World) -> None:
    await world.write([records(1, 2)])
    stranger = Ed25519Signer(SIGNER.vkey.name, b"s" * 32)
    foreign = sign_checkpoint(Checkpoint(SIGNER.vkey.name, 0, _empty()), [stranger])
    for text in ("", "rubbish", world.anchor.read_text()[:-9], foreign):
        world.anchor.write_text(text)
        await world.cannot_open("rollback-detected", "not ours")
        assert world.anchor.read_text() == text


async def test_a_missing_anchor_is_accepted_only_when_spelled_out(world: World) -> None:
    await world.write([records(1, 2)])
    world.anchor.unlink()
    await world.cannot_open("rollback-detected", "missing")
    assert not world.anchor.exists()
    async with world.journal(accept_missing_anchor=True) as journal:
        assert world.anchor.read_text() == journal.checkpoint
    async with world.journal():
        pass


async def test_a_journal_ahead_of_its_anchor_opens_and_the_anchor_catches_up(
    world: World,
) -> None:
    """A crash between commit and anchor: the batch is true, nobody was told."""
    await world.write([records(1, 2)])
    old = world.anchor.read_text()
    await world.write([records(3, 2)])
    world.anchor.write_text(old)
    async with world.journal() as journal:
        assert journal.size == 6
        assert world.anchor.read_text() == journal.checkpoint != old


async def test_a_torn_new_anchor_does_not_matter(world: World) -> None:
    await world.write([records(1, 2)])
    world.anchor.with_name("anchor.new").write_text("half of a ch")
    await world.write([records(3, 2)])
    async with world.journal() as journal:
        assert journal.size == 6


@pytest.mark.slow
async def test_only_the_newest_entries_are_looked_at_again_at_a_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.recovery.RECHECKED", 20)
    async with world.journal() as journal:
        for batch in some_batches(seed=4, batches=20):
            await journal.append(batch)
        before = journal._state
    async with world.journal() as journal:
        state = journal._state
        assert state.size > 60
        assert (state.size, state.tips, state.time_ms) == (
            before.size,
            {**before.tips},
            before.time_ms,
        )
        await journal.append(records(1, 3))
        await journal.scrub()


# -- crashes


@contextmanager
def writer(world: World, seed: int) -> Iterator[subprocess.Popen[str]]:
    """A process that appends, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.broker.journal_writer", str(world.folder), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def killed_after(world: World, seed: int, batches: int) -> tuple[int, str]:
    """Size and root that the process acknowledged last before `kill -9`."""
    with writer(world, seed) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(batches + 1)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
    size, root = [line for line in lines if line.endswith("\n")][-1].split()
    return int(size), root


async def survive_kills(world: World, rounds: int) -> None:
    chance = random.Random(6)
    for seed in range(rounds):
        size, root = killed_after(world, seed, chance.randint(1, 25))
        async with world.journal() as journal:
            assert journal.size >= size
            proof = await journal.consistency(size, journal.size)
            newest = root_of(journal.checkpoint)
            verify_consistency(size, journal.size, proof, bytes.fromhex(root), newest)
            if seed == rounds - 1:
                await journal.scrub()


@pytest.mark.slow
async def test_kill_9_loses_nothing_acknowledged(world: World) -> None:
    await survive_kills(world, rounds=2)


@pytest.mark.long
async def test_kill_9_again_and_again_loses_nothing_acknowledged(world: World) -> None:
    await survive_kills(world, rounds=15)


async def crash_states(world: World, tmp_path: Path, rounds: int) -> Counter[str]:
    """What a power cut can leave of the write-ahead log: cut off, or with sectors missing.

    The anchor says what was acknowledged. Either the journal opens with all of that, or it is
    refused; it never opens with less.
    """
    async with world.journal() as journal:
        await journal._store.fold_all()
        anchors = {0: world.anchor.read_text()}
        for batch in some_batches(seed=8, batches=12):
            await journal.append([*batch, report(journal.size)])
            anchors[world.wal.stat().st_size] = world.anchor.read_text()
        shutil.copytree(world.data, tmp_path / "running")
    chance, seen = random.Random(9), Counter[str]()
    log = (tmp_path / "running" / "journal.db-wal").read_bytes()
    for _ in range(rounds):
        shutil.rmtree(world.data)
        shutil.copytree(tmp_path / "running", world.data)
        (world.data / "journal.db-shm").unlink()
        synced = chance.choice(list(anchors))
        world.anchor.write_text(anchors[synced])
        torn = bytearray(log[: chance.randrange(synced, len(log) + 1)])
        lied = chance.random() < 0.2  # a disk that says it has synced and has not
        safe = 0 if lied else synced
        for sector in range(safe // 512 + 1, len(torn) // 512):
            if chance.random() < 0.1:
                torn[sector * 512 : sector * 512 + 512] = bytes(512)
        world.wal.write_bytes(torn)
        anchored = int(anchors[synced].splitlines()[1])
        try:
            async with world.journal() as journal:
                assert journal.size >= anchored
                await journal.scrub()
                seen["opened"] += 1
        except BrokerFault as fault:
            seen[fault.slug if lied else "refused without cause"] += 1
    return seen


@pytest.mark.slow
async def test_a_torn_write_ahead_log_never_opens_with_less_than_was_acknowledged(
    world: World, tmp_path: Path
) -> None:
    seen = await crash_states(world, tmp_path, rounds=20)
    assert seen["opened"] > 10
    assert seen.keys() <= {"opened", "rollback-detected"}


@pytest.mark.slow
async def test_many_torn_write_ahead_logs_never_open_with_less_than_was_acknowledged(
    world: World, tmp_path: Path
) -> None:
    seen = await crash_states(world, tmp_path, rounds=250)
    assert seen["opened"] > 150
    assert seen["rollback-detected"] > 10
    assert seen.keys() == {"opened", "rollback-detected"}


def _empty() -> bytes:
    return bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
