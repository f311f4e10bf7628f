"""The signature on what is pushed: Standard Webhooks 1.0.0, its symmetric scheme.

A receiver knows by it who sent these bytes, and when, if it shares the secret. The id stays the
same however often a message is tried, the time is that of the try.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final, Self

from wire.base64_strict import decode, encode
from wire.errors import Malformed

PREFIX: Final = "whsec_"
KEY_MIN: Final = 24  # bytes, as the scheme has it
KEY_MAX: Final = 64
KEYS_MAX: Final = 4  # secrets at a time: the one that counts, and those that are on their way out
TEXT_MAX: Final = 1024  # bytes of a file of secrets


@dataclass(frozen=True)
class Secrets:
    """The keys that sign; each of them gives a signature, so that receivers can change in peace."""

    _keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """One `whsec_…` a line. Raises `Malformed` ("bad-input"), which repeats nothing of it."""
        lines = text.split()
        if not 1 <= len(lines) <= KEYS_MAX:
            raise Malformed("bad-input", f"one to {KEYS_MAX} secrets, one a line")
        return cls(tuple(map(_key, lines)))

    def headers(self, message: str, time: int, body: bytes) -> dict[str, str]:
        """The three fields for one try to send a message; `time` is in Unix seconds."""
        signed = f"{message}.{time}.".encode() + body
        found = (encode(hmac.digest(key, signed, "sha256")) for key in self._keys)
        return {
            "webhook-id": message,
            "webhook-timestamp": str(time),
            "webhook-signature": " ".join(f"v1,{each}" for each in found),
        }


def _key(line: str) -> bytes:
    if not line.startswith(PREFIX):
        raise Malformed("bad-input", f"a webhook secret starts with {PREFIX}")
    try:
        key = decode(line.removeprefix(PREFIX))
    except Malformed:
        raise Malformed("bad-input", f"a webhook secret is {PREFIX} and base64") from None
    if not KEY_MIN <= len(key) <= KEY_MAX:
        raise Malformed("bad-input", f"a webhook secret has {KEY_MIN} to {KEY_MAX} bytes")
    return key
