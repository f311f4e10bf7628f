"""The one check that every start and every scrub runs: do the stored rows follow from one another?

Feed it the log page by page, in order. It re-hashes the leaf bytes that are *stored* (logs have
died of a bit that flipped between memory and disk), compares every stored tree hash, follows every
channel's chain, recomputes every heads leaf, verifies every checkpoint, and checks the tie of
every entry to the rows it wrote. Nothing here reads a file.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from broker.journal.binding import bind
from broker.journal.schema import SLOTS, place
from broker.journal.state import Seals
from wire import entries, links
from wire.entries import Tip
from wire.erasures import SPARED
from wire.errors import BrokerFault, Malformed
from wire.links import Link
from wire.merkle import Frontier, leaf_hash
from wire.notes import open_checkpoint

ENTRY_LEAF: Final = 0x01


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of the table `entry`."""

    index: int
    leaf: bytes
    hashes: bytes
    rows: bytes


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A row of `link` with its row of `view`; `viewed` is None if there is none.

    `in_order` says that the sweep which it names erased it, `swept` that some sweep erased all of
    its channel up to it; both are None without any.
    """

    at: int
    channel: str
    count: int
    link: bytes
    viewed: int | None
    opening: bytes | None
    view: bytes | None
    erased: int | None
    in_order: int | None
    swept: int | None


@dataclass(frozen=True)
class Page:
    """What is stored about the entries from `first` up to `end`, each list in order of the log."""

    first: int
    end: int
    entries: Sequence[EntryRow]
    slots: Sequence[SlotRow]
    views: int
    heads: Sequence[tuple[int, str]]
    rows: Mapping[int, Sequence[tuple[str, Sequence[Any]]]]


class Replay:
    """The state that the rows add up to, and the fault that says where they do not.

    Every fault is a `BrokerFault` "journal-damaged" naming the first entry that disagrees.
    """

    def __init__(
        self,
        seals: Seals,
        channels: Sequence[tuple[str, int]],
        frontier: Frontier,
        tips: Mapping[str, Tip],
    ) -> None:
        self._at = seals.at
        self._log_keys = seals.log_keys
        self._channels = channels
        self.frontier = frontier
        self.tips: defaultdict[str, Tip] = defaultdict(Tip, tips)
        self.time_ms = 0
        self.note = ""

    def feed(self, page: Page) -> None:
        """Go on with the next page."""
        slots, heads = _by_entry(page.slots), dict(page.heads)
        expected = range(page.first, page.end)
        for index, row in zip_longest(expected, page.entries):
            if row is None or row.index != index:
                raise damaged(page.end if index is None else index, "missing, or out of place")
            try:
                self._follow(row, slots.pop(row.index, []), heads.pop(row.index + 1, None))
            except Malformed as error:
                raise damaged(row.index, error.detail) from error
            self._check_rows(row, page.rows.get(row.index, ()))
        shown = sum(row.viewed is not None for row in page.slots)
        if slots or heads or page.rows.keys() - set(expected) or shown != page.views:
            raise damaged(page.first, "rows that belong to no entry")

    def _check_rows(self, row: EntryRow, written: Sequence[tuple[str, Sequence[Any]]]) -> None:
        try:
            bound = bind(self._at(row.index), row.index, written)
        except TypeError:  # a null, or a float: nothing of ours
            bound = b""
        if bound != row.rows:
            raise damaged(row.index, "its rows are not those that it wrote")

    def _follow(self, row: EntryRow, slots: Sequence[SlotRow], note: str | None) -> None:
        if self.frontier.append(leaf_hash(row.leaf)) != row.hashes:
            raise damaged(row.index, "the stored hashes are not those of the stored leaf")
        if row.leaf[:1] == bytes([ENTRY_LEAF]):
            if note is not None or not self._has_links(row, [slot.at % SLOTS for slot in slots]):
                raise damaged(row.index, "links are missing or out of place")
            for slot in slots:
                self._follow_chain(row, slot)
        elif slots or note is None:
            raise damaged(row.index, "a heads leaf has a checkpoint and no links")
        else:
            self._follow_heads(row, note)

    def _has_links(self, row: EntryRow, slots: Sequence[int]) -> bool:
        """Whether every commitment of the leaf has its link, or is a decoy."""
        secret = self._at(row.index)
        return all(
            slot in slots
            or row.leaf[2 + 32 * slot :][:32] == entries.decoy(secret, row.index, slot)
            for slot in range(_slots_of(row))
        )

    def _follow_chain(self, row: EntryRow, slot: SlotRow) -> None:
        number = slot.at % SLOTS
        opening = entries.link_opening(self._at(row.index), row.index, number)
        link, commitment = links.open_link(row.leaf, number, opening, slot.link)
        tip = self.tips[link.channel]
        follows = Tip(link.count, link.prev_index, tip.slot, bytes.fromhex(link.prev))
        named = (link.channel, link.count, place(link.index, link.slot))
        if follows != tip or named != (slot.channel, slot.count, slot.at):
            raise damaged(row.index, "a link does not follow the one before it in its channel")
        self.tips[link.channel] = Tip(link.count + 1, link.index, link.slot, commitment)
        _check_view(row.index, link, slot)

    def _follow_heads(self, row: EntryRow, note: str) -> None:
        time_ms, _, _ = links.open_heads(row.leaf)
        names = [name for name, since in self._channels if since <= row.index]
        secret = self._at(row.index)
        leaf = entries.heads_leaf(row.index, time_ms, names, self.tips, secret)
        if leaf != row.leaf:
            raise damaged(row.index, "the heads leaf does not say what the chains say")
        checkpoint = open_checkpoint(note, self._log_keys).checkpoint
        if (checkpoint.size, checkpoint.root) != (row.index + 1, self.frontier.root()):
            raise damaged(row.index, "the checkpoint is of another tree")
        self.time_ms, self.note = time_ms, note


def damaged(index: int, what: str) -> BrokerFault:
    """The fault that names the first entry that disagrees."""
    return BrokerFault("journal-damaged", f"entry {index}: {what}")


def _check_view(index: int, link: Link, slot: SlotRow) -> None:
    if slot.opening is not None and slot.view is not None:
        links.open_view(link, slot.opening, slot.view)
        if slot.swept and link.type not in SPARED:
            raise damaged(index, "a view is there that an entry erased")
    elif slot.erased is None or slot.erased <= index or not slot.in_order or link.type in SPARED:
        raise damaged(index, "a view is missing that no later entry erased")


def _by_entry(slots: Sequence[SlotRow]) -> dict[int, list[SlotRow]]:
    found: dict[int, list[SlotRow]] = {}
    for slot in slots:
        found.setdefault(slot.at // SLOTS, []).append(slot)
    return found


def _slots_of(row: EntryRow) -> int:
    """How many commitments the leaf says it has; a leaf cut short fails at the next checkpoint."""
    return int.from_bytes(row.leaf[1:2], "big")
