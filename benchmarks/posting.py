"""Posting sealed reports over raw sockets, and signed requests where one is needed.

The generator shares two cores with what it measures, so it must cost little: bytes made ready
beforehand go to connections that stay open, and of an answer only status and length are read.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from typing import Final

from clients.identity import Identity
from wire import request_signature

REPORT: Final = "application/vnd.tearline.report"
JSON: Final = "application/json"
CONNECTIONS: Final = 128
"""Requests under way at a time when they are sent by the clock."""


def request(port: int, start: str, body: bytes = b"", *fields: str) -> bytes:
    """The bytes of a request."""
    lines = (
        f"{start} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        f"content-length: {len(body)}",
        *fields,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def signed(
    identity: Identity, port: int, method: str, path: str, body: bytes = b"", *fields: str
) -> bytes:
    """The bytes of a request that a member signed now."""
    target = request_signature.Target(method, f"127.0.0.1:{port}", path)
    signature = request_signature.sign(
        target,
        body,
        identity.keys.request,
        identity.kid,
        created=int(time.time()),
        nonce=os.urandom(request_signature.NONCE_BYTES),
    )
    more = (f"{name}: {value}" for name, value in signature.items())
    return request(port, f"{method} {path}", body, *more, *fields)


def report_requests(port: int, raws: Sequence[bytes]) -> list[bytes]:
    """A POST for each sealed report."""
    return [request(port, "POST /v1/reports", raw, f"content-type: {REPORT}") for raw in raws]


async def send_all(port: int, requests: Sequence[bytes], callers: int) -> float:
    """Send all requests, `callers` at a time; gives seconds. Connections are open beforehand.

    Raises `RuntimeError` for an answer that is no success.
    """
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(callers)]
    left = iter(requests)
    start = time.perf_counter()
    await asyncio.gather(*(_call(left, reader, writer) for reader, writer in streams))
    seconds = time.perf_counter() - start
    for _, writer in streams:
        writer.close()
    return seconds


async def paced(port: int, requests: Sequence[bytes], per_second: float) -> list[float]:
    """Send each request at its own time; gives seconds from that time to its answer.

    A request whose time has come never waits for an earlier answer, while there is a connection.
    """
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    start, left, took = time.perf_counter() + 0.05, iter(enumerate(requests)), list[float]()

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, wanted in left:
            due = start + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await _ask(wanted, reader, writer)
            took.append(time.perf_counter() - due)

    await asyncio.gather(*(call(*stream) for stream in streams))
    for _, writer in streams:
        writer.close()
    return took


async def _call(
    left: Iterator[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    for wanted in left:
        await _ask(wanted, reader, writer)


async def _ask(wanted: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(wanted)
    head = await reader.readuntil(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    length = fields.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length or b"0"))
    if not status.startswith(b"HTTP/1.1 20"):
        raise RuntimeError((status + b" " + body[:300]).decode())
