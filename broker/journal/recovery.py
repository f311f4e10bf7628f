"""What every start does before anything is served: the same code after a clean stop and a crash.

    (1) the last checkpoint is signed by our keys and is that of the stored tree
    (2) the newest `RECHECKED` entries are replayed: leaves, hashes, chains, heads, rows
    (3) the anchor is a prefix of the journal; if it is ahead, the journal was rolled back
    (4) what was read is made durable, and then the anchor catches up

A crash between commit and anchor leaves the journal ahead of its anchor: allowed, and proved.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from broker.journal.binding import BOUND, INDEX_COLUMN
from broker.journal.nodes import node_getter
from broker.journal.replay import EntryRow, Page, Replay, SlotRow, damaged
from broker.journal.schema import SLOTS
from broker.journal.store import Store
from wire.entries import Tip
from wire.errors import BrokerFault, Malformed
from wire.merkle import Frontier, consistency_proof, range_nodes, root_at, verify_consistency
from wire.notes import VKey, open_checkpoint

RECHECKED: Final = 1024
"""Entries replayed at every start: what one bad shutdown could have hurt, in about a tenth of a
second. `scrub` replays all of them."""
PAGE: Final = 64
"""Entries read at a time; with a report of a few megabytes in each it still fits in memory."""

_FAR: Final = 1 << 54
"""Beyond every index (the formats stop at 2^53)."""

_ENTRIES: Final = "SELECT idx, leaf, hashes, rows FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
_SLOTS: Final = """SELECT link.at, channel, count, link.body, view.at, opening, view.body, erased
    FROM link LEFT JOIN view ON view.at = link.at WHERE link.at >= ? AND link.at < ? ORDER BY link.at"""
_VIEWS: Final = "SELECT count(*) FROM view WHERE at >= ? AND at < ?"
_HEADS: Final = "SELECT size, note FROM head WHERE size > ? AND size <= ? ORDER BY size"
_ROWS: Final = {
    table: f"SELECT * FROM {table} WHERE idx >= ? AND idx < ?"  # noqa: S608 - literal names
    for table in BOUND
}
_LAST_HEAD: Final = "SELECT size, note FROM head ORDER BY size DESC LIMIT 1"
_CHANNELS: Final = "SELECT position, name, since FROM channel ORDER BY position"
_TIPS: Final = """SELECT channel.name, link.count, link.at, entry.leaf
    FROM channel
    JOIN link ON link.channel = channel.name AND link.count = (
        SELECT before.count FROM link AS before
        WHERE before.channel = channel.name AND before.at < ? ORDER BY before.count DESC LIMIT 1)
    JOIN entry ON entry.idx = link.at / 256"""
