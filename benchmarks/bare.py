"""The least that serving streams can cost: a process that writes ready frames to sockets.

    python -m benchmarks.bare

The first line of output is its port. Every connection is answered with a head once it has asked.
Input is frames in base64, one a line; an empty line, and from then on numbers: so many times each
open connection gets the next frame. It waits for slow connections, and knows nothing of events.
"""

import asyncio
import base64
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.serving import processor_time, started

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: bare\n\n"


class Socket(asyncio.Protocol):
    """One connection, and whether it takes more."""

    def __init__(self, everyone: list["Socket"]) -> None:
        self._everyone = everyone
        self.free = asyncio.Event()
        self.free.set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep it."""
        self.transport = transport
        self._everyone.append(self)

    def data_received(self, _data: bytes) -> None:
        """It has asked."""
        self.transport.write(ANSWER)

    def pause_writing(self) -> None:
        """It takes no more for now."""
        self.free.clear()

    def resume_writing(self) -> None:
        """It takes more."""
        self.free.set()


async def _write() -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    sockets, frames = list[Socket](), list[bytes]()
    server = await loop.create_server(lambda: Socket(sockets), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := (await lines.readline()).strip():
        frames.append(base64.b64decode(line))
    while line := await lines.readline():
        for number in range(int(line)):
            frame = frames[number % len(frames)]
            for socket in sockets:
                await socket.free.wait()
                socket.transport.write(frame)


# -- from the other side


@dataclass(frozen=True)
class Writer:
    """The process that writes, as the benchmark sees it."""

    process: "subprocess.Popen[bytes]"
    port: int

    def write(self, times: int) -> None:
        """Write so many frames to every connection."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"%d\n" % times)
        self.process.stdin.flush()

    @property
    def processor(self) -> float:
        """Seconds of processor time that it has taken so far."""
        return processor_time(self.process.pid)


@contextlib.contextmanager
def writing(frames: Sequence[bytes]) -> Iterator[Writer]:
    """A process that writes these frames, in turn."""
    pipe = subprocess.PIPE
    with started((sys.executable, "-m", __name__), pipe, stdin=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.writelines(base64.b64encode(frame) + b"\n" for frame in (*frames, b""))
        process.stdin.flush()
        yield Writer(process, int(process.stdout.readline()))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_write())
