"""What every start does before anything is served: the same code after a clean stop and a crash.

    (1) the last checkpoint is signed by our keys and is that of the stored tree
    (2) the newest `RECHECKED` entries are replayed: leaves, hashes, chains, heads, rows
    (3) the anchor is a prefix of the journal; if it is ahead, the journal was rolled back
    (4) what was read is made durable, and only then does the anchor catch up

A crash between commit and anchor leaves the journal ahead of its anchor: allowed, and proved.
"""

import hashlib
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Final

from broker.journal.anchor import Anchor
from broker.journal.binding import BOUND, INDEX_COLUMN, Digest
from broker.journal.nodes import read_nodes, with_nodes
from broker.journal.replay import EntryRow, Page, Replay, SlotRow, damaged
from broker.journal.schema import SLOTS
from broker.journal.state import Seals, State
from broker.journal.store import Reads
from wire.entries import Tip
from wire.errors import BrokerFault, Malformed
from wire.merkle import Frontier, consistency_proof, range_nodes, verify_consistency
from wire.notes import open_checkpoint

RECHECKED: Final = 1024
"""Entries replayed at every start: far more than one bad stop can hurt, in about a quarter of
a second. A scrub replays all of them."""
PAGE: Final = 64
"""Entries read at a time; with a report of a few megabytes in each they still fit in memory."""

_FAR: Final = 1 << 54
"""Beyond every index: the formats stop at 2^53."""

_ENTRIES: Final = (
    "SELECT idx, leaf, hashes, rows FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
)
_SLOTS: Final = """SELECT link.at, link.channel, count, link.body,
        view.at, opening, view.body, erased, count >= first AND count < until,
        count < (SELECT max(until) FROM sweep AS every WHERE every.channel = link.channel)
    FROM link LEFT JOIN view ON view.at = link.at
    LEFT JOIN sweep ON sweep.idx = erased AND sweep.channel = link.channel
    WHERE link.at >= ? AND link.at < ? ORDER BY link.at"""
_VIEWS: Final = "SELECT count(*) FROM view WHERE at >= ? AND at < ?"
_HEADS: Final = "SELECT size, note FROM head WHERE size > ? AND size <= ? ORDER BY size"
_ROWS: Final = {
    table: f"SELECT * FROM {table} WHERE idx >= ? AND idx < ?"  # noqa: S608 - literal names
    for table in BOUND
}
_ERASURES: Final = """SELECT report_idx, idx, before, after FROM erasure
    WHERE report_idx >= ? AND report_idx < ? ORDER BY report_idx, idx"""
_LAST_HEAD: Final = "SELECT size FROM head ORDER BY size DESC LIMIT 1"
_CHANNELS: Final = "SELECT position, name, since FROM channel ORDER BY position"
# Crosswise, so that SQLite takes channel by channel: it would go through all links otherwise.
_TIPS: Final = """SELECT channel.name, link.count, link.at, entry.leaf
    FROM channel
    CROSS JOIN link ON link.at = (
        SELECT before.at FROM link AS before
        WHERE before.channel = channel.name AND before.at < ? ORDER BY before.count DESC LIMIT 1)
    CROSS JOIN entry ON entry.idx = link.at / 256"""


async def recover(
    store: Reads,
    seals: Seals,
    progress: Callable[[int, int], None] = lambda _done, _size: None,
    *,
    whole: bool = False,
) -> State | None:
    """The state that the stored rows add up to, steps (1) and (2); None if there are none.

    With `whole` all entries are replayed, not just the newest. `progress` is told (entries
    checked, entries in all). Raises `BrokerFault` "journal-damaged", naming the first of those
    entries that disagrees.
    """
    heads = _typed(await store.read(_LAST_HEAD), int)
    size: int = heads[0][0] if heads else 0
    start = 0 if whole else max(0, size - RECHECKED)
    channels = await _read_channels(store)
    if any(since >= size for _, since in channels):
        raise BrokerFault("journal-damaged", "a channel was admitted by no entry")
    try:
        cover = range_nodes(0, start)
        found = await read_nodes(store, cover)
        frontier = Frontier(start, [found[node] for node in cover])
        replay = Replay(seals, channels, frontier, await _tips_before(store, start))
        await _replay(store, replay, size, _FAR, lambda done: progress(done, size))
    except Malformed as error:
        raise BrokerFault("journal-damaged", error.detail) from error
    if not size:
        return None
    names = tuple(name for name, _ in channels)
    return State(replay.frontier, dict(replay.tips), names, replay.time_ms, replay.note)


async def scrub(store: Reads, seals: Seals, state: State, progress: Callable[[int], None]) -> None:
    """Replay all rows up to the state. Raises `BrokerFault` "journal-damaged"."""
    await check_pages(store)
    replay = Replay(seals, await _read_channels(store), Frontier(), {})
    await _replay(store, replay, state.size, state.size, progress)
    if state.size and replay.note != state.checkpoint:
        raise damaged(state.size, "the rows are another history than was written")


async def check_pages(store: Reads) -> None:
    """Let SQLite check tables against indices. Raises `BrokerFault` "journal-damaged"."""
    if await store.read("PRAGMA integrity_check(1)") != [("ok",)]:
        raise BrokerFault("journal-damaged", "SQLite's own integrity check fails")


async def compare_anchor(
    store: Reads, anchor: Anchor, state: State, seals: Seals, *, accept_missing: bool
) -> None:
    """Step (3). Raises `BrokerFault` "rollback-detected" unless the anchor is a prefix."""
    note = anchor.read()
    if note is not None:
        await check_prefix(store, note, state, seals, "the anchor")
    elif state.size and not accept_missing:
        raise BrokerFault("rollback-detected", "the anchor is missing; restore it first")


async def check_prefix(store: Reads, note: str, state: State, seals: Seals, name: str) -> int:
    """The size of a checkpoint that the journal goes on from; `name` says whose it is.

    Raises `BrokerFault` "rollback-detected" if it is not ours, ahead, or of another history.
    """
    size = state.size
    try:
        known = open_checkpoint(note, seals.log_keys).checkpoint
    except Malformed as error:
        raise BrokerFault("rollback-detected", f"{name} is not ours: {error.detail}") from error
    if known.size > size:
        raise BrokerFault("rollback-detected", f"{size} entries, but {name} has {known.size}")
    if known.size:
        proof = await with_nodes(store, lambda get: consistency_proof(known.size, size, get))
        try:
            verify_consistency(known.size, size, proof, known.root, state.frontier.root())
        except Malformed as error:
            raise BrokerFault("rollback-detected", f"{name} is of another history") from error
    return known.size


async def _replay(
    store: Reads, replay: Replay, size: int, upper: int, progress: Callable[[int], None]
) -> None:
    """Feed everything from the replay's frontier up to `size`; rows up to `upper` must fit in."""
    for first in range(replay.frontier.size, max(size, 1), PAGE):
        end = min(first + PAGE, size)
        replay.feed(await _read_page(store, first, end, upper if end == size else end))
        progress(end)


async def _read_page(store: Reads, first: int, end: int, upper: int) -> Page:
    lowest = first or -_FAR
    slots = (lowest * SLOTS, upper * SLOTS)
    entries = _typed(await store.read(_ENTRIES, (lowest, upper)), int, bytes, bytes, bytes)
    links = _typed(
        await store.read(_SLOTS, slots),
        *(int, str, int, bytes),
        *(int | None, bytes | None, bytes | None, int | None),
        *(int | None, int | None),
    )
    erased = await _read_erasures(store, lowest, upper)
    rows: dict[int, list[tuple[str, Sequence[Any]]]] = {}
    for table, sql in _ROWS.items():
        for values in await store.read(sql, (lowest, upper)):
            index = values[INDEX_COLUMN[table]]
            gone = erased.get(index) if table == "report" else None
            whole = _as_accepted(values, gone) if gone else values
            rows.setdefault(index, []).append((table, whole))
    return Page(
        first=first,
        end=end,
        entries=[EntryRow(*row) for row in entries],
        slots=[SlotRow(*row) for row in links],
        views=(await store.read(_VIEWS, slots))[0][0],
        heads=_typed(await store.read(_HEADS, (lowest, upper)), int, str),
        rows=rows,
    )


async def _read_erasures(store: Reads, first: int, end: int) -> dict[int, list[tuple[Any, ...]]]:
    """What was deleted of the reports accepted from `first` up to `end`, in order, by report."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in _typed(await store.read(_ERASURES, (first, end)), int, int, bytes, bytes):
        found.setdefault(row[0], []).append(row)
    return found


def _as_accepted(values: Sequence[Any], erased: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
    """A report's row with the digest of the bytes that it had when it was accepted.

    What is left must be what the last entry left that deleted something, and each of those must
    have found what the one before it left. Raises `BrokerFault` "journal-damaged".
    """
    *others, raw = values
    digest = hashlib.sha256(raw if isinstance(raw, bytes) else b"").digest()
    for index, by, before, after in reversed(erased):
        if after != digest or by <= index:
            raise damaged(index, "what is left of its report is not what was left")
        digest = before
    return (*others, Digest(digest))


async def _read_channels(store: Reads) -> list[tuple[str, int]]:
    """Every channel with the index from which it counts, in order of admission."""
    rows = _typed(await store.read(_CHANNELS), int, str, int)
    if [row[0] for row in rows] != list(range(len(rows))):
        raise BrokerFault("journal-damaged", "channels are missing or out of order")
    return [(name, first) for _, name, first in rows]


async def _tips_before(store: Reads, start: int) -> dict[str, Tip]:
    """Each channel's last entry before `start`. What is wrong here no heads leaf will confirm."""
    tips = {}
    rows = await store.read(_TIPS, (start * SLOTS,))
    for name, count, at, leaf in _typed(rows, str, int, int, bytes):
        index, slot = divmod(at, SLOTS)
        tips[name] = Tip(count + 1, index, slot, leaf[2 + 32 * slot : 34 + 32 * slot])
    return tips


def _typed(rows: Sequence[tuple[Any, ...]], *kinds: type | UnionType) -> Sequence[tuple[Any, ...]]:
    """The rows, if every value has its column's type. A damaged file can hold anything."""
    for row in rows:
        if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
            raise BrokerFault("journal-damaged", "a stored value has another type than its column")
    return rows
