"""The partner systems and analysts of the real-data journey, here or in processes of their own.

    python -m tests.journeys.crew publish PLAN.json      prints one line for every row
    python -m tests.journeys.crew subscribe PLAN.json    prints one line for every report shown

Nobody here knows what should arrive; what happened is printed, and compared by the test.
"""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import anyio

from clients.identity import Identity
from clients.publisher import Publisher
from clients.seal import SealedReport
from clients.subscriber import Received, Subscriber
from clients.transport import Withheld
from tests.journeys import traffic
from tests.journeys.rules import Subscription
from tests.journeys.traffic import Report
from tests.pilot import PASSPHRASE
from wire.errors import BrokerFault
from wire.labels import DISPLAY

TASKS = 6
"""Reports of one sender under way at once."""

Say = Callable[[dict[str, Any]], None]


@dataclass
class Crew:
    """Who acts, and where they tell what happened."""

    devices: dict[str, Path]
    say: Say

    def identity(self, who: str) -> Identity:
        return Identity.load(self.devices[who], PASSPHRASE)

    # -- senders

    async def publish(self, rows: Iterable[Report]) -> None:
        """Every sender posts its rows, several at once, and repeats what a fault interrupted."""
        waiting: dict[str, list[Report]] = {nation: [] for nation in traffic.SENDERS}
        for row in rows:
            waiting[row.sender].append(row)
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            for nation, theirs in waiting.items():
                publisher = Publisher(self.identity(f"{nation}/system"))
                await stack.enter_async_context(publisher)
                supply = iter(theirs)
                for _ in range(TASKS):
                    group.start_soon(self._post_all, publisher, supply)

    async def _post_all(self, publisher: Publisher, supply: Iterator[Report]) -> None:
        for row in supply:
            sealed = await publisher.seal(row.draft())
            try:
                receipt = await self._post(publisher, sealed)
            except Withheld:
                self.say({"row": row.row, "refused": True})
            else:
                self.say({"row": row.row, "report": receipt.report, "index": receipt.index})

    async def _post(self, publisher: Publisher, sealed: SealedReport) -> Any:
        while True:
            try:
                return await publisher.submit(sealed)
            except BrokerFault:
                await anyio.sleep(0.5)

    async def mark(self, subscriptions: Iterable[Subscription]) -> None:
        """Let every subscription know that all was sent."""
        for nation, theirs in groupby(subscriptions, key=attrgetter("nation")):
            async with Publisher(self.identity(f"{nation}/system")) as publisher:
                for one in theirs:
                    await publisher.publish(traffic.marker(one))

    # -- readers

    async def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Watch until the marker of each subscription comes; one client for each nation."""
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            clients: dict[str, Subscriber] = {}
            for one in subscriptions:
                if one.nation not in clients:
                    client = Subscriber(self.identity(f"{one.nation}/analyst"), keeps={DISPLAY})
                    clients[one.nation] = await stack.enter_async_context(client)
                group.start_soon(self._watch, clients[one.nation], one)

    async def _watch(self, client: Subscriber, one: Subscription) -> None:
        async for received in watching(client, one):
            if received.title.startswith(traffic.MARKER):
                if received.title == f"{traffic.MARKER}{one.nation}/{one.name}":
                    return
                continue
            titles = [p.title.rpartition(" ") for p in received.report.portions]
            self.say(
                {
                    "to": f"{one.nation}/{one.name}",
                    "row": titles[0][0],
                    "portions": sorted(t[2] for t in titles),
                    "report": received.identity,
                }
            )


def watching(client: Subscriber, one: Subscription) -> AsyncIterator[Received]:
    """The watch that a subscription is."""
    return client.watch(
        regions=one.regions,
        threats=one.threats,
        precedence=one.precedence,
        purpose=one.purpose,
        name=one.name,
    )


def main(job: str, plan: dict[str, Any]) -> None:
    def say(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    crew = Crew({who: Path(path) for who, path in plan["devices"].items()}, say)
    if job == "publish":
        rows = list(traffic.reports(Path(plan["rows"]), plan["count"]))
        anyio.run(crew.publish, rows)
    else:
        wanted = [s for s in traffic.SUBSCRIPTIONS if s.nation in plan["nations"]]
        anyio.run(crew.subscribe, wanted)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
