"""A small journal world for the tests: a mission of a few nations, a clock that is set by hand."""

import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.journal import THIS_INDEX, Journal, Record, Row
from wire.entries import MISSION, Event
from wire.notes import Ed25519Signer

ORIGIN = "tearline.example/minusx/1"
NATIONS = ("KEN", "GBR", "FRA", "SEN")
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
    channels: Sequence[str] = (MISSION, *NATIONS)
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

    async def open(self, **changed: Any) -> Journal:
        settings: dict[str, Any] = {
            "anchor": self.anchor,
            "signers": [SIGNER],
            "origin": ORIGIN,
            "secret": SECRET,
            "channels": self.channels,
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


def event(number: int, *channels: str) -> Event:
    views: Mapping[str, dict[str, Any]] = {
        channel: {"number": number, "to": channel} for channel in channels or ("KEN", "GBR")
    }
    return Event("release", views)


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


def some_batches(seed: int, batches: int) -> list[list[Record]]:
    """Batches of different sizes that concern different channels."""
    chance = random.Random(seed)
    everyone = [MISSION, *NATIONS]
    return [
        [
            Record(event(chance.randrange(1000), *chance.sample(everyone, chance.randint(1, 4))))
            for _ in range(chance.randint(1, 9))
        ]
        for _ in range(batches)
    ]
