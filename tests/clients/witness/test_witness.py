"""A nation's witness: its folder, what it answers over HTTP, and that it never goes back."""

import dataclasses
import json
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from clients.witness.cosigner import Witness
from clients.witness.folder import WitnessFolder, WitnessKeys, create, watch
from clients.witness.heads import Heads, name_of
from clients.witness.remote import RemoteWitness
from tests.broker.server import PATIENCE
from tests.clients.witness.serving import NOW, laid_out, listening, says
from tests.data import shared
from tests.refusal import refused
from tests.wire.trees import ORIGIN, Log, grown
from wire import merkle
from wire.errors import TearlineError
from wire.merkle import Frontier
from wire.notes import Checkpoint, OpenedCheckpoint, VKey, open_checkpoint, verified_lines
from wire.witness import Head, Submission, judge

LOG = grown(12)


@pytest.fixture
def home(tmp_path: Path) -> WitnessFolder:
    return laid_out(tmp_path / "witness", str(LOG.vkey))


def keys_of(home: WitnessFolder) -> list[VKey]:
    return [VKey.parse(key) for key in home.keys.vkeys]


# -- the folder


def test_a_new_witness_opens_to_the_keys_that_were_printed(home: WitnessFolder) -> None:
    again = WitnessFolder.load(home.folder)
    assert again == home
    assert [key.kind for key in keys_of(home)] == [4, 6]
    for path in home.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_witness_is_not_made_twice(home: WitnessFolder) -> None:
    """Expect refusal: a charter names the key that is there."""
    before = (home.folder / "witness-key").read_bytes()
    with refused("bad-input"):
        create(home.folder, WitnessKeys("other", bytes(64)))
    assert (home.folder / "witness-key").read_bytes() == before


def test_a_log_is_added_and_a_cosigners_key_is_no_log(home: WitnessFolder) -> None:
    other = VKey("other.example/log", 1, bytes(range(32)))
    assert sorted(watch(home.folder, str(other)).logs) == ["other.example/log", ORIGIN]
    with refused("bad-checkpoint"):
        watch(home.folder, home.keys.vkeys[0])


@pytest.mark.parametrize("text", ["", "00" * 63, "zz" * 64, "00" * 65])
def test_another_key_file_is_refused_bad_identity(home: WitnessFolder, text: str) -> None:
    (home.folder / "witness-key").write_text(text)
    with refused("bad-identity"):
        WitnessFolder.load(home.folder)


def test_a_key_that_others_may_read_is_refused_bad_identity(home: WitnessFolder) -> None:
    (home.folder / "witness-key").chmod(0o644)
    with refused("bad-identity", "owner alone"):
        WitnessFolder.load(home.folder)


# -- over HTTP


@pytest.mark.slow
def test_both_keys_cosign_what_follows(home: WitnessFolder) -> None:
    with listening(home) as port:
        for old, new in ((0, 3), (3, 3), (3, 12)):
            reply = says(port, LOG.asks(old, new).body())
            assert (reply.status, reply.headers["content-type"][:10]) == (200, "text/plain")
            note = LOG.note(new) + reply.body.decode()
            opened = open_checkpoint(note, [LOG.vkey], keys_of(home))
            assert opened.cosigned_by == {home.keys.name: NOW}


@pytest.mark.slow
def test_every_refusal_has_the_status_of_the_specification(home: WitnessFolder) -> None:
    """Expect refusal, and that nothing of what was refused is remembered."""
    other = grown(12, fork=5)
    foreign = Submission(0, (), LOG.note().replace(ORIGIN, "nobody.example/log"))
    wrong = dataclasses.replace(LOG.asks(8), proof=(b"x" * 32,))
    with listening(home) as port:
        assert says(port, LOG.asks(0, 8).body()).status == 200
        for status, body in (
            (400, b"old eight\n\n"),
            (400, LOG.asks(8, 8).body().replace(b"old 8", b"old 9")),
            (403, Submission(8, (), LOG.note(12)[:-5] + "AA=\n").body()),
            (403, Submission(8, (), Log([b"0"], seed=b"x" * 32).note()).body()),
            (404, foreign.body()),
            (422, wrong.body()),
            (422, Submission(8, (), LOG.note(12)).body()),
            (422, other.asks(8, 12).body()),
        ):
            assert says(port, body).status == status, body
        stale = says(port, LOG.asks(3).body())
        assert (stale.status, stale.body) == (409, b"8\n")
        assert stale.headers["content-type"] == "text/x.tlog.size"
        fork = says(port, other.asks(8, 8).body())
        assert fork.status == 409
        assert fork.headers["content-type"] != "text/x.tlog.size"
        assert says(port, b"", method="GET").status == 405
        assert says(port, b"", "/elsewhere", "GET").status == 404
        assert says(port, LOG.asks(8).body()).status == 200, "it is where it was"


@pytest.mark.slow
def test_a_body_that_is_too_large_is_refused(home: WitnessFolder) -> None:
    with listening(home) as port:
        assert says(port, b"old 0\n\n" + b"x" * 300_000).status == 400


@pytest.mark.slow
def test_monitors_read_the_head_and_no_strangers_lines(home: WitnessFolder) -> None:
    junk = Log([b"0"], seed=b"j" * 32).note().rpartition("\n\n")[2]
    with listening(home) as port:
        path = f"/{name_of(ORIGIN)}/checkpoint"
        assert says(port, b"", path, "GET").status == 404
        asked = LOG.asks(0)
        assert says(port, dataclasses.replace(asked, note=asked.note + junk).body()).status == 200
        note = says(port, b"", path, "GET").body.decode()
        assert junk not in note
        opened = open_checkpoint(note, [LOG.vkey], keys_of(home))
        assert opened.checkpoint == LOG.head()
        assert opened.cosigned_by == {home.keys.name: NOW}


def test_two_trees_of_one_size_leave_a_proof(home: WitnessFolder) -> None:
    """Expect refusal: both notes bear the log's own signature, and anybody can see it."""
    other = grown(12, fork=5)
    with Witness(home, lambda: NOW) as witness:
        witness.add_checkpoint(LOG.asks(0).body())
        with refused("fork-detected"):
            witness.add_checkpoint(other.asks(12, 12).body())
    proof = json.loads((home.folder / "fork-12.json").read_text("utf-8"))
    trees = [open_checkpoint(proof[side], [LOG.vkey]).checkpoint for side in ("seen", "shown")]
    assert trees == [LOG.head(), other.head()]


@pytest.mark.slow
@pytest.mark.anyio
async def test_another_client_speaks_to_it_as_to_any_witness(home: WitnessFolder) -> None:
    other = grown(12, fork=2)
    with listening(home) as port:
        async with RemoteWitness(f"http://127.0.0.1:{port}/") as there:
            with refused("not-found"):
                await there.head(ORIGIN)
            assert await there.add_checkpoint(LOG.asks(0, 5).body())
            for slug, asked in (
                ("stale-size", LOG.asks(3)),
                ("fork-detected", other.asks(5, 5)),
                ("bad-proof", Submission(5, (), LOG.note())),
                ("bad-request", dataclasses.replace(LOG.asks(5, 5), old=6)),
                ("not-found", Submission(5, (), "nobody.example/log\n")),
                ("not-allowed", Submission(5, (), f"{ORIGIN}\n")),
            ):
                with refused(slug):
                    await there.add_checkpoint(asked.body())
            assert await there.add_checkpoint(LOG.asks(5).body())
            with refused("fork-detected"):
                await there.add_checkpoint(other.asks(12, 12).body())
            opened = open_checkpoint(await there.head(ORIGIN), [LOG.vkey], keys_of(home))
            assert opened.checkpoint.size == 12
    async with RemoteWitness(f"http://127.0.0.1:{port}") as gone:
        with refused("unreachable"):
            await gone.head(ORIGIN)


# -- it never goes back


def test_what_was_cosigned_is_on_the_disk_first(home: WitnessFolder) -> None:
    with Witness(home, lambda: NOW) as witness:
        witness.add_checkpoint(LOG.asks(0, 7).body())
        with sqlite3.connect(home.folder / "heads.sqlite") as rows:
            assert rows.execute("SELECT size FROM head").fetchall() == [(7,)]
    with Witness(home, lambda: NOW) as again, refused("stale-size", "7"):
        again.add_checkpoint(LOG.asks(0).body())


def test_a_slower_request_does_not_roll_back_what_a_faster_one_advanced(
    home: WitnessFolder,
) -> None:
    """The race of the specification: both are consistent with the same old tree, the second one
    must see what the first has stored. Expect refusal.
    """
    fast_opens, slow_reads, fast_waits = (threading.Event() for _ in range(3))
    refusals: list[str] = []

    def slow(head: Head) -> OpenedCheckpoint:
        slow_reads.set()
        fast_waits.wait(PATIENCE)
        return judge(LOG.asks(0, 4), [LOG.vkey], head)

    def fast() -> None:
        with Heads(home.folder / "heads.sqlite") as heads:
            fast_opens.set()
            slow_reads.wait(PATIENCE)
            fast_waits.set()
            with refused("stale-size", "4"):
                heads.advance(ORIGIN, lambda head: judge(LOG.asks(0), [LOG.vkey], head))
            refusals.append("stale-size")

    other = threading.Thread(target=fast)
    other.start()
    fast_opens.wait(PATIENCE)  # opening writes, which would wait for the slow one
    with Heads(home.folder / "heads.sqlite") as heads:
        heads.advance(ORIGIN, slow)
        other.join(PATIENCE)
        assert heads.latest(ORIGIN).size == 4
    assert refusals == ["stale-size"]


@pytest.mark.slow
def test_of_many_requests_at_once_each_is_judged_by_the_last(home: WitnessFolder) -> None:
    """Eight threads, two histories, one file: whatever was cosigned is one history."""
    logs = (LOG, grown(12, fork=2))
    cosigned: list[Checkpoint] = []

    def hammer(log: Log) -> None:
        with Witness(home, lambda: NOW) as witness:
            for new in range(3, 13):
                old = witness.latest(ORIGIN).size
                try:
                    witness.add_checkpoint(log.asks(min(old, new), new).body())
                except TearlineError:
                    continue
                cosigned.append(log.head(new))

    threads = [threading.Thread(target=hammer, args=(logs[i % 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    histories = [log for log in logs if all(c == log.head(c.size) for c in cosigned)]
    assert cosigned
    assert len(histories) == 1


# -- logs of others


def tessera() -> tuple[Path, VKey]:
    folder = shared("vectors-tlog") / "tessera-log"
    return folder, VKey.parse((folder / "PUBLIC_KEY.txt").read_text().strip())


@pytest.mark.real_data
def test_a_log_written_by_tessera_is_witnessed_from_checkpoint_to_checkpoint(
    tmp_path: Path,
) -> None:
    """Its sixteen signed checkpoints in order, and each again out of order."""
    folder, key = tessera()
    tile = (folder / "tile/0/000.p/15").read_bytes()
    tree, stored = Frontier(), []
    for at in range(0, len(tile), 32):
        stored.append(tree.append(tile[at : at + 32]))

    def nodes(wanted: Any) -> list[bytes]:
        return [stored[((i + 1) << n) - 1][32 * n : 32 * n + 32] for n, i in wanted]

    def asks(old: int, new: int) -> bytes:
        proof = merkle.consistency_proof(old, new, nodes) if old else []
        return Submission(old, tuple(proof), (folder / f"checkpoint.{new}").read_text()).body()

    home = laid_out(tmp_path / "witness", str(key))
    with Witness(home, lambda: NOW) as witness:
        for new in range(1, 16):
            lines = witness.add_checkpoint(asks(new - 1, new))
            note = (folder / f"checkpoint.{new}").read_text() + lines
            assert open_checkpoint(note, [key], keys_of(home)).cosigned_by
            for old in range(new):
                with refused("stale-size", f"^{new}$"):
                    witness.add_checkpoint(asks(old, new))
        head = witness.head(name_of(key.name))
        assert len(verified_lines(head, [key, *keys_of(home)])[1]) == 3


# -- commands


@pytest.mark.slow
def test_init_prints_the_keys_that_a_charter_names(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "clients.cli.main", "witness", "init", str(tmp_path / "w")]
    done = subprocess.run(
        [*words, "--name", "ken.example/w", "--log", str(LOG.vkey)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    home = WitnessFolder.load(tmp_path / "w")
    assert tuple(done.stdout.split()) == home.keys.vkeys
    assert list(home.logs) == [ORIGIN]
