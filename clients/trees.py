"""The trees this client has seen: each new one must extend all before, or the client stops.

Every answer of the broker comes with a signed checkpoint. One proof is asked for each tree, from
or to the newest one seen; what was compared is not asked about again. Two trees that do not fit
together are written down, with the log's own signatures under both: that is proof for everybody.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, TypeVar

import anyio

from clients.store import Store
from clients.transport import Transport
from wire import base64_strict, merkle, strict_json
from wire.errors import Conflict, Malformed, NotAllowed
from wire.evidence import MAX_SEGMENT_BYTES
from wire.model import Strict
from wire.notes import OpenedCheckpoint, VKey, open_checkpoint

SEEN: Final = "seen"  # the name under which the newest tree is kept
REMEMBERED: Final = 4_096  # checkpoints that are not asked about again

K = TypeVar("K")
V = TypeVar("V")


class Proof(Strict):
    """What the proof endpoints answer."""

    proof: tuple[str, ...]


class SeenTree(Strict):
    """The newest tree seen, as it is kept: the signed checkpoint itself."""

    note: str


@dataclass(frozen=True)
class Seen:
    """The newest tree this client has verified, from whatever answer it came."""

    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    note: str = ""


class Trees:
    """The newest tree seen, and what was compared with it. Many tasks may use it at once."""

    def __init__(
        self, transport: Transport, store: Store, log_keys: Sequence[VKey], name: str = SEEN
    ) -> None:
        self._transport, self._store, self._log_keys = transport, store, log_keys
        self._name = name
        self._roots: OrderedDict[int, bytes] = OrderedDict()
        self._notes: OrderedDict[str, OpenedCheckpoint] = OrderedDict()
        self._comparing = anyio.Lock()
        self.newest = self._kept()

    def keep(self) -> None:
        """Write down the newest tree seen, so that the next run refuses an older one.

        Another process of this member may have seen, and written down, a newer one.
        """
        if self.newest.size > self._kept().size:
            self._store.put(self._name, strict_json.dump({"note": self.newest.note}, prose=True))

    async def observe(
        self, note: str, proof: Sequence[str] = (), since: int = -1
    ) -> OpenedCheckpoint:
        """Check that a checkpoint is the log's and extends everything seen before.

        `proof` came along and leads from the tree of `since` entries; if that is another one than
        the newest seen, the right proof is asked for.
        Raises `Malformed`, or `Conflict` ("fork-detected") after writing both sides down.
        """
        opened = self._notes.get(note) or open_checkpoint(note, self._log_keys)
        _remember(self._notes, note, opened)
        async with self._comparing:
            await self._compare(opened, tuple(proof), since)
        return opened

    async def _compare(self, opened: OpenedCheckpoint, proof: tuple[str, ...], since: int) -> None:
        """One proof for each tree; which tree is the older one does not matter."""
        seen, tree = self.newest, opened.checkpoint
        if self._roots.get(tree.size) == tree.root:
            return
        shown = Seen(tree.size, tree.root, opened.note)
        if tree.size == seen.size and tree.root != seen.root:
            raise self._fork(shown, f"two different trees of {tree.size} entries", ())
        if seen.size and tree.size and tree.size != seen.size:
            old, new = sorted((seen, shown), key=attrgetter("size"))
            try:
                if old is shown or since != old.size:
                    proof = await self._proof(old.size, new.size)
                hashes = [base64_strict.decode(text) for text in proof]
                merkle.verify_consistency(old.size, new.size, hashes, old.root, new.root)
            except (Malformed, NotAllowed) as error:  # a log that has both can prove it
                what = f"no proof that trees of {old.size} and {new.size} entries are one history"
                raise self._fork(shown, what, proof) from error
        _remember(self._roots, tree.size, tree.root)
        if tree.size > seen.size:
            self.newest = shown

    async def start_with(self, size: int, root: bytes) -> None:
        """Check that the newest tree starts with this one. Raises `Malformed`, or `NotAllowed`."""
        newest = self.newest
        if not 0 < size < newest.size:
            if (size, root) not in {(0, merkle.EMPTY_ROOT), (newest.size, newest.root)}:
                raise Malformed("bad-proof", f"the log does not start with the tree of {size}")
            return
        hashes = [base64_strict.decode(text) for text in await self._proof(size, newest.size)]
        merkle.verify_consistency(size, newest.size, hashes, root, newest.root)

    async def _proof(self, old: int, new: int) -> tuple[str, ...]:
        answer = await self._transport.get("/v1/log/proof/consistency", old=old, new=new)
        return strict_json.load(answer.body, Proof).proof

    def take(self, tree: OpenedCheckpoint) -> None:
        """What was verified in an earlier run counts as seen."""
        if tree.checkpoint.size > self.newest.size:
            self.newest = Seen(tree.checkpoint.size, tree.checkpoint.root, tree.note)

    def _kept(self) -> Seen:
        data = self._store.get(self._name)
        if data is None:
            return Seen()
        note = strict_json.load(data, SeenTree, limit=MAX_SEGMENT_BYTES, prose=True).note
        tree = open_checkpoint(note, self._log_keys).checkpoint
        return Seen(tree.size, tree.root, note)

    def _fork(self, shown: Seen, what: str, proof: Sequence[str]) -> Conflict:
        """Write the two signed checkpoints down for everybody to see: they are the proof."""
        fields = {"what": what, "seen": self.newest.note, "shown": shown.note, "proof": [*proof]}
        text = json.dumps(fields, indent=1, ensure_ascii=False).encode()
        path = self._store.publish(f"fork-{shown.size}.json", text)
        return Conflict("fork-detected", f"{what}; see {path.name} in the state folder")


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep what was verified for a while; the oldest goes when there is too much."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
