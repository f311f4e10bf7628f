"""A journal's life in a process of its own, the same bytes each time: what a disk is recorded from.

python -m tests.broker.disk.run FOLDER OPERATIONS SYNCHRONOUS

After each operation, and not before, it says so: a line `size root`, with ` report nation` after it
if a nation got a report by it. The file `said` stands for everything that leaves a broker.
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Final

from broker.journal import THIS_INDEX, Journal, Record, Row, erase_view, store
from broker.journal.schema import SLOTS
from tests.broker.journal_world import (
    World,
    records,
    release,
    report,
    root_of,
    statement,
    subscribe,
)
from wire.entries import Event

SAID: Final = "said"
WAL_BYTES: Final = 48 << 10
"""Small, so that the log is folded back many times."""


def operation(number: int, size: int) -> tuple[list[Record], str]:
    """What is appended next, and what is said of it."""
    match number % 6:
        case 0:
            return [report(size)], ""
        case 1:  # two entries ago, a heads leaf between, was a report
            return [release(size - 2, "GBR")], f" {size - 2} GBR"
        case 2:
            return [statement(size), *records(size, 2)], ""
        case 3:
            return [subscribe("m", "n", b"%d" % number)], ""
        case _:
            return records(size, 1 + number % 3, "KEN", "FRA"), ""


async def sweep(journal: Journal, number: int, first: int) -> tuple[list[Record], int]:
    """Erase Kenya's three oldest views from its entry `first` on, and where the next ones begin.
    It folds the log back, whatever its size.
    """
    rows = await journal.rows("views_from", ("KEN", first, 3))
    at, until = rows[-1][0], rows[-1][1] + 1
    row = Row("sweep", (THIS_INDEX, "KEN", first, until, at // SLOTS + 1, number))
    gone = [erase_view(*divmod(at, SLOTS)) for at, _, _, kind in rows if kind != "view.erased"]
    view = {"number": number, "first": first, "until": until}
    return [Record(Event("view.erased", {"KEN": view}), (row,), tuple(gone))], until


async def live(folder: Path, operations: int) -> None:
    random_bytes = random.Random(7).randbytes
    out = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    journal: Journal = await World(folder).open(random=random_bytes)
    swept = 0
    for number in range(operations):
        appended, released = operation(number, journal.size)
        if number % 24 == 4:
            appended, swept = await sweep(journal, number, swept)
        await journal.append(appended)
        line = f"{journal.size} {root_of(journal.checkpoint).hex()}{released}\n"
        os.write(out, line.encode())
    await journal.close()


if __name__ == "__main__":
    store.WAL_BYTES = WAL_BYTES  # type: ignore[misc]
    level = {"FULL": 2, "NORMAL": 1}[sys.argv[3]]
    store._WRITER["synchronous"] = (sys.argv[3], level)
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2])))
