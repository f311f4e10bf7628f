"""Statements on their way into the journal: what a nation says becomes true at its own place.

A statement goes alone, because everything after it is judged by it. It is checked and folded off
the loop, at exactly the position and time that its entry will have, so that every client that
folds the journal comes to the same directory.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

from broker import adoption, audit, logs
from broker.answers import StatementReceipt
from broker.consequences import concerned_report, parties, subject, take_effect
from broker.deciding import Deciding
from broker.erasing import Eraser, erasure
from broker.held import Held
from broker.journal import THIS_INDEX, Change, Entry, Journal, Record, Row
from broker.sequencer import Act, Moment, Sequencer
from broker.standing import MOVES_POLICIES, Standing
from broker.state import State
from broker.valid import Verifying
from policies.adopting import Adoption
from wire import bodies, statements
from wire.entries import MISSION
from wire.errors import BrokerFault, Conflict, NotAllowed
from wire.statements import Statement

WAITING: Final = 64
"""Statements that may wait to be judged; a nation's day has a few."""

ENDS_MEMBERS: Final = frozenset({"member.revoke", "nation.expel"})
"""After these somebody's open streams must end at once."""


PROVED: Final = frozenset({"policy.publish", "guarantee.publish"})
"""What a nation's rules must keep is proved when either of the two changes."""


class Listeners(Protocol):
    """The open streams."""

    def words_changed(self) -> None:
        """The registry is another."""

    def wake(self, nation: str) -> None:
        """Something changed for a nation."""

    def recalled(self, held: Held, statement: Statement, index: int) -> None:
        """A report was taken back by the statement at this entry."""


class StatementAct(Act[StatementReceipt | None]):
    """One statement. Settles as None if it was accepted before."""

    alone: ClassVar[bool] = True

    def __init__(
        self,
        state: State,
        deciding: Deciding,
        journal: Journal,
        listeners: Listeners,
        raw: bytes,
        *,
        from_operator: bool,
    ) -> None:
        self._from_operator = from_operator
        self._state, self._deciding = state, deciding
        self._journal, self._listeners = journal, listeners
        self._verifying = Verifying(state.valid)
        self.statement = statements.parse(raw, self._verifying.verify)
        self._body = subject(self.statement)
        self._next: Standing | None = None
        self._judged: tuple[Standing, Moment] | None = None
        self._proved: Adoption | None = None
        self._erasure: tuple[Row, Change] | None = None

    async def foresee(self, moment: Moment) -> None:
        """Judge it beside the writer, for where it will stand if nothing comes between.

        What is refused here has held nobody up. Raises the refusal.
        """
        await self._judge(self._state.standing, moment)

    async def prepare(self, moment: Moment) -> None:
        """Judge it for its final place, unless that is the one foreseen."""
        standing = self._state.standing
        if self.statement.identity in self._state.statements:
            self._next = None
        elif self._judged is None or not _same(self._judged, standing, moment):
            await self._judge(standing, moment)
        if isinstance(self._body, bodies.ReportRecall):
            held = self._state.holdings.by_identity(self._body.report)
            if held is not None:  # whether its author may is for `plan` to say
                gone = frozenset(portion.index for portion in held.portions)
                self._erasure = await erasure(self._journal, held, gone)

    async def _judge(self, standing: Standing, moment: Moment) -> None:
        """Check the signatures and fold it, in a thread; a policy only if a child proves it."""
        self._next = None
        statement, run = self.statement, asyncio.get_running_loop().run_in_executor
        place = (moment.position, moment.time)
        if statement.head.type in PROVED and not self._from_operator:
            after = await run(None, standing.after, statement, *place)
            await self._prove(standing.adoption(after, statement.head.nation, moment.time))
        self._next = await run(None, folded, standing, statement, *place)
        self._judged = standing, moment

    async def _prove(self, asked: Adoption) -> None:
        """Ask a child, once for each question: mostly nothing that it is about has moved."""
        if asked != self._proved:
            await adoption.check(asked, len(self.statement.signatures))
            self._proved = asked

    def plan(self, moment: Moment) -> Sequence[Record]:
        """The entry and the bytes."""
        standing, head = self._next, self.statement.head  # at the place given to `prepare`
        if standing is None:
            return ()
        held = None
        if self._body is not None:
            terms = standing.directory.terms
            held = concerned_report(self.statement, self._state.holdings, terms)
            if isinstance(self._body, bodies.Approval) and held is not None:
                self._check_known(self._body, held, moment.time)
        about = parties(self.statement, self._state.holdings)
        report = None if held is None else held.identity
        # All nations have a part in a recall, or its leaf would tell each how many got the report.
        everybody = standing.directory.order if head.type == "report.recall" else ()
        urgent = isinstance(self._body, bodies.Approval) and self._body.emergency
        event = audit.stated(self.statement, about, report, everybody, emergency=urgent)
        row = (THIS_INDEX, self.statement.identity, head.nation, head.seq, self.statement.raw)
        # The heads leaf of this very batch names a new nation's channel. Nothing can refuse the
        # statement any more; should the write fail, the journal has stopped.
        for nation in standing.directory.order:
            self._journal.add_channel(nation)
        if self._erasure is None:
            return (Record(event, (Row("statement", row),)),)
        erased, change = self._erasure
        return (Record(event, (Row("statement", row), erased), (change,)),)

    def _check_known(self, approval: bodies.Approval, held: Held, now: int) -> None:
        """A case that others still withhold is not there for the recipient, nor for its officers.

        Raises `NotAllowed` ("not-found").
        """
        nation, known_to = self.statement.head.nation, self._deciding.known_to
        portions = [p for p in held.portions if p.commitment == approval.portion]
        if not all(known_to(nation, held, portion, now) for portion in portions):
            raise NotAllowed("not-found")

    def settle(self, entries: Sequence[Entry]) -> StatementReceipt | None:
        """It holds."""
        standing, statement, state = self._next, self.statement, self._state
        if standing is None:
            return None
        (entry,) = entries
        state.adopt(standing)
        state.statements[statement.identity] = entry.index
        state.valid.update(self._verifying.found)
        take_effect(state, statement, entry.index)
        if statement.head.type == "registry.publish":
            self._listeners.words_changed()
        if statement.head.type in ENDS_MEMBERS:
            for nation in standing.directory.order:
                self._listeners.wake(nation)
        if isinstance(self._body, bodies.Approval | bodies.ReportRelease):
            self._listeners.wake(self._body.to)
        if isinstance(self._body, bodies.ReportRecall):
            held = state.holdings.by_identity(self._body.report)
            if held is not None:
                self._listeners.recalled(held, statement, entry.index)
        logs.event("statement.accepted", statement=statement.identity, kind=statement.head.type)
        proof = entry.evidence[MISSION]
        return StatementReceipt(statement.identity, entry.index, duplicate=False, evidence=proof)


def _same(judged: tuple[Standing, Moment], standing: Standing, moment: Moment) -> bool:
    before, place = judged
    return before is standing and (place.position, place.time) == (moment.position, moment.time)


def folded(standing: Standing, statement: Statement, position: int, time: int) -> Standing:
    """The standing after a statement, with its policies in force. Raises its refusal."""
    after = standing.after(statement, position, time)
    if statement.head.type == "policy.publish":
        after.check_adoptable(statement.head.nation)
    return after.settled(time) if statement.head.type in MOVES_POLICIES else after


class Publishing:
    """Takes statements, from bytes to receipt.

    Everybody may post, so a statement is first judged beside the writer, one at a time: junk waits
    for junk, and not the reports behind it.
    """

    def __init__(
        self,
        state: State,
        deciding: Deciding,
        journal: Journal,
        sequencer: Sequencer,
        listeners: Listeners,
        eraser: Eraser,
    ) -> None:
        self._state, self._deciding = state, deciding
        self._journal, self._eraser = journal, eraser
        self._sequencer, self._listeners = sequencer, listeners
        self._waiting, self._judging = 0, asyncio.Lock()

    async def publish(self, raw: bytes, *, from_operator: bool = False) -> StatementReceipt:
        """The receipt of a statement; the first one if it was accepted before.

        What the operator laid into the genesis folder can crash nobody but the operator, and is
        what the nations founded the mission with: nothing stands yet that it could widen.

        Raises `Malformed`, `NotAllowed`, `Conflict`, or `BrokerFault`.
        """
        self._sequencer.check()
        act = StatementAct(
            self._state,
            self._deciding,
            self._journal,
            self._listeners,
            raw,
            from_operator=from_operator,
        )
        if act.statement.head.type == "mission.continue" and not from_operator:
            raise Conflict("statement-conflict", "a log is continued before it is served again")
        receipt: StatementReceipt | None = None
        if act.statement.identity not in self._state.statements:
            await self._foresee(act)
            receipt = await self._sequencer.do(act)
            await self._forget(act)
        return receipt or await self._again(act.statement.identity)

    async def _forget(self, act: StatementAct) -> None:
        """A recalled report's attachments go before anybody is told that it is recalled."""
        body = subject(act.statement)
        if isinstance(body, bodies.ReportRecall):
            held = self._state.holdings.by_identity(body.report)
            if held is not None and held.recalled:
                await self._eraser.forget(held, [portion.index for portion in held.portions])

    async def _foresee(self, act: StatementAct) -> None:
        if self._waiting >= WAITING:
            raise BrokerFault("busy")
        self._waiting += 1
        try:
            async with self._judging:
                await act.foresee(Moment(self._journal.size, self._state.now()))
        except Conflict:  # another statement of the chain may be on its way: judged at its place
            pass
        finally:
            self._waiting -= 1

    async def _again(self, identity: str) -> StatementReceipt:
        index = self._state.statements[identity]
        (proof,) = await self._journal.prove(MISSION, [index])
        return StatementReceipt(identity, index, duplicate=True, evidence=proof)
