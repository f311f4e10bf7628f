"""Retention: views that have grown old are erased, as their nation's root ordered.

A channel's views go from its beginning on, oldest first. Links and every proof stay, and so do the
entries that say what was erased and by whose order. Each transaction is one such entry in the
nation's own channel; the first of a day is in the mission's too, written whether there is anything
to erase or not, so that nobody else learns how much concerns a nation.

**Commit point:** the transaction with that entry also overwrites the views, and the write-ahead log
is folded back before it counts. After a crash the next start goes on where it was.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from broker import audit, logs
from broker.journal import THIS_INDEX, Change, Entry, Journal, Record, Row, erase_view
from broker.journal.schema import SLOTS
from broker.release import Ring
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State, Swept
from wire import retention
from wire.erasures import SPARED

AT_ONCE: Final = 1_000
"""Views erased in one transaction: a few milliseconds, in which nothing else is written."""


class SweepAct(Act[bool]):
    """Erases a nation's oldest views, as far as its order goes; says whether more are left."""

    alone: ClassVar[bool] = True

    def __init__(self, state: State, journal: Journal, nation: str) -> None:
        self._state, self._journal, self._nation = state, journal, nation
        self._after: Swept | None = None
        self._records: tuple[Record, ...] = ()

    async def prepare(self, moment: Moment) -> None:
        """Find the views that are old enough."""
        state, nation = self._state, self._nation
        orders = state.standing.directory.nations[nation].retention
        floor = state.standing.directory.founded.retention_floor
        before = due(state, nation, moment.time)
        order = None if floor is None else retention.in_force(orders, floor, moment.time)
        if before is None or order is None:
            return
        done = state.swept.get(nation, Swept())
        rows = await self._journal.rows("views_from", (nation, done.until, AT_ONCE + 1))
        aged = [row for row in rows if row[2] < before * 1000]
        old, until, below = aged[:AT_ONCE], done.until, done.below
        if old:
            at, count, _, _ = old[-1]
            until, below = count + 1, at // SLOTS + 1
        self._after = Swept(until, below, max(before, done.before), len(old) == len(aged))
        opens_day = before > done.before
        if old or opens_day:
            event = audit.swept(
                nation, order.statement, before, done.until, until, opens_day=opens_day
            )
            row = Row("sweep", (THIS_INDEX, nation, done.until, until, below, before))
            self._records = (Record(event, (row,), tuple(_erased(old))),)

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry, if anything is due."""
        del moment
        return self._records

    def settle(self, entries: Sequence[Entry]) -> bool:
        """They are gone."""
        if self._after is None:
            return False
        self._state.swept[self._nation] = self._after
        for entry in entries:
            logs.event("view.erased", nation=self._nation, index=entry.index)
        return not self._after.done


def due(state: State, nation: str, now: int) -> int | None:
    """The second before which a nation's views are to be erased now; None if nothing is to do."""
    directory = state.standing.directory
    orders = directory.nations[nation].retention
    before = retention.limit(orders, directory.founded.retention_floor, "views", now)
    swept = state.swept.get(nation, Swept())
    return None if before is None or (swept.done and before <= swept.before) else before


class Retention:
    """Carries out what nations ordered."""

    def __init__(self, state: State, journal: Journal, sequencer: Sequencer, ring: Ring) -> None:
        self._state, self._journal, self._sequencer = state, journal, sequencer
        self._ring = ring

    async def carry_out(self) -> None:
        """Erase every view that is old enough by now. Raises `BrokerFault`."""
        for nation in self._state.standing.directory.standing:
            if due(self._state, nation, self._state.now()) is None:
                continue
            while await self._sequencer.do(SweepAct(self._state, self._journal, nation)):
                pass
            self._ring.drop_nation(nation)


async def load(state: State, journal: Journal) -> None:
    """At a start: how far each nation's views are erased. Whether that was all, the first sweep
    finds out.
    """
    for nation, until, below, before in await journal.rows("sweeps"):
        state.swept[nation] = Swept(until, below, before)


def _erased(rows: Sequence[tuple[Any, ...]]) -> list[Change]:
    return [erase_view(*divmod(at, SLOTS)) for at, _, _, kind in rows if kind not in SPARED]
