"""A nation's history as it was proven: every entry of its channel up to one tree, none missing."""

from collections.abc import Iterator
from dataclasses import dataclass

from wire.errors import Malformed
from wire.prove import Trust, VerifiedEntry


@dataclass(frozen=True)
class History:
    """All entries of a channel in the tree that `trust` is in.

    Raises `Malformed` ("broken-chain") if one is missing, twice, or of another channel.
    """

    nation: str
    trust: Trust
    entries: tuple[VerifiedEntry, ...]

    def __post_init__(self) -> None:
        counts = [entry.count for entry in self.entries]
        ours = all(entry.channel == self.nation for entry in self.entries)
        if counts != list(range(self.trust.tip.count)) or not ours:
            raise Malformed("broken-chain", "these are not all entries of one channel")

    def of(self, *types: str) -> Iterator[tuple[VerifiedEntry, dict[str, object]]]:
        """The entries of these types that were not erased, with what they say, in order."""
        for entry in self.entries:
            if entry.type in types and entry.view is not None:
                yield entry, dict(entry.view)

    def erased(self, *types: str) -> int:
        """How many entries of these types nobody can read any more."""
        return sum(entry.type in types and entry.view is None for entry in self.entries)
