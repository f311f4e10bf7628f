"""From the journal to memory: the same at every start, after a clean stop and after a crash.

    (1) statements are folded again at their own positions and times; signatures are verified that
        this broker has not verified before (`broker.valid`)
    (2) reports are held as they were remembered at some entry (`broker.memory`), if that is to be
        believed; what came after it is read from the journal, and without it everything
    (3) what statements did to reports happens between these, in journal order

Reports are not verified again, because the journal ties their bytes to their entries.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from broker import consequences, logs, retention, sheets, valid
from broker.held import Held, Outline, Outlined
from broker.journal import Journal
from broker.journal.memory import Remembered, UnfitError
from broker.matching import Filter
from broker.sequencer import BatchClock
from broker.standing import Standing
from broker.state import State
from broker.valid import Verifying
from wire import links, report, statements
from wire.errors import BrokerFault, TearlineError
from wire.report import Header, PortionLabel, Protected
from wire.statements import Statement
from wire.vocabulary import Vocabulary

PAGE: Final = 256
"""Rows read at a time."""

FAR: Final = 1 << 54
"""Beyond every index: the formats stop at 2^53."""

Rows = Sequence[tuple[Any, ...]]
Filed = tuple[int, Statement, int]
"""A statement, and where and when (seconds) it was accepted."""

Folding = asyncio.Future[Standing]
"""Statements being folded, in a thread, beside everything else."""


class Source(Protocol):
    """A journal that is read."""

    async def rows(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query of `broker.journal.queries` finds."""

    async def remembered(self, form: str) -> Remembered:
        """What was remembered of it. Raises `UnfitError` if that is not to be believed."""


async def rebuild(state: State, journal: Journal, clock: BatchClock) -> int:
    """Fill the state with what the journal says; gives up to which entry that was remembered.

    Raises `BrokerFault` ("journal-damaged").
    """
    if journal.size:
        last, _, _ = links.open_heads(await journal.leaf(journal.size - 1))
        clock.not_before(last)
    size = await fill(state, journal, recalled(journal))
    await retention.load(state, journal)
    for kid, name, body, _ in await journal.rows("subscriptions"):
        state.subscriptions[kid, name] = Filter.model_validate_json(body)
    for kid, name, position in await journal.rows("cursors"):
        state.cursors[kid, name] = position
    for nation in state.standing.directory.order:
        journal.add_channel(nation)
    return size


async def recalled(journal: Source) -> Remembered:
    """What is remembered of the journal; nothing, if that is not to be believed."""
    try:
        return await journal.remembered(sheets.FORM)
    except UnfitError as reason:
        logs.event("memory.unfit", because=str(reason))
        return await nothing()


async def nothing() -> Remembered:
    """As if nothing were remembered: all is read from the journal."""
    return Remembered(0, deque(), ())


async def fill(state: State, journal: Source, remembered: Awaitable[Remembered]) -> int:
    """Fold all statements and hold all reports, as far as they are remembered; gives how far.

    Raises `BrokerFault` ("journal-damaged").
    """
    found = await remembered
    try:
        await _fill(state, journal, found)
        state.holdings.check_distinct()
    except BrokerFault:
        raise
    except TearlineError as error:
        raise BrokerFault("journal-damaged", f"an entry does not follow: {error.slug}") from error
    async for rows in _pages(journal, "releases_after", -1, found.size - 1):
        for position, nation, mask, index in rows:
            state.holdings.at(position).released[nation, mask] = index
    return found.size


async def _fill(state: State, journal: Source, found: Remembered) -> None:
    if found.sheets:
        state.valid.update(valid.read(found.sheets.popleft()))
    verifying = Verifying(state.valid)
    filed = await _filed(journal, verifying)
    state.statements.update({statement.identity: index for index, statement, _ in filed})
    folding: Folding = asyncio.get_running_loop().run_in_executor(
        None, _folded, state.standing, state.now(), filed
    )
    try:
        effects = _Effects(state, filed)
        await _hold_remembered(state, journal, found, effects, folding)
        state.adopt(await folding)
    finally:
        folding.cancel()
    state.valid.update(verifying.found)
    await _hold_rest(state, journal, found.size, effects)


# -- statements


async def _filed(journal: Source, verifying: Verifying) -> list[Filed]:
    """All statements, parsed."""
    return [
        (index, statements.parse(raw, verifying.verify), _seconds(link))
        async for rows in _pages(journal, "statements_dated", 0, -1)
        for index, raw, link in rows
    ]


def _folded(standing: Standing, now: int, filed: Sequence[Filed]) -> Standing:
    """What all statements come to."""
    for index, statement, time in filed:
        standing = standing.after(statement, index, time)
    return standing.settled(now)


# -- reports


async def _hold_remembered(
    state: State, journal: Source, remembered: Remembered, effects: "_Effects", folding: Folding
) -> None:
    """Hold the reports that are remembered."""
    outdated = {position for (position,) in await journal.rows("erased_since", (remembered.size,))}
    while remembered.sheets:
        found = sheets.read(remembered.sheets.popleft(), state.holdings.kinds)
        if outdated:
            listed = list(found)
            here = sorted(outdated.intersection(held.position for held, _ in listed))
            raws = dict(await journal.rows("reports_at", (json.dumps(here),)) if here else ())
            found = _corrected(state, listed, raws, (await folding).directory.terms)
        state.holdings.add_all(effects.between(found))
        await asyncio.sleep(0)  # the fold goes on


def _corrected(
    state: State,
    found: Iterable[tuple[Held, Outlined]],
    raws: Mapping[int, bytes],
    terms: Vocabulary,
) -> Iterator[tuple[Held, Outlined]]:
    """The reports; those of which something was deleted since, as what is left of them says it."""
    for held, outline in found:
        if held.position in raws:
            left = _held(state, raws[held.position], held.position, held.accepted, terms)
            left.released.update(held.released)
            yield left, Outline.of(left)
        else:
            yield held, outline


async def _hold_rest(state: State, journal: Source, size: int, effects: "_Effects") -> None:
    """Hold the reports from this size of the journal on."""
    async for rows in _pages(journal, "reports_dated", 0, size - 1):
        terms = state.standing.directory.terms
        for index, raw, link in rows:
            effects.up_to(index)
            state.holdings.add(_held(state, raw, index, _seconds(link), terms))
    effects.up_to(FAR)


def _held(state: State, raw: bytes, index: int, accepted: int, terms: Vocabulary) -> Held:
    frame = report.parse(raw)
    header = Header.model_validate_json(frame.header_bytes)
    said = {
        p.index: (
            PortionLabel.model_validate_json(p.label_bytes),
            Protected.model_validate_json(p.protected),
        )
        for p in frame.portions
    }
    return state.holdings.hold(frame, header, said, index, accepted, terms)


# -- effects of statements


class _Effects:
    """What statements do to reports, as far as they have come. `next` is where the next stands."""

    def __init__(self, state: State, filed: Sequence[Filed]) -> None:
        self._state = state
        self._left = [
            (at, s) for at, s, _ in reversed(filed) if consequences.subject(s) is not None
        ]
        self.next = self._left[-1][0] if self._left else FAR

    def up_to(self, position: int) -> None:
        """Bring about those before this position."""
        while self.next < position:
            at, statement = self._left.pop()
            consequences.take_effect(self._state, statement, at)
            self.next = self._left[-1][0] if self._left else FAR

    def between(self, found: Iterable[tuple[Held, Outlined]]) -> Iterator[tuple[Held, Outlined]]:
        """The reports, each after those before it."""
        for one in found:
            if self.next < one[0].position:
                self.up_to(one[0].position)
            yield one


# -- reading


async def _pages(journal: Source, query: str, column: int, after: int) -> AsyncIterator[Rows]:
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
