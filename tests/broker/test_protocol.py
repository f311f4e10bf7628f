"""A connection by itself, on a transport that keeps what is written: what is answered, and when."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from broker.limits import Limits
from broker.metrics import Metrics
from broker.problems import Receive, Scope, Send
from broker.protocol import BoundedProtocol, Doorkeeper

pytestmark = pytest.mark.anyio

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
    {"type": "http.response.body", "body": b"ok", "more_body": False},
]


class Kept(asyncio.Transport):
    """A transport to nowhere: nothing that is written leaves it."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__({"socket": connection})
        self.written = b""
        self.closing = self.aborted = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Waiting:
    """An application that answers when the test says so."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        self.over = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.sends.append(send)
        await self.over.wait()


class Line:
    """One connection and what is behind it."""

    def __init__(self, **limits: Any) -> None:
        self.app = Waiting()
        config = uvicorn.Config(
            self.app, lifespan="off", ws="none", interface="asgi3", log_config=None
        )
        door = Doorkeeper(Limits(**limits), Metrics(), lambda: b"today")
        self.protocol = BoundedProtocol(config, ServerState(), {}, door=door)
        self.near, self.far = socket.socketpair()
        self.transport = Kept(self.near)
        self.protocol.connection_made(self.transport)

    async def says(self, data: bytes) -> None:
        """Let bytes arrive, and what they start begin."""
        self.protocol.data_received(data)
        for _ in range(3):
            await asyncio.sleep(0)

    def ends(self) -> None:
        self.app.over.set()
        self.protocol.connection_lost(None)
        self.near.close()
        self.far.close()


@pytest.fixture
async def line() -> Any:
    made = Line()
    yield made
    made.ends()


async def test_a_body_that_breaks_off_is_answered(line: Line) -> None:
    await line.says(CHUNKED + b"zz\r\n")
    assert line.transport.written.startswith(b"HTTP/1.1 400 Bad Request\r\ndate: today\r\n")
    assert line.transport.closing


async def test_what_the_application_says_after_that_goes_nowhere(line: Line) -> None:
    await line.says(CHUNKED)
    line.protocol.data_received(b"zz\r\n")
    for message in ANSWER:
        await line.app.sends[0](message)
    assert line.transport.written.count(b"HTTP/1.1") == 1


async def test_a_refusal_does_not_land_in_an_answer_that_has_begun(line: Line) -> None:
    await line.says(CHUNKED)
    await line.app.sends[0](ANSWER[0])
    begun = line.transport.written
    await line.says(b"zz\r\n")
    assert line.transport.written == begun
    assert line.transport.closing


@pytest.mark.parametrize("waiting", [GET, GET + GET])
async def test_a_refusal_does_not_answer_an_earlier_request(line: Line, waiting: bytes) -> None:
    await line.says(waiting)
    await line.says(b"\x00\r\n\r\n")
    assert line.transport.written == b""
    assert line.transport.closing


async def test_a_body_behind_another_request_is_not_answered_before_it(line: Line) -> None:
    await line.says(GET + CHUNKED)
    await line.says(b"zz\r\n")
    assert line.transport.written == b""
    assert line.transport.closing


async def test_an_idle_reader_that_does_not_take_the_last_of_it_is_cut_off() -> None:
    line = Line(stall_seconds=0.05)
    await line.says(GET)
    for message in ANSWER:
        await line.app.sends[0](message)
    line.protocol.timeout_keep_alive_handler()
    assert (line.transport.closing, line.transport.aborted) == (True, False)
    async with asyncio.timeout(5):
        while not line.transport.aborted:
            await asyncio.sleep(0.01)
    line.ends()


async def test_an_idle_reader_that_took_everything_is_just_closed() -> None:
    line = Line(stall_seconds=0.05)
    line.transport.written = b""
    line.protocol.timeout_keep_alive_handler()
    assert (line.transport.closing, line.protocol._stall_timer) == (True, None)
    line.ends()
