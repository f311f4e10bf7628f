"""A little history, and the console of one of its auditors."""

from collections.abc import Iterator

import pytest

from tests.clients.console.serving import Served, desk_of, serving
from tests.clients.evidence.little_history import Told


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(told: Told, clock: Clock) -> Iterator[Served]:
    """Kenya's console; nobody has entered."""
    with serving(desk_of(told.desks["KEN"].identity), clock) as console:
        yield console
