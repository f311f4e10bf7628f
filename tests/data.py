"""Where the public data set is: beside the checkout, or wherever TEARLINE_SHARED says."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("TEARLINE_SHARED", Path(__file__).parents[2] / "shared")) / "data"


def shared(name: str) -> Path:
    """A folder or file of the public data; skips the test, with the reason, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the public data `{name}` is not beside this checkout")
    return path
