"""What a journal entry is, byte for byte (DESIGN.md section 6).

    leaf  = 0x01 ‖ k u8 ‖ c_0 … c_{k-1}                   an event that concerns k channels
    c     = HMAC-SHA256("tearline/link/v1", opening ‖ link)
    link  = JSON {channel, count, index, slot, prev_index, prev, time, type, view}
    view  = HMAC-SHA256("tearline/view/v1", view opening ‖ view JSON), in hex

    leaf  = 0x02 ‖ time u64 ‖ channels u16 ‖ MTH          the heads leaf that ends every batch;
            the tree is over HMAC-SHA256("tearline/head/v1", opening ‖ head), channels in order
    head  = JSON {channel, count, index, slot, last}      of each channel's newest entry

A leaf tells a stranger nothing but k, and not even how many channels there are where some of its
commitments are decoys, which nothing opens. A channel's own readers open their commitment to the
link, follow `prev` from link to link, and compare the end with the head. Times are Unix
milliseconds.
Openings of links and heads come from the journal's secret, so they need no storage; openings of
views are random and stored beside the view: erase both, and nothing is left that could be guessed.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from wire import mac, strict_json
from wire.errors import BrokerFault, Malformed
from wire.links import (
    ENTRY,
    HEAD_KEY,
    HEADS,
    HEADS_LEAF,
    LINK_KEY,
    MAX_VIEWS,
    OPENING_BYTES,
    TYPE_CHARACTERS,
    TYPE_FORM,
    VIEW_KEY,
)
from wire.merkle import Edge, Frontier, leaf_hash

MISSION: Final = "MISSION"
"""The channel that every member may open."""

SECRET_BYTES: Final = 32
"""From the secret come the openings that keep links and heads unguessable."""

_TYPE: Final = re.compile(rf"(?:{TYPE_FORM})\Z")
_CHANNEL: Final = re.compile(rf"[A-Z]{{3}}|{MISSION}")

Random: TypeAlias = Callable[[int], bytes]
"""A source of so many random bytes."""


@dataclass(frozen=True, slots=True)
class Tip:
    """How far a channel has come: so many entries, and where the last of them stands."""

    count: int = 0
    index: int = -1
    slot: int = -1
    commitment: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be journalled, with what each channel concerned may read about it.

    The views are written out here, so that a text that the gate refuses fails its author and not
    the batch. Raises `Malformed` ``bad-json``, ``too-large`` or ``bad-fields``.
    """

    type: str
    views: Mapping[str, Mapping[str, Any]]
    places: int = 0
    """How many commitments its leaf has, if more than channels: then they stand anywhere among
    decoys, and neither their number nor their order is to be seen."""
    bodies: Mapping[str, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.type) > TYPE_CHARACTERS or not _TYPE.match(self.type):
            raise Malformed("bad-fields", "the type of an event is dotted lower-case words")
        count = len(self.views)
        fits = 0 < count <= (self.places or count) <= MAX_VIEWS
        if not fits or not all(map(_CHANNEL.fullmatch, self.views)):
            raise Malformed("bad-fields", "an event concerns 1 to 255 channels")
        bodies = {channel: strict_json.dump(dict(view)) for channel, view in self.views.items()}
        object.__setattr__(self, "bodies", bodies)


# -- sealing


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A channel's part of an entry, as it is stored."""

    count: int
    slot: int
    link: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry ready to be written. `views` holds (opening, body); `tips` the channels it moved."""

    index: int
    leaf: bytes
    links: Mapping[str, LinkRow]
    views: Mapping[str, tuple[bytes, bytes]]
    tips: Mapping[str, Tip]


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """One transaction's entries and the heads leaf that ends them.

    `hashes` are the stored hashes of every row, the heads leaf's last; `frontier` and `tips` are
    the state once it is written.
    """

    entries: tuple[SealedEntry, ...]
    heads: bytes
    hashes: tuple[bytes, ...]
    frontier: Frontier
    tips: Mapping[str, Tip]
    edge: Edge

    @property
    def rows(self) -> list[tuple[int, bytes, bytes]]:
        """(index, leaf, stored hashes) of every row in order, the heads leaf last."""
        leaves = [*(entry.leaf for entry in self.entries), self.heads]
        indices = range(self.edge.first, self.edge.size)
        return list(zip(indices, leaves, self.hashes, strict=True))

    def proof(self, index: int) -> list[bytes]:
        """Inclusion proof of a row of this batch in the tree that the batch makes; memory only."""
        return self.edge.proof(index)


def seal_batch(
    events: Sequence[Event],
    size: int,
    frontier: Frontier,
    tips: Mapping[str, Tip],
    channels: Sequence[str],
    time_ms: int,
    secret: bytes,
    random: Random,
) -> SealedBatch:
    """Everything that one transaction writes; changes nothing that it is given.

    Raises `BrokerFault` ``journal-damaged`` if size and frontier disagree or an event concerns a
    channel that the journal does not have, ``bad-settings`` for a secret that could be guessed.
    """
    if len(secret) < SECRET_BYTES:
        raise BrokerFault("bad-settings", f"the journal's secret is at least {SECRET_BYTES} bytes")
    known = set(channels)
    if size != frontier.size or any(event.bodies.keys() - known for event in events):
        raise BrokerFault("journal-damaged", "a batch does not fit the journal")
    tips, tree = dict(tips), frontier.copy()
    entries, hashes = [], []
    for index, event in enumerate(events, size):
        entry = seal_event(event, index, time_ms, tips, secret, random)
        tips.update(entry.tips)
        entries.append(entry)
        hashes.append(tree.append(leaf_hash(entry.leaf)))
    heads = heads_leaf(size + len(events), time_ms, channels, tips, secret)
    hashes.append(tree.append(leaf_hash(heads)))
    edge = Edge(frontier, hashes)
    return SealedBatch(tuple(entries), heads, tuple(hashes), tree, tips, edge)


def seal_event(
    event: Event, index: int, time_ms: int, tips: Mapping[str, Tip], secret: bytes, random: Random
) -> SealedEntry:
    """The entry of one event at `index`, following the tips of the channels it concerns."""
    openings = random(OPENING_BYTES * len(event.bodies))
    links, views, moved = {}, {}, {}
    slots = _slots(event, index, secret)
    leaf = [decoy(secret, index, slot) for slot in range(event.places)] or [b""] * len(slots)
    for number, (channel, body) in enumerate(event.bodies.items()):
        tip, slot = tips.get(channel) or Tip(), slots[number]
        view_opening = openings[number * OPENING_BYTES : (number + 1) * OPENING_BYTES]
        view = mac.digest(VIEW_KEY, view_opening + body).hex()
        # Every part has a checked form, so this is JSON without a serialiser's cost.
        link = (
            f'{{"channel":"{channel}","count":{tip.count},"index":{index},"slot":{slot},'
            f'"prev_index":{tip.index},"prev":"{tip.commitment.hex()}","time":{time_ms},'
            f'"type":"{event.type}","view":"{view}"}}'
        ).encode()
        commitment = mac.digest(LINK_KEY, link_opening(secret, index, slot) + link)
        links[channel] = LinkRow(tip.count, slot, link, commitment)
        views[channel] = (view_opening, body)
        moved[channel] = Tip(tip.count + 1, index, slot, commitment)
        leaf[slot] = commitment
    body = bytes((ENTRY, len(leaf))) + b"".join(leaf)
    return SealedEntry(index, body, links, views, moved)


def _slots(event: Event, index: int, secret: bytes) -> Sequence[int]:
    """Which commitment of the leaf belongs to which channel, in their order."""
    if not event.places:
        return range(len(event.bodies))
    drawn = sorted(
        range(event.places),
        key=lambda slot: mac.digest(secret, b"place" + struct.pack(">QB", index, slot)),
    )
    return drawn[: len(event.bodies)]


def decoy(secret: bytes, index: int, slot: int) -> bytes:
    """What stands in leaf `index` at a slot that belongs to nobody."""
    return mac.digest(secret, b"decoy" + struct.pack(">QB", index, slot))


def heads_leaf(
    index: int, time_ms: int, channels: Sequence[str], tips: Mapping[str, Tip], secret: bytes
) -> bytes:
    """The leaf at `index` that fixes how far every channel has come."""
    tree = Frontier()
    for channel in channels:
        tree.append(_head_hash(channel, index, tips, secret))
    return HEADS_LEAF.pack(HEADS, time_ms, len(channels), tree.root())


@dataclass(frozen=True, slots=True)
class HeadEvidence:
    """What opens one channel's part of a heads leaf; `path` leads to the root in the leaf."""

    leaf: bytes
    head: bytes
    opening: bytes
    path: tuple[bytes, ...]


def head_evidence(
    channel: str,
    index: int,
    time_ms: int,
    channels: Sequence[str],
    tips: Mapping[str, Tip],
    secret: bytes,
) -> HeadEvidence:
    """The evidence for one channel under the heads leaf that the same arguments make."""
    tree = Frontier()
    edge = Edge(Frontier(), [tree.append(_head_hash(c, index, tips, secret)) for c in channels])
    return HeadEvidence(
        leaf=HEADS_LEAF.pack(HEADS, time_ms, len(channels), tree.root()),
        head=_head_text(channel, tips),
        opening=_head_opening(secret, index, channel),
        path=tuple(edge.proof(channels.index(channel))),
    )


def link_opening(secret: bytes, index: int, slot: int) -> bytes:
    """What opens commitment `slot` of leaf `index`; to be shown to that channel's readers only."""
    return mac.digest(secret, b"link" + struct.pack(">QB", index, slot))


def _head_opening(secret: bytes, index: int, channel: str) -> bytes:
    return mac.digest(secret, b"head" + struct.pack(">Q", index) + channel.encode())


def _head_text(channel: str, tips: Mapping[str, Tip]) -> bytes:
    tip = tips.get(channel) or Tip()
    return (
        f'{{"channel":"{channel}","count":{tip.count},"index":{tip.index},"slot":{tip.slot},'
        f'"last":"{tip.commitment.hex()}"}}'
    ).encode()


def _head_hash(channel: str, index: int, tips: Mapping[str, Tip], secret: bytes) -> bytes:
    opening = _head_opening(secret, index, channel)
    return leaf_hash(mac.digest(HEAD_KEY, opening + _head_text(channel, tips)))
