"""A receiver that really listens on loopback, does what a test tells it, and keeps what it got."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.broker.server import PATIENCE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""That of the scheme's own test vector."""


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)
        return found

    @property
    def names(self) -> list[tuple[str, str]]:
        """Source and id of each event."""
        return [(event["source"], event["id"]) for event in self.events]

    def verified(self, secret: str = SECRET) -> "Got":
        """The same, if the scheme's own library accepts the signature now."""
        Webhook(secret).verify(self.body, self.headers)
        return self


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Inbox:
    """What it answers is the first of `answers`, and then what `says` says: a status or an answer.
    It keeps in `got` what it answered with 2xx, in `tried` all.
    """

    name: str = "hook"
    port: int = 0
    tls: Path | None = None
    """The folder of a certificate, as `tests.cli.test_tls` writes it."""
    says: Callable[[Got], int] = lambda _: 204
    answers: list[int | Answer] = field(default_factory=list)
    tried: list[Got] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)

    @property
    def url(self) -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/{self.name}?key=in-the-address"

    @property
    def indices(self) -> list[int]:
        """The entries that it took, in order, each as often as it came."""
        return [int(event["id"]) for got in self.got for event in got.events]

    def answer(self, got: Got) -> Answer:
        self.tried.append(got)
        told = self.answers.pop(0) if self.answers else self.says(got)
        status, headers, body = (told, {}, b"") if isinstance(told, int) else told
        if 200 <= status < 300:
            self.got.append(got)
        return status, headers, body


@contextmanager
def inbox(**how: Any) -> Iterator[Inbox]:
    """One that listens until the block ends."""
    found = Inbox(**how)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, answer = found.answer(Got(self.path, headers, body))
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            if "content-length" not in more:
                self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no fault of this one."""

    server = Server(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    if found.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(found.tls / "chain.pem", found.tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
