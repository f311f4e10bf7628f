"""The console over HTTP, on the auditor's own machine.

    GET    /console                  the page; it holds no data
    GET    /console/static/NAME      its files
    POST   /console/session          sign in: {"code"} of the link; 200 {"page"} and a cookie
    DELETE /console/session          sign out
    GET    /console/api/…            rows of the evidence, within a session

A request is answered only under one of this server's own names: a page elsewhere whose name was
made to lead here (DNS rebinding) has another. Without a session every path below `api/` gets the
same answer, whether there is such a path or not.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio.to_thread

from clients import listening
from clients.console import api, assets
from clients.console.desk import Desk
from clients.console.sessions import Sessions
from clients.listening import Receive, Scope, Send
from wire import strict_json
from wire.errors import SLUGS, Malformed, NotAllowed, TearlineError
from wire.model import Hex32B, Strict

BODY_MAX: Final = 1_024  # bytes: a code is 64
QUERY_MAX: Final = 2_048  # bytes
BACKLOG: Final = 64
JSON: Final = "application/json"
PAGE_HEADER: Final = "tearline-page"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)


class _SignIn(Strict):
    code: Hex32B


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    media: str
    body: bytes
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Console:
    """The application. `origins` are the addresses under which it may be called, such as
    `http://127.0.0.1:8442`.
    """

    desk: Desk
    sessions: Sessions
    origins: Collection[str]
    files: Mapping[str, assets.Asset]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise TypeError("only HTTP is served here")
        try:
            answer = await self._answer(scope, receive)
        except TearlineError as error:
            answer = _refusal(error)
        length = ("content-length", str(len(answer.body)))
        fields = (("content-type", answer.media), length, *answer.more, *HEADERS)
        headers = [(name.encode(), value.encode()) for name, value in fields]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        fields = _fields(scope)
        origin = f"{scope['scheme']}://{fields.get('host', '')}"
        if origin not in self.origins:
            raise NotAllowed("misdirected")
        path, method = scope["path"], scope["method"]
        if path == "/console/session":
            return await self._session(method, origin, fields, receive)
        if method != "GET":
            raise Malformed("method-not-allowed")
        if path.startswith("/console/api/"):
            self._check(fields)
            words = _query(scope["query_string"])
            name = path.removeprefix("/console/api/")
            found = await anyio.to_thread.run_sync(api.answer, self.desk, name, words)
            return _json(found)
        name = assets.PAGE if path == "/console" else path.removeprefix("/console/static/")
        file = self.files.get(name)
        if file is None:
            raise NotAllowed("not-found")
        return Answer(200, file.media, file.body)

    async def _session(
        self, method: str, origin: str, fields: Mapping[str, str], receive: Receive
    ) -> Answer:
        """Sign in, or out."""
        if method == "DELETE":
            self._check(fields)
            self.sessions.leave()
            return _json({}, ("set-cookie", f"{self._cookie(origin)}=; Max-Age=0{FLAGS}"))
        if method != "POST":
            raise Malformed("method-not-allowed")
        if fields.get("origin") != origin or fields.get("content-type") != JSON:
            raise NotAllowed("not-allowed")
        asked = strict_json.load(await _body(receive), _SignIn)
        secrets = self.sessions.enter(asked.code)
        cookie = f"{self._cookie(origin)}={secrets.cookie}{FLAGS}"
        return _json({"page": secrets.page}, ("set-cookie", cookie))

    def _check(self, fields: Mapping[str, str]) -> None:
        """The request is our own page's, within the session. Raises `NotAllowed`."""
        if fields.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise NotAllowed("not-allowed")
        name = self._cookie(f"//{fields['host']}")
        parts = [part.strip().partition("=") for part in fields.get("cookie", "").split(";")]
        ours = [value for each, _, value in parts if each == name]
        self.sessions.check(ours[0] if len(ours) == 1 else "", fields.get(PAGE_HEADER, ""))

    @staticmethod
    def _cookie(origin: str) -> str:
        """Cookies do not know ports, so the name does: two consoles on one machine are two."""
        port = origin.rpartition(":")[2]
        return f"__Host-tearline-{port if port.isdigit() else 443}"


FLAGS: Final = "; Path=/; Secure; HttpOnly; SameSite=Strict"


def server(console: Console, **tls: str) -> listening.Server:
    """A server that is ready to run on a bound socket. It stops on SIGINT and SIGTERM."""
    return listening.server(console, backlog=BACKLOG, **tls)


def _fields(scope: Scope) -> dict[str, str]:
    """The header fields; of one that came twice, both, so that it is neither."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _query(raw: bytes) -> dict[str, str]:
    if len(raw) > QUERY_MAX:
        raise Malformed("bad-request", f"at most {QUERY_MAX} bytes of query")
    try:
        pairs = parse_qsl(raw.decode("ascii"), strict_parsing=True) if raw else []
    except ValueError as error:
        raise Malformed("bad-request", "not a query") from error
    if len(dict(pairs)) != len(pairs):
        raise Malformed("bad-request", "a word stands twice in the query")
    return dict(pairs)


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises `Malformed` ("bad-request") for one that is too large, or broke."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Malformed("bad-request", "the request broke off")
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            raise Malformed("bad-request", f"at most {BODY_MAX} bytes")
        more = message.get("more_body", False)
    return body


def _json(found: Mapping[str, Any], *more: tuple[str, str]) -> Answer:
    return Answer(200, JSON, json.dumps(found, ensure_ascii=True).encode(), more)


def _refusal(error: TearlineError) -> Answer:
    meaning = SLUGS[error.slug]
    told = {
        "error": error.slug,
        "title": meaning.title,
        "detail": error.detail,
        "advice": meaning.advice,
    }
    return Answer(error.status, JSON, json.dumps(told).encode())
