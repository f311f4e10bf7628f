"""From the journal to memory: the same at every start, after a clean stop and after a crash.

Statements are folded again at their own positions and times, signatures and all; reports are not
verified again, because the journal ties their bytes to their entries.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from broker import audit, consequences, logs, retention, sheets
from broker.held import Held
from broker.holdings import Holdings
from broker.journal import Entry, Journal, Record
from broker.journal.memory import Remembered, UnfitError
from broker.journal.reading import Readable
from broker.matching import Filter
from broker.publishing import Publishing
from broker.sequencer import Act, BatchClock, Moment
from broker.settings import Settings
from broker.standing import Standing
from broker.state import State
from wire import links, report, statements
from wire.errors import BrokerFault, TearlineError
from wire.notes import VKey
from wire.report import Header, PortionLabel, Protected
from wire.statements import Statement

PAGE: Final = 256
"""Rows read at a time."""

FAR: Final = 1 << 54
"""Beyond every index: the formats stop at 2^53."""

ATTACHMENTS_FOLDER: Final = "attachments"
ANCHOR_FILE: Final = "checkpoint"

Filed = tuple[int, Statement]
"""A statement and its journal position."""


class OperatorAct(Act[None]):
    """The operator starts or stops the service: `operator.start`, `operator.stop`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry in the mission's channel."""
        del moment
        return (Record(audit.operator(self._kind, version("tearline"))),)

    def settle(self, entries: Sequence[Entry]) -> None:
        """Nothing follows."""
        del entries


def make_folders(settings: Settings) -> None:
    """The folders that a new broker does not have yet. Raises `BrokerFault` ("bad-settings")."""
    data = settings.data_folder
    try:
        for folder in (data, data / ATTACHMENTS_FOLDER, settings.anchor_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise BrokerFault("bad-settings", "`data` or `anchor` cannot be made") from None


async def replay(state: State, journal: Journal, clock: BatchClock) -> int:
    """Fill the state with what the journal says; gives up to which entry that was remembered.

    Raises `BrokerFault` ("journal-damaged").
    """
    if journal.size:
        last, _, _ = links.open_heads(await journal.leaf(journal.size - 1))
        clock.not_before(last)
    remembered = await recalled(journal)
    await fill(state, journal, remembered)
    await retention.load(state, journal)
    for kid, name, body, _ in await journal.rows("subscriptions"):
        state.subscriptions[kid, name] = Filter.model_validate_json(body)
    for kid, name, position in await journal.rows("cursors"):
        state.cursors[kid, name] = position
    for nation in state.standing.directory.order:
        journal.add_channel(nation)
    return remembered.size


async def recalled(journal: Readable) -> Remembered:
    """What is remembered of the journal; nothing, if that is not to be believed."""
    try:
        return await journal.remembered(sheets.FORM)
    except UnfitError as reason:
        logs.event("memory.unfit", because=str(reason))
        return Remembered(0, [], ())


async def fill(state: State, journal: Readable, remembered: Remembered) -> None:
    """Fold all statements and hold all reports: what is remembered, then what came after.

    Raises `BrokerFault` ("journal-damaged").
    """
    try:
        about_reports = await _statements(state, journal)
        await _reports(state, journal, about_reports, remembered)
    except TearlineError as error:
        if isinstance(error, BrokerFault):
            raise
        raise BrokerFault("journal-damaged", f"an entry does not follow: {error.slug}") from error
    await _releases(state.holdings, journal, remembered.size)


async def genesis(folder: Path, state: State, publishing_: Publishing) -> None:
    """Publish the statements with which the mission begins, those that the journal has not got.

    Raises `BrokerFault` ("bad-settings") naming the file that is refused.
    """
    for name, raw in _files(folder):
        try:
            if statements.parse(raw).identity not in state.statements:
                await publishing_.publish(raw, from_operator=True)
        except BrokerFault:
            raise
        except TearlineError as error:
            raise BrokerFault("bad-settings", f"genesis/{name}: {error.slug}") from error


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the genesis statements, in the order of their names."""
    try:
        paths = sorted(folder.glob("*.tlst"))
        return [(path.name, path.read_bytes()) for path in paths]
    except OSError:
        raise BrokerFault("bad-settings", "the genesis statements cannot be read") from None


def check_founded(state: State, origin: str, key: VKey) -> None:
    """Refuse to serve a mission that was not founded, or that names another log.

    Raises `BrokerFault` ("bad-settings").
    """
    charter = state.standing.directory.charter
    if charter is None or state.standing.directory.vocabulary is None:
        raise BrokerFault("bad-settings", "no charter and registry, in the journal or `genesis`")
    if charter.origin != origin or charter.log_keys != (str(key),):
        raise BrokerFault("bad-settings", "the charter names another log, or another `log-key`")


# -- one table after the other


async def _statements(state: State, journal: Readable) -> list[Filed]:
    """Fold all statements; gives those about reports, whose effects come later."""
    standing, after, filed = state.standing, -1, list[Filed]()
    loop = asyncio.get_running_loop()
    while rows := await journal.rows("statements_dated", (after, PAGE)):
        standing, page = await loop.run_in_executor(None, _folded, standing, rows)
        state.statements.update({statement.identity: index for index, statement in page})
        filed += page
        after = rows[-1][0]
    state.adopt(await loop.run_in_executor(None, standing.settled, state.now()))
    return [(index, s) for index, s in filed if consequences.subject(s) is not None]


def _folded(
    standing: Standing, rows: Sequence[tuple[int, bytes, bytes]]
) -> tuple[Standing, list[Filed]]:
    filed = []
    for index, raw, link in rows:
        statement = statements.parse(raw)
        standing = standing.after(statement, index, _seconds(link))
        filed.append((index, statement))
    return standing, filed


class _Effects:
    """What statements did to reports, brought about between the reports, in journal order."""

    def __init__(self, state: State, filed: Sequence[Filed]) -> None:
        self._state, self._left = state, list(reversed(filed))
        self.next = self._left[-1][0] if filed else FAR
        """Position of the next statement."""

    def up_to(self, position: int) -> None:
        """All of them before this position."""
        while self.next < position:
            at, statement = self._left.pop()
            consequences.take_effect(self._state, statement, at)
            self.next = self._left[-1][0] if self._left else FAR


async def _reports(
    state: State, journal: Readable, filed: Sequence[Filed], remembered: Remembered
) -> None:
    """Hold all reports, and let statements have their effects on them."""
    holdings = state.holdings
    effects, since = _Effects(state, filed), remembered.size
    outdated = {position for position, in await journal.rows("erased_since", (since,))}
    for sheet in remembered.sheets:
        for held, outline in sheets.read(sheet, holdings.kinds):
            if effects.next < held.position:
                effects.up_to(held.position)
            if held.position in outdated:
                holdings.add(await _again(held, state, journal))
            else:
                holdings.add_outlined(held, *outline)
    async for rows in _pages(journal, "reports_dated", 0, since - 1):
        for index, raw, link in rows:
            effects.up_to(index)
            holdings.add(_held(state, raw, index, _seconds(link)))
    effects.up_to(FAR)


async def _again(held: Held, state: State, journal: Readable) -> Held:
    """A report that was deleted from after it was remembered: what is left of it says the rest."""
    ((_, raw),) = await journal.rows("reports_at", (json.dumps([held.position]),))
    left = _held(state, raw, held.position, held.accepted)
    left.released.update(held.released)
    return left


def _held(state: State, raw: bytes, index: int, accepted: int) -> Held:
    frame = report.parse(raw)
    header = Header.model_validate_json(frame.header_bytes)
    said = {
        p.index: (
            PortionLabel.model_validate_json(p.label_bytes),
            Protected.model_validate_json(p.protected),
        )
        for p in frame.portions
    }
    terms = state.standing.directory.terms
    return state.holdings.hold(frame, header, said, index, accepted, terms)


async def _releases(holdings: Holdings, journal: Readable, since: int) -> None:
    async for rows in _pages(journal, "releases_after", -1, since - 1):
        for position, nation, mask, index in rows:
            holdings.at(position).released[nation, mask] = index


async def _pages(
    journal: Readable, query: str, column: int, after: int
) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    """The pages of a query; while one is used, the next is read. `column` has what a row is after.

    Close it if it is not read to the end.
    """
    loop = asyncio.get_running_loop()
    reading = loop.create_task(journal.rows(query, (after, PAGE)))
    try:
        while rows := await reading:
            reading = loop.create_task(journal.rows(query, (rows[-1][column], PAGE)))
            await asyncio.sleep(0)  # so that it begins
            yield rows
    finally:
        reading.cancel()


def _seconds(link: bytes) -> int:
    """The time in an entry's link."""
    time_ms: int = json.loads(link)["time"]
    return time_ms // 1000
