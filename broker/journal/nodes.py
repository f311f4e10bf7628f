"""Tree hashes from the database: a node is part of the row of the leaf that completed it.

Each function fetches all its nodes with one SELECT.
"""

import json
from collections.abc import Callable, Iterable, Sequence
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


async def inclusion_proofs(
    store: Reads, indices: Sequence[int], size: int
) -> list[tuple[bytes, ...]]:
    """Inclusion proofs of many leaves in one tree; what neighbours have in common is made once."""
    levels = range(max(size - 1, 0).bit_length())
    ways = [set(indices)]  # the nodes between the leaves and the root, from level to level
    for _ in levels:
        ways.append({node >> 1 for node in ways[-1]})
    beside = {(level, node ^ 1) for level in levels for node in ways[level]}
    # The last node of a level need not be a perfect subtree, but it consists of some.
    last = {level: (size - 1) >> level for level in levels}
    covers = {level: range_nodes(node << level, size) for level, node in last.items()}
    whole = {(level, node) for level, node in beside if node < last[level]}
    found = await read_nodes(store, whole.union(*covers.values()))
    for level, node in last.items():
        cover = [found[each] for each in covers[level]]
        found[level, node] = Frontier(size - (node << level), cover).root()
    proofs: dict[int, tuple[bytes, ...]] = {0: ()}
    for level in reversed(levels):
        proofs = {
            node: _with(found.get((level, node ^ 1)), proofs[node >> 1]) for node in ways[level]
        }
    return [proofs[index] for index in indices]


def _with(beside: bytes | None, above: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A proof from a node on; without a neighbour to the right, the node itself moves up."""
    return above if beside is None else (beside, *above)


def _row(node: Node) -> int:
    """The leaf that completed this perfect subtree: its last one."""
    level, index = node
    return ((index + 1) << level) - 1
