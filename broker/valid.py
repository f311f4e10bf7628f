"""Signatures of statements that this broker found valid: verifying one of them again says the same.

Whether a signature is valid depends on four values alone. Their digest is remembered, of those that
are valid and of accepted statements; what differs in one bit of one of them is verified.
"""

import hashlib
from collections.abc import Set as AbstractSet
from typing import Final

from wire.composite import VerifyKey

DIGEST: Final = 32


class Verifying:
    """Verifies what is not `known`; `found` are the digests of all that was valid."""

    def __init__(self, known: AbstractSet[bytes]) -> None:
        self._known = known
        self.found: Final = set[bytes]()

    def verify(self, key: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
        """As `VerifyKey.verify`. Raises `Malformed` ("bad-signature")."""
        digest = _digest(key.raw, signature, message, context)
        if digest not in self._known:
            key.verify(signature, message, context)
        self.found.add(digest)


def write(digests: AbstractSet[bytes]) -> bytes:
    """Them all, to be remembered."""
    return b"".join(sorted(digests))


def read(written: bytes) -> set[bytes]:
    """What was written."""
    return {written[at : at + DIGEST] for at in range(0, len(written), DIGEST)}


def _digest(*parts: bytes) -> bytes:
    """One digest of all parts and of where each ends."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
