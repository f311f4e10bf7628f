"""The outer wall: an ASGI guard that bounds a request before anything else looks at it.

    (1) pace of the address   (4) fields once          (7) length as declared
    (2) version, method       (5) host                 (8) body, as it comes: length and pace
    (3) size of the head      (6) framing, coding

What the guard refuses ends the connection, because the rest of the request is still on its way.
Inside, an application gets the whole body as one message. The guard also gives every answer the
same header fields, counts and logs it, and turns an error that nobody expected into a plain 500.
"""

import asyncio
import email.utils
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from broker import heads, logs
from broker.metrics import Metrics
from broker.problems import (
    METHODS,
    Answer,
    Asgi,
    Message,
    Receive,
    Scope,
    Send,
    problem,
)
from broker.rates import TokenBuckets, neighbourhood
from broker.settings import Settings
from wire.errors import BrokerFault, Malformed, NotAllowed, TearlineError

JUNK: Final = frozenset({400, 401, 408, 413, 415, 421, 422, 431})
"""Statuses of what an honest client seldom earns; an address may earn only so many."""

COMMON: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""Fields of every answer that does not set them itself."""

EXCHANGE: Final = "tearline.exchange"
"""Key of the `Exchange` in the scope that applications inside see."""

BodyLimit = Callable[[str, str], int]
"""Bytes a body may have, by method and path."""


class _GoneError(Exception):
    """The caller hung up before its request was whole."""


@dataclass
class Exchange:
    """One request and what has been said to it.

    Applications inside set `slug` when they refuse, and `member` when they know who asks.
    """

    send: Send
    date: bytes
    status: int = 0
    slug: str | None = None
    member: str | None = None
    held: int = 0

    async def reply(self, message: Message) -> None:
        """Pass a message on; the first one gets the fields that every answer has."""
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            names = {name for name, _ in own}
            common = [(name, value) for name, value in COMMON if name not in names]
            message = {**message, "headers": [(b"date", self.date), *common, *own]}
            self.status = message["status"]
        await self.send(message)


class Guard:
    """Wraps an ASGI application. `clock` gives Unix seconds, for the Date field alone."""

    def __init__(
        self,
        app: Asgi,
        settings: Settings,
        body_limit: BodyLimit,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        limits = settings.limits
        self._app, self._settings, self._limits = app, settings, limits
        self._body_limit, self._metrics, self._clock = body_limit, metrics, clock
        self._authorities = frozenset(name.encode() for name in settings.authorities)
        self._requests = TokenBuckets(
            limits.requests_per_second, limits.requests_burst, limits.addresses
        )
        self._refusals = TokenBuckets(
            limits.refusals_per_second, limits.refusals_burst, limits.addresses
        )
        self._held = 0
        self._date = (0, b"")
        metrics.gauge("tearline_body_bytes", "bytes of bodies in work", lambda: float(self._held))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        exchange = Exchange(send, self._now())
        caller = neighbourhood(scope["client"][0] if scope.get("client") else "")
        try:
            body = await self._admit(scope, receive, caller, exchange)
            # A copy of the fields: a trailer must not add to those that were checked.
            inner = {**scope, "headers": list(scope["headers"]), EXCHANGE: exchange}
            await self._app(inner, _replay(body, receive), exchange.reply)
        except _GoneError:
            return
        except TearlineError as error:
            await self._refuse(error, receive, exchange)
        except Exception as error:  # noqa: BLE001 - the edge of a request
            logs.failure("request-failed", error, path=_path(scope))
            if not exchange.status:  # else half an answer is out, and the server cuts it off
                await self._refuse(BrokerFault("internal"), receive, exchange)
        finally:
            self._held -= exchange.held
            self._account(scope, caller, exchange, time.monotonic() - started)

    async def _admit(
        self, scope: Scope, receive: Receive, caller: str, exchange: Exchange
    ) -> bytes:
        """The body of a request that may go in. Raises `TearlineError` or `_GoneError`."""
        now = time.monotonic()  # (1)
        if not self._refusals.has(caller, now) or not self._requests.take(caller, now):
            raise NotAllowed("rate-limited")
        if scope["http_version"] != "1.1":  # (2)
            raise Malformed("bad-request", "HTTP/1.1 is spoken here")
        if scope["method"] not in METHODS:
            raise Malformed("method-not-allowed")
        size = len(scope["raw_path"]) + len(scope["query_string"])  # (3)
        size += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > self._limits.head_bytes or len(scope["headers"]) > self._limits.head_fields:
            raise Malformed("header-too-large", f"at most {self._limits.head_bytes} bytes")
        fields = heads.fields(scope)  # (4)
        self._check_host(fields)  # (5)
        heads.check_form(fields)  # (6)
        limit = self._body_limit(scope["method"], scope["path"])  # (7)
        if int(fields.get(b"content-length", b"0")) > limit:
            raise Malformed("too-large", f"a body of at most {limit} bytes goes here")
        return await self._body(receive, limit, exchange)  # (8)

    def _check_host(self, fields: Mapping[bytes, bytes]) -> None:
        host = fields.get(b"host")
        if host is None:
            raise Malformed("bad-request", "the Host field is missing")
        if host.lower() not in self._authorities:
            raise Malformed("misdirected")

    async def _body(self, receive: Receive, limit: int, exchange: Exchange) -> bytes:
        """The whole body, never more than `limit` bytes of it, never slower than the least pace."""
        parts: list[bytes] = []
        size, loop = 0, asyncio.get_running_loop()
        start = loop.time() + self._limits.body_grace_seconds
        try:
            async with asyncio.timeout(None) as pace:
                while True:
                    pace.reschedule(start + size / self._limits.body_bytes_per_second)
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _GoneError
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise Malformed("too-large", f"a body of at most {limit} bytes goes here")
                    self._hold(len(part), exchange)
                    parts.append(part)
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError:
            raise Malformed("too-slow") from None

    def _hold(self, size: int, exchange: Exchange) -> None:
        if self._held + size > self._limits.bodies_bytes:
            raise BrokerFault("busy")
        self._held += size
        exchange.held += size

    async def _refuse(self, error: TearlineError, receive: Receive, exchange: Exchange) -> None:
        """Say no, whole, and only then let go of the sender, who may still be talking.

        Closing at once would let the system answer unread bytes with a reset, which can overtake
        the refusal (RFC 9112, section 9.6).
        """
        exchange.slug = error.slug
        said = problem(error)
        fields = (*said.fields, (b"connection", b"close"))
        await Answer(said.status, said.body, fields).send(exchange.reply, more=True)
        try:
            async with asyncio.timeout(self._limits.linger_seconds):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            pass
        await exchange.reply({"type": "http.response.body", "body": b"", "more_body": False})

    def _now(self) -> bytes:
        """The Date field, formatted once a second."""
        second = int(self._clock())
        if second != self._date[0]:
            self._date = (second, email.utils.formatdate(second, usegmt=True).encode())
        return self._date[1]

    def _account(self, scope: Scope, caller: str, exchange: Exchange, seconds: float) -> None:
        status, slug = exchange.status, exchange.slug
        if not status:
            return
        self._metrics.request(area(scope["path"]), status, seconds)
        if slug is not None:
            self._metrics.refusal(slug)
        if status in JUNK:
            self._refusals.take(caller, time.monotonic())
        if status != 429 and (status >= 400 or self._settings.log_requests):
            logs.event(
                "refused" if status >= 400 else "answered",
                method=scope["method"],
                path=_path(scope),
                status=status,
                slug=slug,
                member=exchange.member,
                ms=round(seconds * 1000, 1),
            )


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the whole body once, and then only tells of the caller's leaving."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def area(path: str) -> str:
    """The part of the API that a path belongs to, from a fixed set of words."""
    first = path.removeprefix("/v1/").partition("/")[0]
    if not path.startswith("/v1/") or first not in _AREAS:
        return "other"
    return "streams" if path.endswith("/stream") else first


_AREAS: Final = frozenset(
    {"reports", "attachments", "subscriptions", "statements", "preview", "log"}
)


def _path(scope: Scope) -> str:
    return scope["raw_path"].decode("latin-1")  # type: ignore[no-any-return]
