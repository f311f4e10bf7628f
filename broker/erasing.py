"""Deletion: what nobody may have any more is not kept either.

A recall deletes a whole report, the end of its time a portion, its nation's order what has grown
old (`wire.retention`). What goes is what could be read: payload, wraps, attachments. Head,
signature and descriptors stay, so every proof still verifies, and the deletion is itself an entry:
the recall's own, `report.expired` or `report.erased`.

**Commit point:** the transaction with that entry also overwrites the stored bytes, and the
write-ahead log is folded back before anybody hears of it. Attachments are files and go after it;
a crash in between is made good at the next start.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import ClassVar, Final, Protocol

from broker import audit, logs
from broker.held import Held
from broker.journal import Change, Entry, Journal, Record, Row, erase_report
from broker.release import Ring
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from wire import retention
from wire.entries import Event
from wire.report import parse

AT_ONCE: Final = 64
"""Reports deleted from in one transaction: a batch, and their bytes fit in memory."""

Gone = tuple[Held, frozenset[int]]
"""A report, and the portions of it (by index) that are deleted."""


class Files(Protocol):
    """The folder of attachments."""

    async def remove(self, held: Held, gone: Collection[int]) -> None:
        """Delete the attachments of these portions."""


async def erasure(journal: Journal, held: Held, gone: Collection[int]) -> tuple[Row, Change] | None:
    """What deletes portions (by index) of a report; None if they are deleted already."""
    rows = await journal.rows("report_by_index", (held.position,))
    stored: bytes = rows[0][-1]
    left = parse(stored).stripped(gone)
    return None if left == stored else erase_report(held.position, stored, left)


class DeleteAct(Act[Sequence[Gone]]):
    """Deletes portions of reports, one entry a report; gives which."""

    alone: ClassVar[bool] = True

    def __init__(self, state: State, journal: Journal) -> None:
        self._state, self._journal = state, journal
        self._gone: list[Gone] = []
        self._records: list[Record] = []

    @abstractmethod
    def due(self, moment: Moment) -> Iterable[tuple[Gone, Event]]:
        """What is to be deleted by now, and what is said of it."""

    async def prepare(self, moment: Moment) -> None:
        """Find what is due, and read what is left of it."""
        for (held, gone), event in self.due(moment):
            written = await erasure(self._journal, held, gone)
            if written is not None:
                row, change = written
                self._records.append(Record(event, (row,), (change,)))
                self._gone.append((held, gone))

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry a report."""
        del moment
        return self._records

    def settle(self, entries: Sequence[Entry]) -> Sequence[Gone]:
        """They are gone."""
        for (held, gone), entry in zip(self._gone, entries, strict=True):
            held.erased |= sum(1 << index for index in gone)
            logs.event(entry.type, report=held.identity, index=entry.index)
        if self._gone:
            self._state.version += 1
        return self._gone


class ExpireAct(DeleteAct):
    """Portions whose time is over."""

    def due(self, moment: Moment) -> Iterable[tuple[Gone, Event]]:
        """Those whose label says so."""
        for held, gone in self._state.holdings.expired(moment.time, AT_ONCE):
            yield (held, gone), audit.expired(held, gone)


class AgeAct(DeleteAct):
    """Reports that are older than their nation keeps them."""

    def due(self, moment: Moment) -> Iterable[tuple[Gone, Event]]:
        """Those of every nation that ordered it and stands."""
        directory, left = self._state.standing.directory, AT_ONCE
        floor = directory.founded.retention_floor
        for nation in directory.standing:
            orders = directory.nations[nation].retention
            before = retention.limit(orders, floor, "payloads", moment.time)
            if floor is None or before is None:
                continue
            order = retention.in_force(orders, floor, moment.time)
            assert order is not None, "there is no limit without an order"
            found = self._state.holdings.aged(nation, before, left)
            left -= len(found)
            for held, gone in found:
                yield (held, gone), audit.aged(held, gone, order.statement)


class Eraser:
    """Deletes reports whose time is over, and the attachments of all that is deleted."""

    def __init__(
        self, state: State, journal: Journal, sequencer: Sequencer, ring: Ring, files: Files
    ) -> None:
        self._state, self._journal, self._sequencer = state, journal, sequencer
        self._ring, self._files = ring, files

    async def expire(self) -> None:
        """Delete everything whose time is over by now. Raises `BrokerFault`."""
        for act in (ExpireAct, AgeAct):
            while gone := await self._sequencer.do(act(self._state, self._journal)):
                for held, portions in gone:
                    await self.forget(held, portions)

    async def forget(self, held: Held, gone: Collection[int]) -> None:
        """Drop from memory and from the attachments what the journal no longer has."""
        self._ring.drop(held.position)
        await self._files.remove(held, gone)

    async def make_good(self) -> None:
        """After a start: attachments that a crash left behind."""
        for identity, portion, *_ in await self._journal.rows("attachments"):
            held = self._state.holdings.by_identity(identity)
            if held is not None and held.erased >> portion & 1:
                await self._files.remove(held, [portion])
