"""What every test shares."""

import pytest
from hypothesis import settings

# Machines are shared, in CI as well: what is slow is shown by benchmarks, not by a flickering test.
settings.register_profile("tearline", deadline=None)
settings.load_profile("tearline")

LONG = 40  # bytes: a value that says nothing in the name of a test


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long values by their argument: signatures differ from run to run, names must not."""
    if isinstance(val, bytes | str) and len(val) > LONG:
        return argname
    return None
