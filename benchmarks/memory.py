"""Memory that one idle subscriber costs: a stream that is open and gets nothing.

The resident size of the broker's process, after streams have been opened once and closed again (so
that what they need in common is there already), and with all of them open. A second row has the
same for a process that only keeps connections, as what no server can go below.

Bounded by: uvicorn's and asyncio's objects for a connection and a request, and our stream's.
Target: 16 KiB each.
"""

from contextlib import ExitStack
from typing import Final

from benchmarks.bare import writing
from benchmarks.bench import Bench
from benchmarks.listening import listening
from benchmarks.measure import Row, Target
from benchmarks.release import ASK
from benchmarks.serving import resident, serving
from benchmarks.streams import names, stream_requests, subscribe

STREAMS: Final = 1_000
WARM: Final = 100
"""Streams open before the first look: pools and caches are filled by then."""
MOST: Final = Target(16, of="value", at="most")


def run(bench: Bench) -> list[Row]:
    """Measure."""
    streams = bench.of(STREAMS, STREAMS // 2)
    # A new process each time: within one, freed memory is used again and would not be seen.
    ours = [_ours(bench, streams) for _ in range(bench.few)]
    bare = [_bare(streams) for _ in range(bench.few)]
    what = f"idle subscriber, {streams:,} of them"
    return [Row("memory.idle", what, "KiB", ours, bare, "connection kept by asyncio", MOST)]


def _ours(bench: Bench, streams: int) -> float:
    mission = bench.mission
    with serving(mission.broker_folder()) as server, ExitStack() as open_:
        asking = names(mission, WARM + streams)
        subscribe(server.port, asking)
        asks = stream_requests(server.port, asking)
        open_.enter_context(listening(server.port, asks[:WARM]))
        before = server.resident
        open_.enter_context(listening(server.port, asks[WARM:]))
        return (server.resident - before) / streams


def _bare(streams: int) -> float:
    with writing([b"x"]) as writer, ExitStack() as open_:
        open_.enter_context(listening(writer.port, [ASK] * WARM))
        before = resident(writer.process.pid)
        open_.enter_context(listening(writer.port, [ASK] * streams))
        return (resident(writer.process.pid) - before) / streams
