"""What every test shares."""

import hashlib
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from wire.composite import VerifyKey

# Machines are shared, in CI as well: what is slow is shown by benchmarks, not by a flickering test.
settings.register_profile("tearline", deadline=None)
settings.load_profile("tearline")

# A shell has what runs in the background ignore SIGINT, and so would all that it starts. Commands
# that people end with Ctrl-C are started here, and must end.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = 40  # bytes: a value that says nothing in the name of a test


@pytest.fixture(scope="session", autouse=True)
def valid_signatures_are_remembered() -> Iterator[None]:
    """A signature that was found valid need not be checked again by the same process: most of what
    tests verify are the same founding statements, thousands of times. Verifying depends on these
    four values only, and one that is not valid is never remembered.
    """
    verify, valid = VerifyKey.verify, set[bytes]()

    def once(key: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
        parts = (key.raw, signature, message, context)
        what = hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).digest()
        if what not in valid:
            verify(key, signature, message, context)
            valid.add(what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VerifyKey, "verify", once)
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long values by their argument: signatures differ from run to run, names must not."""
    if isinstance(val, bytes | str) and len(val) > LONG:
        return argname
    return None
