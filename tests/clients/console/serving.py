"""A console that really listens, in a thread of its own, and what is said to it in bytes."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.auditor import Auditor
from clients.cli.console import _listening, _origins
from clients.console import assets, labels
from clients.console.desk import Desk, rechecked
from clients.console.serve import Console, server
from clients.console.sessions import Sessions
from clients.identity import Identity
from tests.broker.server import PATIENCE, Raw, Reply


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def desk_of(identity: Identity, sealed: Path | None = None) -> Desk:
    """An auditor's desk, its evidence proven anew."""
    held = {} if sealed is None else labels.read(sealed)
    desk = Desk(Auditor(identity), now_ms, held)
    return Desk(desk.auditor, now_ms, held, rechecked(desk))


@dataclass
class Served:
    """A console that listens, and the secrets of a session once somebody entered."""

    port: int
    sessions: Sessions
    cookie: str = ""
    page: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/console"

    def link(self) -> str:
        """A fresh link."""
        return f"{self.url}#sign-in={self.sessions.invite()}"

    def ask(self, start: str, *fields: str, body: bytes = b"") -> Reply:
        """One request, with the right Host and nothing else that is right."""
        with Raw(self.port) as raw:
            length = [f"Content-Length: {len(body)}"] if body else []
            return raw.ask(start, *fields, *length, "Connection: close", body=body)

    def enter(self, code: str, *fields: str) -> Reply:
        """Sign in as the page does; `fields` come on top."""
        usual = ("Content-Type: application/json", f"Origin: http://127.0.0.1:{self.port}")
        return self.ask(
            "POST /console/session", *usual, *fields, body=json.dumps({"code": code}).encode()
        )

    def signed_in(self) -> "Served":
        """The same, within a session."""
        reply = self.enter(self.sessions.invite())
        assert reply.status == 200, reply
        self.cookie = reply.headers["set-cookie"].partition(";")[0]
        self.page = json.loads(reply.body)["page"]
        return self

    def get(self, path: str, **other: str) -> Reply:
        """What the page asks for, with both halves of the session."""
        cookie, page = other.get("cookie", self.cookie), other.get("page", self.page)
        fields = (f"Cookie: {cookie}", f"Tearline-Page: {page}", *other.get("more", "").split("\n"))
        return self.ask(f"GET /console/api/{path}", *filter(None, fields))

    def told(self, path: str) -> Mapping[str, Any]:
        """The answer of a path that there is."""
        reply = self.get(path)
        assert reply.status == 200, (path, reply)
        found: Mapping[str, Any] = json.loads(reply.body)
        return found


@contextmanager
def serving(desk: Desk, clock: Callable[[], float] = time.monotonic) -> Iterator[Served]:
    """Run it until the block ends."""
    with _listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        sessions = Sessions(clock, os.urandom)
        app = Console(desk, sessions, _origins("127.0.0.1", port, tls=False), assets.load())
        running = server(app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(port, sessions)
        finally:
            running.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()
