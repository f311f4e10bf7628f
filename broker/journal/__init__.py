"""The journal: one append-only log that is the source of truth, and what the broker serves from.

The only home of SQLite. Read `engine` first, then `batch`, `store`, `recovery`, `replay`.
"""

from broker.journal.engine import Journal
from broker.journal.records import (
    THIS_INDEX,
    Change,
    Entry,
    Record,
    Row,
    erase_report,
    erase_view,
)

__all__ = [
    "THIS_INDEX",
    "Change",
    "Entry",
    "Journal",
    "Record",
    "Row",
    "erase_report",
    "erase_view",
]
