"""A whole broker that is killed at one call after the other, and started again after each.

python -m tests.broker.disk.session FOLDER KILLS, under `recorder.c`, says as JSON what it found.

A child serves a few reports and dies at the call that it is told; what it let out it has said
before, in a file that is not the broker's. Then the broker is started on what is left. FOLDER is
what the recorder watches.
"""

import asyncio
import ctypes
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from broker.settings import Limits
from tests.broker.house import House
from tests.coalition import Coalition

NATIONS: Final = ("KEN", "GBR", "FRA")
REPORTS: Final = 4

_kill_at = ctypes.CDLL(None).disk_kill_at
_kill_at.restype = ctypes.c_long


async def serve(folder: Path, out: int, kill_at: int) -> int:
    """Accept and release reports; gives how many calls on the disk that took."""
    async with House.of(*NATIONS, folder=folder) as house:
        _kill_at(kill_at)
        following = await house.follows(house["FRA"].analyst)
        for _ in range(REPORTS):
            receipt = await house.submits(house["KEN"].seals(release_to="GBR FRA"))
            os.write(out, f"accepted {receipt.report}\n".encode())
            for identity in await house.pulls(house["GBR"].analyst):
                os.write(out, f"released {identity} GBR\n".encode())
            os.write(out, f"released {await following.report()} FRA\n".encode())
        await following.closes()
        return int(_kill_at(0))


async def check(folder: Path, said: Path) -> str:
    """Start the broker on what is left, and look for all that it had let out."""
    house = House(Coalition.of(*NATIONS), folder / "broker", Limits(heartbeat_seconds=86_400.0))
    broker = await house.opens()
    try:
        for line in said.read_text().splitlines():
            kind, identity, *nation = line.split()
            held = broker._state.holdings.by_identity(identity)
            if held is None or (kind == "released" and nation[0] not in _released(held.released)):
                return "lost"
        return "whole"
    finally:
        await broker.close()


def _released(found: dict[tuple[str, int], int]) -> set[str]:
    return {nation for nation, _ in found}


def killed(folder: Path, said: Path, kill_at: int) -> bool:
    """Serve in a child; whether it died at the call."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        asyncio.run(serve(folder, out, kill_at))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder: Path, kills: int) -> None:
    """Count the calls, then be killed at so many of them, evenly."""
    first = folder / "counted"
    first.mkdir()
    notes = folder.with_name("said")
    notes.mkdir()
    with (notes / "counted").open("wb") as said:
        calls = asyncio.run(serve(first, said.fileno(), 0))
    seen: Counter[str] = Counter()
    for number in range(kills):
        place, said_here = folder / str(number), notes / str(number)
        died = killed(place, said_here, 1 + number * calls // kills)
        _kill_at(0)
        seen[asyncio.run(check(place, said_here)) if died else "not killed"] += 1
    print(json.dumps({"calls": calls, **seen}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
