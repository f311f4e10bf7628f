"""A broker that dies in the middle of an erasure: another process finds it whole, or not begun."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker.house import House
from tests.broker.test_erasing import on_disk
from tests.broker.test_retention import FLOOR, days_pass, erased, openings, order, sweeps, verified
from tests.pilot import ROOT
from wire.entries import MISSION

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from broker import retention
from broker.core import Broker
from broker.journal.anchor import Anchor
from broker.journal.engine import Journal
from broker.journal.store import Store
from broker.settings import Settings

folder, now, moment, number = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
retention.AT_ONCE = 3
erasing, stage, seen = False, Store.stage, 0

async def staged(store, steps):
    global erasing, seen
    erasing = any("UPDATE view" in sql for sql, _ in steps)
    seen += erasing
    await stage(store, steps)

def dies_at(owner, name, before):
    real = getattr(owner, name)
    async def act(*how):
        if before and erasing and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        await real(*how)
        if erasing and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, act)

Store.stage = staged
dies_at(*{
    "before the commit": (Store, "commit", True),
    "after the commit": (Store, "commit", False),
    "after the anchor": (Anchor, "write", False),
    "after the fold": (Store, "fold_all", False),
}[moment])

async def main():
    await Broker.open(Settings.load(Path(folder)), clock=lambda: now, random=os.urandom)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "moment", ["before the commit", "after the commit", "after the anchor", "after the fold"]
)
async def test_a_kill_in_an_erasure_leaves_all_of_it_or_nothing(
    moment: str, number: int, tmp_path: Path
) -> None:
    """The stretch that was under way is erased, with its entry, or is not; the rest goes on."""
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        for _ in range(3):
            await house.submits(house["KEN"].seals(release_to="GBR"))
        secret = await openings(house, "KEN")
        await order(house)
        await house.broker.close()
        house.world.clock.forward(days=FLOOR + 1)
        words = [str(house.folder), str(house.world.clock.now), moment, str(number)]
        done = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=ROOT, check=False)
        assert done.returncode == -9
        await house.opens()
        gone = await erased(house, "KEN")
        assert gone == list(range(len(gone)))
        told = await sweeps(house, "KEN")
        assert [view["first"] for view in told] == [0, *(view["until"] for view in told[:-1])]
        assert told[-1]["until"] == len(gone) == len(secret)
        assert len(await sweeps(house, MISSION)) == 1
        assert on_disk(house, secret) == set()
        await house.broker.journal.scrub()
        await verified(house, "KEN")
        await days_pass(house, 1)
        await verified(house, "KEN")
