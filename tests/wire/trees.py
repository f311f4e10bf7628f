"""A small log in memory, with its key: trees of any size, proofs between them, signed heads."""

from collections.abc import Iterable, Sequence

from wire import merkle
from wire.merkle import Frontier, Node
from wire.notes import Checkpoint, Ed25519Signer, sign_checkpoint
from wire.witness import Submission

ORIGIN = "tearline.example/minusx/1"


class Log:
    """Entries that may be appended, and everything a log can be asked for."""

    def __init__(self, entries: Iterable[bytes] = (), seed: bytes = bytes(range(32))) -> None:
        self.signer = Ed25519Signer(ORIGIN, seed)
        self.vkey = self.signer.vkey
        self._tree = Frontier()
        self._stored: list[bytes] = []
        self.roots = [merkle.EMPTY_ROOT]
        for entry in entries:
            self.append(entry)

    def append(self, entry: bytes) -> None:
        self._stored.append(self._tree.append(merkle.leaf_hash(entry)))
        self.roots.append(self._tree.root())

    @property
    def size(self) -> int:
        return self._tree.size

    def head(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        return Checkpoint(ORIGIN, size, self.roots[size])

    def note(self, size: int | None = None) -> str:
        return sign_checkpoint(self.head(size), [self.signer])

    def proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, self._nodes) if old else []

    def asks(self, old: int, new: int | None = None) -> Submission:
        """What is sent to a witness that cosigned the tree of `old` entries last."""
        new = self.size if new is None else new
        proof = self.proof(old, new) if old <= new else []
        return Submission(old, tuple(proof), self.note(new))

    def _nodes(self, wanted: Sequence[Node]) -> list[bytes]:
        return [
            self._stored[((i + 1) << level) - 1][32 * level : 32 * level + 32]
            for level, i in wanted
        ]


def grown(size: int, *, fork: int | None = None) -> Log:
    """A log of so many entries; another one of the same key from the entry `fork` on."""
    return Log(b"%d" % i if fork is None or i < fork else b"other %d" % i for i in range(size))
