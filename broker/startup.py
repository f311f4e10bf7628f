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

from broker import audit, consequences, logs, retention
from broker.eras import is_said_again
from broker.holdings import Holdings
from broker.journal import Entry, Journal, Record
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
from wire.vocabulary import Vocabulary

PAGE: Final = 256
"""Rows read at a time."""

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


async def replay(state: State, journal: Journal, clock: BatchClock) -> None:
    """Fill the state with what the journal says. Raises `BrokerFault` ("journal-damaged")."""
    if journal.size:
        last, _, _ = links.open_heads(await journal.leaf(journal.size - 1))
        clock.not_before(last)
    try:
        about_reports = await _statements(state, journal)
        await _reports(state, journal, about_reports)
    except TearlineError as error:
        if isinstance(error, BrokerFault):
            raise
        raise BrokerFault("journal-damaged", f"an entry does not follow: {error.slug}") from error
    await _releases(state.holdings, journal)
    await retention.load(state, journal)
    for kid, name, body, _ in await journal.rows("subscriptions"):
        state.subscriptions[kid, name] = Filter.model_validate_json(body)
    for kid, name, position in await journal.rows("cursors"):
        state.cursors[kid, name] = position
    for nation in state.standing.directory.order:
        journal.add_channel(nation)


async def genesis(folder: Path, state: State, publishing_: Publishing) -> None:
    """Publish the statements with which the mission begins, those that the journal has not got.

    Of those that were lost and are said again, one may rest on something that nobody could say
    again: it is passed over. Raises `BrokerFault` ("bad-settings") naming the file that is refused.
    """
    for name, raw in _files(folder):
        try:
            if statements.parse(raw).identity not in state.statements:
                await publishing_.publish(raw, from_operator=True)
        except BrokerFault:
            raise
        except TearlineError as error:
            if not is_said_again(name):
                raise BrokerFault("bad-settings", f"genesis/{name}: {error.slug}") from error
            logs.event("statement.not-said-again", file=name, slug=error.slug)


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the genesis statements, in the order of their names."""
    try:
        paths = sorted(folder.glob("*.tlst"))
        return [(path.name, path.read_bytes()) for path in paths]
    except OSError:
        raise BrokerFault("bad-settings", "the genesis statements cannot be read") from None


def check_founded(state: State, origin: str, keys: Sequence[VKey]) -> None:
    """Refuse to serve a mission that was not founded, or that names another log.

    Raises `BrokerFault` ("bad-settings").
    """
    charter = state.standing.directory.charter
    if charter is None or state.standing.directory.vocabulary is None:
        raise BrokerFault("bad-settings", "no charter and registry, in the journal or `genesis`")
    if charter.origin != origin or charter.log_keys != tuple(map(str, keys)):
        raise BrokerFault("bad-settings", "the charter names another log, or another `log-key`")


# -- one table after the other


async def _statements(state: State, journal: Journal) -> list[Filed]:
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


async def _reports(state: State, journal: Journal, effects: Sequence[Filed]) -> None:
    """Hold all reports; what statements did to them happens between them, in journal order."""
    left = list(reversed(effects))
    async for rows in _pages(journal, "reports_dated", 0):
        terms = state.standing.directory.terms
        for index, raw, link in rows:
            while left and left[-1][0] < index:
                position, statement = left.pop()
                consequences.take_effect(state, statement, position)
            _hold(state.holdings, raw, index, _seconds(link), terms)
    while left:
        position, statement = left.pop()
        consequences.take_effect(state, statement, position)


def _hold(holdings: Holdings, raw: bytes, index: int, accepted: int, terms: Vocabulary) -> None:
    frame = report.parse(raw)
    header = Header.model_validate_json(frame.header_bytes)
    said = {
        p.index: (
            PortionLabel.model_validate_json(p.label_bytes),
            Protected.model_validate_json(p.protected),
        )
        for p in frame.portions
    }
    holdings.add(holdings.hold(frame, header, said, index, accepted, terms))


async def _releases(holdings: Holdings, journal: Journal) -> None:
    async for rows in _pages(journal, "releases_after", -1):
        for position, nation, mask, index in rows:
            holdings.at(position).released[nation, mask] = index


async def _pages(
    journal: Journal, query: str, column: int
) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    """The pages of a query; while one is used, the next is read. `column` has what a row is after.

    Close it if it is not read to the end.
    """
    loop = asyncio.get_running_loop()
    reading = loop.create_task(journal.rows(query, (-1, PAGE)))
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
