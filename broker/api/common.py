"""What the areas of the API share: who asks, what was sent, and how answers are written.

Bodies pass the strict gate, never FastAPI's own JSON reader, which takes duplicate keys. Answers
are bytes made by us; FastAPI routes, reads queries and describes.
"""

import json
from collections import Counter
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path, Request, Response, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from broker.authentication import Authenticator
from broker.core import Broker
from broker.guard import EXCHANGE, Exchange
from wire import strict_json
from wire.errors import SLUGS, Malformed
from wire.evidence import MAX_SEGMENT_ENTRIES
from wire.members import Member
from wire.model import Strict, Token

JSON_MEDIA: Final = "application/json"
KEEPS_LIMIT: Final = 32
"""Duties of one declaration: no client knows more words for how it shows things."""
REPEATABLE: Final = frozenset({"region", "threat", "precedence", "keeps"})
"""Query parameters that may stand more than once."""

Body = TypeVar("Body", bound=Strict)

# -- who asks, and of whom


def broker_of(request: Request) -> Broker:
    """The broker that this application serves."""
    return request.app.state.broker  # type: ignore[no-any-return]


async def served(request: Request) -> Broker:
    """The broker, as a parameter of an endpoint."""
    return broker_of(request)


_signature = APIKeyHeader(
    name="Signature",
    auto_error=False,
    scheme_name="request signature",
    description="RFC 9421 in one fixed profile: label `sig1`, Ed25519, components `@method "
    "@authority @path @query content-digest` in this order, tag `tearline-http`, a fresh nonce, at "
    "most 120 s. The key is the member's request key.",
)


async def caller(request: Request, _: Annotated[str | None, Security(_signature)]) -> Member:
    """The member that signed the request. Raises `NotAllowed` ("unsigned-request")."""
    authenticator: Authenticator = request.app.state.authenticator
    member = authenticator.authenticate(request.scope, await request.body())
    exchange: Exchange = request.scope[EXCHANGE]
    exchange.member = member.kid
    return member


Served = Annotated[Broker, Depends(served)]
Caller = Annotated[Member, Depends(caller)]

# -- what was sent


async def single(request: Request) -> None:
    """Refuse a query that says a thing twice; two readers could read it differently."""
    seen = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in seen.items():
        if count > 1 and name not in REPEATABLE:
            raise Malformed("bad-fields", "a query parameter is repeated")


async def body_as(request: Request, model: type[Body], limit: int) -> Body:
    """The body as an object of `model`, through the strict gate. Raises `Malformed`."""
    check_media(request, JSON_MEDIA)
    return strict_json.load(await request.body(), model, limit=limit)


def check_media(request: Request, media_type: str) -> None:
    """Refuse a body of another type. Raises `Malformed` ("unsupported-media")."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != media_type:
        raise Malformed("unsupported-media", f"this takes {media_type}")


def _whole(value: object) -> object:
    """Digits and nothing else: `int` alone would take signs, spaces and underscores."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 16):
            raise ValueError("must be a whole number")
        return int(value)
    return value


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
PageLimit = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=MAX_SEGMENT_ENTRIES)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_=-]{1,256}\z", max_length=256)]
Identity = Annotated[str, Path(pattern=r"^[0-9a-f]{64}\z", description="SHA-256 of the head, hex")]


class Parameters(BaseModel):
    """Base of a query's parameters: unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Keeping(Parameters):
    """What the client declares to keep of a label's duties; it stands in the signed query."""

    keeps: Annotated[tuple[Token, ...], Field(max_length=KEEPS_LIMIT)] = ()

    @property
    def duties(self) -> frozenset[str]:
        """The declaration as a set."""
        return frozenset(self.keeps)


# -- what is answered


def answer_json(content: bytes | str, status: int = 200) -> Response:
    """An answer whose JSON is made already."""
    return Response(content, status, media_type=JSON_MEDIA)


def answer_value(value: Any, status: int = 200) -> Response:
    """An answer of plain values."""
    return answer_json(json.dumps(value, ensure_ascii=True, separators=(",", ":")), status)


# -- how it is described


class Problem(BaseModel):
    """A refusal (RFC 9457). `type` is a stable slug; the rest is for people."""

    type: str
    title: str
    status: int
    detail: str
    advice: str
    explanation: dict[str, Any] | None = None


def refusals(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The part of an operation's description that lists its refusals by status."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        meaning = SLUGS[slug]
        entry = found.setdefault(
            meaning.status,
            {
                "description": "",
                "content": {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                },
            },
        )
        line = f"`{slug}`: {meaning.title}; {meaning.advice}"
        entry["description"] = "\n\n".join(filter(None, (entry["description"], line)))
    return found


SIGNED: Final = ("unsigned-request", "rate-limited", "quota", "busy", "stopping", "journal-stopped")
"""What every signed request can be refused with."""


def takes(schema: str, media_type: str = JSON_MEDIA) -> dict[str, Any]:
    """The part of an operation's description that says what its body is."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": reference}}}}


def takes_bytes(media_type: str, words: str) -> dict[str, Any]:
    """The same for a binary body."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "description": words, "content": content}}


def gives(media_type: str, words: str) -> dict[str, Any]:
    """The description of an answer that is not JSON."""
    return {"description": words, "content": {media_type: {"schema": {"type": "string"}}}}
