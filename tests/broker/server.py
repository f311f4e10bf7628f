"""A real server on loopback in a thread, and a client that sends what no HTTP library would."""

import asyncio
import json
import os
import select
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import uvloop

from broker.app import create_app
from broker.core import Broker
from broker.metrics import Metrics
from broker.problems import Asgi
from broker.server import Server, bound
from broker.settings import Limits, Settings
from tests.people import Person
from wire.request_signature import Target, sign

PATIENCE = 60.0
"""Seconds after which a test that waits has failed; on a quiet machine nothing takes two."""


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

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
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

    def events(self) -> Iterator[Mapping[str, str]]:
        """The events of a stream, each as its fields; comments are empty ones."""
        head = self._until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        text = b""
        while size := int(self._until(b"\r\n"), 16):
            text += self._take(size + 2)[:-2]
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                pairs = [line.partition(": ")[::2] for line in block.decode().split("\n")]
                yield {name: value for name, value in pairs if name}

    def closed(self) -> bool:
        """Whether the server closes (true) or has something more to say (false)."""
        return not self._read and not self._more()

    def silent(self, seconds: float) -> bool:
        """Whether nothing at all comes for so long."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(seconds * 1000)

    def cut(self) -> bool:
        """Whether the server resets the connection, seen without reading from it."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(PATIENCE * 1000))

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
    server: Server

    def stop(self) -> None:
        """Ask it to stop, as a signal would."""
        self.server.should_exit = True

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
        kept.update(server=server, metrics=metrics)
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
            yield Running(port, kept["metrics"], kept["server"])
        finally:
            kept["server"].should_exit = True
            worker.join(PATIENCE)
            assert not worker.is_alive(), "the server does not stop"


# -- the real broker


@contextmanager
def serving(
    folder: Path, clock: Callable[[], float] = time.time, *, port: int = 0, **limits: Any
) -> Iterator[Running]:
    """Run the broker in `folder`; `limits` replace those of its settings."""

    async def make(settings: Settings, metrics: Metrics) -> tuple[Asgi, Any]:
        broker = await Broker.open(settings, clock=clock, random=os.urandom)
        return create_app(broker, metrics), broker.close

    settings = Settings.load(folder, port=port)
    limited = settings.model_copy(update={"limits": Limits(**limits)})
    with running(limited, make, clock) as server:
        yield server


@dataclass
class Asking:
    """A member that asks: every request is signed with its own key."""

    server: Running
    who: Person
    clock: Callable[[], float]

    def ask(
        self,
        start: str,
        *fields: str,
        body: bytes = b"",
        media: str | None = "application/json",
        raw: Raw | None = None,
    ) -> Reply:
        """One signed request, on a connection of its own unless one is given."""
        lines = [*fields, *self.signature(start, body)]
        if body:
            lines += [f"Content-Length: {len(body)}"]
            lines += [f"Content-Type: {media}"] if media else []
        if raw is not None:
            return raw.ask(start, *lines, body=body)
        return self.server.ask(start, *lines, body=body)

    def signature(self, start: str, body: bytes = b"", **other: Any) -> list[str]:
        """The three fields that sign a request; `other` changes what is signed."""
        method, _, target = start.partition(" ")
        path, _, query = target.partition("?")
        authority = f"127.0.0.1:{self.server.port}"
        what = {"method": method, "authority": authority, "path": path, "query": query}
        how = {"created": int(self.clock()), "nonce": os.urandom(16), **other}
        said = Target(**{name: how.pop(name, value) for name, value in what.items()})
        key, kid = how.pop("key", self.who.keys.request), how.pop("kid", self.who.kid)
        signed = sign(said, how.pop("body", body), key, kid, **how)
        return [f"{name}: {value}" for name, value in signed.items()]

    @contextmanager
    def stream(self, name: str, last: str | None = None) -> Iterator[Iterator[Mapping[str, str]]]:
        """The events of one subscription, live."""
        start = f"GET /v1/subscriptions/{name}/stream"
        lines = self.signature(start) + ([f"Last-Event-ID: {last}"] if last else [])
        with self.server.connect() as raw:
            raw.send(request(raw.port, start, *lines))
            yield raw.events()
