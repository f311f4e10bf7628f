"""Cursors: how far a reader has come, in bytes that say nothing and open nothing.

    cursor  = base64url(nonce[12] ‖ AES-256-GCM(key, nonce, position u64))         48 characters
    key     = HMAC-SHA256(cursor key, "tearline/cursor/v1" ‖ length u16 ‖ text …)  one a reader
                                                                                   and filter

A position is a journal index, and the distance between two of them would tell how much others
send. A cursor grants nothing: membership and policies are asked again for whatever it leads to.
"""

import base64
import binascii
import hmac
import struct
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire.errors import Malformed

CONTEXT: Final = b"tearline/cursor/v1"
NONCE: Final = 12
LENGTH: Final = 48
"""Characters of every cursor: 12 bytes of nonce, 8 of position, 16 of tag."""

_POSITION: Final = struct.Struct(">q")


class CursorSeal:
    """Seals and opens the cursors of one reader for one filter.

    Each has a key of its own, so a random nonce is safe for 2^32 events of one reader, and a cursor
    of another reader, subscription or filter does not open.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes], *binding: str) -> None:
        parts = (text.encode() for text in binding)
        framed = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
        self._cipher = AESGCM(hmac.digest(key, CONTEXT + framed, "sha256"))
        self._random = random

    def seal(self, position: int) -> str:
        """The cursor for everything up to `position`; -1 stands before everything."""
        nonce = self._random(NONCE)
        sealed = self._cipher.encrypt(nonce, _POSITION.pack(position), None)
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, cursor: str) -> int:
        """The position behind a cursor. Raises `Malformed` ("bad-cursor")."""
        if len(cursor) != LENGTH:
            raise Malformed("bad-cursor")
        try:
            raw = base64.b64decode(cursor.encode("ascii"), b"-_", validate=True)
            position: int = _POSITION.unpack(self._cipher.decrypt(raw[:NONCE], raw[NONCE:], None))[
                0
            ]
        except (UnicodeEncodeError, binascii.Error, InvalidTag, struct.error) as error:
            raise Malformed("bad-cursor") from error
        return position
