"""A bad link: a TCP proxy in front of a broker that cuts connections.

async with Link.over(door, port) as link:
    link.down = lambda: 4_000       # every connection is cut after so many bytes of answers
    link.cut()                      # all connections, now
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PIECE = 4_096

Budget = Callable[[], int]
"""Bytes after which the next connection is cut."""


def unlimited() -> int:
    return 1 << 40


@dataclass
class Link:
    """A link, and how often it broke."""

    target: int
    port: int
    up: Budget = unlimited
    down: Budget = unlimited
    cuts: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def over(cls, door: socket.socket, target: int) -> AsyncIterator["Link"]:
        """A link that listens at `door` and leads to the port `target`."""
        link = cls(target, door.getsockname()[1])
        server = await asyncio.start_server(link._carry, sock=door.dup())
        try:
            yield link
        finally:
            server.close()
            link.cut()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Cut every connection, with a reset."""
        for end in list(self._open):
            self.cuts += 1
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(writer)
        ways = {
            asyncio.create_task(self._pass(reader, back, self.up())),
            asyncio.create_task(self._pass(there, writer, self.down())),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._open.discard(writer)
            for end in (writer, back):
                end.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int
    ) -> None:
        with suppress(OSError):
            while piece := await source.read(min(PIECE, left)):
                sink.write(piece)
                await sink.drain()
                left -= len(piece)
                if not left:
                    self.cuts += 1
                    return
