"""Retention: how long a broker keeps what is a nation's own, as the nation's root orders.

Nothing is erased by default. An order is carried out once it has stood for as long as the charter's
floor; what a younger one keeps is kept at once. So whoever shortens what is kept, everybody has the
floor's time to see the order, and to pull what it would erase.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

DAY_S: Final = 86_400

What = Literal["views", "payloads"]


@dataclass(frozen=True, slots=True)
class Order:
    """One `retention.set` at its place: identity, journal position and time (seconds). Days; None
    keeps for ever.
    """

    statement: str
    position: int
    time: int
    views: int | None
    payloads: int | None


def in_force(orders: Sequence[Order], floor: int, time: int) -> Order | None:
    """The newest order that has stood for the floor's days at this time (seconds)."""
    stood = (order for order in reversed(orders) if order.time + floor * DAY_S <= time)
    return next(stood, None)


def limit(orders: Sequence[Order], floor: int | None, what: What, time: int) -> int | None:
    """The second before which a nation's views, or payloads, may be erased at `time`: a midnight
    (UTC), so that each day has one. None if nothing may be.
    """
    order = None if floor is None else in_force(orders, floor, time)
    if order is None:
        return None
    days = [getattr(one, what) for one in orders if one.position >= order.position]
    return None if None in days else (time // DAY_S - max(days)) * DAY_S
