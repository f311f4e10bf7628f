"""The one place that is pushed to: the address that was given, and no other.

No redirect is followed and no proxy or password file of the environment is read. The receiver's
words are never shown or kept: what counts is the status, and how long it asks to be left alone.
"""

import contextlib
import email.utils
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import httpx

from wire.errors import Malformed, quoted

TIMEOUT: Final = httpx.Timeout(15.0, connect=10.0)  # seconds of silence
PATIENCE: Final = 30.0  # seconds for the whole of one try, however busy the line is
DRAIN: Final = 2.0  # seconds for what follows a status
ANSWER_MAX: Final = 65_536  # bytes of an answer that are read; nobody looks at them
REST_MAX: Final = 86_400  # seconds: a receiver that wants longer is asked again after a day


@dataclass(frozen=True)
class Reply:
    """What came of one try: a status, 0 if there was no answer; `rest` in seconds, if it asked for
    a pause.
    """

    status: int
    why: str
    rest: float = 0.0


class Receiver:
    """A connection to it. Use it as an async context."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._url = checked(url)
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            verify=_authorities(self._url, ca_file),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def post(self, body: bytes, headers: dict[str, str], now: float) -> Reply:
        """One try; `now` is the time in Unix seconds, to which a date in the answer is compared."""
        try:
            with anyio.fail_after(PATIENCE):
                return await self._post(body, headers, now)
        except (httpx.TimeoutException, TimeoutError):
            return Reply(0, "no answer in time")
        except httpx.HTTPError as error:
            return Reply(0, _broken(error))

    async def _post(self, body: bytes, headers: dict[str, str], now: float) -> Reply:
        sent = {**headers, "accept-encoding": "identity"}
        async with self._client.stream("POST", self._url, content=body, headers=sent) as answer:
            status = answer.status_code
            await _drained(answer)
            return Reply(status, f"status {status}", _rest(answer.headers.get("retry-after"), now))


def _broken(error: httpx.HTTPError) -> str:
    """What is wrong with the link, as far as it is ours to say."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not believed; name who vouches for it with --ca-file"
        cause = cause.__cause__ or cause.__context__
    return "no connection, or it broke"


async def _drained(answer: httpx.Response) -> None:
    """Read what little there should be, so that the connection can serve again; what comes of it
    changes nothing, for the status is there.
    """
    size = 0
    with contextlib.suppress(httpx.HTTPError), anyio.move_on_after(DRAIN):
        async for part in answer.aiter_raw():
            size += len(part)
            if size > ANSWER_MAX:
                break


def checked(url: str) -> httpx.URL:
    """The address. Raises `Malformed` ("bad-input") for one that would carry what is pushed, or a
    password, where others can read it.
    """
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Malformed("bad-input", "that is no address to push to") from error
    if found.scheme not in {"https", "http"} or not found.host:
        raise Malformed("bad-input", "push to an https address")
    if found.userinfo or found.fragment:
        raise Malformed("bad-input", "no user, password or fragment in the address")
    if found.scheme == "http" and not _here(found.host):
        raise Malformed("bad-input", "http only to this very machine; to others push by https")
    return found


def host(url: str) -> str:
    """The part of an address that is no secret: host and port."""
    return checked(url).netloc.decode("ascii")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorities(url: httpx.URL, ca_file: Path | None) -> ssl.SSLContext:
    if url.scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        detail = f"{quoted(ca_file.name)} is not a file of certificates"
        raise Malformed("bad-input", detail) from error


def _rest(told: str | None, now: float) -> float:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3): a number of them, or a date."""
    if told is None:
        return 0.0
    if told.isascii() and told.isdigit():
        return min(float(told[:12]), REST_MAX)
    try:
        until = email.utils.parsedate_to_datetime(told).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, until - now), REST_MAX)
