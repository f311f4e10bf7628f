"""A mission's week, the consoles of its auditors, and a Chromium to look at them."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from playwright.sync_api import Browser

from tests.browser.looking import (
    CHROMIUM,
    NARROW,
    WIDE,
    Scheme,
    Seen,
    Window,
    chromium,
    tour,
    windows,
)
from tests.browser.week import Clock, Lived, lived, piloted
from tests.clients.console.serving import Served, desk_of, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    clock = Clock()
    with piloted(tmp_path_factory.mktemp("week"), clock) as pilot:
        return anyio.run(lived, pilot, clock)


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; make browser installs it")
    request.getfixturevalue("week")  # before Playwright, which keeps a loop in this thread
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def kenya(week: Lived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The console of Kenya's auditor, who holds Kenya's own reports."""
    sealed = week.labels(tmp_path_factory.mktemp("sent"))
    with serving(desk_of(week.auditors["KEN"], sealed)) as console:
        yield console


@pytest.fixture(scope="session")
def tours(browser: Browser, kenya: Served, week: Lived) -> dict[str, dict[str, Seen]]:
    """Every view of Kenya's, looked at twice; nothing but what is missing was complained about."""
    found = {}
    ways: tuple[tuple[str, int, Scheme], ...] = (
        ("wide and light", WIDE, "light"),
        ("narrow and dark", NARROW, "dark"),
    )
    for how, width, scheme in ways:
        with windows(browser, kenya, width, scheme) as window:
            found[how] = tour(window, week)
    return found


@pytest.fixture
def window(browser: Browser, kenya: Served) -> Iterator[Window]:
    """Kenya's console, signed in, at 1280 pixels."""
    with windows(browser, kenya) as opened:
        yield opened
