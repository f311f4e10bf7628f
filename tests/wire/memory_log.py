"""A journal in memory: everything that the real one tells its readers, and room to lie."""

import random as randomness
from collections.abc import Callable, Sequence

from wire import entries, evidence, merkle
from wire.entries import MISSION, Event, SealedBatch, SealedEntry, Tip
from wire.evidence import Evidence, Segment
from wire.merkle import Frontier, Node
from wire.notes import Checkpoint, Ed25519Signer, sign_checkpoint

ORIGIN = "tearline.example/minusx/1"
SECRET = b"the journal's own secret, 32 b.."
CHANNELS = (MISSION, "KEN", "GBR", "FRA")
NOON = 1_790_000_000_000


class MemoryLog:
    """Appends like the journal; its parts can be set back by hand to see a lie through."""

    def __init__(self, seed: int = 7, channels: Sequence[str] = CHANNELS) -> None:
        self.seed, self.origin = bytes([seed]) * 32, ORIGIN
        self.channels = channels
        self.random: Callable[[int], bytes] = randomness.Random(seed).randbytes
        self.tree = Frontier()
        self.tips: dict[str, Tip] = {}
        self.stored: list[bytes] = []
        self.leaves: list[bytes] = []
        self.entries: dict[str, list[SealedEntry]] = {channel: [] for channel in channels}
        self.erased: set[tuple[str, int]] = set()
        self.time = NOON
        self.notes: dict[int, str] = {}
        """The checkpoint after each batch, by its size."""

    @property
    def signer(self) -> Ed25519Signer:
        """The key that signs its checkpoints, and bears its name."""
        return Ed25519Signer(self.origin, self.seed)

    def append(self, *events: Event) -> SealedBatch:
        """One batch of honest entries and the heads leaf that ends it."""
        self.time += 1_000
        batch = entries.seal_batch(
            events,
            self.tree.size,
            self.tree,
            self.tips,
            self.channels,
            self.time,
            SECRET,
            self.random,
        )
        for entry in batch.entries:
            self.show(entry)
        self.leaves += [leaf for _, leaf, _ in batch.rows]
        self.stored += batch.hashes
        self.tree, self.tips = batch.frontier, dict(batch.tips)
        self.notes[self.tree.size] = self.checkpoint
        return batch

    def write(self, leaf: bytes) -> None:
        """One leaf, whatever it says."""
        self.leaves.append(leaf)
        self.stored.append(self.tree.append(merkle.leaf_hash(leaf)))

    def write_heads(self) -> None:
        """A heads leaf over the tips as they are set."""
        self.time += 1_000
        leaf = entries.heads_leaf(self.tree.size, self.time, self.channels, self.tips, SECRET)
        self.write(leaf)

    def show(self, entry: SealedEntry) -> None:
        """Let the channels concerned see an entry."""
        for channel in entry.links:
            self.entries[channel].append(entry)

    def nodes(self, wanted: Sequence[Node]) -> list[bytes]:
        return [
            self.stored[((index + 1) << level) - 1][32 * level : 32 * level + 32]
            for level, index in wanted
        ]

    @property
    def checkpoint(self) -> str:
        head = Checkpoint(self.origin, self.tree.size, self.tree.root())
        return sign_checkpoint(head, [self.signer])

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        return merkle.consistency_proof(old, new or self.tree.size, self.nodes)

    def proof(self, index: int) -> list[bytes]:
        return merkle.inclusion_proof(index, self.tree.size, self.nodes)

    def evidence(self, channel: str, count: int, note: str | None = None) -> Evidence:
        """The entry that stands at `count` in what the channel is shown."""
        entry = self.entries[channel][count]
        row = entry.links[channel]
        return evidence.evidence(
            entry.index,
            row.slot,
            entry.leaf,
            row.link,
            entries.link_opening(SECRET, entry.index, row.slot),
            None if (channel, count) in self.erased else entry.views[channel],
            self.proof(entry.index),
            note,
        )

    def segment(self, channel: str, after: int = 0, limit: int = 1_000) -> Segment:
        """A page of a channel's chain from number `after`, under the newest checkpoint."""
        last = self.tree.size - 1
        head = entries.head_evidence(channel, last, self.time, self.channels, self.tips, SECRET)
        counts = range(after, min(after + limit, len(self.entries[channel])))
        return Segment(
            checkpoint=self.checkpoint,
            channel=channel,
            entries=tuple([self.evidence(channel, count) for count in counts]),
            head=evidence.head_evidence(head, self.proof(last)),
        )


def released(*channels: str, report: int = 1) -> Event:
    """A release that concerns these channels."""
    return Event("report.released", {c: {"report": report, "seen_by": c} for c in channels})
