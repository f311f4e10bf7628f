"""A small journal world for the tests: a mission of a few nations, a clock that is set by hand."""

import os
import random
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from broker.journal import THIS_INDEX, Change, Journal, Record, Row
from tests.refusal import refused
from wire.entries import MISSION, Event
from wire.notes import Ed25519Signer, open_checkpoint
from wire.prove import Trust, VerifiedEntry, walk

ORIGIN = "tearline.example/minusx/1"
NATIONS = ("KEN", "GBR", "FRA", "SEN")
CHANNELS = (MISSION, *NATIONS)
SECRET = bytes(range(32))
SIGNER = Ed25519Signer(ORIGIN, b"k" * 32)
LOG_KEYS = (SIGNER.vkey,)


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Where a journal lives, and how it is opened."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.anchor.parent.mkdir(exist_ok=True)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def anchor(self) -> Path:
        return self.folder / "elsewhere" / "anchor"

    @property
    def database(self) -> Path:
        return self.data / "journal.db"

    @property
    def wal(self) -> Path:
        return self.data / "journal.db-wal"

    async def open(self, **changed: Any) -> Journal:
        settings: dict[str, Any] = {
            "anchor": self.anchor,
            "signers": [SIGNER],
            "origin": ORIGIN,
            "secret": SECRET,
            "channels": CHANNELS,
            "clock": self.clock,
            "random": os.urandom,
        }
        return await Journal.open(self.data, **(settings | changed))

    @asynccontextmanager
    async def journal(self, **changed: Any) -> AsyncIterator[Journal]:
        journal = await self.open(**changed)
        try:
            yield journal
        finally:
            await journal.close()

    async def cannot_open(self, slug: str, detail: str = "", **changed: Any) -> None:
        """Expect the start to be refused."""
        with refused(slug, detail):
            async with self.journal(**changed):
                pass

    async def write(self, batches: Iterable[Sequence[Record]]) -> None:
        """Open, append, close."""
        async with self.journal() as journal:
            for batch in batches:
                await journal.append(batch)

    def edit(self, *statements: str) -> None:
        """What somebody with the file and an SQLite shell can do while the broker is down."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as shell:
            for statement in statements:
                assert shell.execute(statement).rowcount != 0, statement

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as shell:
            return shell.execute(statement).fetchall()


# -- things to record


def event(number: int, *channels: str, places: int = 0) -> Event:
    views = {c: {"number": number, "to": c} for c in channels or ("KEN", "GBR")}
    return Event("release", views, places)


def records(first: int, count: int, *channels: str) -> list[Record]:
    return [Record(event(number, *channels)) for number in range(first, first + count)]


def report(number: int) -> Record:
    """A report accepted, with its row."""
    digest = f"{number:064x}"
    values = (THIS_INDEX, digest[32:], digest, "KEN", "a" * 32, 1_700_000_000, b"raw %d" % number)
    return Record(event(number), (Row("report", values),))


def statement(number: int, nation: str = "KEN") -> Record:
    values = (THIS_INDEX, f"{number:064x}", nation, number, b"statement %d" % number)
    return Record(Event("statement", {MISSION: {"number": number}}), (Row("statement", values),))


def release(report_index: int, nation: str, portions: int = 1) -> Record:
    row = Row("release", (report_index, nation, portions, THIS_INDEX))
    return Record(event(report_index, "KEN", nation, places=4), (row,))


def subscribe(member: str, name: str, body: bytes) -> Record:
    change = Change("subscription.put", (member, name, body, THIS_INDEX))
    return Record(event(0, "KEN"), (), (change,))


def some_batches(seed: int, batches: int) -> list[list[Record]]:
    """Batches of different sizes that concern different channels."""
    chance = random.Random(seed)
    return [
        [
            Record(event(chance.randrange(1000), *chance.sample(CHANNELS, chance.randint(1, 4))))
            for _ in range(chance.randint(1, 9))
        ]
        for _ in range(batches)
    ]


# -- looking from outside


def root_of(note: str) -> bytes:
    return open_checkpoint(note, LOG_KEYS).checkpoint.root


def plain_root(leaves: Sequence[bytes]) -> bytes:
    """The tree of RFC 9162, 2.1.1, as its text reads."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + plain_root(leaves[:split]) + plain_root(leaves[split:])).digest()


async def leaves_of(journal: Journal) -> list[bytes]:
    return [await journal.leaf(index) for index in range(journal.size)]


async def follow(
    journal: Journal, channel: str, trust: Trust | None = None, limit: int = 500
) -> tuple[Trust, list[VerifiedEntry]]:
    """Walk a channel to its end, page by page, as its own nation's auditor does."""
    trust, complete = trust or Trust(), False
    found: list[VerifiedEntry] = []
    while not complete:
        page = await journal.segment(channel, trust.tip.count, limit)
        proof = await journal.consistency(trust.size, journal.size) if trust.size else []
        position, count = journal.channels.index(channel), len(journal.channels)
        trust, entries, complete = walk(trust, page, LOG_KEYS, channel, position, count, proof)
        found += entries
    return trust, found
