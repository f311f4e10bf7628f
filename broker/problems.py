"""Refusals as HTTP answers: RFC 9457 problem documents with our slug as their type.

Every refusal of one slug has the same status and the same header fields. "Not found" is one fixed
answer, byte for byte, whatever was asked for: unknown, forbidden and recalled look alike.
No answer repeats what was sent, or what another program's error said.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from broker.answers import Withheld
from broker.explaining import told
from wire.errors import SLUGS, NotAllowed, TearlineError

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

MEDIA_TYPE: Final = "application/problem+json"
METHODS: Final = ("GET", "POST", "PUT", "DELETE")
DETAIL_CHARACTERS: Final = 500
"""Of a detail; more helps nobody and only carries more of what others sent."""

_BY_STATUS: Final[Mapping[int, Fields]] = {
    401: ((b"www-authenticate", b"Signature"),),
    405: ((b"allow", ", ".join(METHODS).encode()),),
    429: ((b"retry-after", b"1"),),
    503: ((b"retry-after", b"1"),),
}
"""What RFC 9110 wants beside these statuses."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    fields: Fields

    async def send(self, send: Send, *, more: bool = False) -> None:
        """Send it; with `more` the answer is whole but the exchange stays open."""
        start = {"type": "http.response.start", "status": self.status, "headers": [*self.fields]}
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": more})


def answer(status: int, body: bytes, media_type: str) -> Answer:
    """An answer of this type, with its length."""
    length = str(len(body)).encode()
    media = media_type.encode()
    return Answer(status, body, ((b"content-type", media), (b"content-length", length)))


def problem(error: TearlineError) -> Answer:
    """The answer that tells of a refusal."""
    return NOT_FOUND if error.slug == "not-found" else _document(error)


def _document(error: TearlineError) -> Answer:
    meaning = SLUGS[error.slug]
    document: dict[str, object] = {
        "type": error.slug,
        "title": meaning.title,
        "status": meaning.status,
        "detail": error.detail[:DETAIL_CHARACTERS],
        "advice": meaning.advice,
    }
    if isinstance(error, Withheld):
        document["explanation"] = told(error.explanation)
    body = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    plain = answer(meaning.status, body, MEDIA_TYPE)
    return Answer(plain.status, body, plain.fields + _BY_STATUS.get(meaning.status, ()))


NOT_FOUND: Final = _document(NotAllowed("not-found"))
"""The one answer for everything that is not there for this caller."""
