"""Which order is in force, and how far it goes: against what it means in words."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wire.retention import DAY_S, Order, in_force, limit

FLOOR = 30
NOON = 1_790_000_000

Said = list[tuple[int, int | None]]
"""Orders: how many seconds after the one before, and how many days views are kept."""

orders = st.lists(
    st.tuples(st.integers(0, 50 * DAY_S), st.none() | st.integers(FLOOR, 400)), max_size=5
)


def given_at(said: Said) -> list[Order]:
    times = itertools.accumulate(after for after, _ in said)
    return [
        Order(f"{at}", at, NOON + time, days, None)
        for at, (time, (_, days)) in enumerate(zip(times, said, strict=True))
    ]


def kept_days(said: list[Order], now: int) -> int | None:
    """In words: the longest that was ordered at any moment of the last thirty days; before the
    first order everything is kept.
    """
    start = now - FLOOR * DAY_S
    moments = {start, *(order.time for order in said if start <= order.time <= now)}
    days = list[int | None]()
    for moment in moments:
        before = [order for order in said if order.time <= moment]
        days += [before[-1].views] if before else [None]
        # an order of the same second that another one replaced has stood as well
        days += [order.views for order in said if order.time == moment and moment > start]
    return None if None in days else max(days)  # type: ignore[type-var]


@given(orders, st.integers(0, 300 * DAY_S))
def test_what_was_ordered_in_the_last_thirty_days_is_kept(said: Said, after: int) -> None:
    now = NOON + after
    known = [order for order in given_at(said) if order.time <= now]
    days = kept_days(known, now)
    found = limit(known, FLOOR, "views", now)
    assert found == (None if days is None else (now // DAY_S - days) * DAY_S)
    if found is not None:
        assert found % DAY_S == 0
        assert found <= now - FLOOR * DAY_S
        assert found > now - (days or 0) * DAY_S - DAY_S


def test_an_order_is_in_force_from_the_second_it_has_stood_for_the_floor() -> None:
    order = Order("a", 3, NOON, 30, 7)
    ripe = NOON + FLOOR * DAY_S
    assert in_force([order], FLOOR, ripe - 1) is None
    assert in_force([order], FLOOR, ripe) == order
    assert limit([order], FLOOR, "payloads", ripe) == (ripe // DAY_S - 7) * DAY_S
    assert limit([], FLOOR, "views", ripe) is None


def test_without_a_floor_nothing_is_erased() -> None:
    order = Order("a", 3, 0, 1, 1)
    assert limit([order], None, "views", NOON) is None
