"""Statements on their way into the journal: what a nation says becomes true at its own place.

A statement goes alone, because everything after it is judged by it. It is checked and folded off
the loop, at exactly the position and time that its entry will have, so that every client that
folds the journal comes to the same directory.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol, TypeAlias

from broker import adoption, audit, logs
from broker.answers import StatementReceipt
from broker.holdings import Held, Holdings
from broker.journal import THIS_INDEX, Entry, Journal, Record, Row
from broker.sequencer import Act, Moment, Sequencer
from broker.standing import MOVES_POLICIES, Standing
from broker.state import State
from wire import bodies, statements
from wire.entries import MISSION
from wire.errors import NotAllowed
from wire.statements import Statement

AboutReport: TypeAlias = (
    bodies.ReportRelease | bodies.ReportRecall | bodies.ReportComplaint | bodies.Approval
)
"""The bodies of statements about a report."""

ENDS_MEMBERS: Final = frozenset({"member.revoke", "nation.expel"})
"""After these somebody's open streams must end at once."""


class Listeners(Protocol):
    """The open streams."""

    def words_changed(self) -> None:
        """The registry is another."""

    def wake(self, nation: str) -> None:
        """Something changed for a nation."""


def subject(statement: Statement) -> AboutReport | None:
    """The body of a statement about a report; None for all others."""
    rule = bodies.RULES.get(statement.head.type)
    if rule is None or statement.body_bytes is None or not issubclass(rule.body, AboutReport):
        return None
    body = statement.body(rule.body)
    assert isinstance(body, AboutReport)
    return body


def parties(statement: Statement, holdings: Holdings) -> frozenset[str]:
    """The nations that a statement of scope "parties" is about, beside its author.

    A recall concerns whoever got the report; a consent the nation that it names; a complaint the
    originator.
    """
    body = subject(statement)
    held = None if body is None else holdings.by_identity(body.report)
    if statement.head.scope != "parties" or held is None:
        return frozenset()
    match body:
        case bodies.ReportRelease():
            return frozenset({body.to})
        case bodies.ReportRecall():
            return frozenset(nation for nation, _ in held.released)
        case _:
            return frozenset({held.originator})


class StatementAct(Act[StatementReceipt | None]):
    """One statement. Settles as None if it was accepted before."""

    alone: ClassVar[bool] = True

    def __init__(
        self,
        state: State,
        journal: Journal,
        listeners: Listeners,
        raw: bytes,
        *,
        from_operator: bool,
    ) -> None:
        self._from_operator = from_operator
        self._state, self._journal, self._listeners = state, journal, listeners
        self.statement = statements.parse(raw)
        self._body = subject(self.statement)
        self._next: Standing | None = None

    async def prepare(self, moment: Moment) -> None:
        """Check the signatures and fold it, in a thread; a policy only if a child survives it."""
        statement, standing = self.statement, self._state.standing
        if statement.identity in self._state.statements:
            return
        run, place = asyncio.get_running_loop().run_in_executor, (moment.position, moment.time)
        if statement.head.type == "policy.publish" and not self._from_operator:
            after = await run(None, standing.after, statement, *place)
            await adoption.probe(statement.body(bodies.PolicyPublish), after.directory.terms)
        self._next = await run(None, folded, standing, statement, *place)

    def plan(self, moment: Moment) -> Sequence[Record]:
        """The entry and the bytes."""
        del moment  # the place was given to `prepare`
        standing, head = self._next, self.statement.head
        if standing is None:
            return ()
        held = self._subject_held()
        about = parties(self.statement, self._state.holdings)
        report = None if held is None else held.identity
        # All nations have a part in a recall, or its leaf would tell each how many got the report.
        everybody = standing.directory.order if head.type == "report.recall" else ()
        event = audit.stated(self.statement, about, report, everybody)
        row = (THIS_INDEX, self.statement.identity, head.nation, head.seq, self.statement.raw)
        # The heads leaf of this very batch names a new nation's channel. Nothing can refuse the
        # statement any more; should the write fail, the journal has stopped.
        for nation in standing.directory.order:
            self._journal.add_channel(nation)
        return (Record(event, (Row("statement", row),)),)

    def settle(self, entries: Sequence[Entry]) -> StatementReceipt | None:
        """It holds."""
        standing, statement, state = self._next, self.statement, self._state
        if standing is None:
            return None
        (entry,) = entries
        state.adopt(standing)
        state.statements[statement.identity] = entry.index
        take_effect(state, statement, entry.index)
        if statement.head.type == "registry.publish":
            self._listeners.words_changed()
        if statement.head.type in ENDS_MEMBERS:
            for nation in standing.directory.order:
                self._listeners.wake(nation)
        if isinstance(self._body, bodies.Approval | bodies.ReportRelease):
            self._listeners.wake(self._body.to)
        logs.event("statement.accepted", statement=statement.identity, kind=statement.head.type)
        proof = entry.evidence[MISSION]
        return StatementReceipt(statement.identity, entry.index, duplicate=False, evidence=proof)

    def _subject_held(self) -> Held | None:
        """The report that it is about. Raises `NotAllowed` ("not-found") if that is none of its
        author's business, or is not there: the same answer for both.
        """
        body, nation = self._body, self.statement.head.nation
        if body is None:
            return None
        held = self._state.holdings.by_identity(body.report)
        if held is None or not _may_speak(body, nation, held):
            raise NotAllowed("not-found")
        return held


def folded(standing: Standing, statement: Statement, position: int, time: int) -> Standing:
    """The standing after a statement, with its policies in force. Raises its refusal."""
    after = standing.after(statement, position, time)
    if statement.head.type == "policy.publish":
        after.check_adoptable(statement.head.nation)
    return after.settled(time) if statement.head.type in MOVES_POLICIES else after


def take_effect(state: State, statement: Statement, position: int) -> None:
    """What a statement does to a report; the same when it arrives and when the journal is read."""
    body = subject(statement)
    held = None if body is None else state.holdings.by_identity(body.report)
    if body is None or held is None:
        return
    match body:
        case bodies.ReportRecall():
            held.recalled = True
            state.version += 1
        case bodies.Approval() | bodies.ReportRelease():
            state.holdings.offer_again(held, body.to, position, body.portion)


def _may_speak(body: AboutReport, nation: str, held: Held) -> bool:
    match body:
        case bodies.ReportRecall():
            return nation == held.originator
        case bodies.ReportRelease():
            ours = nation == held.originator
            return ours and any(p.commitment == body.portion for p in held.portions)
        case bodies.ReportComplaint():
            return nation == held.originator or any(who == nation for who, _ in held.released)
        case bodies.Approval():
            portion = next((p for p in held.portions if p.commitment == body.portion), None)
            return portion is not None and (
                nation == held.originator
                or nation in portion.facts.contributors
                or nation in portion.recipients
            )


class Publishing:
    """Takes statements, from bytes to receipt."""

    def __init__(
        self, state: State, journal: Journal, sequencer: Sequencer, listeners: Listeners
    ) -> None:
        self._state, self._journal = state, journal
        self._sequencer, self._listeners = sequencer, listeners

    async def publish(self, raw: bytes, *, from_operator: bool = False) -> StatementReceipt:
        """The receipt of a statement; the first one if it was accepted before.

        What the operator laid into the genesis folder can crash nobody but the operator.

        Raises `Malformed`, `NotAllowed`, `Conflict`, or `BrokerFault`.
        """
        self._sequencer.check()
        act = StatementAct(
            self._state, self._journal, self._listeners, raw, from_operator=from_operator
        )
        receipt: StatementReceipt | None = None
        if act.statement.identity not in self._state.statements:
            receipt = await self._sequencer.do(act)
        return receipt or await self._again(act.statement.identity)

    async def _again(self, identity: str) -> StatementReceipt:
        index = self._state.statements[identity]
        (proof,) = await self._journal.prove(MISSION, [index])
        return StatementReceipt(identity, index, duplicate=True, evidence=proof)
