"""What the journal holds in memory: all of it follows from the rows, and none is ahead of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wire import mac
from wire.entries import Tip
from wire.merkle import Frontier
from wire.notes import NoteSigner, VKey


class Era(NamedTuple):
    """From entry `first` on, the log has had this origin: it was continued after a loss."""

    first: int
    origin: str

    def secret(self, secret: bytes) -> bytes:
        """The secret of this era. What was lost opened places that are now written anew: with the
        old secret, whoever was shown those openings could test guesses about the new entries.
        """
        return mac.digest(secret, f"tearline/era\0{self.first} {self.origin}".encode())


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

    The secret (32 bytes) opens every commitment; who has it and the database reads all views. With
    `known`, these keys have signed the checkpoints that are stored.
    """

    origin: str
    signers: Sequence[NoteSigner]
    secret: bytes
    eras: tuple[Era, ...] = ()
    known: tuple[VKey, ...] = ()

    @property
    def log_keys(self) -> tuple[VKey, ...]:
        """The keys that must all have signed a checkpoint."""
        return self.known or tuple(signer.vkey for signer in self.signers)

    def at(self, index: int) -> bytes:
        """The secret by which the entry at this index is sealed."""
        for era in reversed(self.eras):
            if era.first <= index:
                return era.secret(self.secret)
        return self.secret

    def newest(self, secret: bytes) -> bytes:
        """Another secret of this journal's, as it is since it was continued last."""
        return self.eras[-1].secret(secret) if self.eras else secret
