"""Step 6, journal: the one writer. Acts come in from many tasks and become true in one order.

An act says what is to be recorded (`plan`) at the place where it will stand, and what follows once
it is durable (`settle`). Up to `BATCH` acts share one transaction and one fsync. An act that
changes what the others are judged by (a statement) goes alone.

    plan all  ->  journal.append  -- from here on it is true --  ->  settle all, in order

Nothing in memory changes before the commit point, and after it nothing may fail.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic, TypeVar

from broker import logs
from broker.journal import Entry, Journal, Record
from wire.errors import BrokerFault, TearlineError

BATCH: Final = 64
"""Acts of one transaction: 64 reports are 3 ms of SQLite and one fsync; more only waits longer."""

RECORDS: Final = 1_024
"""Records after which a batch takes no further act: pulls bring a hundred releases each."""

LINGER_S: Final = 0.01
"""How long a batch waits for reports whose signatures are being checked already. A transaction
costs much the same for one report as for thirty, so under load fewer and fuller ones are faster."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the next record will stand, and when: seconds, never earlier than the entry before.

    `claimed` is the notebook of one batch: what the acts before this one will make true together
    with it. It is forgotten with the batch, whether that is written or not.
    """

    position: int
    time: int
    claimed: set[tuple[object, ...]] = field(default_factory=set)


class Act(ABC, Generic[Result]):
    """Something that becomes true by being journalled, or is refused."""

    alone: ClassVar[bool] = False
    """Whether it changes what other acts are judged by."""

    async def prepare(self, moment: Moment) -> None:
        """Do slow work for `plan`, away from the loop. Only acts that go alone may."""

    @abstractmethod
    def plan(self, moment: Moment) -> Sequence[Record]:
        """What to record, from `moment.position` on; maybe nothing. Raises a refusal.

        Must not change anything but `moment.claimed`.
        """

    @abstractmethod
    def settle(self, entries: Sequence[Entry]) -> Result:
        """The result, once the records are durable. Must not fail."""


class BatchClock:
    """The clock of the journal: it stands still while a batch is judged and written.

    So the time at which a statement or a report was judged is the time that its entry says.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._now = clock()

    def __call__(self) -> float:
        return self._now

    def now(self) -> int:
        """Unix seconds by the real clock; time never goes backwards here."""
        return int(max(self._now, self._clock()) * 1000) // 1000

    def tick(self) -> int:
        """Set the journal's clock to now; gives Unix seconds."""
        self._now = max(self._now, self._clock())
        return int(self._now * 1000) // 1000

    def not_before(self, time_ms: int) -> None:
        """Remember the time of an entry that was found in the journal."""
        self._now = max(self._now, time_ms / 1000)


@dataclass(slots=True)
class _Waiting:
    act: Act[object]
    done: "asyncio.Future[object]"


class Sequencer:
    """Takes acts from all tasks and writes them, one batch after the other.

    `upcoming` tells how many more are on their way here.
    """

    def __init__(
        self, journal: Journal, clock: BatchClock, upcoming: Callable[[], int], *, inbox: int
    ) -> None:
        self._journal, self._clock, self._inbox = journal, clock, inbox
        self._upcoming = upcoming
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.failed: BrokerFault | None = None
        """Why the journal stopped, if it did: nothing is accepted or released any more."""
        self.on_stop: Callable[[], None] = lambda: None
        """Called once when it stops."""

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def check(self) -> None:
        """Refuse to serve without a journal. Raises `BrokerFault`."""
        if self.failed is not None:
            raise BrokerFault("journal-stopped")

    def __len__(self) -> int:
        return len(self._waiting)

    async def do(self, act: Act[Result]) -> Result:
        """The act's result once it is durable. Raises its refusal, or `BrokerFault`.

        Who is cancelled while waiting does not know; the act may still become true.
        """
        self.check()
        if self._closing:
            raise BrokerFault("stopping")
        if len(self._waiting) >= self._inbox:
            raise BrokerFault("busy")
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(act, done))  # type: ignore[arg-type]
        self._wake.set()
        return await done

    async def _run(self) -> None:
        try:
            while True:
                while not self._waiting:
                    if self._closing:
                        return
                    self._wake.clear()
                    await self._wake.wait()
                await self._linger()
                await self._batch()
        except Exception as error:  # noqa: BLE001 - the edge: memory may no longer be the journal
            logs.failure("sequencer.failed", error)
            self._stop(BrokerFault("journal-stopped"))

    async def _linger(self) -> None:
        """Wait a little for half of what is coming; not at all if nothing is."""
        wanted = min(BATCH, (len(self._waiting) + self._upcoming()) // 2)
        if len(self._waiting) >= wanted:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while len(self._waiting) < wanted and not self._closing:
                    self._wake.clear()
                    await self._wake.wait()

    def _stop(self, fault: BrokerFault) -> None:
        """Serve nothing more; the next start finds out what is true."""
        if self.failed is None:
            self.failed = fault
            logs.event("journal.stopped", slug=fault.slug)
            self.on_stop()
        while self._waiting:
            _fail(self._waiting.popleft(), BrokerFault("journal-stopped"))

    async def _batch(self) -> None:
        """One transaction."""
        first = Moment(self._journal.size, self._clock.tick())
        planned: list[tuple[_Waiting, int]] = []
        records: list[Record] = []
        while self._waiting and len(planned) < BATCH and len(records) < RECORDS:
            if self._waiting[0].act.alone and planned:
                break
            waiting = self._waiting.popleft()
            moment = Moment(first.position + len(records), first.time, first.claimed)
            try:
                if waiting.act.alone:
                    await waiting.act.prepare(moment)
                new = waiting.act.plan(moment)
            except TearlineError as refusal:
                _fail(waiting, refusal)
                continue
            except Exception as error:  # noqa: BLE001 - our own mistake must not stop the writer
                logs.failure("act.failed", error)
                _fail(waiting, BrokerFault("internal"))
                continue
            planned.append((waiting, len(new)))
            records += new
            if waiting.act.alone:
                break
        entries = await self._written(records, first, planned)
        if entries is not None:
            _settle(planned, entries)

    async def _written(
        self, records: list[Record], first: Moment, planned: list[tuple[_Waiting, int]]
    ) -> list[Entry] | None:
        if not records:
            return []
        try:
            entries = await self._journal.append(records)  # from here on it is true
        except TearlineError as fault:
            for waiting, _ in planned:
                _fail(waiting, fault)
            if isinstance(fault, BrokerFault):
                self._stop(fault)
            return None
        placed = [first.position + offset for offset in range(len(records))]
        assert [entry.index for entry in entries] == placed, "the journal has another writer"
        return entries


def _settle(planned: list[tuple[_Waiting, int]], entries: Sequence[Entry]) -> None:
    """Draw the consequences, in order. Should one fail, nobody is left waiting for the rest."""
    left = deque(planned)
    at = 0
    try:
        while left:
            waiting, count = left[0]
            result = waiting.act.settle(entries[at : at + count])
            at += count
            left.popleft()
            if not waiting.done.done():
                waiting.done.set_result(result)
    finally:
        for waiting, _ in left:
            _fail(waiting, BrokerFault("journal-stopped"))


def _fail(waiting: _Waiting, error: TearlineError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
        waiting.done.exception()  # whoever waits still gets it; nobody left is no warning
