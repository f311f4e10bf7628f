"""A real server on loopback in a thread, and a client that sends what no HTTP library would."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import uvloop

from broker.metrics import Metrics
from broker.problems import Asgi
from broker.server import Server, bound
from broker.settings import Limits, Settings

PATIENCE = 20.0
"""Seconds after which a test that waits has failed."""


def settings_in(folder: Path, **limits: Any) -> Settings:
    """Settings of a broker nobody founded, on a port that the system chooses."""
    return Settings(
        folder=folder,
        mission="MINUSX",
        charter="00" * 32,
        origin="test/log",
        port=0,
        authorities=("127.0.0.1:0",),
        limits=Limits(**limits),
    )


@dataclass(frozen=True)
class Reply:
    """One answer, taken apart."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    names: tuple[str, ...] = field(default=())

    @property
    def slug(self) -> str:
        return str(json.loads(self.body)["type"])


class Raw:
    """One connection, spoken to in bytes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._read = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a peer that has closed already is seen when reading."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def ask(self, start: str, *fields: str, body: bytes = b"") -> Reply:
        """Send one request with the right Host and read the answer."""
        self.send(request(self.port, start, *fields) + body)
        return self.reply(bodiless=start.startswith("HEAD"))

    def reply(self, *, bodiless: bool = False) -> Reply:
        """The next answer."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = [line.partition(": ")[::2] for line in head[1:-2]]
        headers = {name.lower(): value for name, value in pairs}
        body = b"" if bodiless else self._take(int(headers.get("content-length", "0")))
        return Reply(int(head[0].split(" ")[1]), headers, body, tuple(name for name, _ in pairs))

    def closed(self) -> bool:
        """Whether the server closes (true) or has something more to say (false)."""
        return not self._read and not self._more()

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while part := self._more():
            self._read += part
        return bytes(self._read)

    def _until(self, mark: bytes) -> bytes:
        while (at := self._read.find(mark)) < 0:
            self._wait()
        return self._cut(at + len(mark))

    def _take(self, length: int) -> bytes:
        while len(self._read) < length:
            self._wait()
        return self._cut(length)

    def _cut(self, length: int) -> bytes:
        found = bytes(self._read[:length])
        del self._read[:length]
        return found

    def _wait(self) -> None:
        part = self._more()
        if not part:
            raise EOFError(bytes(self._read[:200]))
        self._read += part

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65_536)
        except ConnectionResetError:
            return b""


def request(port: int, start: str, *fields: str) -> bytes:
    """A request's head with the right Host."""
    lines = [f"{start} HTTP/1.1", f"Host: 127.0.0.1:{port}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@dataclass
class Running:
    """A server that listens."""

    port: int
    metrics: Metrics
    loop: asyncio.AbstractEventLoop

    def connect(self) -> Raw:
        return Raw(self.port)

    def ask(self, start: str, *fields: str, body: bytes = b"") -> Reply:
        """One request on a connection of its own."""
        with self.connect() as raw:
            return raw.ask(start, *fields, body=body)


MakeApp = Callable[[Settings, Metrics], Awaitable[tuple[Asgi, Callable[[], Awaitable[None]]]]]
"""Makes the application inside the server's loop, and what ends it."""


class _Announcing(Server):
    """Tells the test's thread that it listens."""

    listening: threading.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def running(
    settings: Settings, make: MakeApp, clock: Callable[[], float] = time.time
) -> Iterator[Running]:
    """Run the application until the block ends."""
    ready, kept = threading.Event(), dict[str, Any]()

    async def serve(listener: socket.socket, known: Settings) -> None:
        metrics = Metrics()
        app, drain = await make(known, metrics)
        server = _Announcing(app, known, metrics, clock=clock, drain=drain)
        server.listening = ready
        kept.update(server=server, metrics=metrics, loop=asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    def thread() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve(listener, settings.listening_on(port)))
        except BaseException as error:
            kept["error"] = error
            raise
        finally:
            ready.set()

    with bound(settings) as listener:
        port = listener.getsockname()[1]
        worker = threading.Thread(target=thread, daemon=True)
        worker.start()
        assert ready.wait(PATIENCE)
        if "error" in kept:
            raise kept["error"]
        try:
            yield Running(port, kept["metrics"], kept["loop"])
        finally:
            kept["server"].should_exit = True
            worker.join(PATIENCE)
            assert not worker.is_alive(), "the server does not stop"
