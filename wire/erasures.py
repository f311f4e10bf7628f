"""What is missing from a channel, and by whose order (protocol section 27).

A broker that erased a view says so in a later entry of the same channel, `view.erased`, and names
the order of the nation whose channel it is. A view that is missing without one was withheld.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from wire import retention
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import Malformed
from wire.links import Position
from wire.model import Hex32B, NationCode, Seconds, Strict
from wire.prove import VerifiedEntry
from wire.retention import Order, What

VIEWS: Final = "view.erased"
PAYLOADS: Final = "report.erased"

SPARED: Final = frozenset({VIEWS})
"""Entries whose views are never erased: they explain the others."""


@dataclass(frozen=True)
class Orders:
    """What was ordered, as far as it is known: every nation's orders in journal order, and the
    charter's floor (days; None if it allows no erasure).
    """

    floor: int | None
    by: Mapping[str, Sequence[Order]]

    @classmethod
    def of(cls, directory: Directory) -> "Orders":
        """All that a directory knows."""
        by = {code: state.retention for code, state in directory.nations.items()}
        return cls(directory.founded.retention_floor, by)

    def check(
        self, entry: VerifiedEntry, nation: str, order: str, before: int, what: What = "views"
    ) -> None:
        """That at this entry the nation's order in force was this one, and went so far (seconds).

        Raises `Malformed` ("broken-chain").
        """
        known = [one for one in self.by.get(nation, ()) if one.position < entry.index]
        now, floor = entry.time // 1000, self.floor
        ours = None if floor is None else retention.in_force(known, floor, now)
        if ours is None or ours.statement != order:
            raise _bad(entry, "it erases without an order of its nation that is in force")
        limit = retention.limit(known, floor, what, now)
        if limit is None or before > limit:
            raise _bad(entry, "it erases what was to be kept longer")


Form = TypeVar("Form", bound=Strict)


class Told(Strict):
    """The view of `view.erased` in the mission's channel: all views of the nation's channel that
    are older than `before` (seconds) are erased.
    """

    nation: NationCode
    order: Hex32B
    before: Seconds


class Erased(Told):
    """The same in the nation's own: those of its entries from `first` to `until` - 1 now."""

    first: Position
    until: Position


@dataclass(frozen=True)
class Hole:
    """An entry whose view is missing: its number in the channel, its index and time (ms)."""

    count: int
    index: int
    time: int


@dataclass(frozen=True)
class Sweep:
    """An erasure that its nation ordered: the entry's number, index and time (ms), what it says."""

    count: int
    index: int
    time: int
    told: Erased

    def covers(self, hole: Hole) -> bool:
        """Whether it explains why this view is missing."""
        numbered = self.told.first <= hole.count < self.told.until
        return numbered and hole.time < self.told.before * 1000


class Erasures:
    """Follows one channel, entry by entry: all that was erased must have been ordered, and all that
    is missing erased.

    What was followed before was erased up to number `until`, but for `holes` that no erasure
    explained yet. None are single entries, between which others are not shown.
    """

    def __init__(self, channel: str, until: int | None = 0, holes: Iterable[Hole] = ()) -> None:
        self._channel, self._until = channel, until
        self._holes = list(holes)

    def take(self, entry: VerifiedEntry, orders: Orders) -> None:
        """The next entry. Raises `Malformed` ("broken-chain") for a view that cannot be missing,
        and an erasure that nobody ordered.
        """
        if entry.view is None:
            if self._channel == MISSION or entry.type in SPARED:
                raise _bad(entry, "its view is withheld: such a view is never erased")
            self._holes.append(Hole(entry.count, entry.index, entry.time))
        elif entry.type == VIEWS and self._channel == MISSION:
            told = _read(entry, Told)
            orders.check(entry, told.nation, told.order, told.before)
        elif entry.type == VIEWS:
            self._explain(swept(entry, orders))
        elif entry.type == PAYLOADS:
            _check_payloads(entry, orders)

    def settle(self) -> None:
        """The channel is complete: no view is missing that no erasure explains.

        Raises `Malformed` ("broken-chain") naming the first.
        """
        if self._holes:
            hole = self._holes[0]
            where = f"entry {hole.count} of {self._channel}, at index {hole.index}"
            detail = f"{where}: its view is withheld, and no entry erased it"
            raise Malformed("broken-chain", detail)

    def _explain(self, sweep: Sweep) -> None:
        told = sweep.told
        if self._until is not None:
            if told.first != self._until:
                where = f"entry {sweep.count} of {self._channel}, at index {sweep.index}"
                raise Malformed("broken-chain", f"{where}: it does not erase from {self._until} on")
            self._until = told.until
        self._holes = [hole for hole in self._holes if not sweep.covers(hole)]


def swept(entry: VerifiedEntry, orders: Orders) -> Sweep:
    """The erasure that an entry of a nation's channel tells, once it was ordered by that nation.

    Raises `Malformed` ("broken-chain").
    """
    told = _read(entry, Erased)
    if told.nation != entry.channel:
        raise _bad(entry, "it erases another nation's views")
    if not told.first <= told.until <= entry.count:
        raise _bad(entry, "it erases what comes after it")
    orders.check(entry, entry.channel, told.order, told.before)
    return Sweep(entry.count, entry.index, entry.time, told)


def erased_by(entry: VerifiedEntry, others: Iterable[VerifiedEntry]) -> VerifiedEntry | None:
    """The verified entry among others that erased an entry's view."""
    for other in others:
        if (other.channel, other.type) == (entry.channel, VIEWS) and other.view is not None:
            told = _read(other, Erased)
            if told.first <= entry.count < told.until:
                return other
    return None


def _check_payloads(entry: VerifiedEntry, orders: Orders) -> None:
    """Refuse a deletion of a report (`report.erased`) that its nation did not order."""
    view = entry.view or {}
    order, accepted = view.get("order"), view.get("accepted_time")
    if not isinstance(order, str) or not isinstance(accepted, int):
        raise _bad(entry, "it does not say by whose order")
    orders.check(entry, entry.channel, order, accepted + 1, "payloads")


def _read(entry: VerifiedEntry, form: type[Form]) -> Form:
    try:
        return form.model_validate(dict(entry.view or {}))
    except ValidationError as error:
        raise _bad(entry, "it does not say what it erases") from error


def _bad(entry: VerifiedEntry, what: str) -> Malformed:
    where = f"entry {entry.count} of {entry.channel}, at index {entry.index}"
    return Malformed("broken-chain", f"{where}: {what}")
