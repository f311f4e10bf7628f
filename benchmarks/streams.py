"""Subscriptions and streams of many readers, who are five analysts under many names."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

import uvloop

from benchmarks.mission import NATIONS, Mission
from benchmarks.posting import JSON, send_all, signed
from clients.identity import Identity

ALL: Final = b'{"regions":[],"threats":[],"precedence":[],"purpose":null}'
CALLERS: Final = 64
EVENT_END: Final = b"\n\n\r\n"  # the event's, then the chunk's
EVENT_START: Final = b"id: "


Name = tuple[Identity, str]
"""Who asks, and under what name."""


def names(mission: Mission, count: int) -> list[Name]:
    """So many subscribers, who are the five analysts in turn."""
    analysts = [mission.identity(nation, "analyst") for nation in NATIONS]
    return [(analysts[number % len(analysts)], f"s{number}") for number in range(count)]


def subscribe(port: int, asking: Sequence[Name]) -> None:
    """Let them ask for everything."""
    requests = [
        signed(who, port, "PUT", f"/v1/subscriptions/{name}", ALL, f"content-type: {JSON}")
        for who, name in asking
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send_all(port, requests, min(CALLERS, len(asking))))


def stream_requests(port: int, asking: Sequence[Name]) -> list[bytes]:
    """The requests that open their streams, good for a minute."""
    return [signed(who, port, "GET", f"/v1/subscriptions/{name}/stream") for who, name in asking]


def first_event(request: bytes, port: int) -> bytes:
    """The first event of a stream, as it stands on the wire; the stream is closed again."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        got = b""
        while EVENT_START not in got or EVENT_END not in got.partition(EVENT_START)[2]:
            part = connection.recv(65_536)
            if not part:
                raise RuntimeError(got[:400])
            got += part
    return EVENT_START + got.partition(EVENT_START)[2].partition(EVENT_END)[0] + EVENT_END
