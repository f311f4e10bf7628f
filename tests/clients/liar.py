"""Somebody between a client and its broker who changes what the broker says.

    async with Liar.at(door, port) as liar:
        liar.answers("/v1/reports", lambda page: {**page, "releases": []})

A real HTTP proxy on loopback: it has an address of its own, under which the broker may be called,
so that requests stay signed and true. What comes back is the broker's answer, changed by the first
lie that is for it; everything else passes as it is.
"""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

Doc = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What the client wants."""

    method: str
    path: str
    query: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Told:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Event:
    """One event of a stream; without a kind it is a comment."""

    kind: str
    id: str
    data: bytes = field(repr=False)

    @property
    def doc(self) -> Doc:
        found: Doc = json.loads(self.data)
        return found

    def encode(self) -> bytes:
        if not self.kind:
            return b": nothing\n\n"
        mark = f"id: {self.id}\n" if self.id else ""
        return f"{mark}event: {self.kind}\ndata: ".encode() + self.data + b"\n\n"


Change = Callable[[Asked, Told], Told]
Stream = Callable[[AsyncIterator[Event]], AsyncIterator[Event]]


@dataclass
class Liar:
    """The proxy. `truth` is the port of the broker that it passes requests on to."""

    truth: int
    lies: list[tuple[re.Pattern[str], Change]] = field(default_factory=list)
    stream: Stream | None = None
    asked: list[Asked] = field(default_factory=list)
    told: list[tuple[Asked, Told]] = field(default_factory=list)
    """What the broker really said."""
    broken: list[Exception] = field(default_factory=list)
    """Lies that failed in the telling."""

    @classmethod
    @asynccontextmanager
    async def at(cls, door: socket.socket, truth: int) -> AsyncIterator["Liar"]:
        """Listen at the door until the block ends."""
        liar, tasks = cls(truth), set[asyncio.Task[None]]()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with suppress(ConnectionError, asyncio.IncompleteReadError):
                    await liar._serve(reader, writer)
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 - the test's own fault, to be raised there
                liar.broken.append(error)
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, sock=door.dup())
        try:
            yield liar
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if liar.broken:
            raise liar.broken[0]

    # -- lies

    def says(self, path: str, change: Change) -> None:
        """Change whole answers to requests whose path and query match."""
        self.lies.append((re.compile(path), change))

    def answers(self, path: str, change: Callable[[Doc], Any]) -> None:
        """Change good answers in JSON; bytes stand for themselves."""

        def changed(asked: Asked, told: Told) -> Told:
            if told.status >= 300:
                return told
            new = change(json.loads(told.body))
            return replace(told, body=new if isinstance(new, bytes) else encoded(new))

        self.says(path, changed)

    def refuses(self, path: str, status: int, slug: str, **headers: str) -> None:
        """Refuse."""
        body = encoded({"type": slug, "title": "-", "status": status, "detail": "-"})
        self.says(path, lambda _, told: Told(status, {**told.headers, **headers}, body))

    def events(self, change: Callable[[Event], Iterable[Event]]) -> None:
        """Change each event of every stream into others."""

        async def changed(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
            async for event in events:
                for new in change(event):
                    yield new

        self.stream = changed

    def honest(self) -> None:
        """From now on pass on the truth."""
        self.lies.clear()
        self.stream = None

    def heard(self, path: str) -> list[Doc]:
        """What the broker really answered to requests like this, in order."""
        found = (t for a, t in self.told if re.search(path, _target(a)) and t.status < 300)
        return [json.loads(told.body) for told in found]

    # -- passing on

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        fields = _fields(lines)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        method, target, _ = start.split(" ")
        path, _, query = target.partition("?")
        asked = Asked(method, path, query, body)
        self.asked.append(asked)
        there, back = await asyncio.open_connection("127.0.0.1", self.truth)
        try:
            back.write(re.sub(rb"(?i)(connection): keep-alive", rb"\1: close", head) + body)
            await self._answer(asked, there, writer)
        finally:
            back.close()

    async def _answer(
        self, asked: Asked, there: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        start, *lines = (await there.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields, status = _fields(lines), int(start.split(" ")[1])
        parts = _chunks(there) if "chunked" in fields.get("transfer-encoding", "") else _all(there)
        headers = {name: fields[name] for name in fields if name not in _OF_THE_LINK}
        if fields.get("content-type") == "text/event-stream":
            writer.write(_head(status, headers))
            stream = self.stream
            events = _events(parts)
            async for event in stream(events) if stream else events:
                writer.write(event.encode())
                await writer.drain()
            return
        told = Told(status, headers, b"".join([part async for part in parts]))
        self.told.append((asked, told))
        for path, change in self.lies:
            if path.search(_target(asked)):
                told = change(asked, told)
                break
        writer.write(_head(told.status, told.headers) + told.body)
        await writer.drain()


def encoded(doc: Any) -> bytes:
    """JSON as the broker writes it."""
    return json.dumps(doc, separators=(",", ":"), ensure_ascii=False).encode()


_OF_THE_LINK = {"connection", "transfer-encoding", "content-length", "keep-alive"}


def _target(asked: Asked) -> str:
    return f"{asked.path}?{asked.query}"


def _fields(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join([f"HTTP/1.1 {status} -", *lines, "connection: close", "", ""])
    return text.encode("latin-1")


async def _all(there: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while part := await there.read(65_536):
        yield part


async def _chunks(there: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await there.readuntil(b"\r\n"), 16):
        yield (await there.readexactly(size + 2))[:-2]


async def _events(parts: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    pending = b""
    async for part in parts:
        *whole, pending = (pending + part).split(b"\n\n")
        for block in whole:
            lines = dict(line.split(b": ", 1) for line in block.split(b"\n"))
            kind, last = lines.get(b"event", b"").decode(), lines.get(b"id", b"").decode()
            yield Event(kind, last, lines.get(b"data", b""))
