"""What may be read of a journal: rows by named query, pages of chains, proofs, tiles.

Everything stays below the newest checkpoint in memory, which is never newer than what is durable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from broker.journal import evidence, memory, nodes
from broker.journal.memory import Remembered
from broker.journal.queries import QUERIES
from broker.journal.recovery import scrub
from broker.journal.state import Seals, State
from broker.journal.store import Store, faults
from wire.errors import BrokerFault, NotAllowed
from wire.evidence import Evidence
from wire.merkle import consistency_proof, inclusion_proof
from wire.pages import MadePage

T = TypeVar("T")


class Readable:
    """The reading half of a journal. Raises `BrokerFault` "journal-stopped" once it has stopped."""

    def __init__(self, store: Store, state: State, seals: Seals) -> None:
        self._store, self._state, self._seals = store, state, seals
        self._stopped = False
        self._digests: Sequence[bytes] = ()
        self._writing = asyncio.Lock()

    @property
    def size(self) -> int:
        """Entries in the log, the heads leaf of every batch among them."""
        return self._state.size

    @property
    def checkpoint(self) -> str:
        """The newest signed checkpoint, as a note."""
        return self._state.checkpoint

    async def rows(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query of `queries.QUERIES` finds."""
        self._check_running()
        with faults():
            return await self._store.read(QUERIES[query], params)

    async def remembered(self, form: str) -> Remembered:
        """What was remembered last (`Journal.remember`), all of it verified.

        Raises `memory.UnfitError` unless it is whole, ours, of this form, and of an entry of this
        very journal.
        """
        self._check_running()
        with faults():
            found = await memory.read(self._store, self._state, self._seals, form)
        self._digests = found.digests
        return found

    async def segment(
        self, channel: str, after: int = 0, limit: int = evidence.PAGE_ENTRIES
    ) -> MadePage:
        """The entries of a channel from number `after` on, at most `limit`, with all proofs.

        Raises `NotAllowed` "not-found" for a channel without a batch.
        """
        return await self._explained(
            lambda: evidence.read_segment(
                self._store, self._state, self._seals, channel, after, limit
            )
        )

    async def prove(self, channel: str, indices: Sequence[int]) -> list[Evidence]:
        """Proof of entries of one channel under the newest checkpoint, in ascending order.

        Raises `NotAllowed` "not-found" if one of them is none of this channel's.
        """
        return await self._explained(
            lambda: evidence.read_entries(self._store, self._state, self._seals, channel, indices)
        )

    async def _explained(self, read: Callable[[], Awaitable[T]]) -> T:
        """What is read, under a checkpoint that has every entry which erased a view of it."""
        while True:
            self._check_running()
            try:
                with faults():
                    return await read()
            except evidence.AheadError:
                async with self._writing:  # the entry is on its way from the disk to memory
                    pass

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """Inclusion proof of an entry in the tree of `size`. Raises `NotAllowed` "not-found"."""
        self._check_running()
        if not 0 <= index < size <= self.size:
            raise NotAllowed("not-found")
        with faults():
            return await nodes.with_nodes(
                self._store, lambda get: inclusion_proof(index, size, get)
            )

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that one tree starts with the other. Raises `NotAllowed` "not-found"."""
        self._check_running()
        if not 0 <= old <= new <= self.size:
            raise NotAllowed("not-found")
        with faults():
            return await nodes.with_nodes(self._store, lambda get: consistency_proof(old, new, get))

    async def tile(self, level: int, number: int, width: int = evidence.TILE_WIDTH) -> bytes:
        """A tile of hashes (C2SP tlog-tiles). Raises `NotAllowed` "not-found"."""
        self._check_running()
        with faults():
            return await evidence.read_tile(self._store, self.size, level, number, width)

    async def bundle(self, number: int, width: int = evidence.TILE_WIDTH) -> bytes:
        """A bundle of leaves (C2SP tlog-tiles). Raises `NotAllowed` "not-found"."""
        self._check_running()
        with faults():
            return await evidence.read_bundle(self._store, self.size, number, width)

    async def leaf(self, index: int) -> bytes:
        """The bytes of one leaf. Raises `NotAllowed` "not-found"."""
        self._check_running()
        if not 0 <= index < self.size:
            raise NotAllowed("not-found")
        with faults():
            return (await evidence.read_leaves(self._store, index, 1))[0]

    async def scrub(self, progress: Callable[[int, int], None] = lambda _done, _size: None) -> None:
        """Check every row there is, as every start checks the newest; appends may go on meanwhile.

        `progress` is told (entries checked, entries in all). Raises `BrokerFault`
        "journal-damaged", naming the first entry that disagrees.
        """
        self._check_running()
        state = self._state
        with faults():
            await scrub(self._store, self._seals, state, lambda done: progress(done, state.size))

    def _check_running(self) -> None:
        if self._stopped:
            raise BrokerFault("journal-stopped")
