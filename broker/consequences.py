"""Statements about reports: whose business they are, and what they do.

A recall takes a report back and is confirmed by those who hold it, a consent and an approval open
it to somebody, a complaint says what is wrong with it. What they do is the same when they arrive
and when the journal is read again.
"""

from typing import TypeAlias

from broker.holdings import ALL_PORTIONS, Held, Holdings
from broker.state import State
from wire import bodies
from wire.errors import NotAllowed
from wire.statements import Statement

AboutReport: TypeAlias = (
    bodies.ReportRelease
    | bodies.ReportRecall
    | bodies.RecallConfirm
    | bodies.ReportComplaint
    | bodies.Approval
)
"""The bodies of statements about a report."""


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

    A recall concerns whoever got the report; a consent the nation that it names; a complaint and
    the confirmation of a recall the originator.
    """
    body = subject(statement)
    held = None if body is None else holdings.by_identity(body.report)
    if statement.head.scope != "parties" or held is None:
        return frozenset()
    match body:
        case bodies.ReportRelease():
            return frozenset({body.to})
        case bodies.ReportRecall():
            return held.holders
        case _:
            return frozenset({held.originator})


def concerned_report(statement: Statement, holdings: Holdings) -> Held | None:
    """The report that a statement is about; None if it is about none.

    Raises `NotAllowed` ("not-found") if the report is none of its author's business, or is not
    there: the same answer for both.
    """
    body = subject(statement)
    if body is None:
        return None
    held = holdings.by_identity(body.report)
    if held is None or not _may_speak(body, statement.head.nation, held):
        raise NotAllowed("not-found")
    return held


def take_effect(state: State, statement: Statement, position: int) -> None:
    """What a statement does to a report; the same when it arrives and when the journal is read."""
    body = subject(statement)
    held = None if body is None else state.holdings.by_identity(body.report)
    if body is None or held is None:
        return
    match body:
        case bodies.ReportRecall():
            held.recall = held.recall or statement.identity
            held.erased = ALL_PORTIONS
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
        case bodies.RecallConfirm():
            return nation in held.holders and body.recall == held.recall
        case bodies.ReportComplaint():
            return nation == held.originator or any(who == nation for who, _ in held.released)
        case bodies.Approval():
            portion = next((p for p in held.portions if p.commitment == body.portion), None)
            return portion is not None and (
                nation == held.originator
                or nation in portion.facts.contributors
                or nation in portion.recipients
            )
