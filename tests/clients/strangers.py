"""Something on a port that is no broker of ours: it answers every connection with fixed bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Stranger:
    """Gives the answers one after the other; the last one again and again. None hangs up."""

    answers: Sequence[bytes | None]
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    """The heads of all requests."""

    @classmethod
    @asynccontextmanager
    async def answering(cls, *answers: bytes | None) -> AsyncIterator["Stranger"]:
        stranger = cls(answers)
        server = await asyncio.start_server(stranger._talk, "127.0.0.1", 0)
        stranger.port = server.sockets[0].getsockname()[1]
        async with server:
            yield stranger

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            writer.close()
            return
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if answer is None:
            writer.transport.abort()
            return
        writer.write(answer)
        writer.close()


def http(status: int, body: bytes = b"", *fields: str) -> bytes:
    """An answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *fields, "", ""]).encode() + body


def stream(*events: bytes) -> bytes:
    """A stream of events that ends."""
    lines = ("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", "", "")
    return "\r\n".join(lines).encode() + b"".join(events)
