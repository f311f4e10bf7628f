"""One exercise, played: real clients of every nation against a real broker, on a clock that runs
faster than the day it tells of.

Injects are played one after the other. Before a report is taken back, or closed to somebody, those
who should read it are given time to: what is measured is the system, not the pace of the exercise.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import chain
from typing import Final

import anyio

from clients.demo.stage import Stage
from clients.exercises.plan import (
    AnyInject,
    ApproveInject,
    Exercise,
    PolicyInject,
    RecallInject,
    ReportInject,
)
from clients.exercises.score import Ledger, Pair, Reading, Score, Told, score
from clients.founding import SECOND
from clients.officer import Officer
from clients.publisher import Publisher, Receipt
from clients.received import Received
from clients.subscriber import Subscriber
from clients.transport import Withheld
from wire.errors import TearlineError
from wire.labels import DISPLAY

SPEED: Final = 600.0  # seconds of the exercise in one second: ten minutes
KEEPS: Final = frozenset({DISPLAY, "NO PRINT", "WATERMARK"})  # nothing here is shown or kept
PATIENCE: Final = 15.0  # seconds given to those who should read, or be refused
QUIET: Final = 1.0  # seconds in which what should not come could still come
APPROVED_FOR: Final = 86_400  # seconds
REFUSED: Final = frozenset({"not-found", "recalled"})  # by the broker, or by the client itself
AGAIN: Final = 0.05  # seconds between two tries of who should be refused

Tell = Callable[[Told], None]


class Run:
    """One run of an exercise on a stage whose broker is up."""

    def __init__(self, exercise: Exercise, stage: Stage, *, speed: float, tell: Tell) -> None:
        self.exercise, self.stage, self.speed = exercise, stage, speed
        self.ledger = Ledger(own={name: r.nation for name, r in exercise.reports.items()})
        self._tell = tell
        self._names: dict[str, str] = {}
        self._receipts: dict[str, Receipt] = {}
        self._unnamed: list[Reading] = []
        self._arrival = anyio.Event()
        self._readers: dict[str, Subscriber] = {}
        self._publishers: dict[str, Publisher] = {}
        self._officers: dict[str, Officer] = {}

    async def run(self) -> Score:
        """Play it to the end and score it. Raises whatever stops a client."""
        async with self._everybody():
            async with anyio.create_task_group() as group:
                for nation, reader in self._readers.items():
                    group.start_soon(self._listen, nation, reader)
                await self._play()
                await self._until_read()
                await anyio.sleep(QUIET)
                group.cancel_scope.cancel()
            await self._look_around()
        return score(self.ledger)

    @contextlib.asynccontextmanager
    async def _everybody(self) -> AsyncIterator[None]:
        """A reader of every nation, and whoever else acts; each follows the mission before the
        clock starts.
        """
        injects, identity = self.exercise.inject, self.stage.identity
        reporting = {i.nation for i in injects if isinstance(i, ReportInject)}
        deciding = {i.nation for i in injects if not isinstance(i, ReportInject)}
        for nation in self.stage.nations:
            self._readers[nation] = Subscriber(identity(nation, "analyst"), keeps=KEEPS)
        self._publishers |= {n: Publisher(identity(n, "system")) for n in sorted(reporting)}
        self._officers |= {n: Officer(identity(n, "officer")) for n in sorted(deciding)}
        clients = (self._readers, self._publishers, self._officers)
        async with contextlib.AsyncExitStack() as stack:
            for client in chain.from_iterable(each.values() for each in clients):
                await stack.enter_async_context(client)
                await client.follower.sync()
            yield

    # -- those who read

    async def _listen(self, nation: str, reader: Subscriber) -> None:
        async for received in reader.watch():
            self._reads(nation, received)

    def _reads(self, nation: str, received: Received) -> None:
        name = self._names.get(received.identity)
        reading = Reading(name or received.identity, nation, time.monotonic())
        (self._unnamed if name is None else self.ledger.readings).append(reading)
        self._arrival.set()

    def _named(self, name: str, receipt: Receipt) -> None:
        """A report got its identity; some may have read it before its sender knew."""
        self._names[receipt.report], self._receipts[name] = name, receipt
        for reading in [r for r in self._unnamed if r.report == receipt.report]:
            self._unnamed.remove(reading)
            self.ledger.readings.append(Reading(name, reading.nation, reading.at))

    async def _until_read(self, reports: Iterable[str] | None = None) -> None:
        wanted = None if reports is None else set(reports)
        with anyio.move_on_after(PATIENCE):
            while self.ledger.waited_for(wanted):
                self._arrival = anyio.Event()
                await self._arrival.wait()

    async def _look_around(self) -> None:
        """At the end every nation asks for all that it can get: what it should not is found."""
        for nation, reader in self._readers.items():
            async for received in reader.fetch(again=True):
                pair = (self._names.get(received.identity, received.identity), nation)
                if pair not in self.ledger.opened or pair in self.ledger.closed:
                    self._reads(nation, received)

    # -- the injects

    async def _play(self) -> None:
        start = time.monotonic()
        for inject in self.exercise.inject:
            await anyio.sleep(max(0.0, start + inject.at * 60 / self.speed - time.monotonic()))
            told = await self._played(inject)
            self.ledger.told.append(told)
            self._tell(told)

    async def _played(self, inject: AnyInject) -> Told:
        try:
            match inject:
                case ReportInject():
                    return await self._report(inject)
                case RecallInject():
                    what, outcome = f"recall {inject.of}", await self._recall(inject)
                case ApproveInject():
                    what = f"approve {inject.of} for {inject.to}"
                    outcome = await self._approve(inject)
                case PolicyInject():
                    what, outcome = "change of policy", await self._change(inject)
        except (TearlineError, KeyError) as error:
            reason = (
                error.slug
                if isinstance(error, TearlineError)
                else "there is no such report or case"
            )
            return Told(inject.at, inject.nation, inject.do, reason, expected=False)
        return Told(inject.at, inject.nation, what, outcome)

    async def _report(self, inject: ReportInject) -> Told:
        earlier = None if inject.amends is None else self._receipts[inject.amends].report
        verb = "report" if earlier is None else "amend with"
        told = (inject.at, inject.nation, f"{verb} {inject.name}")
        self.ledger.opens(inject.name, inject.expect, time.monotonic())
        try:
            receipt = await self._publishers[inject.nation].publish(inject.draft(earlier))
        except Withheld:
            return Told(*told, "refused by a policy", expected=inject.refused)
        self._named(inject.name, receipt)
        referred = [n for n, outcome in sorted(receipt.recipients.items()) if outcome == "REFER"]
        outcome = f"accepted, referred for {', '.join(referred)}" if referred else "accepted"
        return Told(*told, outcome, expected=not inject.refused)

    async def _recall(self, inject: RecallInject) -> str:
        await self._until_read([inject.of])
        report, now = self._receipts[inject.of].report, time.monotonic()
        holders = [nation for name, nation in self.ledger.opened if name == inject.of]
        self.ledger.recalled[inject.of] = now
        await self._officers[inject.nation].recall(report, inject.reason)
        return await self._closes([(inject.of, nation) for nation in holders], now)

    async def _approve(self, inject: ApproveInject) -> str:
        """The officer finds the case in the queue, as officers do. Raises `KeyError` if it is not
        there.
        """
        officer, report = self._officers[inject.nation], self._receipts[inject.of].report
        waiting = {(c.report, c.to, c.layer): c for c in await officer.queue()}
        case = waiting[report, inject.to, inject.layer]
        self.ledger.opens(inject.of, [inject.to], time.monotonic())
        await officer.approve(case, life=APPROVED_FOR, reason="as the exercise says")
        return "signed"

    async def _change(self, inject: PolicyInject) -> str:
        await self._until_read(inject.closes)
        now = time.monotonic()
        for name, nations in inject.opens.items():
            self.ledger.opens(name, nations, now)
        officer = self._officers[inject.nation]
        policy = (await officer.follower.sync()).nation(inject.nation).policy
        assert policy is not None, "an officer sees its own nation's policy"
        release = "\n".join([*policy.release, inject.release or ""])
        accept = "\n".join([*policy.accept, inject.accept or ""])
        proposed = await officer.propose(release, accept)  # whatever it does, both have signed
        async with Officer(self.stage.identity(inject.nation, SECOND)) as second:
            await second.countersign(proposed)
        pairs = [(name, nation) for name, nations in inject.closes.items() for nation in nations]
        return await self._closes(pairs, now) if pairs else "in force"

    async def _closes(self, pairs: list[Pair], now: float) -> str:
        """Those who had a report ask for it again until they are refused."""
        for name, nation in pairs:
            self.ledger.closes(name, [nation], now)
        async with anyio.create_task_group() as group:
            for pair in pairs:
                group.start_soon(self._until_refused, pair)
        stopped = sum(pair in self.ledger.stopped for pair in pairs)
        return f"{stopped} of {len(pairs)} get it no more"

    async def _until_refused(self, pair: Pair) -> None:
        report, reader = self._receipts[pair[0]].report, self._readers[pair[1]]
        with anyio.move_on_after(PATIENCE):
            while True:
                try:
                    await reader.fetch_one(report)
                except TearlineError as error:
                    if error.slug in REFUSED:
                        self.ledger.stopped[pair] = time.monotonic()
                        return
                    raise
                await anyio.sleep(AGAIN)
