"""How tests say that something must be refused, and why."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wire.errors import TearlineError


@contextmanager
def refused(slug: str, detail: str = "") -> Iterator[None]:
    """Expect a refusal with this slug, and with a detail that matches."""
    with pytest.raises(TearlineError) as caught:
        yield
    assert caught.value.slug == slug, str(caught.value)
    assert re.search(detail, caught.value.detail), str(caught.value)
