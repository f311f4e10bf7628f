"""One layer: the rules of one owner for one question, asked of Cedar and checked by ourselves.

A layer answers alone; no rule of it can change the answer of another layer. Cedar skips a rule that
fails, prohibitions too, so everything short of a clean answer withholds and raises an alarm:
an error in the diagnostics, no decision, or a second evaluation (our own, over the formulas) that
comes to another answer or names other rules.

REFER is not written by anybody. A layer that refuses is asked again as if one and two of its
owner's officers had signed; if that changes the answer, they are the ones to ask.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import cedarpy

from policies.cache import Bounded, Class, Crossing, Numbered, Projection
from policies.facts import Circumstances
from policies.formula import AtLeast, Scene, Value, evaluate, number, occurrences
from policies.lint import OFFICERS_ASKED
from policies.observe import Side, observe_circumstances
from policies.profile import Rule
from policies.schema import ATTRIBUTES
from policies.verdicts import LayerVerdict, Outcome


class Answer(NamedTuple):
    """A yes or no, the @ids that determined it, and what was wrong with the asking."""

    allowed: bool
    rules: tuple[str, ...]
    alarm: str | None = None


class Layer:
    """Linted rules of one owner, immutable apart from its cache."""

    def __init__(
        self,
        kind: str,
        owner: str,
        text: str,
        rules: Sequence[Rule],
        policies: cedarpy.PolicySet,
        schema: cedarpy.Schema,
    ) -> None:
        atoms = {atom for rule in rules for atom, _ in occurrences(rule.formula)}
        self.kind: Final = kind
        self.owner: Final = owner
        self.text: Final = text
        self.digest: Final = hashlib.sha256(text.encode()).hexdigest()
        self.rules: Final = tuple(rules)
        self.principal: Final = Projection("principal", atoms)
        self.resource: Final = Projection("resource", atoms)
        self.context: Final = Projection("context", atoms)
        self.crossing: Final = Crossing(atoms)
        self.recipients: Final = Numbered()
        self.reports: Final = Numbered()
        self.verdicts: Final[Bounded[LayerVerdict]] = Bounded()
        self.reads_approvals: Final = any(
            isinstance(atom, AtLeast) and atom.path == "context.approvals" for atom in atoms
        )
        self._ids: Final = {rule.position: rule.id for rule in rules}
        self._latest: tuple[Circumstances | None, Class] = None, ()
        self._policies: Final = policies
        self._schema: Final = schema

    def moment(self, circumstances: Circumstances) -> Class:
        """The class that the moment falls into."""
        if self.context.constant:
            return ()
        latest, found = self._latest
        if latest is not circumstances:  # immutable, and the same for all recipients of a report
            found = self.context.of(observe_circumstances(circumstances, self.kind, self.owner))
            self._latest = circumstances, found
        return found

    def ask(
        self, principal: Side, resource: Side, circumstances: Circumstances, *, trim: bool = True
    ) -> LayerVerdict:
        """Cedar's answer, checked, with one and two more officers where that could matter.

        With `trim`, Cedar is shown only the parents that some rule mentions: a third of the time,
        the same answers.
        """
        context = observe_circumstances(circumstances, self.kind, self.owner)
        signed = number(context["context.approvals"])
        (first,) = self._answers(principal, resource, [context], trim=trim)
        if first.alarm:
            return self._verdict(Outcome.WITHHOLD, (), alarm=first.alarm)
        if first.allowed:
            return self._verdict(Outcome.RELEASE, first.rules)
        if not self.reads_approvals:
            return self._verdict(Outcome.WITHHOLD, first.rules)
        counts = [more for more in range(1, OFFICERS_ASKED + 1) if more > signed]
        supposed = [{**context, "context.approvals": count} for count in counts]
        answers = self._answers(principal, resource, supposed, trim=trim)
        for count, answer in zip(counts, answers, strict=True):
            if answer.alarm:
                return self._verdict(Outcome.WITHHOLD, (), alarm=answer.alarm)
            if answer.allowed:
                asks = tuple(sorted({*first.rules, *answer.rules}))
                return self._verdict(Outcome.REFER, first.rules, count, asks=asks)
        return self._verdict(Outcome.WITHHOLD, first.rules)

    def _answers(
        self,
        principal: Side,
        resource: Side,
        contexts: Sequence[Mapping[str, Value]],
        *,
        trim: bool,
    ) -> list[Answer]:
        """Cedar's answers, each one checked by our own evaluation of the same rules."""
        answers = self._cedar(principal, resource, contexts, trim=trim)
        return [
            answer
            if answer.alarm or answer == self.evaluate(scene(principal, resource, context))
            else Answer(allowed=False, rules=(), alarm="disagreement")
            for answer, context in zip(answers, contexts, strict=True)
        ]

    def _verdict(
        self,
        outcome: Outcome,
        rules: tuple[str, ...],
        needed: int = 0,
        alarm: str | None = None,
        asks: tuple[str, ...] = (),
    ) -> LayerVerdict:
        return LayerVerdict(self.kind, self.owner, self.digest, outcome, rules, needed, alarm, asks)

    def _cedar(
        self,
        principal: Side,
        resource: Side,
        contexts: Sequence[Mapping[str, Value]],
        *,
        trim: bool,
    ) -> list[Answer]:
        recipient = {"type": str(principal.values["principal"]), "id": "recipient"}
        report = {"type": "Report", "id": "report"}
        shown = (
            (recipient, "principal", principal, self.principal),
            (report, "resource", resource, self.resource),
        )
        entities = [
            {
                "uid": uid,
                "attrs": _attributes(variable, side.values),
                "parents": _uids(side.parents & seen.parents if trim else side.parents),
            }
            for uid, variable, side, seen in shown
        ]
        requests = [
            {
                "principal": recipient,
                "action": {"type": "Action", "id": self.kind},
                "resource": report,
                "context": _attributes("context", context),
            }
            for context in contexts
        ]
        try:
            store = cedarpy.Entities.from_json_str(json.dumps(entities), self._schema)
        except ValueError:
            return [Answer(allowed=False, rules=(), alarm="cedar-error")] * len(requests)
        results = cedarpy.is_authorized_batch(requests, self._policies, store, self._schema)
        return [self._read(result) for result in results]

    def _read(self, result: cedarpy.AuthzResult) -> Answer:
        if result.decision is cedarpy.Decision.NoDecision:
            return Answer(allowed=False, rules=(), alarm="no-decision")
        if result.diagnostics.errors:
            return Answer(allowed=False, rules=(), alarm="cedar-error")
        rules = sorted(self._ids[position] for position in result.diagnostics.reasons)
        return Answer(result.allowed, tuple(rules))

    def evaluate(self, asked: Scene) -> Answer:
        """Our own evaluation of the layer: forbid beats permit, nothing permits by default."""
        applying = [rule for rule in self.rules if evaluate(rule.formula, asked)]
        forbids = sorted(rule.id for rule in applying if rule.effect == "forbid")
        if forbids:
            return Answer(allowed=False, rules=tuple(forbids))
        permits = sorted(rule.id for rule in applying)
        return Answer(allowed=bool(permits), rules=tuple(permits))


def scene(principal: Side, resource: Side, context: Mapping[str, Value]) -> Scene:
    """One request as formulas see it."""
    return Scene(
        {**principal.values, **resource.values, **context},
        {"principal": principal.parents, "resource": resource.parents},
    )


def _attributes(variable: str, values: Mapping[str, Value]) -> dict[str, object]:
    prefix = f"{variable}."
    return {
        path.removeprefix(prefix): _cedar_value(path, values[path])
        for path in ATTRIBUTES
        if path.startswith(prefix)
    }


def _cedar_value(path: str, value: Value) -> object:
    """The value in Cedar's JSON. Ids are words of the vocabulary, inside {"type", "id"}."""
    form, of = ATTRIBUTES[path]
    match form, value:
        case "entity", str():
            return {"type": of, "id": value}
        case "set", frozenset():
            return _uids((of, word) for word in value)
        case "time", int():
            moment = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"__extn": {"fn": "datetime", "arg": moment}}
        case "span", int():
            return {"__extn": {"fn": "duration", "arg": f"{value}s"}}
        case _:
            return value


def _uids(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"type": kind, "id": word} for kind, word in sorted(pairs)]
