"""Sealed reports accepted a second, durably: verified, decided, journalled, proven in the receipt.

By 1, 16 and 256 callers, in one process (`core`) and over HTTP from another (`http`). The limit is
the bare rate of composite verification by two threads, for no report can cost less than that; it is
measured before and after a broker's run, for a shared machine changes its pace in seconds.
Five nations, 2 KiB of text: 17 kB a report. Each round has a new broker with an empty journal,
and the garbage collector is set as a served broker sets it. Many callers post for seconds: the
first and the last tenth of a second, in which not all of them wait, must not count for much.
Rows named `cpu` compare the processor time of the broker for a report with that of a verification:
where neighbours use the machine as well, this is the steadier ratio. The processes that check
signatures for the broker are counted with it.

Bounded by: with few callers, the fsyncs that every report waits for; with many, verification on
both cores, which the rest of the work (and over HTTP the generator) has to share with it.
Target: 60 % of the limit at 256 callers; in processor time at most 1.67 verifications a report.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target
from benchmarks.mission import Mission
from benchmarks.posting import report_requests, send_all
from benchmarks.serving import processor_time, serving
from broker.core import Broker
from broker.serve import spare_the_collector
from broker.settings import Settings
from broker.signatures import Processes
from wire import composite, report

CALLERS: Final = {1: 80, 16: 320, 256: 4_000}
"""How many call at a time, and how many reports they post together."""
QUICK: Final = 4
"""A quick run posts a fraction of it: one in so many."""
MANY: Final = max(CALLERS)
THREADS: Final = 2
LEAST: Final = Target(0.6)
CPU: Final = Target(1 / 0.6, at="most")

Posts = Mapping[int, Sequence[bytes]]
"""Sealed reports by number of callers."""


class Pace(NamedTuple):
    """How many a second, and the processor time of one in microseconds."""

    rate: float
    cost: float


def run(bench: Bench) -> list[Row]:
    """Measure."""
    mission = bench.mission
    counts = {callers: bench.of(count, count // QUICK) for callers, count in CALLERS.items()}
    reports = iter(mission.reports(sum(counts.values())))
    posts = {
        callers: [next(reports).raw for _ in range(count)] for callers, count in counts.items()
    }
    rows = list[Row]()
    for way, measured in (("core", _in_process), ("http", _over_http)):
        rows += _rows(bench, way, measured, posts)
    return rows


def _rows(
    bench: Bench, way: str, measured: Callable[[Path, Posts], dict[int, Pace]], posts: Posts
) -> list[Row]:
    limits, found = list[Pace](), list[dict[int, Pace]]()
    for _ in range(bench.few):
        before = verifications(bench.mission, bench.seconds)
        found.append(measured(bench.mission.broker_folder(), posts))
        after = verifications(bench.mission, bench.seconds)
        limits.append(Pace((before.rate + after.rate) / 2, (before.cost + after.cost) / 2))
    rates = [limit.rate for limit in limits]
    costs = [limit.cost for limit in limits]
    cost = [paces[MANY].cost for paces in found]
    words = "bare verifications"
    return [
        *(
            Row(
                f"accept.{way}.{callers}",
                f"reports accepted, {callers} caller{'s' if callers > 1 else ''}",
                "/s",
                [paces[callers].rate for paces in found],
                rates,
                words,
                LEAST if callers == MANY else None,
            )
            for callers in CALLERS
        ),
        Row(f"accept.{way}.cpu", "broker's time for one of them", "µs", cost, costs, words, CPU),
    ]


def verifications(mission: Mission, seconds: float) -> Pace:
    """Composite signatures that two threads verify, and nothing else."""
    frames = [report.parse(sealed.raw) for sealed in mission.reports(16)]
    key = mission.author.sign.public

    def verify(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            frame = frames[done % len(frames)]
            key.verify(frame.signature, frame.head, composite.REPORT)
            done += 1
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        start, processor = time.perf_counter(), time.process_time()
        done = sum(threads.map(verify, [start + seconds] * THREADS))
        return _pace(done, time.perf_counter() - start, time.process_time() - processor)


def _in_process(folder: Path, posts: Posts) -> dict[int, Pace]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_submit(folder, posts))


async def _submit(folder: Path, posts: Posts) -> dict[int, Pace]:
    settings = Settings.load(folder)
    broker = await Broker.open(settings, clock=time.time, random=os.urandom, signatures=Processes())
    found = {}
    with _collector_as_served():
        for callers, raws in posts.items():
            left = iter(raws)

            async def caller() -> None:
                for raw in left:  # noqa: B023 - awaited before the next turn
                    await broker.submit(raw)

            start, processor = time.perf_counter(), processor_time(os.getpid())
            await asyncio.gather(*(caller() for _ in range(callers)))
            seconds = time.perf_counter() - start
            found[callers] = _pace(len(raws), seconds, processor_time(os.getpid()) - processor)
    await broker.close()
    return found


@contextmanager
def _collector_as_served() -> Iterator[None]:
    before = gc.get_threshold()
    spare_the_collector()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _over_http(folder: Path, posts: Posts) -> dict[int, Pace]:
    with serving(folder) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = {}
        for callers, raws in posts.items():
            requests, processor = report_requests(server.port, raws), server.processor
            seconds = runner.run(send_all(server.port, requests, callers))
            found[callers] = _pace(len(raws), seconds, server.processor - processor)
        return found


def _pace(count: int, seconds: float, processor: float) -> Pace:
    return Pace(count / seconds, 1e6 * processor / count)
