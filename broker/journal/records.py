"""What callers hand to the journal and what they get back.

A record is one thing that happened: the event that every concerned nation can later prove, and
the rows in which the broker keeps what it needs to serve. Both become durable in one transaction
or not at all, so no row can exist whose event is not in the log.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from broker.journal.binding import INDEX_COLUMN
from broker.journal.schema import CHANGES, PROGRESS, TABLES, place
from wire.entries import Event
from wire.evidence import Evidence


class _Place(Enum):
    THIS_INDEX = "the index of the entry that this row belongs to"


THIS_INDEX: Final = _Place.THIS_INDEX
"""Stands for the index that the journal gives the entry when it writes the row."""

Value: TypeAlias = str | bytes | int | None
"""What a column of ours holds; never a float."""

Stated: TypeAlias = Value | Literal[_Place.THIS_INDEX]
"""What a caller may state for a column."""


@dataclass(frozen=True, slots=True)
class Row:
    """A new row of a table in `schema.TABLES`, all columns in their order.

    An existing key is an error that stops the journal, so look before you append. The column
    `idx` is always `THIS_INDEX`.
    """

    table: str
    values: tuple[Stated, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(TABLES[self.table]):
            raise ValueError(f"a row of {self.table} has {len(TABLES[self.table])} values")
        own = INDEX_COLUMN.get(self.table)
        if own is not None and self.values[own] is not THIS_INDEX:
            raise ValueError(f"a row of {self.table} belongs to the entry that writes it")


@dataclass(frozen=True, slots=True)
class Change:
    """One of the fixed statements in `schema.CHANGES` or `schema.PROGRESS`, with its parameters.

    A record takes only the former, `Journal.note_progress` only the latter.
    """

    key: str
    params: tuple[Stated, ...]

    def __post_init__(self) -> None:
        statement = CHANGES.get(self.key) or PROGRESS[self.key]
        if statement.count("?") != len(self.params):
            raise ValueError(f"{self.key} has {statement.count('?')} parameters")


@dataclass(frozen=True, slots=True)
class Record:
    """An event with the rows and changes that become true together with it."""

    event: Event
    rows: tuple[Row, ...] = ()
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if any(change.key not in CHANGES for change in self.changes):
            raise ValueError("progress is not part of a record")


@dataclass(frozen=True, slots=True)
class Entry:
    """A durable entry: its place, its time (ms, UTC) and what each channel needs to prove it."""

    index: int
    time_ms: int
    type: str
    evidence: Mapping[str, Evidence]


def erase_report(index: int, stored: bytes, left: bytes) -> tuple[Row, Change]:
    """Delete parts of the bytes of the report accepted at `index`; what is `left` stays.

    Goes with the record of the deletion itself. Every proof stays valid, and the journal still
    knows that nothing but this was taken away.
    """
    before, after = hashlib.sha256(stored).digest(), hashlib.sha256(left).digest()
    row = Row("erasure", (index, THIS_INDEX, before, after))
    return row, Change("report.erase", (left, index))


def erase_view(index: int, slot: int) -> Change:
    """Erase what one channel may read of an entry; its link and every proof stay valid.

    Goes with the record of the erasure itself.
    """
    return Change("view.erase", (THIS_INDEX, place(index, slot)))
