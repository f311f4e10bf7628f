"""The one place where a client touches the network: signed requests, problems, event streams.

The broker is trusted for nothing here: what comes back are bytes for the checks elsewhere. Every
request is harmless to repeat, reads as well as writes, so a link that broke is tried again for a
while; a broker that was never reached is not, for then the address is what is wrong.
"""

import email.utils
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlencode

import anyio
import httpx

from clients import sse
from clients.identity import Identity
from clients.problem import refusal
from clients.sse import ServerEvent as ServerEvent
from clients.withheld import Withheld as Withheld
from wire import request_signature
from wire.errors import BrokerFault, Malformed, TearlineError, quoted

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)  # seconds; field links are slow
STREAM_SILENCE: Final = 45.0  # seconds: three heartbeats missed, the link is gone
ALIVE: Final = frozenset({"report", "heartbeat", "end"})  # events that end a silence
ANSWER_MAX: Final = 24 * 1024 * 1024  # bytes of one answer: a page of the largest reports
PAUSES: Final = (0.5, 1, 2, 4, 8)  # seconds between tries of one request over a link that breaks
FEWEST: Final = 1  # entry of a page over the worst of links
OUT_OF_TIME: Final = frozenset({9, 10})  # of OpenSSL: not valid yet, or no more
PASSING: Final = frozenset({"unreachable", "busy", "stopping", "too-slow", "rate-limited"})
"""Refusals that mean nothing but: later."""
OFFSET_MAX: Final = 86_400  # seconds a client's clock may be wrong before it must be set by hand
SECOND_LOOK: Final = 2.0  # seconds after which a member that was welcome before signs once more
OFFSET_MIN: Final = 1.5  # seconds that are no error: a Date field has no fractions

REPORT: Final = "application/vnd.tearline.report"
STATEMENT: Final = "application/vnd.tearline.statement"
JSON: Final = "application/json"
NOTE: Final = "text/plain"


@dataclass(frozen=True)
class Answer:
    """A good answer."""

    status: int
    body: bytes
    headers: httpx.Headers


class Transport:
    """A connection to the broker of an identity. Use it as an async context.

    `reached` says whether the broker ever answered it.
    """

    def __init__(
        self, identity: Identity, *, clock: Callable[[], float], random: Callable[[int], bytes]
    ) -> None:
        self._identity, self._clock, self._random = identity, clock, random
        self._offset = 0.0
        self._client: httpx.AsyncClient | None = None
        self._lasting: dict[str, int] = {}
        self._welcome = False
        self.reached = False

    async def __aenter__(self) -> Self:
        broker = self._identity.broker
        self._client = httpx.AsyncClient(
            base_url=broker,
            timeout=TIMEOUT,
            trust_env=False,
            verify=_authorities(broker, self._identity.ca_file),
        )
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def now(self) -> int:
        """This client's time in seconds, put right by the broker's where it was told."""
        return int(self._clock() + self._offset)

    # -- requests

    async def get(self, path: str, **query: str | int | list[str] | None) -> Answer:
        """A signed GET. Raises what the broker refused with, or `BrokerFault` "unreachable"."""
        return await self._ask("GET", path, _query(query), b"", {})

    async def page(self, path: str, most: int, **query: str | int | list[str] | None) -> Answer:
        """A signed GET of a page of at most so many entries; of fewer, if the link does not last
        for so many. Raises like `get`.
        """
        while True:
            limit = min(most, self._lasting.get(path, most))
            try:
                return await self.get(path, limit=limit, **query)
            except BrokerFault as error:
                if error.slug != "unreachable" or not self.reached or limit <= FEWEST:
                    raise
            self._lasting[path] = max(FEWEST, limit // 4)

    async def send(
        self, method: str, path: str, body: bytes, media: str, headers: Mapping[str, str] = {}
    ) -> Answer:
        """A signed write. Raises like `get`."""
        return await self._ask(method, path, "", body, {"content-type": media, **headers})

    async def download(
        self, path: str, start: int, **query: str | int | list[str] | None
    ) -> Answer:
        """Bytes of a large object from `start` on, as many as the broker likes to give."""
        return await self._ask("GET", path, _query(query), b"", {"range": f"bytes={start}-"})

    async def events(
        self, path: str, last: str | None, **query: str | int | list[str] | None
    ) -> AsyncGenerator[ServerEvent, None]:
        """The events of one stream until it breaks or ends. Raises like `get`, at once."""
        headers = {"accept": sse.MEDIA_TYPE} | ({"last-event-id": last} if last else {})

        def make() -> httpx.Request:
            request = self._request("GET", path, _query(query), b"", headers)
            request.extensions["timeout"]["read"] = STREAM_SILENCE
            return request

        try:
            response = await self._answered(make)
            try:
                media = response.headers.get("content-type", "")
                if (response.status_code, media) != (200, sse.MEDIA_TYPE):
                    raise refusal(response.status_code, await _bounded(response))
                heard = anyio.current_time()

                def noise() -> None:
                    if anyio.current_time() - heard > STREAM_SILENCE:
                        raise BrokerFault("unreachable", "the stream brings nothing but noise")

                async for event in sse.events(response.aiter_raw(), noise):
                    yield event
                    if event.kind not in ALIVE:
                        noise()
                    else:
                        heard = anyio.current_time()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            self._look_again()
            raise BrokerFault("unreachable", "the stream broke") from error

    async def _ask(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """One request, repeated while the link is the trouble and it did work before."""
        for pause in PAUSES:
            try:
                return await self._once(method, path, query, body, headers)
            except TearlineError as error:
                if error.slug not in PASSING or not self.reached:
                    raise
            await anyio.sleep(pause)
        return await self._once(method, path, query, body, headers)

    async def _once(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        try:
            response = await self._answered(
                lambda: self._request(method, path, query, body, headers)
            )
            try:
                told = await _bounded(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            self._look_again()
            raise BrokerFault("unreachable", _words(error, self._identity.broker)) from error
        if response.status_code >= 300:
            raise refusal(response.status_code, told)
        return Answer(response.status_code, told, response.headers)

    async def _answered(self, make: Callable[[], httpx.Request]) -> httpx.Response:
        """The answer to a request; signed once more where only the time may have been wrong.

        The clock may be off, or the broker started a moment ago: what was signed before that it
        refuses, because the process before it may have served it.
        """
        assert self._client is not None, "use it as an async context"
        response = await self._client.send(make(), stream=True)
        self.reached = True
        if response.status_code == 401:
            learned = self._learn_offset(response.headers)
            if not learned and not self._welcome:
                return response
            await response.aclose()
            await anyio.sleep(0 if learned else SECOND_LOOK)
            response = await self._client.send(make(), stream=True)
        self._welcome = self._welcome or response.status_code < 400
        return response

    def _look_again(self) -> None:
        """A broker on this machine that was started anew may listen somewhere else."""
        assert self._client is not None
        self._client.base_url = self._identity.broker

    def _request(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Request:
        target = f"{path}?{query}" if query else path
        assert self._client is not None
        request = self._client.build_request(method, target, content=body, headers=headers)
        url = request.url
        seen = request_signature.Target(
            method,
            request.headers["host"],
            url.raw_path.partition(b"?")[0].decode(),
            url.query.decode(),
        )
        signed = request_signature.sign(
            seen,
            body,
            self._identity.keys.request,
            self._identity.kid,
            created=self.now(),
            nonce=self._random(request_signature.NONCE_BYTES),
        )
        request.headers.update(signed)
        return request

    def _learn_offset(self, headers: httpx.Headers) -> bool:
        """Take the broker's time where ours is off by more than a moment; says whether it was.

        It is believed for what the broker itself judges, and within a day.
        """
        told = _date(headers)
        if told is None:
            return False
        offset = told - self._clock()
        if abs(offset) > OFFSET_MAX:
            raise Malformed("bad-input", "this machine's clock is more than a day wrong; set it")
        if abs(offset - self._offset) <= OFFSET_MIN:
            return False
        self._offset = offset
        return True


def _authorities(broker: str, ca_file: Path | None) -> ssl.SSLContext:
    """Who may vouch for the broker's certificate. Raises `Malformed` ("bad-identity").

    Nobody, where there is none: then loading the usual authorities would only take time.
    """
    if broker.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        detail = f"{quoted(ca_file.name)} is not a file of certificates"
        raise Malformed("bad-identity", detail) from error


def _date(headers: httpx.Headers) -> float | None:
    """The middle of the second that the Date field names; None if it names none."""
    try:
        return email.utils.parsedate_to_datetime(headers["date"]).timestamp() + 0.5
    except (KeyError, ValueError, OverflowError):
        return None


def _words(error: httpx.HTTPError, broker: str) -> str:
    """What is wrong with the link, as far as it is ours to say."""
    if isinstance(error, httpx.ConnectError):
        return _no_connection(error, broker)
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return "the link broke"


def _no_connection(error: httpx.ConnectError, broker: str) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return f"nothing answers at {broker}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = quoted(cause.verify_message, 80)
        if cause.verify_code in OUT_OF_TIME:
            return f"its certificate is not believed, {why}; its operator has to renew it"
        return f"its certificate is not believed, {why}; name who vouches for it as `ca_file`"
    return f"what answers at {broker} speaks no TLS"


def _query(fields: Mapping[str, str | int | list[str] | None]) -> str:
    pairs = [
        (name, str(value))
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    return urlencode(pairs, quote_via=quote)


async def _bounded(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > ANSWER_MAX:
            raise BrokerFault("too-large", "the broker's answer")
        parts.append(part)
    return b"".join(parts)
