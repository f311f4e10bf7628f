"""A request's header fields: which we read, and what in them is refused."""

from collections.abc import Mapping
from typing import Final

from broker.problems import Scope
from wire.errors import Malformed

SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-range",
        b"content-type",
        b"host",
        b"last-event-id",
        b"range",
        b"transfer-encoding",
    }
)
"""Fields we read; repeated, two readers could read them differently."""

OVERRIDES: Final = frozenset({b"x-http-method", b"x-http-method-override", b"x-method-override"})
"""Fields by which some frameworks let a request be another than it says."""


def fields(scope: Scope) -> Mapping[bytes, bytes]:
    """The header fields that we read, each at most once. Raises `Malformed`."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in SINGLE and name in found:
            raise Malformed("bad-request", "a header field is repeated")
        if name in OVERRIDES:
            raise Malformed("method-not-allowed")
        found[name] = value
    return found


def check_form(found: Mapping[bytes, bytes]) -> None:
    """Refuse what two readers could frame differently, and every coding of the body.

    Raises `Malformed` ("bad-request", "unsupported-media").
    """
    coding = found.get(b"transfer-encoding")
    length = found.get(b"content-length")
    if coding is not None and (coding.lower() != b"chunked" or length is not None):
        raise Malformed("bad-request", "the framing is ambiguous")
    if length is not None and not (length.isdigit() and len(length) <= 16):
        raise Malformed("bad-request", "the framing is ambiguous")
    if b"upgrade" in found:
        raise Malformed("bad-request", "no other protocol is spoken here")
    if b"content-encoding" in found:
        raise Malformed("unsupported-media", "a body is sent as it is")
