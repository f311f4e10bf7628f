"""What happens on a connection before there is a request: uvicorn's HTTP/1.1 with bounds on it.

uvicorn waits for ever for a request's head, and its timer for idle connections stops at the first
byte; its parser (llhttp) collects a header field of any length. Here a head has a time and a size,
a body cannot hide bytes that are no body (trailers, chunk extensions), a reader that takes nothing
is cut off, and one address has only so many connections. What llhttp refuses already, as both
Content-Length and Transfer-Encoding or a line break inside a field, is refused in our words.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from broker.guard import COMMON
from broker.metrics import Metrics
from broker.problems import Answer, problem
from broker.rates import neighbourhood
from broker.settings import Limits
from wire.errors import Malformed, NotAllowed, TearlineError

PIPELINE: Final = 8
"""Requests of one connection that may wait behind another; our clients send one at a time."""

SLICE: Final = 16_384
"""Bytes fed to the parser at once; what is fed is counted only afterwards."""

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no seconds. Otherwise unsent bytes stay with the system after a close."""

_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
}


class Doorkeeper:
    """Counts the connections of the process and of each address."""

    def __init__(self, limits: Limits, metrics: Metrics, date: Callable[[], bytes]) -> None:
        self.limits, self.metrics, self.date = limits, metrics, date
        self._inside: Counter[str] = Counter()
        self._total = 0
        metrics.gauge("tearline_connections", "open connections", lambda: float(self._total))

    def enter(self, key: str) -> bool:
        """Count a connection in; false if there is no room for it (and it is counted all the
        same, until `leave`).
        """
        self._inside[key] += 1
        self._total += 1
        limits = self.limits
        return (
            self._total <= limits.connections
            and self._inside[key] <= limits.connections_per_address
        )

    def leave(self, key: str) -> None:
        """Count it out."""
        self._inside[key] -= 1
        self._total -= 1
        if not self._inside[key]:
            del self._inside[key]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with our bounds. `connection_made` and the callbacks are the parser's and
    the loop's; see uvicorn for what each means.
    """

    # Beside uvicorn's instance dictionary: more names in it would cost each connection a kilobyte.
    __slots__ = (
        *("_door", "_limits", "_key", "_in_head", "_fed"),
        *("_head_timer", "_stall_timer", "_unsent"),
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        door: Doorkeeper,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door, self._limits = door, door.limits
        self._key = ""
        self._in_head = True
        self._fed = 0  # bytes of this head, or of a body without any of it being body
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unsent = 0

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, or say why not."""
        super().connection_made(transport)
        self._key = neighbourhood(self.client[0] if self.client else "")
        if self._door.enter(self._key):
            self._await_head()
        else:
            self._cut(NotAllowed("rate-limited"), "connections")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._door.leave(self._key)
        self._drop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at how far each slice brought us."""
        for at in range(0, len(data), SLICE):
            if self.transport.is_closing():
                return
            self._feed(data[at : at + SLICE] if len(data) > SLICE else data)

    def _feed(self, data: bytes) -> None:
        if self._in_head and self._head_timer is None:
            self._await_head()
        self._fed += len(data)
        super().data_received(data)
        if self._fed > self._limits.head_bytes and not self.transport.is_closing():
            limit = f"at most {self._limits.head_bytes} bytes"
            self._cut(Malformed("header-too-large", limit), "head-size")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
        """What the parser does not accept, in our words."""
        self._cut(Malformed("bad-request"), "unreadable")

    # -- the parser

    def on_headers_complete(self) -> None:
        """A head is whole: its time is over, its body's begins."""
        self._in_head, self._fed = False, 0
        self._drop_head_timer()
        if not self.url.startswith(b"/") or len(self.pipeline) >= PIPELINE:
            raise ValueError("a target in another form than a path, or too many requests at once")
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; those after a body come too late to be checked."""
        if not self._in_head:
            raise ValueError("trailers are not accepted")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._fed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole; the next bytes are another head."""
        self._in_head, self._fed = True, 0
        super().on_message_complete()

    # -- readers that do not read

    def pause_writing(self) -> None:
        """The system takes no more for this reader: give it a time."""
        super().pause_writing()
        if self._stall_timer is None:
            self._await_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._drop_stall_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for too long: close, once what waits is taken or the time for it is over."""
        if self.transport.get_write_buffer_size() and self._stall_timer is None:
            self._await_reading()
        super().timeout_keep_alive_handler()

    def _await_reading(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(self._limits.stall_seconds, self._stalled)

    def _stalled(self) -> None:
        taken = self._unsent - self.transport.get_write_buffer_size()
        if taken >= self._limits.reader_bytes_per_second * self._limits.stall_seconds:
            self._await_reading()
            return
        self._stall_timer = None
        self._reset()

    def _reset(self) -> None:
        """Cut it off, and let the system forget as well what it still holds for the reader."""
        self._door.metrics.dropped("stalled")
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    # -- refusing without a request

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._head_late)

    def _head_late(self) -> None:
        self._head_timer = None
        self._cut(Malformed("too-slow"), "head-time")

    def _cut(self, error: TearlineError, reason: str) -> None:
        """Close; say why, unless that would land in the middle of another answer."""
        self._door.metrics.dropped(reason)
        self._drop_timers()
        if self.transport.is_closing():
            return
        if self._may_answer():
            self._door.metrics.refusal(error.slug)
            self.transport.write(_bytes(problem(error), self._door.date()))
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None:  # what the application may still say goes nowhere
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether the next bytes on the wire would answer what is refused, and nothing else."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request
        if cycle is None or cycle.response_complete:
            return True
        return not (self._in_head or cycle.response_started or self.pipeline)

    def _drop_timers(self) -> None:
        self._drop_head_timer()
        self._drop_stall_timer()

    def _drop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _drop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def _bytes(said: Answer, date: bytes) -> bytes:
    """An answer as it stands on the wire, with the fields that every answer has."""
    status = f"HTTP/1.1 {said.status} {_PHRASES[said.status]}\r\n".encode()
    fields = [(b"date", date), *COMMON, *said.fields, (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % field for field in fields)
    return b"%s%s\r\n%s" % (status, lines, said.body)
