"""What callers hand to the journal and what they get back.

A record is one thing that happened: the event that every concerned nation can later prove, and
the rows in which the broker keeps what it needs to serve. Both become durable in one transaction
or not at all, so no row can exist whose event is not in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from broker.journal.schema import CHANGES, TABLES
from wire.entries import Event
from wire.prove import Evidence


class _ThisIndex(Enum):
    THIS_INDEX = "the index of the entry that this row belongs to"


THIS_INDEX: Final = _ThisIndex.THIS_INDEX
"""Stands for the index that the journal gives the entry when it writes the row."""

Value: TypeAlias = str | bytes | int | None
"""What a column of ours holds; never a float."""


@dataclass(frozen=True, slots=True)
class Row:
    """A new row of a table in `TABLES`, all columns in their order. An existing key is an error."""

    table: str
    values: tuple[Value | _ThisIndex, ...]

    def __post_init__(self) -> None:
        assert len(self.values) == len(TABLES[self.table]), self.table


@dataclass(frozen=True, slots=True)
class Change:
    """One of the fixed statements in `CHANGES`, with its parameters."""

    key: str
    params: tuple[Value | _ThisIndex, ...]

    def __post_init__(self) -> None:
        assert CHANGES[self.key].count("?") == len(self.params), self.key


@dataclass(frozen=True, slots=True)
class Record:
    """An event with the rows and changes that become true together with it."""

    event: Event
    rows: tuple[Row, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A durable entry: its place, its time (ms, UTC) and what each channel needs to prove it."""

    index: int
    time_ms: int
    type: str
    evidence: Mapping[str, Evidence]
