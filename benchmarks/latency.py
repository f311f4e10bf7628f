"""From `publish` to the opened report in the subscriber's hands, with the real clients.

One report after the other: sealed, posted, verified, decided, journalled, released; received,
proven, verified, opened, stored. The broker is a process; both clients share another. The limit is
one seal and two verifications alone. Of every round the median and the 99th percentile.

The last row is the time from a post to its durable receipt at half of the pace that saturates the
broker, posted on time whether or not earlier ones are answered.

Bounded by: sealing; round trips, because both clients first ask for news of who is who; fsyncs.
Target: none for the whole way; a receipt at half load within 5 ms.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import uvloop

from benchmarks.accept import CALLERS
from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, timed
from benchmarks.mission import ORIGINATOR, Mission, draft
from benchmarks.posting import paced, report_requests, send_all
from benchmarks.serving import serving
from clients.publisher import Publisher
from clients.subscriber import Received, Subscriber
from wire import composite, report

READER: Final = "GBR"
PUBLISHED: Final = 40
"""Reports of one round, one after the other."""
FULL_LOAD: Final = 400
HALF_LOAD: Final = 300
PATIENCE: Final = 30.0  # seconds for one report
RECEIPT: Final = Target(5, of="value", at="most")


def run(bench: Bench) -> list[Row]:
    """Measure."""
    mission = Mission.found(bench.folder / "latency")  # its own: clients find the kit's own broker
    count = bench.of(PUBLISHED, PUBLISHED // 3)
    with (
        serving(mission.folder / "broker"),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        rounds = runner.run(_published(mission, bench.few, count))
    alone = [limit for _, limit in rounds]
    middle = [_quantile(times, 0.5) for times, _ in rounds]
    worst = [_quantile(times, 0.99) for times, _ in rounds]
    half = _at_half_load(bench)
    words = "seal and two verifications"
    return [
        Row("latency.p50", "publish to open, median", "ms", middle, alone, words),
        Row("latency.p99", "publish to open, 99th percentile", "ms", worst, alone, words),
        Row("latency.half", "receipt at half load, median", "ms", half, target=RECEIPT),
    ]


async def _published(mission: Mission, rounds: int, count: int) -> list[tuple[list[float], float]]:
    """Milliseconds of each report of a round, and of the cryptography alone."""
    arrived: asyncio.Queue[tuple[float, Received]] = asyncio.Queue()

    async def watch(subscriber: Subscriber) -> None:
        async for received in subscriber.watch():
            arrived.put_nowait((time.perf_counter(), received))

    async with (
        Publisher(mission.identity(ORIGINATOR, "system")) as publisher,
        Subscriber(mission.identity(READER, "analyst")) as subscriber,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(watch(subscriber))

        async def publish() -> float:
            start = time.perf_counter()
            receipt = await publisher.publish(draft())
            end, received = await asyncio.wait_for(arrived.get(), PATIENCE)
            assert received.identity == receipt.report
            return 1e3 * (end - start)

        await publish()  # both have everything they need from here on
        found = []
        for _ in range(rounds):
            alone = timed(partial(_cryptography, mission, count)) / count
            found.append(([await publish() for _ in range(count)], 1e3 * alone))
        watching.cancel()
    return found


def _cryptography(mission: Mission, reports: int) -> None:
    key = mission.author.sign.public
    for _ in range(reports):
        frame = report.parse(mission.seal().raw)
        for _ in range(2):
            key.verify(frame.signature, frame.head, composite.REPORT)


def _at_half_load(bench: Bench) -> list[float]:
    """Milliseconds to a receipt, the median of each round, while every second moment is free."""
    full, half = bench.of(FULL_LOAD, FULL_LOAD // 2), bench.of(HALF_LOAD, HALF_LOAD // 3)
    raws = [sealed.raw for sealed in bench.mission.reports(full + half * bench.few)]
    with (
        serving(bench.mission.broker_folder()) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        requests = report_requests(server.port, raws)
        pace = full / runner.run(send_all(server.port, requests[:full], max(CALLERS)))
        found = list[float]()
        for start in range(full, len(requests), half):
            posted = requests[start : start + half]
            times = runner.run(paced(server.port, posted, pace / 2))
            found.append(1e3 * _quantile(times, 0.5))
        return found


def _quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]
