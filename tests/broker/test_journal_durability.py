"""Whatever the moment a process dies or the power fails: nothing that was said is lost.

A real journal runs 300 operations under a recorder (`tests/broker/disk`). Every state that a kill
or a power cut can leave of its files is then put back and opened by the real recovery.
"""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from broker.journal import store
from tests.broker.disk import disk
from tests.broker.disk.disk import CUTS, Call, Disk
from tests.broker.journal_world import World, root_of
from wire.errors import BrokerFault
from wire.merkle import verify_consistency

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]

OPERATIONS = 300
PARTS = 6
"""Tests that share the work, so that cores can."""
CUTS_EACH = 300
"""Power cuts a part: 1,800 in all."""
KILLED_AT = 12
"""Calls at which a process is really killed."""

BROKERS_KILLED = 24


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.compiled(tmp_path_factory.mktemp("recorder"))


@pytest.fixture(scope="module")
def calls(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """A life with `synchronous=FULL`, as every broker has it."""
    return disk.recorded(library, tmp_path_factory.mktemp("full") / "disk", OPERATIONS, "FULL")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state is opened once and thrown away: what recovery itself syncs need not last."""
    monkeypatch.setitem(store._WRITER, "synchronous", ("OFF", 0))
    monkeypatch.setattr("broker.journal.anchor.os.fsync", lambda _descriptor: None)
    monkeypatch.setattr("broker.journal.recovery.RECHECKED", 16)


async def opened(world: World, said: list[str]) -> str:
    """Open what is left, and look for everything that was said: "whole", or the refusal's slug."""
    try:
        async with world.journal() as journal:
            size, root, *_ = said[-1].split() if said else ("0", "")
            if journal.size < int(size):
                return "lost"
            proof = await journal.consistency(int(size), journal.size)
            newest = root_of(journal.checkpoint)
            if said:
                verify_consistency(int(size), journal.size, proof, bytes.fromhex(root), newest)
            released = [line.split()[2:] for line in said if line.count(" ") == 3]
            rows = await journal.rows("releases_after", (-1, 1000))
            assert {(str(row[0]), row[1]) for row in rows} >= {(r, n) for r, n in released}
            return "whole"
    except BrokerFault as fault:
        return fault.slug


@pytest.mark.long
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, PARTS))]
)
async def test_a_kill_at_any_call_loses_nothing_that_was_said(
    part: int, calls: list[Call], tmp_path: Path
) -> None:
    state, seen, said = Disk(), Counter[str](), list[str]()
    for number, call in enumerate(calls):
        # After a sync the files are what they were before it: that state has been opened.
        if number % PARTS == part and calls[number - 1].op != "s":
            disk.write(state.files, tmp_path / "world")
            seen[await opened(World(tmp_path / "world"), said)] += 1
        state.take(call)
        said += disk.said([call])
    opened_again = sum(seen.values())
    print(
        f"\na kill at any of {len(calls)} calls, part {part}: {opened_again} states, {dict(seen)}"
    )
    assert len(said) == OPERATIONS
    assert opened_again > len(calls) / PARTS / 2
    assert seen.keys() == {"whole"}


def shape(call: Call) -> tuple[str, str, int, int]:
    """A call without its bytes: SQLite salts its logs."""
    return call.op, call.path, call.offset, len(call.data)


@pytest.mark.long
async def test_a_process_that_is_killed_leaves_what_the_record_says(
    library: Path, calls: list[Call], tmp_path: Path
) -> None:
    """The recorded disk is the real one: what a real kill -9 leaves is what the record says."""
    for at in random.Random(3).sample(range(1, len(calls)), KILLED_AT):
        folder = tmp_path / f"killed{at}"
        left = disk.recorded(library, folder, OPERATIONS, "FULL", kill_at=at)
        assert [shape(call) for call in left] == [shape(call) for call in calls[: at - 1]]
        state = Disk()
        for call in left:
            state.take(call)
        files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
        names = {name for name in files if not name.endswith("-shm")}
        assert names == state.files.keys()
        assert all(files[name].read_bytes() == state.files[name] for name in names)
        assert await opened(World(folder), disk.said(left)) == "whole"


@pytest.mark.long
async def test_a_killed_broker_has_let_out_nothing_that_its_journal_does_not_say(
    library: Path, tmp_path: Path
) -> None:
    """Receipts, pages and a stream, against the journal of the broker that is started next."""
    found = disk.session(library, tmp_path / "brokers", BROKERS_KILLED)
    print(f"\n{BROKERS_KILLED} brokers killed at one of {found.pop('calls')} calls: {found}")
    assert found == {"whole": BROKERS_KILLED}


async def cut(calls: list[Call], folder: Path, seed: int, times: int) -> Counter[str]:
    """The power fails at that many moments after the journal has begun."""
    chance, seen, said = random.Random(seed), Counter[str](), list[str]()
    first = next(n for n, call in enumerate(calls) if call.path == "said" and call.op == "w")
    moments = Counter(chance.choices(range(first + 1, len(calls) + 1), k=times))
    state = Disk()
    for number, call in enumerate(calls, 1):
        state.take(call)
        said += disk.said([call])
        for _ in range(moments[number]):
            disk.write(state.after_cut(chance, chance.choice(CUTS)), folder)
            seen[await opened(World(folder), said)] += 1
    return seen


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_power_cut_at_any_moment_loses_nothing_that_was_said(
    part: int, calls: list[Call], tmp_path: Path
) -> None:
    seen = await cut(calls, tmp_path / "world", part, CUTS_EACH)
    print(f"\n{sum(seen.values())} power cuts with synchronous=FULL: {dict(seen)}")
    assert seen == {"whole": CUTS_EACH}


@pytest.mark.long
async def test_the_same_power_cuts_do_find_what_a_weaker_setting_loses(
    library: Path, tmp_path: Path
) -> None:
    """Positive control. What is lost is noticed, too: the anchor is ahead."""
    weak = disk.recorded(library, tmp_path / "disk", OPERATIONS, "NORMAL")
    seen = await cut(weak, tmp_path / "world", 5, 2 * CUTS_EACH)
    print(f"\n{sum(seen.values())} power cuts with synchronous=NORMAL: {dict(seen)}")
    assert seen["rollback-detected"] > 20
    assert seen.keys() == {"whole", "rollback-detected"}
