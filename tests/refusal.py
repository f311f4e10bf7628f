"""How tests say that something must be refused, and why."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from wire.errors import TearlineError


@contextmanager
def refused(slug: str, detail: str = "") -> Iterator[None]:
    """Expect a refusal with this slug, and with a detail that matches."""
    try:
        yield
    except TearlineError as error:
        assert error.slug == slug, str(error)
        assert re.search(detail, error.detail), str(error)
    else:
        raise AssertionError(f"nothing was refused; expected {slug}")
