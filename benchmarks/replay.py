"""Reports a second to a subscriber who comes back after 20,000 reports, over loopback.

The reports are written through the journal engine, many copies of a few sealed ones: each copy has
an id, a name and entries of its own, but the signature of the first, which nobody checks here.
Then the broker starts on that folder, and an analyst opens a stream from the beginning: `first` is
its nation's first reader, so every report's release is journalled on the way. `again` is another
reader of that nation, for whom that was done. Measured are the fifths of the way, one after the
other, so growth would show; with `--full` there are 100,000 reports. The limit is reading the same
rows from the same file.

Bounded by: the journal (`first`); putting each report and its proof together, and base64.
Target: none of its own; a hundred thousand in a minute, where the reader's own checks take more.
"""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.bench import Bench
from benchmarks.listening import listening
from benchmarks.measure import Row, timed
from benchmarks.mission import NATIONS, ORIGINATOR, Mission
from benchmarks.serving import Serving, serving
from benchmarks.streams import stream_requests, subscribe
from broker.core import Broker
from broker.journal import THIS_INDEX, Record
from broker.journal import Row as TableRow
from broker.journal.store import DATABASE_FILE
from broker.settings import Settings
from wire import report, strict_json
from wire.entries import Event
from wire.report import Header

REPORTS: Final = 20_000
FULL: Final = 100_000
QUICK: Final = 2_000
PARTS: Final = 5
"""The way is measured in so many parts."""
SEALED: Final = 64
"""Different reports among them."""
BATCH: Final = 256
CHUNK: Final = 64
"""Rows of one SELECT."""
READER: Final = next(nation for nation in NATIONS if nation != ORIGINATOR)


def run(bench: Bench) -> list[Row]:
    """Measure."""
    count, mission = FULL if bench.full else bench.of(REPORTS, QUICK), bench.mission
    folder = mission.broker_folder()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_fill(folder, mission, count))
    part = count // PARTS
    bare = [part / seconds for seconds in _read(folder / "data" / DATABASE_FILE, part)]
    with serving(folder) as server:
        first = _replay(mission, server, "analyst", part)
        again = _replay(mission, server, "officer", part)
    words = "rows read"
    return [
        Row("replay.first", f"{count:,} reports, released on the way", "/s", first, bare, words),
        Row("replay.again", f"{count:,} reports, released before", "/s", again, bare, words),
    ]


async def _fill(folder: Path, mission: Mission, count: int) -> None:
    """Write the mission's genesis, then so many reports of Kenya's."""
    settings = Settings.load(folder)
    broker = await Broker.open(settings, clock=time.time, random=os.urandom)
    sealed = mission.reports(SEALED)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        copies = [_copy(sealed[n % SEALED].raw, sealed[n % SEALED].id, n) for n in numbers]
        await broker.journal.append([_accepted(raw) for raw in copies])
    await broker.close()


def _copy(raw: bytes, old_id: str, number: int) -> bytes:
    """The same report under another id."""
    return raw.replace(old_id.encode(), b"%032x" % number, 1)


def _accepted(raw: bytes) -> Record:
    """What the broker records of an accepted report, with a short view."""
    frame = report.parse(raw)
    header = strict_json.load(frame.header_bytes, Header)
    row = (THIS_INDEX, header.id, frame.identity, ORIGINATOR, header.signer, header.created, raw)
    view = {"report": frame.identity, "id": header.id, "signer": header.signer}
    return Record(Event("report.accepted", {ORIGINATOR: view}), (TableRow("report", row),))


def _read(database: Path, part: int) -> list[float]:
    """Seconds for each part of all rows, some at a time, as the broker reads them."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        sql = "SELECT idx, raw FROM report WHERE idx > ? ORDER BY idx LIMIT ?"
        after = -1

        def read() -> None:
            nonlocal after
            for start in range(0, part, CHUNK):
                rows = connection.execute(sql, (after, min(CHUNK, part - start))).fetchall()
                after = rows[-1][0]

        return [timed(read) for _ in range(PARTS)]


def _replay(mission: Mission, server: Serving, kind: str, part: int) -> list[float]:
    """Events a second in each part, the first one from opening the stream."""
    reader = [(mission.identity(READER, kind), "all")]
    subscribe(server.port, reader)
    times = [time.monotonic()]
    with listening(server.port, stream_requests(server.port, reader)) as listeners:
        for _ in range(PARTS):
            listeners.expect(part)
        times += [listeners.done() for _ in range(PARTS)]
    return [part / (end - start) for start, end in pairwise(times)]
