"""Why a decision came out as it did, in the officer's words, and only what the viewer may know.

A release policy shows whom a nation does not trust. So a nation reads its own layers in full, and
the coalition's floor and the mission's layer, which every member knows; of other nations' layers it
learns only that another party withholds. The auditor of the mission reads everything.

Whether somebody may be told that the report exists at all is not decided here.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from policies.decide import Decision, PolicyBook
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.formula import (
    AllOf,
    AnyOf,
    AtLeast,
    Atom,
    Empty,
    Equals,
    Flag,
    Formula,
    Holds,
    In,
    Not,
    Scene,
    holds,
    negated,
)
from policies.layers import Layer, scene
from policies.observe import observe_circumstances, observe_recipient, observe_report
from policies.profile import Rule
from policies.verdicts import LayerVerdict, Outcome
from policies.words import phrase
from wire.model import Strict
from wire.vocabulary import Vocabulary

AUDITOR: Final = "AUDITOR"
"""The viewer who sees everything."""

GRANTS_NAMED: Final = 2
"""How many of the nearest grants a default refusal names."""

_OPEN: Final = ("handle", "carry")
"""Layers whose text every member of the mission has."""

OutcomeWord = Literal["WITHHOLD", "REFER", "RELEASE"]


class RuleLine(Strict):
    """One rule by name, and what its author says about it."""

    id: str
    says: str


class Line(Strict):
    """One layer's part. Without an owner: other parties, about whom nothing more is said.

    `needs` says what would have to be different, `approvals_needed` how many officers of the owner.
    """

    layer: str
    owner: str | None
    outcome: OutcomeWord
    rules: tuple[RuleLine, ...]
    needs: tuple[str, ...]
    approvals_needed: int


class Explanation(Strict):
    """A decision explained for one viewer: as data, and as text to print."""

    outcome: OutcomeWord
    lines: tuple[Line, ...]
    text: str


def explain(
    book: PolicyBook,
    decision: Decision,
    recipient: Recipient,
    facts: ReportFacts,
    circumstances: Circumstances,
    viewer: str,
) -> Explanation:
    """The decision, explained for `viewer`: a nation's code, or `AUDITOR`.

    Raises `ValueError` for a decision about another pair, or one that another book made.
    """
    if (decision.recipient, decision.report) != (recipient, facts):
        raise ValueError("this decision is about another recipient or report")
    if decision.book != book.digest:
        raise ValueError("this decision was made by another book")
    shown: list[LayerVerdict] = []
    hidden: list[LayerVerdict] = []
    for verdict in decision.verdicts:
        visible = viewer in (AUDITOR, verdict.owner) or verdict.kind in _OPEN
        (shown if visible else hidden).append(verdict)
    asked = _Asked(book, recipient, facts, circumstances)
    lines = [asked.line(verdict) for verdict in shown]
    worst = min((verdict.outcome for verdict in hidden), default=Outcome.RELEASE)
    if worst < Outcome.RELEASE:
        lines.append(_redacted(worst))
    outcome = _word(decision.outcome)
    head = f"{outcome}: report of {facts.originator} to {recipient.nation}"
    text = "\n".join([head, *(f"  {part}" for line in lines for part in _text(line))])
    return Explanation(outcome=outcome, lines=tuple(lines), text=text)


@dataclass(frozen=True)
class _Asked:
    """One request, and the book that was asked."""

    book: PolicyBook
    recipient: Recipient
    facts: ReportFacts
    circumstances: Circumstances

    def line(self, verdict: LayerVerdict) -> Line:
        layer = self.book.layers.get((verdict.kind, verdict.owner))
        says = {rule.id: rule.says for rule in layer.rules} if layer else {}
        return Line(
            layer=verdict.kind,
            owner=verdict.owner,
            outcome=_word(verdict.outcome),
            rules=tuple(RuleLine(id=name, says=says[name]) for name in verdict.rules),
            needs=self._needs(layer, verdict),
            approvals_needed=verdict.approvals_needed,
        )

    def _needs(self, layer: Layer | None, verdict: LayerVerdict) -> tuple[str, ...]:
        if verdict.outcome is Outcome.RELEASE:
            return ()
        if layer is None or verdict.alarm:
            return (_ALARMS[verdict.alarm or "missing-layer"],)
        vocabulary = self.book.vocabulary
        asked = scene(
            observe_recipient(self.recipient, vocabulary),
            observe_report(self.facts, vocabulary),
            observe_circumstances(self.circumstances, layer.kind, layer.owner),
        )
        if verdict.rules:
            return tuple(_exceptions(layer.rules, verdict.rules, asked, vocabulary))
        return tuple(_nearest_grants(layer.rules, asked, vocabulary))


Literals = tuple[tuple[Atom, bool], ...]
"""Atoms, and whether each would have to hold."""


def _exceptions(
    rules: Iterable[Rule], determining: Iterable[str], asked: Scene, vocabulary: Vocabulary
) -> Iterable[str]:
    """For each prohibition that applied: the least that would lift it, the report being as it is.

    That another label would pass is no advice: the label says what the report is.
    """
    for rule in rules:
        if rule.id in determining:
            lifted = _least_change(negated(rule.formula), asked, keep_report=True)
            if lifted is not None:
                yield f"{rule.id} would not apply if {_joined(lifted, vocabulary)}"


def _nearest_grants(rules: Iterable[Rule], asked: Scene, vocabulary: Vocabulary) -> Iterable[str]:
    """The grants that lack least, and what they lack."""
    lacking = [
        (lack, rule)
        for rule in rules
        if rule.effect == "permit" and (lack := _least_change(rule.formula, asked)) is not None
    ]
    if not lacking:
        yield "no rule of this layer grants anything"
    for lack, rule in sorted(lacking, key=lambda pair: len(pair[0]))[:GRANTS_NAMED]:
        yield f"{rule.id} would grant it if {_joined(lack, vocabulary)}"


def _least_change(formula: Formula, asked: Scene, *, keep_report: bool = False) -> Literals | None:
    """The fewest atoms that must be otherwise for the formula to hold; None if it never can."""
    match formula:
        case bool():
            return () if formula else None
        case AllOf(parts):
            needed = [_least_change(part, asked, keep_report=keep_report) for part in parts]
            possible = [some for some in needed if some is not None]
            if len(possible) < len(needed):
                return None
            return tuple(dict.fromkeys(itertools.chain(*possible)))
        case AnyOf(parts):
            ways = [_least_change(part, asked, keep_report=keep_report) for part in parts]
            return min((way for way in ways if way is not None), key=len, default=None)
        case Not(atom):
            wanted = False
        case _:
            atom, wanted = formula, True
    if holds(atom, asked) is wanted:
        return ()
    return None if keep_report and _of_report(atom) else ((atom, wanted),)


def _of_report(atom: Atom) -> bool:
    match atom:
        case In(variable, _):
            return variable == "resource"
        case AtLeast(path, _) | Flag(path) | Holds(path, _) | Equals(path, _) | Empty(path):
            return path.startswith("resource.")
        case _:
            return False


def _joined(literals: Literals, vocabulary: Vocabulary) -> str:
    return " and ".join(phrase(atom, vocabulary, holds=wanted) for atom, wanted in literals)


def _redacted(outcome: Outcome) -> Line:
    return Line(
        layer="other", owner=None, outcome=_word(outcome), rules=(), needs=(), approvals_needed=0
    )


def _text(line: Line) -> Iterable[str]:
    if line.owner is None:
        yield "withheld by another party"
        return
    yield f"{line.layer} of {line.owner}: {line.outcome}"
    if line.outcome == "REFER":
        officers = (
            "1 officer" if line.approvals_needed == 1 else f"{line.approvals_needed} officers"
        )
        yield f"  {officers} of {line.owner} can release it"
    if line.outcome != "RELEASE":
        yield from (
            f"  because of {rule.id}: {rule.says or '(no reason given)'}" for rule in line.rules
        )
        yield from (f"  {need}" for need in line.needs)


def _word(outcome: Outcome) -> OutcomeWord:
    words: Mapping[Outcome, OutcomeWord] = {
        Outcome.WITHHOLD: "WITHHOLD",
        Outcome.REFER: "REFER",
        Outcome.RELEASE: "RELEASE",
    }
    return words[outcome]


_ALARMS: Final[Mapping[str, str]] = {
    "missing-layer": "no policy of this layer has been adopted: publish one",
    "unknown-term": "the request names a word that the mission's vocabulary does not have",
    "cedar-error": "the policy engine reported an error; the operator has been alarmed",
    "no-decision": "the policy engine gave no decision; the operator has been alarmed",
    "disagreement": "two evaluations of the policy disagreed; the operator has been alarmed",
}
"""What stands in place of reasons when the asking itself went wrong."""
