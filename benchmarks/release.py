"""Releases a second to 10, 100 and 1,000 live subscribers, over server-sent events on loopback.

Reports are posted while the streams are open; each goes to every stream: decided again, journalled
once a nation, written to each. The time runs from the first post to the last event at the readers,
so accepting is in it. The limit is a process that writes the same frames to as many sockets. Rows
named `cpu` compare processor time alone, without what accepting the same reports costs unread;
five nations' release entries for each report are in it, which weigh most with 10 streams.

Bounded by: with 10 streams, accepting (one verification for ten frames); with 1,000, the system's
writing to sockets, 17 kB a frame, and the readers, who share the two cores.
Target: 70 % of bare writes at 1,000 streams; in processor time at most 1.43 times theirs.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

from benchmarks.bare import Writer, writing
from benchmarks.bench import Bench
from benchmarks.listening import Listeners, listening
from benchmarks.measure import Row, Target, interleave
from benchmarks.posting import report_requests, send_all
from benchmarks.serving import Serving, serving
from benchmarks.streams import first_event, names, stream_requests, subscribe

STREAMS: Final = {10: 200, 100: 60, 1000: 12}
"""How many listen, and how many reports they get each time."""
UNREAD: Final = 64
"""Reports posted before anybody listens: what accepting alone costs."""
CALLERS: Final = 32
ASK: Final = b"GET / HTTP/1.1\r\n\r\n"
TARGETS: Final = {1000: Target(0.7)}
CPU: Final = Target(1 / 0.7, at="most")


def run(bench: Bench) -> list[Row]:
    """Measure."""
    return [
        row
        for streams, reports in STREAMS.items()
        for row in _rows(bench, streams, bench.of(reports, reports // 2))
    ]


def _rows(bench: Bench, streams: int, reports: int) -> list[Row]:
    mission, rounds = bench.mission, bench.of(4, 1)
    raws = [sealed.raw for sealed in mission.reports(UNREAD + reports * rounds)]
    with serving(mission.broker_folder()) as server:
        before = server.processor
        _post(server, raws[:UNREAD])
        accepting = (server.processor - before) / UNREAD
        asking = names(mission, streams)
        subscribe(server.port, asking)
        (ask,) = stream_requests(server.port, asking[:1])
        with writing([first_event(ask, server.port)]) as writer:
            asks = stream_requests(server.port, asking)
            with (
                listening(server.port, asks) as readers,
                listening(writer.port, [ASK] * streams) as others,
            ):
                readers.expect(UNREAD * streams)  # what was there already is not live
                readers.done()
                ours = _Ours(server, readers, streams, raws[UNREAD:], reports, accepting)
                bare = _Bare(writer, others, streams, reports)
                found = interleave(rounds, {"bare": bare.measure, "ours": ours.measure})
    rates = (f"events to {streams:,} live streams", "/s", found["ours"], found["bare"])
    cost = ("processor time an event, beside accepting", "µs", ours.cpu, bare.cpu)
    return [
        Row(f"release.{streams}", *rates, "bare writes", TARGETS.get(streams)),
        Row(f"release.{streams}.cpu", *cost, "bare writes", CPU if streams > 10 else None),
    ]


@dataclass
class _Ours:
    server: Serving
    readers: Listeners
    streams: int
    raws: Sequence[bytes]
    reports: int
    accepting: float
    cpu: list[float] = field(default_factory=list)

    def measure(self) -> float:
        """Events a second, from the first post to the last event."""
        raws, self.raws = self.raws[: self.reports], self.raws[self.reports :]
        events = len(raws) * self.streams
        self.readers.expect(events)
        before, start = self.server.processor, time.monotonic()
        _post(self.server, raws)
        seconds = self.readers.done() - start
        cost = self.server.processor - before - self.accepting * len(raws)
        self.cpu.append(1e6 * cost / events)
        return events / seconds


@dataclass
class _Bare:
    writer: Writer
    readers: Listeners
    streams: int
    frames: int
    cpu: list[float] = field(default_factory=list)

    def measure(self) -> float:
        """The same, without anything but writing."""
        events = self.frames * self.streams
        self.readers.expect(events)
        before, start = self.writer.processor, time.monotonic()
        self.writer.write(self.frames)
        seconds = self.readers.done() - start
        self.cpu.append(1e6 * (self.writer.processor - before) / events)
        return events / seconds


def _post(server: Serving, raws: Sequence[bytes]) -> None:
    requests = report_requests(server.port, raws)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send_all(server.port, requests, CALLERS))
