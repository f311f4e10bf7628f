"""What was shown to somebody already, so that it is not shown twice.

One list for every subscription and one for `fetch`: a report that answers two subscriptions is
shown in both of them. It is noted when the caller has had it, and not before: should this very
process die while the caller works on a report, that one is shown again and none is lost.
"""

import struct
from collections.abc import Iterable
from typing import Final

from clients.store import Store

EVERY: Final = 32  # events after which the place is written down again
RECORD: Final = struct.Struct(">32sH")  # identity of the report, a bit for each of its portions


class Shown:
    """The portions that were shown under one name."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, f"shown:{name}"
        self._portions: dict[bytes, int] = {}
        for record in store.records(self._name, RECORD.size):
            self._remember(*RECORD.unpack(record))

    def has(self, identity: str, portions: Iterable[int]) -> bool:
        """Whether all these portions (by index) of a report were shown."""
        mask = _mask(portions)
        return self._portions.get(bytes.fromhex(identity), 0) & mask == mask

    def add(self, identity: str, portions: Iterable[int]) -> None:
        """Note that they were."""
        if not self.has(identity, portions):
            record = (bytes.fromhex(identity), _mask(portions))
            self._store.append(self._name, RECORD.pack(*record))
            self._remember(*record)

    def _remember(self, identity: bytes, mask: int) -> None:
        self._portions[identity] = self._portions.get(identity, 0) | mask


class Place:
    """How far the stream of one subscription was read: the id of the last event that was taken.

    What is written down may be older than the truth: then some events come again, and `Shown`
    knows them. It is never newer.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, f"place:{name}"
        kept = store.get(self._name)
        self.last = None if kept is None else kept.decode()
        self._unwritten = 0

    def reach(self, event_id: str) -> None:
        """An event was taken, or is not for us."""
        if event_id and event_id != self.last:
            self.last = event_id
            self._unwritten += 1
            if self._unwritten >= EVERY:
                self.write()

    def write(self) -> None:
        """Write it down."""
        if self._unwritten and self.last is not None:
            self._store.put(self._name, self.last.encode(), lasting=False)
            self._unwritten = 0

    def forget(self) -> None:
        """Begin anew."""
        self._store.drop(self._name)
        self.last, self._unwritten = None, 0


def _mask(portions: Iterable[int]) -> int:
    return sum(1 << index for index in set(portions))
