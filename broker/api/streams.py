"""Live streams: the events of one subscription, as they become true.

A plain ASGI endpoint. The first byte goes out at once; then each event waits until the connection
takes it, so a slow reader slows nobody else and buffers nothing here: the core reads on from the
journal when it is asked. A reader that takes nothing is cut off by `broker.protocol`.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import parse_qsl

from broker import sse
from broker.answers import Event
from broker.api.common import SIGNED, Keeping, refusals
from broker.authentication import Authenticator
from broker.core import Broker
from broker.guard import EXCHANGE
from broker.problems import Receive, Scope, Send
from wire.errors import Malformed, TearlineError

HEADERS: Final = [
    (b"content-type", sse.MEDIA_TYPE.encode()),
    (b"x-accel-buffering", b"no"),  # a proxy in front must not collect events
]
LAST_ID_MAX: Final = 256

STREAM: Final[dict[str, Any]] = {
    "tags": ["subscriptions"],
    "summary": "Follow a subscription live",
    "description": "Server-sent events. `report`: a release as JSON, its id is the cursor after "
    "it. `unsupported`: `{report, lacks}`, a report of which the caller may have more with a "
    "client that keeps these duties. `heartbeat`: `{checkpoint, time}`, every 15 s; a reader that "
    "misses three should come back. `end`: `{reason}`, a slug; the stream is over. Goes on after "
    "`Last-Event-ID`, else after the stored cursor, else from the first report that the caller "
    "may see. Membership and policies are asked again for every event.",
    "operationId": "stream_subscription",
    "security": [{"request signature": []}],
    "parameters": [
        {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "the id of the last event that was received",
            "schema": {"type": "string"},
        },
        {
            "name": "keeps",
            "in": "query",
            "required": False,
            "description": "duties of labels that this client keeps",
            "schema": {"type": "array", "items": {"type": "string"}},
        },
    ],
    "responses": {
        "200": {
            "description": "events, until either side ends it",
            "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **refusals(*SIGNED, "not-found", "bad-cursor", "bad-fields"),
    },
}
"""The description of `stream`, which FastAPI does not see."""


async def stream(
    broker: Broker,
    authenticator: Authenticator,
    name: str,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """`GET /v1/subscriptions/{name}/stream`. Refusals come before the first byte, as problems."""
    message = await receive()
    reader = authenticator.authenticate(scope, message["body"])
    scope[EXCHANGE].member = reader.kid
    async with aclosing(broker.stream(reader, name, _last_id(scope), _keeps(scope))) as events:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        await _while_connected(_deliver(events, send), receive)


async def _deliver(events: AsyncIterator[Event], send: Send) -> None:
    await send({"type": "http.response.body", "body": sse.OPENING, "more_body": True})
    try:
        async for event in events:
            frame = sse.frame(event.kind, event.data, event.id)
            # Waits while the connection is full.
            await send({"type": "http.response.body", "body": frame, "more_body": True})
    except TearlineError as error:  # too late for a problem document
        reason = b'{"reason":"%s"}' % error.slug.encode()
        frame = sse.frame("end", reason)
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work until it is done or the caller has hung up, which ends it where it waits."""
    try:
        async with asyncio.timeout(None) as connected:
            watching = asyncio.create_task(_watch(receive, connected))
            try:
                await work
            finally:
                watching.cancel()
    except TimeoutError:
        if not connected.expired():
            raise


async def _watch(receive: Receive, connected: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connected.reschedule(asyncio.get_running_loop().time())


def _keeps(scope: Scope) -> frozenset[str]:
    """What the client declares to keep. Raises `Malformed` ("bad-fields")."""
    try:
        query: dict[str, list[str]] = {}
        for name, word in parse_qsl(scope["query_string"].decode("ascii"), strict_parsing=True):
            query.setdefault(name, []).append(word)
        return Keeping.model_validate(query).duties
    except ValueError as error:
        raise Malformed("bad-fields", "the query of a stream holds `keeps` alone") from error


def _last_id(scope: Scope) -> str | None:
    """The id of the last event that the caller has. Raises `Malformed` ("bad-cursor")."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            if len(value) > LAST_ID_MAX or not value.isascii():
                raise Malformed("bad-cursor")
            return value.decode("ascii") or None
    return None
