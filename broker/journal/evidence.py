"""What leaves the journal as proof: entries fresh from a batch, pages of a chain, tiles of the log.

Everything stays below the newest checkpoint in memory, which is never newer than what is durable.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from broker.journal.nodes import inclusion_proofs, read_nodes
from broker.journal.schema import SLOTS, place
from broker.journal.state import Seals, State
from broker.journal.store import Store
from wire import entries
from wire import evidence as forms
from wire.entries import SealedBatch, SealedEntry
from wire.errors import BrokerFault, NotAllowed
from wire.evidence import Evidence
from wire.pages import Exhibit, MadePage

PAGE_ENTRIES: Final = 500
"""Entries in one page of a chain, about 10 ms of building; the format allows twice as many."""
PAGE_BYTES: Final = 4 << 20
"""Of stored views in one page, so that it stays far below the format's limit in base64."""
TILE_WIDTH: Final = 256
"""Hashes of a full tile (C2SP tlog-tiles)."""
TILE_LEVEL: Final = 8
"""Tree levels from one level of tiles to the next."""

_CHAIN: Final = """SELECT link.at, link.body, view.opening, view.body, entry.leaf, erased
    FROM link LEFT JOIN view ON view.at = link.at JOIN entry ON entry.idx = link.at / 256
    WHERE link.channel = ? AND link.count >= ? AND link.at < ? ORDER BY link.count LIMIT ?"""
_NAMED: Final = """SELECT link.at, link.body, view.opening, view.body, entry.leaf, erased
    FROM json_each(?) AS wanted
    JOIN link ON link.at >= wanted.value * 256 AND link.at < wanted.value * 256 + 256
    LEFT JOIN view ON view.at = link.at JOIN entry ON entry.idx = link.at / 256
    WHERE +link.channel = ? ORDER BY link.at"""
# The plus keeps SQLite from the channel's own index, where every name would mean the whole chain.
Shown: TypeAlias = tuple[int, bytes, bytes | None, bytes | None, bytes, int | None]
"""A row of either: place, link, opening and text of the view, leaf, and which entry erased it."""

_LEAVES: Final = "SELECT leaf FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"


class AheadError(Exception):
    """A view was erased by an entry that the checkpoint at hand does not have yet: under it, the
    view would be missing for no reason.
    """


class FreshEvidence(Mapping[str, Evidence]):
    """Evidence for each channel of an entry just written: made when asked for, from memory only."""

    def __init__(self, entry: SealedEntry, batch: SealedBatch, note: str, secret: bytes) -> None:
        self._entry = entry
        self._batch = batch
        self._note = note
        self._secret = secret
        self._made: dict[str, Evidence] = {}

    def __getitem__(self, channel: str) -> Evidence:
        if channel not in self._made:
            entry, row = self._entry, self._entry.links[channel]
            self._made[channel] = forms.evidence(
                entry.index,
                row.slot,
                entry.leaf,
                row.link,
                entries.link_opening(self._secret, entry.index, row.slot),
                entry.views[channel],
                self._batch.proof(entry.index),
                self._note,
            )
        return self._made[channel]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entry.links)

    def __len__(self) -> int:
        return len(self._entry.links)


async def read_segment(
    store: Store, state: State, seals: Seals, channel: str, after: int, limit: int
) -> MadePage:
    """A page of a channel's chain under the newest checkpoint: the entries from number `after` on.

    Raises `NotAllowed` "not-found" for a channel that no heads leaf names yet, and `AheadError`.
    """
    if channel not in state.channels:
        raise NotAllowed("not-found")
    size = state.size
    limit = max(0, min(limit, PAGE_ENTRIES))
    rows = await store.read(_CHAIN, (channel, after, place(size, 0), limit))
    page = _within_bytes(rows)
    _check_explained(page, size)
    indices = [row[0] // SLOTS for row in page]
    *proofs, last = await inclusion_proofs(store, [*indices, size - 1], size)
    shown = tuple([_exhibit(*pair, seals) for pair in zip(page, proofs, strict=True)])
    secret = seals.at(size - 1)
    head = entries.head_evidence(
        channel, size - 1, state.time_ms, state.channels, state.tips, secret
    )
    return MadePage(state.checkpoint, channel, shown, forms.head_evidence(head, last))


async def read_entries(
    store: Store, state: State, seals: Seals, channel: str, indices: Sequence[int]
) -> list[Evidence]:
    """Entries of one channel, each proven under the newest checkpoint, in ascending order.

    Raises `NotAllowed` "not-found" if one of them is none of this channel's, and `AheadError`.
    """
    wanted = sorted(set(indices))
    rows = await store.read(_NAMED, (json.dumps(wanted), channel))
    _check_explained(rows, state.size)
    if [row[0] // SLOTS for row in rows] != wanted or (wanted and wanted[-1] >= state.size):
        raise NotAllowed("not-found")
    proofs = await inclusion_proofs(store, wanted, state.size)
    pairs = zip(rows, proofs, strict=True)
    return [_evidence(*pair, seals, state.checkpoint) for pair in pairs]


def _check_explained(rows: Sequence[Shown], size: int) -> None:
    if any(row[-1] is not None and row[-1] >= size for row in rows):
        raise AheadError


def _exhibit(row: Shown, proof: tuple[bytes, ...], seals: Seals) -> Exhibit:
    at, link, opening, view, leaf, _ = row
    index, slot = divmod(at, SLOTS)
    seal = entries.link_opening(seals.at(index), index, slot)
    return Exhibit(index, slot, leaf, link, seal, view, opening, proof)


def _evidence(row: Shown, proof: tuple[bytes, ...], seals: Seals, checkpoint: str) -> Evidence:
    one = _exhibit(row, proof, seals)
    stored = None if one.view is None or one.view_opening is None else (one.view_opening, one.view)
    shown = (one.index, one.slot, one.leaf, one.link, one.opening, stored, one.proof)
    return forms.evidence(*shown, checkpoint)


def _within_bytes(rows: list[Shown]) -> list[Shown]:
    """The first rows whose views fit a page, at least one so that a reader gets on."""
    total = 0
    for number, row in enumerate(rows):
        total += len(row[3] or b"")
        if number and total > PAGE_BYTES:
            return rows[:number]
    return rows


async def read_tile(store: Store, size: int, level: int, number: int, width: int) -> bytes:
    """Hashes of a tile, `width` of them (C2SP tlog-tiles). Raises `NotAllowed` "not-found"."""
    first = number * TILE_WIDTH
    if not 0 <= level < 8 or not _exists(number, width, size >> (TILE_LEVEL * level)):
        raise NotAllowed("not-found")
    nodes = [(TILE_LEVEL * level, first + i) for i in range(width)]
    found = await read_nodes(store, nodes)
    return b"".join(found[node] for node in nodes)


async def read_bundle(store: Store, size: int, number: int, width: int) -> bytes:
    """Leaves of an entry bundle, each after its length as u16 (C2SP tlog-tiles).

    Raises `NotAllowed` "not-found".
    """
    if not _exists(number, width, size):
        raise NotAllowed("not-found")
    leaves = await read_leaves(store, number * TILE_WIDTH, width)
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


async def read_leaves(store: Store, first: int, number: int) -> list[bytes]:
    """Leaves that the log has. Raises `BrokerFault` "journal-damaged" if one is not stored."""
    leaves = [row[0] for row in await store.read(_LEAVES, (first, first + number))]
    if len(leaves) != number:
        raise BrokerFault("journal-damaged", f"leaves from {first} on are missing")
    return leaves


def _exists(number: int, width: int, hashes: int) -> bool:
    return 0 < width <= TILE_WIDTH and number >= 0 and number * TILE_WIDTH + width <= hashes
