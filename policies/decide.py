"""Step 5 of a report's way: may this recipient have this report, now?

1. Every rule about releasability is in a policy text; every rule about how layers combine is here.
2. No branch here may ask which nation it is, and no text can change the stack of layers:
   `handle` (the coalition's floor), `release` of every nation whose information is inside except
   the recipient's own, `carry` (the mission), `accept` (the recipient's nation).
3. The outcome is the minimum over the layers. A layer that is missing withholds. So nobody's text
   can widen what another nation releases, and nobody can be made to accept anything.

A decision asks Cedar once per class of requests (`policies/cache.py`) and remembers the answer.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

import cedarpy

from policies.facts import Circumstances, Recipient, ReportFacts
from policies.layers import Layer
from policies.lint import Finding, examine
from policies.observe import Side, observe_recipient, observe_report
from policies.schema import FLOOR_OWNER, schema_json, terms
from policies.verdicts import UNKNOWN_TERM, Decision, LayerVerdict, Outcome, missing
from wire.errors import Malformed, quoted
from wire.vocabulary import Vocabulary

__all__ = ["Decision", "LayerVerdict", "Outcome", "PolicyBook", "RecipientKey", "ReportKey"]

FINDINGS_SHOWN: Final = 5
"""Findings named in a refusal; `tearline policy lint` shows them all."""

LayerName = tuple[str, str]
"""Kind and owner, such as ("release", "KEN")."""


@dataclass(slots=True, eq=False)
class RecipientKey:
    """A recipient, prepared for many decisions by one book. Another book prepares it again."""

    book: "PolicyBook"
    recipient: Recipient
    side: Side | None
    """None if the vocabulary does not know the recipient's nation or clearance."""
    classes: dict[Layer, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class ReportKey:
    """A report, prepared for many decisions by one book. Another book prepares it again."""

    book: "PolicyBook"
    facts: ReportFacts
    side: Side | None
    """None if the label names something that the vocabulary does not know."""
    classes: dict[Layer, int] = field(default_factory=dict)
    stacks: dict[str, tuple[Layer | LayerVerdict, ...]] = field(default_factory=dict)


class PolicyBook:
    """All layers of a mission under one vocabulary. Immutable: a change makes a new book, and
    layers that did not change keep what they remember.
    """

    def __init__(
        self, vocabulary: Vocabulary, schema: cedarpy.Schema, layers: Mapping[LayerName, Layer]
    ) -> None:
        self.vocabulary: Final = vocabulary
        self.layers: Final = MappingProxyType(dict(layers))
        self.digest: Final = _digest(vocabulary, layers)
        self._schema: Final = schema
        self._terms: Final = terms(vocabulary)
        self._purposes: Final = frozenset(vocabulary.purposes)

    @classmethod
    def empty(cls, vocabulary: Vocabulary) -> Self:
        """A book without layers: everything is withheld."""
        return cls(vocabulary, cedarpy.Schema.from_json_str(schema_json(vocabulary)), {})

    def with_layer(self, kind: str, owner: str, text: str) -> Self:
        """The book with this text as the whole layer.

        Raises `Malformed("policy-refused")` if the text has an error, or the owner no such layer.
        """
        if (kind, owner) not in self.owners:
            raise Malformed("policy-refused", f"no layer {quoted(kind)} of {quoted(owner)}")
        known = self.layers.get((kind, owner))
        if known is not None and known.text == text:
            return self
        examined = examine(text, kind, owner, self._terms, self._schema)
        if examined.errors or examined.policies is None:
            raise Malformed("policy-refused", _refusal(examined.errors))
        layer = Layer(kind, owner, text, examined.rules, examined.policies, self._schema)
        return type(self)(self.vocabulary, self._schema, {**self.layers, (kind, owner): layer})

    def without(self, kind: str, owner: str) -> Self:
        """The book without this layer: what needs it is withheld."""
        layers = {name: layer for name, layer in self.layers.items() if name != (kind, owner)}
        return type(self)(self.vocabulary, self._schema, layers)

    def with_vocabulary(self, vocabulary: Vocabulary) -> tuple[Self, Mapping[LayerName, Malformed]]:
        """The same texts under other reference data, and the texts that it no longer fits: their
        layers are missing, so what needs them is withheld until their owners publish again.
        """
        book, refused = type(self).empty(vocabulary), dict[LayerName, Malformed]()
        for (kind, owner), layer in self.layers.items():
            try:
                book = book.with_layer(kind, owner, layer.text)
            except Malformed as refusal:
                refused[kind, owner] = refusal
        return book, MappingProxyType(refused)

    @property
    def owners(self) -> frozenset[LayerName]:
        """Every layer that there can be in this mission."""
        nations = self.vocabulary.nations
        return frozenset(
            [
                ("handle", FLOOR_OWNER),
                ("carry", self.vocabulary.mission),
                *((kind, nation) for kind in ("release", "accept") for nation in nations),
            ]
        )

    def recipient_key(self, recipient: Recipient) -> RecipientKey:
        """The recipient, prepared: once per session and book."""
        try:
            side = observe_recipient(recipient, self.vocabulary)
        except Malformed:
            side = None
        return RecipientKey(self, recipient, side)

    def report_key(self, facts: ReportFacts) -> ReportKey:
        """The report, prepared: once for all its recipients."""
        try:
            side = observe_report(facts, self.vocabulary)
        except Malformed:
            side = None
        return ReportKey(self, facts, side)

    def decide(
        self, recipient: Recipient, facts: ReportFacts, circumstances: Circumstances
    ) -> Decision:
        """The decision; always an answer, and WITHHOLD with an alarm where none can be had."""
        return self.decide_keyed(
            self.recipient_key(recipient), self.report_key(facts), circumstances
        )

    def decide_keyed(
        self, recipient: RecipientKey, report: ReportKey, circumstances: Circumstances
    ) -> Decision:
        """The decision for a prepared pair: about a microsecond a layer once its class is known.

        A key that another book prepared is prepared again, so that no change of policy is missed.
        """
        if recipient.book is not self:
            recipient = self.recipient_key(recipient.recipient)
        if report.book is not self:
            report = self.report_key(report.facts)
        principal, resource = recipient.side, report.side
        if principal is None or resource is None or circumstances.purpose not in self._purposes:
            return self._decision((UNKNOWN_TERM,), recipient, report, circumstances)
        nation = recipient.recipient.nation
        stack = report.stacks.get(nation)
        if stack is None:
            stack = report.stacks[nation] = self._stack(nation, report.facts)
        verdicts = [
            layer
            if isinstance(layer, LayerVerdict)
            else _remembered(layer, recipient, principal, report, resource, circumstances)
            for layer in stack
        ]
        return self._decision(tuple(verdicts), recipient, report, circumstances)

    def decide_uncached(
        self, recipient: Recipient, facts: ReportFacts, circumstances: Circumstances
    ) -> Decision:
        """The decision with nothing remembered and nothing trimmed: what `decide` must equal."""
        found, about = self.recipient_key(recipient), self.report_key(facts)
        principal, resource = found.side, about.side
        if principal is None or resource is None or circumstances.purpose not in self._purposes:
            return self._decision((UNKNOWN_TERM,), found, about, circumstances)
        verdicts = tuple(
            layer
            if isinstance(layer, LayerVerdict)
            else layer.ask(principal, resource, circumstances, trim=False)
            for layer in self._stack(recipient.nation, facts)
        )
        return self._decision(verdicts, found, about, circumstances)

    def _stack(self, nation: str, facts: ReportFacts) -> tuple[Layer | LayerVerdict, ...]:
        """The layers that must agree, fixed by this code and the signed header alone."""
        contributors = sorted((facts.contributors | {facts.originator}) - {nation})
        names = [
            ("handle", FLOOR_OWNER),
            *(("release", contributor) for contributor in contributors),
            ("carry", self.vocabulary.mission),
            ("accept", nation),
        ]
        return tuple(self.layers.get(name) or missing(*name) for name in names)

    def _decision(
        self,
        verdicts: tuple[LayerVerdict, ...],
        recipient: RecipientKey,
        report: ReportKey,
        circumstances: Circumstances,
    ) -> Decision:
        outcome = min(verdict.outcome for verdict in verdicts)
        return Decision._make(
            outcome, verdicts, recipient.recipient, report.facts, circumstances, self.digest
        )


def _remembered(
    layer: Layer,
    recipient: RecipientKey,
    principal: Side,
    report: ReportKey,
    resource: Side,
    circumstances: Circumstances,
) -> LayerVerdict:
    """The layer's verdict on this class of requests; Cedar is asked only if nobody asked before."""
    found = recipient.classes.get(layer)
    if found is None:
        found = recipient.classes[layer] = layer.recipients[layer.principal.of_side(principal)]
    about = report.classes.get(layer)
    if about is None:
        about = report.classes[layer] = layer.reports[layer.resource.of_side(resource)]
    crossed = layer.crossing.of(principal.values, resource.values)
    key = (found, about, layer.moment(circumstances), crossed)
    verdict = layer.verdicts.get(key)
    if verdict is None:
        verdict = layer.ask(principal, resource, circumstances)
        if verdict.alarm is None:  # an alarm is raised each time, never remembered
            layer.verdicts.keep(key, verdict)
    return verdict


def _digest(vocabulary: Vocabulary, layers: Mapping[LayerName, Layer]) -> str:
    """Of everything that can change a decision: reference data and every layer's text."""
    parts = {
        "mission": vocabulary.mission,
        "nations": sorted(vocabulary.nations),
        "levels": [level.token for level in vocabulary.levels],
        "registry": vocabulary.digest,
        "layers": sorted([kind, owner, layer.digest] for (kind, owner), layer in layers.items()),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _refusal(errors: tuple[Finding, ...]) -> str:
    """The first findings in short: where and which rule, none of Cedar's own words."""
    named = [
        f"{finding.rule} at {quoted(finding.where)}" if finding.where else finding.rule
        for finding in errors[:FINDINGS_SHOWN]
    ]
    more = len(errors) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
