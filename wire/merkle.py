"""The RFC 6962 tree over the journal: hashes, the growing edge, proofs, and strict verification.

A node is named ``(level, index)``: the root of the perfect subtree over the leaves
``index << level`` up to ``(index + 1) << level``. Building a proof asks a `Getter` for nodes, once;
verifying one needs nothing. Sources: RFC 9162 section 2.1 (the same tree as RFC 6962), and the
"stored hashes" of Russ Cox, "Transparent Logs for Skeptical Clients".
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from wire.errors import Malformed

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
MAX_SIZE: Final = 1 << 63
"""Sizes are below this, so that every index fits the signed 64-bit numbers of other tools."""
MAX_PROOF: Final = 64
"""No proof in a tree below `MAX_SIZE` has more hashes."""

Node: TypeAlias = tuple[int, int]
Getter: TypeAlias = Callable[[Sequence[Node]], Sequence[bytes]]
"""Hashes of the named perfect subtrees, in the order asked."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes (RFC 9162, 2.1.1: prefix 0x00)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours (RFC 9162, 2.1.1: prefix 0x01)."""
    return sha256(b"\x01" + left + right).digest()


# -- the growing edge


class Frontier:
    """All that is needed to append to a tree: the perfect subtrees of ``[0, size)``, largest first.

    Raises `Malformed` ``bad-proof`` if the stack does not fit the size.
    """

    __slots__ = ("size", "stack")

    def __init__(self, size: int = 0, stack: Iterable[bytes] = ()) -> None:
        self.size = size
        self.stack = list(stack)
        _check_hashes(self.stack)
        if not 0 <= size < MAX_SIZE or len(self.stack) != size.bit_count():
            raise Malformed("bad-proof", "the frontier does not fit the size of the tree")

    def copy(self) -> "Frontier":
        """One that grows on its own."""
        return Frontier(self.size, self.stack)

    def append(self, leaf: bytes) -> bytes:
        """Add a leaf hash; gives the leaf's *stored hashes*.

        They are the hashes of every perfect subtree that this leaf completes, lowest first: the
        leaf hash itself, then its ancestors. Node ``(level, index)`` is therefore found at offset
        ``32 * level`` of the stored hashes of leaf ``((index + 1) << level) - 1``.
        """
        stored, top, rest = [leaf], leaf, self.size
        while rest & 1:
            top = sha256(b"\x01" + self.stack.pop() + top).digest()
            stored.append(top)
            rest >>= 1
        self.stack.append(top)
        self.size += 1
        return b"".join(stored)

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        return _fold(self.stack) if self.stack else EMPTY_ROOT


class Edge:
    """Inclusion proofs for the newest leaves, from memory only.

    Takes the frontier before the leaves and the stored hashes that appending them gave. A left
    sibling that is older than the leaves is always a node of that frontier; everything else is in
    the stored hashes, but for one unfinished subtree a level, made here.
    """

    __slots__ = ("_levels", "first", "size")

    def __init__(self, before: Frontier, stored: Sequence[bytes]) -> None:
        self.first = before.size
        self.size = before.size + len(stored)
        self._levels: list[tuple[int, list[bytes]]] = []
        older = list(before.stack)  # largest first, so the smallest is popped first
        unfinished: bytes | None = None
        for level in range(max(self.size - 1, 0).bit_length()):
            start = self.first >> level
            rows = range(((start + 1) << level) - 1 - self.first, len(stored), 1 << level)
            at = level * HASH_BYTES
            nodes = [stored[row][at : at + HASH_BYTES] for row in rows]
            if start & 1:
                start -= 1
                nodes.insert(0, older.pop())
            whole = nodes[-1] if self.size >> level & 1 else None
            if unfinished is not None:
                nodes.append(unfinished)
            self._levels.append((start, nodes))
            if whole is not None:
                unfinished = whole if unfinished is None else node_hash(whole, unfinished)

    def proof(self, index: int) -> list[bytes]:
        """Proof that the leaf is in the tree of the edge's size.

        Raises `Malformed` ``bad-proof`` if the leaf is older than the edge or not in the tree.
        """
        if not self.first <= index < self.size:
            raise Malformed("bad-proof", "the entry is not at the edge of the tree")
        path = []
        for level, (start, nodes) in enumerate(self._levels):
            sibling = (index >> level ^ 1) - start
            if sibling < len(nodes):  # without a right sibling the node itself moves up
                path.append(nodes[sibling])
        return path


# -- building proofs, O(log n) nodes each


def range_nodes(start: int, end: int) -> list[Node]:
    """The perfect subtrees that cover the leaves ``start`` up to ``end``, left to right, fewest."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def root_at(size: int, get: Getter) -> bytes:
    """The root of the first `size` leaves."""
    return _fold(get(range_nodes(0, size))) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, get: Getter) -> list[bytes]:
    """Proof that leaf `index` is in the tree of `size` (RFC 9162, 2.1.3.1).

    Raises `Malformed` ``bad-proof`` if there is no such leaf.
    """
    if not 0 <= index < size:
        raise Malformed("bad-proof", "the index is not in the tree")
    pieces, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            pieces.append((middle, end))
            end = middle
        else:
            pieces.append((start, middle))
            start = middle
    return _hashes(pieces[::-1], get)


def consistency_proof(old: int, new: int, get: Getter) -> list[bytes]:
    """Proof that the tree of `new` leaves starts with the tree of `old` (RFC 9162, 2.1.4.1).

    Raises `Malformed` ``bad-proof`` if the sizes are out of order.
    """
    if not 0 <= old <= new:
        raise Malformed("bad-proof", "the sizes are out of order")
    if old in {0, new}:
        return []
    pieces, start, end = [], 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            pieces.append((middle, end))
            end = middle
        else:
            pieces.append((start, middle))
            start = middle
    if start:
        pieces.append((start, end))
    return _hashes(pieces[::-1], get)


# -- verifying


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash stands at `index` of the tree with this size and root.

    The length of the proof must be exactly what index and size imply, so an index beyond the tree
    is refused whatever the hashes say. Raises `Malformed` ``bad-proof``.
    """
    Climbing(size, root).verify(index, leaf, proof)


class Climbing:
    """Verifies inclusion of many leaves in one tree; what neighbours have in common is hashed once.

    On each level the last two neighbours are kept that led to the root, and the hashes that were
    left to add above them. Where a way comes to the same two at the same place, with the same left
    to add, the rest leads to the same root: above a node, only the node and the tree's size say
    where to turn. So nothing is accepted that `verify_inclusion` would refuse.
    """

    __slots__ = ("_known", "_root", "_size")

    def __init__(self, size: int, root: bytes) -> None:
        _check_hashes((root,))
        self._size, self._root = size, root
        self._known: list[tuple[int, bytes, Sequence[bytes]]] = [(-1, b"", ())] * MAX_PROOF

    def verify(self, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
        """The same check as `verify_inclusion`. Raises `Malformed` ``bad-proof``."""
        if not 0 <= index < self._size < MAX_SIZE:
            raise Malformed("bad-proof", "the index is not in the tree")
        inner = (index ^ (self._size - 1)).bit_length()
        if len(proof) != inner + (index >> inner).bit_count():
            raise Malformed("bad-proof", "the proof has the wrong length")
        _check_hashes((leaf,))
        top, climbed = leaf, []
        for step, sibling in enumerate(proof):
            is_left = step >= inner or index >> step & 1
            both = sibling + top if is_left else top + sibling
            here = (index >> step + 1, both, proof[step + 1 :])
            if self._known[step] == here:
                break
            _check_hashes((sibling,))
            climbed.append(here)
            top = sha256(b"\x01" + both).digest()
        else:
            if top != self._root:
                raise Malformed("bad-proof", "the entry is not in the tree with this root")
        self._known[: len(climbed)] = climbed


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], root_old: bytes, root_new: bytes
) -> None:
    """Check that the tree of `new` leaves starts with the tree of `old` (RFC 9162, 2.1.4.2).

    The empty tree is refused: everything starts with it, so a proof from it proves nothing.
    Raises `Malformed` ``bad-proof``.
    """
    if not 0 < old <= new < MAX_SIZE:
        raise Malformed("bad-proof", "the sizes are out of order")
    _check_hashes((root_old, root_new, *proof))
    if old == new:
        if proof or root_old != root_new:
            raise Malformed("bad-proof", "two roots for one size")
        return
    shift = (old & -old).bit_length() - 1
    # An old tree that is one perfect subtree is itself where the climb starts.
    known = old == 1 << shift
    start, path = (root_old, proof) if known else (b"".join(proof[:1]), proof[1:])
    last = (old - 1) >> shift
    inner = (old - 1 ^ new - 1).bit_length() - shift
    if len(path) != inner + (last >> inner).bit_count():  # never 0, so an empty proof fails here
        raise Malformed("bad-proof", "the proof has the wrong length")
    left = [h for i, h in enumerate(path) if i >= inner or last >> i & 1]
    if _fold([*reversed(left), start]) != root_old:
        raise Malformed("bad-proof", "the older root is not part of the newer tree")
    if _climb(start, path, last, inner) != root_new:
        raise Malformed("bad-proof", "the newer root does not follow from the older")


def _climb(start: bytes, path: Sequence[bytes], index: int, inner: int) -> bytes:
    """Hash upwards: the first `inner` steps turn as the index says, the rest lie to the left."""
    top = start
    for step, sibling in enumerate(path):
        is_left = step >= inner or index >> step & 1
        top = node_hash(sibling, top) if is_left else node_hash(top, sibling)
    return top


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that stand side by side, largest first."""
    top = hashes[-1]
    for left in reversed(hashes[:-1]):
        top = node_hash(left, top)
    return top


def _hashes(pieces: Sequence[tuple[int, int]], get: Getter) -> list[bytes]:
    """One hash for each range of leaves, with a single call to the getter."""
    covers = [range_nodes(start, end) for start, end in pieces]
    found = get([node for cover in covers for node in cover])
    hashes, at = [], 0
    for cover in covers:
        hashes.append(_fold(found[at : at + len(cover)]))
        at += len(cover)
    return hashes


def _split(width: int) -> int:
    """The largest power of two below the width: where RFC 9162 divides a tree."""
    return 1 << (width - 1).bit_length() - 1


def _check_hashes(hashes: Iterable[bytes]) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:
            raise Malformed("bad-proof", "a hash is not 32 bytes")
