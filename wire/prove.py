"""Step 10 of a report's way: prove that an entry, or a channel's whole history, is in the journal.

`verify_entry` proves one entry; `walk` proves that a channel's entries are all of them. Both need
only the log's public keys: no broker code, no network, no trust in who delivers the bytes. All
hashed texts travel as base64 of the exact bytes; nothing is ever written out again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from wire import links, strict_json
from wire.base64_strict import decode
from wire.entries import Tip
from wire.errors import Conflict, Malformed
from wire.evidence import Evidence as Evidence
from wire.evidence import HeadEvidenceModel as HeadEvidenceModel
from wire.evidence import Segment as Segment
from wire.links import Link
from wire.made import OnlyByMaker
from wire.merkle import EMPTY_ROOT, Climbing, leaf_hash, verify_consistency, verify_inclusion
from wire.notes import OpenedCheckpoint, VKey, open_checkpoint
from wire.pages import Exhibit, Page, exhibit

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier keeps of one channel between runs.

    The tree verified last, the channel's entry verified last, and how far the channel had come in
    that tree: later pages must pass through exactly that head, and add only behind that tree.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    tip: Tip = Tip()  # noqa: RUF009 - frozen
    head: Tip | None = None


@dataclass(frozen=True, slots=True)
class VerifiedEntry(metaclass=OnlyByMaker):
    """An entry proven to be in the journal. `view` is None where it has been erased.

    `count` numbers the channel's entries from 0; `time` is Unix milliseconds by the broker's clock.
    """

    index: int
    channel: str
    count: int
    time: int
    type: str
    view: Mapping[str, strict_json.Json] | None
    checkpoint: OpenedCheckpoint


# -- verifying


def verify_entry(
    evidence: Evidence | Exhibit,
    log_keys: Sequence[VKey],
    channel: str,
    *,
    checkpoint: OpenedCheckpoint | None = None,
) -> VerifiedEntry:
    """The entry, once it is proven to be in the signed tree and to belong to the channel.

    A checkpoint opened before takes the place of the one in the evidence. Raises `Malformed`:
    ``bad-checkpoint``, ``bad-proof``, ``broken-chain``, or what the JSON gate says.
    """
    if checkpoint is None:
        checkpoint = open_checkpoint(evidence.checkpoint or "", log_keys)
    return _opened(evidence, channel, _Ground(checkpoint))[0]


def walk(
    trust: Trust,
    segment: Segment | Page,
    log_keys: Sequence[VKey],
    channel: str,
    position: int,
    channels: int | None,
    consistency: Sequence[bytes],
    *,
    checkpoint: OpenedCheckpoint | None = None,
) -> tuple[Trust, tuple[VerifiedEntry, ...], bool]:
    """Follow a channel's chain from what is trusted to the end of the page.

    `position` is the channel's fixed place among the `channels` of the heads leaf; None takes the
    number from the leaf, for the mission's channel, which is what tells the number. Gives the new
    trust, the page's entries, and whether they are all there were at the checkpoint.

    Raises `Malformed` ``broken-chain`` naming the first bad entry, ``bad-checkpoint`` or
    ``bad-proof``; `Conflict` ``fork-detected`` for two trees of one size.
    """
    # (1) The checkpoint is the log's, and its tree starts with the tree already trusted.
    opened = checkpoint or open_checkpoint(segment.checkpoint, log_keys)
    check_extends(trust, opened, consistency)
    return follow(trust, segment, opened, channel, position, channels, whole)


def follow(
    trust: Trust,
    segment: Segment | Page,
    opened: OpenedCheckpoint,
    channel: str,
    position: int,
    channels: int | None,
    told: Callable[[VerifiedEntry], Told],
) -> tuple[Trust, tuple[Told, ...], bool]:
    """The rest of `walk`, where the checkpoint's tree is known to start with the one trusted.

    What `told` makes of each entry as soon as it is proven is given in its place: all views of a
    page at once are more memory than a processor has at hand. Raises `Malformed` like `walk`.
    """
    if segment.channel != channel:
        raise Malformed("broken-chain", f"a page of another channel than {channel}")
    # (2) The tree ends in a heads leaf that says, at the channel's own place, how far it has come.
    head = _opened_head(segment.head, opened, channel, position, channels)
    # (3) Every entry is in the tree, and follows the one before it in the chain and in the tree.
    tip, found, ground = trust.tip, list[Told](), _Ground(opened)
    for evidence in segment.entries:
        try:
            entry, link, commitment = _opened(evidence, channel, ground)
            _check_follows(link, tip, trust)
        except Malformed as error:
            where = f"entry {tip.count} of {channel}, at index {evidence.index}"
            raise Malformed("broken-chain", f"{where}: {error.detail}") from error
        tip = Tip(link.count + 1, link.index, link.slot, commitment)
        found.append(told(entry))
    # (4) The page ends where the head says, or before it and then not without progress.
    complete = _check_end(tip, head, trust, channel, has_progress=bool(found))
    size, root = opened.checkpoint.size, opened.checkpoint.root
    return Trust(size, root, tip, head), tuple(found), complete


def whole(entry: VerifiedEntry) -> VerifiedEntry:
    """The entry itself, for `follow`."""
    return entry


def check_extends(trust: Trust, opened: OpenedCheckpoint, consistency: Sequence[bytes]) -> None:
    size, root = opened.checkpoint.size, opened.checkpoint.root
    if size < trust.size:
        raise Malformed(
            "broken-chain", f"the log has {size} entries, {trust.size} were seen before"
        )
    if size == trust.size and root != trust.root:
        raise Conflict("fork-detected", f"two different trees of {size} entries")
    if trust.size:
        verify_consistency(trust.size, size, consistency, trust.root, root)
    elif consistency:
        raise Malformed("bad-proof", "a proof of consistency with nothing")


def _opened_head(
    evidence: HeadEvidenceModel,
    opened: OpenedCheckpoint,
    channel: str,
    position: int,
    channels: int | None,
) -> Tip:
    size, root = opened.checkpoint.size, opened.checkpoint.root
    leaf = decode(evidence.leaf)
    verify_inclusion(size - 1, size, leaf_hash(leaf), _decoded(evidence.proof), root)
    _, there, heads_root = links.open_heads(leaf)
    if channels is not None and channels != there:
        raise Malformed("broken-chain", f"the head is for {there} channels, not {channels}")
    opening, text = decode(evidence.opening), decode(evidence.head)
    head, hashed = links.open_head(opening, text)
    verify_inclusion(position, there, hashed, _decoded(evidence.path), heads_root)
    if head.channel != channel:
        raise Malformed("broken-chain", f"the head is not that of {channel}")
    return Tip(head.count, head.index, head.slot, bytes.fromhex(head.last))


class _Ground:
    """The signed tree that entries stand in, and what proofs in it have in common."""

    def __init__(self, opened: OpenedCheckpoint) -> None:
        self.checkpoint = opened
        self.climbing = Climbing(opened.checkpoint.size, opened.checkpoint.root)


def _opened(
    evidence: Evidence | Exhibit, channel: str, ground: _Ground
) -> tuple[VerifiedEntry, Link, bytes]:
    shown = exhibit(evidence)
    ground.climbing.verify(shown.index, leaf_hash(shown.leaf), shown.proof)
    link, commitment = links.open_link(shown.leaf, shown.slot, shown.opening, shown.link)
    if (link.channel, link.index, link.slot) != (channel, shown.index, shown.slot):
        raise Malformed("broken-chain", "the link belongs to another channel or place")
    if (shown.view is None) != (shown.view_opening is None):
        raise Malformed("broken-chain", "a view comes with its opening, or neither does")
    view: Mapping[str, strict_json.Json] | None = None
    if shown.view is not None and shown.view_opening is not None:
        view = MappingProxyType(links.open_view(link, shown.view_opening, shown.view))
    said = (link.index, link.channel, link.count, link.time, link.type)
    entry = VerifiedEntry._make(*said, view, ground.checkpoint)
    return entry, link, commitment


def _check_follows(link: Link, tip: Tip, trust: Trust) -> None:
    if link.count != tip.count:
        raise Malformed("broken-chain", f"missing or out of order; number {link.count} is there")
    if (link.prev_index, link.prev) != (tip.index, tip.commitment.hex()):
        raise Malformed("broken-chain", "does not follow the entry before it")
    if trust.head is not None and link.count == trust.head.count and tip != trust.head:
        raise Malformed("broken-chain", "does not follow the head seen before")
    is_new = trust.head is not None and link.count >= trust.head.count
    if link.index <= tip.index or (is_new and link.index < trust.size):
        raise Malformed("broken-chain", "stands before what was complete without it")


def _check_end(tip: Tip, head: Tip, trust: Trust, channel: str, *, has_progress: bool) -> bool:
    """Whether the head is reached; a page that stops short of it must at least lead towards it."""
    complete = tip.count == head.count
    if tip.count > head.count or (not complete and not has_progress):
        where = f"entry {min(tip.count, head.count)} of {channel}"
        raise Malformed("broken-chain", f"{where}: {tip.count} shown, {head.count} exist")
    where = f"entry {tip.count - 1} of {channel}"
    if complete and tip != head:
        raise Malformed("broken-chain", f"{where}: not the newest")
    if trust.head is not None and tip.count == trust.head.count and tip != trust.head:
        raise Malformed("broken-chain", f"{where}: not the one seen before")
    return complete


def _decoded(hashes: Sequence[str]) -> list[bytes]:
    return [decode(text) for text in hashes]
