"""Journal entries a second, durable, against the same rows in plain SQLite without a log.

An entry is a release from one nation to another: a row, and a view for either nation. Everything is
on: commitments, both chains, the heads leaf, the tree, the tie of the rows, the signed checkpoint,
the anchor, and one fsync of the database. The limit writes the same rows and views, in transactions
of the same size, to a database with the same settings. Neither ever writes elsewhere than to disk.

Bounded by: fsyncs when batches are small (database and anchor), then Python's work on an entry.
Target: 5,000 entries a second at 256 an append.
"""

import asyncio
import itertools
import os
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.bench import Bench
from benchmarks.measure import Probe, Row, Target, interleave, timed
from benchmarks.mission import NATIONS
from broker.journal import THIS_INDEX, Journal, Record
from broker.journal import Row as TableRow
from broker.journal.schema import DDL
from wire.entries import MISSION, Event
from wire.notes import Ed25519Signer

SIZES: Final = {1: 100, 16: 60, 256: 12}
"""Entries an append, and how many appends are measured together."""
ORIGIN: Final = "tearline/benchmark"
TARGETS: Final = {256: Target(5_000, of="value")}


def run(bench: Bench) -> list[Row]:
    """Measure."""
    numbers = itertools.count()
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        closing(_plain(bench.folder / "plain.db")) as plain,
    ):
        journal = runner.run(_open(bench.folder / "journal"))

        def ours(size: int, appends: int) -> float:
            batches = [[_release(next(numbers)) for _ in range(size)] for _ in range(appends)]

            async def append() -> None:
                for batch in batches:
                    await journal.append(batch)

            return size * appends / timed(lambda: runner.run(append()))

        def bare(size: int, appends: int) -> float:
            batches = [
                [(number, _release(number)) for number in itertools.islice(numbers, size)]
                for _ in range(appends)
            ]
            return size * appends / timed(lambda: _insert(plain, batches))

        probes = dict[str, Probe]()
        for size, appends in SIZES.items():
            some = bench.of(appends, max(2, appends // 4))
            probes[f"bare {size}"] = partial(bare, size, some)
            probes[f"ours {size}"] = partial(ours, size, some)
        found = interleave(bench.rounds, probes)
        runner.run(journal.close())
    return [
        Row(
            f"journal.{size}",
            f"entries, {size} an append",
            "/s",
            found[f"ours {size}"],
            found[f"bare {size}"],
            "same rows, no log",
            TARGETS.get(size),
        )
        for size in SIZES
    ]


async def _open(folder: Path) -> Journal:
    folder.mkdir()
    return await Journal.open(
        folder,
        anchor=folder / "anchor",
        signers=[Ed25519Signer(ORIGIN, os.urandom(32))],
        origin=ORIGIN,
        secret=os.urandom(32),
        channels=[MISSION, *NATIONS],
        clock=time.time,
        random=os.urandom,
    )


def _release(number: int) -> Record:
    """A release as the broker records it: the same size and shape of views."""
    view = {
        "report": f"{number:064x}",
        "accepted": number,
        "accepted_time": 1_780_000_000,
        "originator": "KEN",
        "to": "GBR",
        "portions": [0],
        "use": "release",
        "rules": {"handle/COALITION": ["COALITION/labelled"], "carry/MINUSX": ["MINUSX/carry"]},
        "policies": {
            f"{kind}/{owner}": "0" * 64
            for kind, owner in (
                ("accept", "GBR"),
                ("carry", "MINUSX"),
                ("handle", "COALITION"),
                ("release", "KEN"),
            )
        },
    }
    row = TableRow("release", (number, "GBR", 1, THIS_INDEX))
    return Record(Event("release", {"KEN": view, "GBR": {**view, "reader": "a" * 32}}), (row,))


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    for sql in DDL:
        if "TABLE release" in sql or "release_by_entry" in sql or "TABLE view" in sql:
            connection.execute(sql)
    return connection


def _insert(plain: sqlite3.Connection, batches: list[list[tuple[int, Record]]]) -> None:
    for batch in batches:
        views = [
            (2 * number + slot, b"o" * 32, body)
            for number, record in batch
            for slot, body in enumerate(record.event.bodies.values())
        ]
        releases = [(number, "GBR", 1, number) for number, _ in batch]
        plain.execute("BEGIN IMMEDIATE")
        plain.executemany("INSERT INTO release VALUES(?,?,?,?)", releases)
        plain.executemany("INSERT INTO view VALUES(?,?,?,NULL)", views)
        plain.execute("COMMIT")
