"""Every view, in both themes and at both widths: whole, legible for all, and silent."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.looking import Scheme, Seen
from tests.clients.console.serving import Served

Tours = dict[str, dict[str, Seen]]


@pytest.mark.parametrize("how", ["wide and light", "narrow and dark"])
def test_every_view_is_accessible_and_fits(tours: Tours, how: str) -> None:
    """Clean by axe-core: contrast, names, roles, order. Nothing is wider than the page."""
    assert {name: seen.violations for name, seen in tours[how].items() if seen.violations} == {}
    assert {name: seen.overflow for name, seen in tours[how].items() if seen.overflow > 0} == {}
    assert len(tours[how]) > 15


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_is_accessible(browser: Browser, kenya: Served, scheme: Scheme) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(kenya.url)
    page.wait_for_selector("h1:text-is('Sign in')")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.close()
