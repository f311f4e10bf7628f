"""Many readers of event streams in one process of their own: they count events and nothing else.

    python -m benchmarks.listening PORT      requests on standard input, then what to wait for

Every line of input is one request in base64, sent on a connection of its own; an empty line ends
them, and `open` is answered once every stream has begun. Then each line is a number: once so many
events have come since the last one, the time is answered (`CLOCK_MONOTONIC`, which all processes
share). Events end with an empty line; the broker's heartbeats are off while this counts.
"""

import asyncio
import base64
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import uvloop

from benchmarks.serving import started

END: Final = b"\n\n"
HEAD_END: Final = b"\r\n\r\n"
PATIENCE: Final = 180.0
"""Seconds until something must have come."""


class Crowd:
    """What all streams have got together."""

    def __init__(self) -> None:
        self.streaming = self.events = self.wanted = 0
        self.ready = asyncio.Event()

    def count(self, events: int, streams: int = 0) -> None:
        """More events, or streams that began."""
        self.events += events
        self.streaming += streams
        if self.events >= self.wanted:
            self.ready.set()

    def lost(self) -> None:
        """A stream ended: who waits for its events waits in vain."""
        self.ready.set()

    async def complete(self) -> None:
        """Wait for all events that are wanted. Raises `RuntimeError` if they do not come."""
        async with asyncio.timeout(PATIENCE):
            await self.ready.wait()
        if self.events < self.wanted:
            raise RuntimeError("a stream ended too early")


class Reader(asyncio.Protocol):
    """One stream: the head of its answer, the comment that opens it, then events."""

    def __init__(self, crowd: Crowd, request: bytes) -> None:
        self._crowd, self._request = crowd, request
        self._head: bytes | None = b""
        self._last = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask."""
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count."""
        if self._head is not None:
            self._head += data
            head, found, rest = self._head.partition(HEAD_END)
            if not found or END not in rest:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(self._head[:400])
            self._head, data = None, rest
            self._crowd.count(-1, 1)  # the comment is no event
        events = data.count(END) + (self._last == b"\n" and data.startswith(b"\n"))
        self._last = data[-1:]
        self._crowd.count(events)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell."""
        del exc
        self._crowd.lost()


async def _listen(port: int) -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    crowd, requests = Crowd(), list[bytes]()
    while line := (await lines.readline()).strip():
        requests.append(base64.b64decode(line))
    for request in requests:
        await loop.create_connection(lambda r=request: Reader(crowd, r), "127.0.0.1", port)  # type: ignore[misc]
    async with asyncio.timeout(PATIENCE):
        while crowd.streaming < len(requests):
            await asyncio.sleep(0.01)
    print("open", flush=True)
    while line := await lines.readline():
        crowd.wanted += int(line)
        crowd.ready.clear()
        crowd.count(0)
        await crowd.complete()
        print(time.monotonic(), flush=True)


# -- from the other side


@dataclass(frozen=True)
class Listeners:
    """The process of readers, as the benchmark sees it."""

    process: "subprocess.Popen[bytes]"

    def expect(self, events: int) -> None:
        """So many more events are on their way."""
        self._say(b"%d" % events)

    def done(self) -> float:
        """When the last of them came; waits for it."""
        return float(self._heard())

    def opened(self, requests: Sequence[bytes]) -> None:
        """Open all streams; returns when all have begun."""
        for request in (*requests, b""):
            self._say(base64.b64encode(request))
        self._heard()

    def _say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def _heard(self) -> bytes:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the readers have gone")
        return line


@contextlib.contextmanager
def listening(port: int, requests: Sequence[bytes]) -> Iterator[Listeners]:
    """A process with a stream for each request, all open."""
    pipe = subprocess.PIPE
    with started((sys.executable, "-m", __name__, str(port)), pipe, stdin=pipe) as process:
        listeners = Listeners(process)
        listeners.opened(requests)
        yield listeners


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_listen(int(sys.argv[1])))
