"""HMAC-SHA256 (RFC 2104) under the few keys of a journal, each key set up only once.

An entry takes seven of these over short texts; `hmac.digest` would set up the key each time, which
costs as much as the rest. The result is the same.
"""

import hmac
from functools import lru_cache
from typing import Final

KEYS: Final = 16
"""Keys kept ready: the three of the formats, and the secret of a journal."""


def digest(key: bytes, message: bytes) -> bytes:
    """The 32 bytes."""
    begun = _begun(key).copy()
    begun.update(message)
    return begun.digest()


@lru_cache(KEYS)
def _begun(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
