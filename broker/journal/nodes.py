"""Tree hashes from the database: a node is part of the row of the leaf that completed it.

Each function fetches all its nodes with one SELECT.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from broker.journal.store import Reads
from wire.errors import BrokerFault
from wire.merkle import HASH_BYTES, Frontier, Getter, Node, range_nodes

T = TypeVar("T")

_HASHES: Final = "SELECT idx, hashes FROM entry WHERE idx IN (SELECT value FROM json_each(?))"


async def read_nodes(store: Reads, nodes: Iterable[Node]) -> dict[Node, bytes]:
    """The named nodes. Raises `BrokerFault` "journal-damaged" if one is not stored."""
    nodes = list(nodes)
    rows = json.dumps(sorted({_row(node) for node in nodes}))
    hashes = dict(await store.read(_HASHES, (rows,)))
    found = {}
    for level, index in nodes:
        start = level * HASH_BYTES
        node = hashes.get(_row((level, index)), b"")[start : start + HASH_BYTES]
        if len(node) != HASH_BYTES:
            raise BrokerFault("journal-damaged", f"node {index} of level {level} is missing")
        found[level, index] = node
    return found


async def with_nodes(store: Reads, build: Callable[[Getter], T]) -> T:
    """What `build` makes of the nodes that it asks for. It is called twice: to learn which."""
    wanted: list[Node] = []

    def note(nodes: Sequence[Node]) -> list[bytes]:
        wanted.extend(nodes)
        return [bytes(HASH_BYTES)] * len(nodes)

    build(note)
    found = await read_nodes(store, wanted)
    return build(lambda nodes: [found[node] for node in nodes])


async def inclusion_proofs(store: Reads, indices: Sequence[int], size: int) -> list[list[bytes]]:
    """Inclusion proofs of many leaves in one tree; all share the tree's ragged right edge."""
    levels = range(max(size - 1, 0).bit_length())
    wanted = {node for index in indices for node in _whole_siblings(index, size)}
    # A sibling that is no perfect subtree is what remains to the right, one at most on each level.
    ragged = {level: (size - 1) >> level << level for level in levels}
    covers = {level: range_nodes(start, size) for level, start in ragged.items()}
    found = await read_nodes(store, wanted.union(*covers.values()))
    rest = {
        level: Frontier(size - start, [found[node] for node in covers[level]]).root()
        for level, start in ragged.items()
    }
    return [_path(index, size, found, rest) for index in indices]


def _path(
    index: int, size: int, found: Mapping[Node, bytes], rest: Mapping[int, bytes]
) -> list[bytes]:
    path = []
    for level, remaining in rest.items():
        sibling = index >> level ^ 1
        if (sibling + 1) << level <= size:
            path.append(found[level, sibling])
        elif sibling << level < size:
            path.append(remaining)
    return path


def _whole_siblings(index: int, size: int) -> list[Node]:
    """The perfect subtrees beside the way from the leaf to the root."""
    siblings = [(level, index >> level ^ 1) for level in range((size - 1).bit_length())]
    return [(level, sibling) for level, sibling in siblings if (sibling + 1) << level <= size]


def _row(node: Node) -> int:
    """The leaf that completed this perfect subtree: its last one."""
    level, index = node
    return ((index + 1) << level) - 1
