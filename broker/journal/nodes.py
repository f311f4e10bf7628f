"""Tree hashes from the database: a node is part of the row of the leaf that completed it.

Proofs are built twice: a first pass only notes which nodes it would ask for, so that one SELECT
can fetch them all.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from broker.journal.store import Store
from wire.merkle import HASH_BYTES, Getter, Node

T = TypeVar("T")

_ROWS: Final = (
    "SELECT idx, hashes FROM entry WHERE idx IN (SELECT value FROM json_each(?))"
)


async def with_nodes(store: Store, build: Callable[[Getter], T]) -> T:
    """What `build` makes of the stored nodes that it asks for."""
    wanted: list[Node] = []

    def note(nodes: Sequence[Node]) -> list[bytes]:
        wanted.extend(nodes)
        return [bytes(HASH_BYTES)] * len(nodes)

    build(note)
    rows = {_row(node) for node in wanted}
    found = dict(await store.read(_ROWS, (json.dumps(sorted(rows)),)))
    return build(lambda nodes: [_hash(found, node) for node in nodes])


def _row(node: Node) -> int:
    """The leaf that completed this perfect subtree: its last one."""
    level, index = node
    return ((index + 1) << level) - 1


def _hash(found: dict[int, bytes], node: Node) -> bytes:
    start = node[0] * HASH_BYTES
    return found.get(_row(node), b"")[start : start + HASH_BYTES]
