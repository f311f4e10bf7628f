"""Statements about reports: whose business they are, and what they do.

A recall takes a report back and is confirmed by those who hold it, a consent and an approval open
it to somebody, a complaint says what is wrong with it. What they do is the same when they arrive
and when the journal is read again.
"""

from typing import TypeAlias

from broker.held import ALL_PORTIONS, Held, HeldPortion
from broker.holdings import Holdings
from broker.state import State
from wire import bodies
from wire.errors import Malformed, NotAllowed
from wire.statements import Statement
from wire.vocabulary import Vocabulary

AboutReport: TypeAlias = (
    bodies.ReportRelease
    | bodies.ReportWithdraw
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

    A recall concerns whoever got the report; a consent the nations that it names; a complaint and
    the confirmation of a recall the originator.
    """
    body = subject(statement)
    held = None if body is None else holdings.by_identity(body.report)
    if statement.head.scope != "parties" or held is None:
        return frozenset()
    match body:
        case bodies.ReportRelease(author=None) | bodies.ReportWithdraw():
            return frozenset({body.to})
        case bodies.ReportRelease(author=str(author)):
            return frozenset({body.to, author})
        case bodies.ReportRecall():
            return held.holders
        case _:
            return frozenset({held.originator})


def concerned_report(statement: Statement, holdings: Holdings, terms: Vocabulary) -> Held | None:
    """The report that a statement is about; None if it is about none.

    Raises `NotAllowed` ("not-found") if the report is none of its author's business, or is not
    there: the same answer for both. Raises `Malformed` ("label-recipients") for a consent that
    gives a key below the portion's classification.
    """
    body = subject(statement)
    if body is None:
        return None
    held = holdings.by_identity(body.report)
    if held is None or not _may_speak(body, statement.head.nation, held):
        raise NotAllowed("not-found")
    if isinstance(body, bodies.ReportRelease):
        portion = _portion(body.portion, held)
        if portion is None or terms.level(body.level) < portion.facts.level:
            raise Malformed("label-recipients", "a key below the classification")
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
        case bodies.Approval(verdict="approve"):
            state.holdings.offer_again(held, body.to, position, body.portion)
        case bodies.ReportRelease():
            state.holdings.add_nation(held, body.to, body.portion)
            state.holdings.offer_again(held, body.to, position, body.portion)
            for other, portion in state.holdings.derived(body.portion):
                if other.names(body.to, portion):  # it may be what this one waited for
                    state.holdings.offer_again(other, body.to, position, portion.commitment)


def _may_speak(body: AboutReport, nation: str, held: Held) -> bool:
    match body:
        case bodies.ReportRecall():
            return nation == held.originator
        case bodies.ReportRelease() | bodies.ReportWithdraw():
            return nation == held.originator and _portion(body.portion, held) is not None
        case bodies.RecallConfirm():
            return nation in held.holders and body.recall == held.recall
        case bodies.ReportComplaint():
            return nation == held.originator or any(who == nation for who, _ in held.released)
        case bodies.Approval():
            portion = _portion(body.portion, held)
            return portion is not None and speaks_in(body.layer, nation, body.to, held, portion)


def speaks_in(layer: str, nation: str, to: str, held: Held, portion: HeldPortion) -> bool:
    """Whether a nation's officers have a say in this layer, on whether `to` gets the portion.

    What comes in is its recipient's alone; what goes out is for those whose information it is. In
    the mission's layers the same nations speak, and those that have got it: nobody else may know
    of the report, and nobody has a say there in what it gets itself.
    """
    if not held.names(to, portion):
        return False
    ours = nation == held.originator or nation in portion.facts.contributors
    match layer:
        case "accept":
            return nation == to
        case "release":
            return ours and nation != to
        case _:
            got = any(who == nation and mask >> portion.index & 1 for who, mask in held.released)
            return (ours or got) and nation != to


def _portion(commitment: str, held: Held) -> HeldPortion | None:
    return next((p for p in held.portions if p.commitment == commitment), None)
