"""What the journal holds in memory: all of it follows from the rows, and none is ahead of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wire.entries import Tip
from wire.merkle import Frontier
from wire.notes import NoteSigner, VKey


@dataclass(frozen=True, slots=True)
class State:
    """After a batch, or none. `frontier` and `tips` are never changed in place.

    `channels` are those that the last heads leaf names, `time_ms` its time, `checkpoint` the
    signed note over the tree that it ends.
    """

    frontier: Frontier
    tips: Mapping[str, Tip]
    channels: tuple[str, ...]
    time_ms: int
    checkpoint: str

    @property
    def size(self) -> int:
        """Entries in the log, heads leaves among them."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class Seals:
    """What makes this journal's bytes its own: its name, its keys and its secret.

    The secret (32 bytes) opens every commitment; who has it and the database reads all views.
    """

    origin: str
    signers: Sequence[NoteSigner]
    secret: bytes

    @property
    def log_keys(self) -> tuple[VKey, ...]:
        """The keys that must all have signed a checkpoint."""
        return tuple(signer.vkey for signer in self.signers)
