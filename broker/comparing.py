"""Is what is remembered of reports what the journal says? For the operator, who asks `fsck`.

A start does not compare: it believes what is under its own key, or reads everything. Here both are
done, and every report is compared with itself.
"""

from itertools import zip_longest

from broker import rebuilding, sheets
from broker.journal.memory import Remembered, UnfitError
from broker.sequencer import BatchClock
from broker.standing import Standing
from broker.state import State
from wire.directory import Directory
from wire.errors import BrokerFault


async def compare(journal: rebuilding.Source, directory: Directory, now: int) -> str:
    """What a start would make of the memory: "believed", or why not. `directory` is that before the
    first statement, `now` the journal's newest time (seconds).

    Raises `BrokerFault` ("journal-damaged") naming the first report that is remembered as another
    than the journal says; and if the reports in it cannot be, whatever is remembered.
    """
    believed, read = (State(Standing(directory), BatchClock(lambda: now)) for _ in range(2))
    await rebuilding.fill(read, journal, rebuilding.nothing())
    try:
        remembered = await journal.remembered(sheets.FORM)
    except UnfitError as reason:
        return str(reason)

    async def given() -> Remembered:
        return remembered

    await rebuilding.fill(believed, journal, given())
    for one, other in zip_longest(believed.holdings, read.holdings):
        if one is None or other is None or sheets.write([one]) != sheets.write([other]):
            held = other or one
            assert held is not None
            what = f"report {held.identity}, entry {held.position}, is remembered as another"
            raise BrokerFault("journal-damaged", what)
    return "believed"
