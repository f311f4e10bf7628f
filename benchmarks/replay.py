"""Reports a second to a subscriber who comes back after 20,000 reports, over loopback.

The reports are written through the journal engine, many copies of a few sealed ones: each copy has
an id, a name and entries of its own, but the signature of the first, which nobody checks here.
Then the broker starts on that folder, and one analyst a nation opens a stream from the beginning.
`first` is the nation's first reader, so every report's release is journalled on the way; `again` is
another reader, for whom that was done. The limit is reading the same rows from the same file.

Bounded by: the journal (`first`); putting each report and its proof together, and base64.
Target: none of its own; a hundred thousand in tens of seconds, where the reader's checks take more.
"""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
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
SEALED: Final = 64
"""Different reports among them."""
BATCH: Final = 256
CHUNK: Final = 64
"""Rows of one SELECT."""
READERS: Final = tuple(nation for nation in NATIONS if nation != ORIGINATOR)


def run(bench: Bench) -> list[Row]:
    """Measure: a round is a nation."""
    count, mission = bench.of(REPORTS, REPORTS // 10), bench.mission
    folder = mission.broker_folder()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_fill(folder, mission, count))
    first, again, bare = list[float](), list[float](), list[float]()
    with serving(folder) as server:
        for nation in READERS[: bench.of(2, 1)]:
            bare.append(count / timed(lambda: _read(folder / "data" / DATABASE_FILE, count)))
            first.append(_replay(mission, server, nation, "analyst", count))
            again.append(_replay(mission, server, nation, "officer", count))
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


def _read(database: Path, count: int) -> None:
    """All rows, some at a time, as the broker reads them."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        after, found = -1, 0
        sql = "SELECT idx, raw FROM report WHERE idx > ? ORDER BY idx LIMIT ?"
        while rows := connection.execute(sql, (after, CHUNK)).fetchall():
            after, found = rows[-1][0], found + len(rows)
        assert found == count


def _replay(mission: Mission, server: Serving, nation: str, kind: str, count: int) -> float:
    """Events a second, from opening the stream to the last of them."""
    reader = [(mission.identity(nation, kind), "all")]
    subscribe(server.port, reader)
    start = time.monotonic()
    with listening(server.port, stream_requests(server.port, reader)) as listeners:
        listeners.expect(count)
        return count / (listeners.done() - start)
