"""Sealed reports accepted a second, durably: verified, decided, journalled, proven in the receipt.

By 1, 16 and 256 callers, in one process (`core`) and over HTTP from another (`http`). The limit is
the bare rate of composite verification by two threads, for no report can cost less than that.
Five nations, 2 KiB of text: 17 kB a report. Each round has a new broker with an empty journal.

The row `cpu` compares the processor time that the broker takes for a report with that of one bare
verification: where neighbours use the machine as well, it is the steadier number.

Bounded by: with few callers, the fsyncs that every report waits for; with many, verification on
both cores, which the rest of the work (and over HTTP the generator) has to share with it.
Target: 60 % of the limit at 256 callers; in processor time at most 1.67 verifications a report.
"""

import asyncio
import os
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target
from benchmarks.mission import Mission
from benchmarks.posting import report_requests, send_all
from benchmarks.serving import serving
from broker.core import Broker
from broker.settings import Settings
from wire import composite, report

CALLERS: Final = {1: 120, 16: 480, 256: 1500}
"""How many call at a time, and how many reports they post together."""
QUICK: Final = 4
"""A quick run posts a fraction of it: one in so many."""
CORES: Final = 2
TARGETS: Final = {256: Target(0.6)}
CPU: Final = Target(1 / 0.6, at="most")
Costs = dict[int, float]
"""Seconds by number of callers."""


def run(bench: Bench) -> list[Row]:
    """Measure."""
    mission, found = bench.mission, defaultdict[str, list[float]](list)
    counts = {callers: bench.of(count, count // QUICK) for callers, count in CALLERS.items()}
    reports = iter(mission.reports(sum(counts.values())))
    posts = {
        callers: [next(reports).raw for _ in range(count)] for callers, count in counts.items()
    }
    ways = {"core": _in_process, "http": _over_http}
    for _ in range(bench.rounds):
        for way, measured in ways.items():
            found[f"{way} limit"].append(verifications(mission, bench.seconds))
            for callers, rate in measured(mission.broker_folder(), posts).items():
                found[f"{way} {callers}"].append(rate)
        found["cpu limit"].append(
    rows = [
        Row(
            f"accept.{way}.{callers}",
            f"reports accepted, {callers} caller{'s' if callers > 1 else ''}",
            "/s",
            found[f"{way} {callers}"],
            found[f"{way} limit"],
            "bare verifications, 2 threads",
            TARGETS.get(callers),
        )
        for way in ways
        for callers in CALLERS
    ]


def verifications(mission: Mission, seconds: float) -> float:
    """Composite signatures that two threads verify in a second, and nothing else."""
    frames = [report.parse(sealed.raw) for sealed in mission.reports(16)]
    key = mission.author.sign.public

    def verify(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            frame = frames[done % len(frames)]
            key.verify(frame.signature, frame.head, composite.REPORT)
            done += 1
        return done

    with ThreadPoolExecutor(CORES) as threads:
        start = time.perf_counter()
        done = sum(threads.map(verify, [start + seconds] * CORES))
        return done / (time.perf_counter() - start)


def _in_process(folder: Path, posts: dict[int, list[bytes]]) -> dict[int, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_submit(folder, posts))


async def _submit(folder: Path, posts: dict[int, list[bytes]]) -> dict[int, float]:
    broker = await Broker.open(Settings.load(folder), clock=time.time, random=os.urandom)
    found = {}
    for callers, raws in posts.items():
        left = iter(raws)

        async def caller() -> None:
            for raw in left:  # noqa: B023 - awaited before the next turn
                await broker.submit(raw)

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        found[callers] = len(raws) / (time.perf_counter() - start)
    await broker.close()
    return found


def _over_http(folder: Path, posts: dict[int, list[bytes]]) -> dict[int, float]:
    with serving(folder) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = {}
        for callers, raws in posts.items():
            requests = report_requests(server.port, raws)
            seconds = runner.run(send_all(server.port, requests, callers))
            found[callers] = len(raws) / seconds
        return found
