"""What a start need not read again: the sheets of `broker.sheets`, written between two batches.

Nothing of this is part of accepting or releasing a report. Which reports changed since the last
time, the journal's tables say; all sheets with one of them are written anew, in one transaction
with the checkpoint of that moment. The first sheet has no report: see `broker.valid`.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar, Final

from broker import logs, sheets, valid
from broker.journal import Entry, Journal, Record
from broker.sequencer import Act, Moment, Sequencer
from broker.sheets import REPORTS
from broker.state import State

BEHIND: Final = 8_192
"""Entries after which memory is brought up to date. A start after a crash reads those again: if all
of them are reports, that takes a second or two.
"""


class RememberAct(Act[int]):
    """Writes down what is remembered; gives up to which entry."""

    alone: ClassVar[bool] = True

    def __init__(self, state: State, journal: Journal, since: int) -> None:
        self._state, self._journal, self._since = state, journal, since
        self._size = since

    async def prepare(self, moment: Moment) -> None:
        """Write; nothing is journalled meanwhile, so memory is the journal's at this very size."""
        journal, since = self._journal, self._since
        holdings = list(self._state.holdings)
        positions = [held.position for held in holdings]
        added = range(bisect_left(positions, since), len(positions))
        if await journal.rows("reports_since", (since,)) != [(len(added),)]:
            logs.event("memory.unfit", because="the journal has other reports")
            return
        erased = {at for (at,) in await journal.rows("erased_since", (since,))}
        released = {at for (at,) in await journal.rows("released_since", (since, since))}
        changed = (bisect_left(positions, position) for position in erased | released)
        fresh = {0: valid.write(self._state.valid)}
        for number in sorted({at // REPORTS for at in (*changed, *added)}):
            fresh[1 + number] = sheets.write(holdings[number * REPORTS : (number + 1) * REPORTS])
            await asyncio.sleep(0)  # readers go on
        count = 1 - (-len(holdings) // REPORTS)
        await journal.remember(sheets.FORM, fresh, count, shred=bool(erased))
        self._size = moment.position

    def plan(self, moment: Moment) -> Sequence[Record]:
        """It is no part of the log."""
        del moment
        return ()

    def settle(self, entries: Sequence[Entry]) -> int:
        """It is on the disk."""
        del entries
        return self._size


class Memory:
    """Keeps memory up to date. `size` is up to which entry it is."""

    def __init__(self, state: State, journal: Journal, sequencer: Sequencer) -> None:
        self._state, self._journal, self._sequencer = state, journal, sequencer
        self.size = 0

    async def keep_if_due(self) -> None:
        """Write it down if much has come since, or something was deleted: that must go from here
        as well. Raises `BrokerFault`.
        """
        behind = self._journal.size - self.size
        if behind >= BEHIND or await self._journal.rows("erased_since", (self.size,)):
            await self.keep()

    async def keep(self) -> None:
        """Write it down. Raises `BrokerFault`."""
        act = RememberAct(self._state, self._journal, self.size)
        self.size = await self._sequencer.do(act)
