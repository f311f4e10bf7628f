"""Who may look: one link, good once and for two minutes; then one session that ends when idle.

A link carries a code of 32 random bytes. Whoever brings it first gets two secrets: one goes into a
cookie, which no script can read; the other stays with the page and travels in a header. A cookie is
sent to every port of a host, so another program on this machine could be handed it; it can do
nothing with that alone. Only digests are kept here, and they are compared in constant time.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from wire.errors import NotAllowed

LINK_S: Final = 120  # seconds: long enough to paste it into a browser
IDLE_S: Final = 900  # seconds without a request: somebody left the room
LIFE_S: Final = 28_800  # seconds: a working day
SECRET_BYTES: Final = 32


class Secrets(NamedTuple):
    """What a browser holds of a session, both halves as hex."""

    cookie: str
    page: str


@dataclass
class _Session:
    cookie: bytes
    page: bytes
    since: float
    seen: float


class Sessions:
    """One link and one session at a time. Clock (seconds) and randomness are given."""

    def __init__(self, clock: Callable[[], float], random: Callable[[int], bytes]) -> None:
        self._clock, self._random = clock, random
        self._code: bytes | None = None
        self._invited = 0.0
        self._session: _Session | None = None

    def invite(self) -> str:
        """The code of a new link; one that was not used is void from here on."""
        code = self._random(SECRET_BYTES).hex()
        self._code, self._invited = _digest(code), self._clock()
        return code

    def enter(self, code: str) -> Secrets:
        """Use the link up, and begin a session with secrets of its own, whatever was sent before.

        Raises `NotAllowed` ("not-allowed"), the same for a code that is wrong, old or used.
        """
        now, known = self._clock(), self._code
        if known is None or not hmac.compare_digest(known, _digest(code)):
            raise NotAllowed("not-allowed")
        self._code = None  # from here on the link is used, also if it came too late
        if now - self._invited > LINK_S:
            raise NotAllowed("not-allowed")
        secrets = Secrets(self._random(SECRET_BYTES).hex(), self._random(SECRET_BYTES).hex())
        self._session = _Session(_digest(secrets.cookie), _digest(secrets.page), now, now)
        return secrets

    def check(self, cookie: str, page: str) -> None:
        """Go on with a session. Raises `NotAllowed` ("not-allowed")."""
        session, now = self._session, self._clock()
        known = session or _Session(b"", b"", now, now)
        right = hmac.compare_digest(known.cookie, _digest(cookie))
        right &= hmac.compare_digest(known.page, _digest(page))
        if session is None or not right:
            raise NotAllowed("not-allowed")
        if now - session.seen > IDLE_S or now - session.since > LIFE_S:
            self._session = None
            raise NotAllowed("not-allowed")
        session.seen = now

    def leave(self) -> None:
        """End the session."""
        self._session = None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
