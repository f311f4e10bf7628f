"""The policies in force: folded from the charter's floor and the nations' `policy.publish`.

A nation without a policy, or whose policy has expired, releases nothing and accepts nothing: its
layers are missing, and a missing layer withholds. So does a text that the reference data of today
no longer fits, until its owner publishes again.

A nation signs its policy under the reference data it knew. A region moved or a nation added to a
coalition could widen that policy behind its back; so until it signs again, its layers are asked
under the reference data it pinned *and* under today's, and the lower answer counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker import logs
from policies.adopting import Adoption
from policies.cache import Numbered
from policies.decide import (
    Decision,
    LayerVerdict,
    Outcome,
    PolicyBook,
    RecipientKey,
    ReportKey,
)
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.schema import FLOOR_OWNER
from wire.bodies import PolicyPublish
from wire.directory import Directory
from wire.errors import Malformed
from wire.vocabulary import Vocabulary

LayerName = tuple[str, str]

OF_NATIONS: Final = ("release", "accept")
"""The layers that a nation signs."""

FOREVER: Final = 1 << 40
"""Seconds; when no policy expires before it."""

REPORTS_PREPARED: Final = 4_096
"""Kinds of report kept ready for deciding, some kilobytes each; a month shows some hundreds."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the layers say about one recipient and one portion.

    `decision` is the one under today's reference data; an older pin can only lower the outcome.
    """

    outcome: Outcome
    decision: Decision
    lowered: tuple[LayerVerdict, ...] = ()

    @property
    def verdicts(self) -> tuple[LayerVerdict, ...]:
        """Each layer's lowest verdict."""
        if not self.lowered:
            return self.decision.verdicts
        lower = {(verdict.kind, verdict.owner): verdict for verdict in self.lowered}
        return tuple(lower.get((v.kind, v.owner), v) for v in self.decision.verdicts)


@dataclass(frozen=True, slots=True)
class Reader:
    """A recipient prepared for many decisions, under today's and under every pinned vocabulary."""

    recipient: Recipient
    keys: tuple[RecipientKey, ...]


class Policies:
    """All policies in force, immutable; good until `until` (seconds), when the next one expires.

    `sources` names the statement that put each layer in force: the charter or a `policy.publish`.
    `expired` says of the nations whose policy has ended when that was.
    """

    def __init__(
        self,
        book: PolicyBook,
        pinned: Mapping[str, tuple[PolicyBook, frozenset[LayerName]]],
        sources: Mapping[LayerName, str],
        until: int,
        expired: Mapping[str, int],
    ) -> None:
        self.book: Final = book
        self.sources: Final = sources
        self.until: Final = until
        self.expired: Final = expired
        self._pinned: Final = tuple(pinned.values())
        self._reports: dict[ReportFacts, tuple[ReportKey, ...]] = {}
        layers = [layer for book in self._books for layer in book.layers.values()]
        self._timed: Final = tuple(layer for layer in layers if not layer.context.constant)
        self._moments: Final = Numbered()
        self._latest = (-1, -1, ""), -1

    @property
    def _books(self) -> Iterable[PolicyBook]:
        return (self.book, *(book for book, _ in self._pinned))

    def moment(self, now: int, age: int, purpose: str) -> int:
        """The number of a class of moments that no rule can tell apart, if no officer signed.

        What was decided at one of them holds at all of them, for the same purpose.
        """
        asked = (now, age, purpose)
        latest, number = self._latest
        if latest != asked:  # all recipients of a report ask about the same one
            moment = Circumstances(now, age, purpose, {})
            number = self._moments[tuple([layer.moment(moment) for layer in self._timed])]
            self._latest = asked, number
        return number

    def reader(self, recipient: Recipient) -> Reader:
        """A recipient made ready; for these policies only."""
        return Reader(recipient, tuple(book.recipient_key(recipient) for book in self._books))

    def decide(self, reader: Reader, facts: ReportFacts, moment: Circumstances) -> Ruling:
        """What all layers say; WITHHOLD where no clean answer can be had."""
        keys = self._reports.get(facts)
        if keys is None:
            if len(self._reports) >= REPORTS_PREPARED:
                self._reports.clear()
            keys = tuple(book.report_key(facts) for book in self._books)
            self._reports[facts] = keys
        decision = self.book.decide_keyed(reader.keys[0], keys[0], moment)
        for alarm in decision.alarms:
            if alarm != "missing-layer":  # an expected state, not a fault
                logs.event("policy.alarm", alarm=alarm, book=self.book.digest)
        if not self._pinned:
            return Ruling(decision.outcome, decision)
        lowered = [
            verdict
            for (book, layers), who, what in zip(
                self._pinned, reader.keys[1:], keys[1:], strict=True
            )
            for verdict in _under_pin(book, layers, who, what, moment, decision)
        ]
        outcome = min([decision.outcome, *(verdict.outcome for verdict in lowered)])
        return Ruling(outcome, decision, tuple(lowered))


def _under_pin(
    book: PolicyBook,
    layers: frozenset[LayerName],
    reader: RecipientKey,
    report: ReportKey,
    moment: Circumstances,
    today: Decision,
) -> list[LayerVerdict]:
    """The verdicts of the layers that are pinned to this book, where lower than today's."""
    asked = {(v.kind, v.owner): v for v in today.verdicts if (v.kind, v.owner) in layers}
    if not asked:
        return []
    then = {(v.kind, v.owner): v for v in book.decide_keyed(reader, report, moment).verdicts}
    lower = []
    for name, now in asked.items():
        # Reference data that could not even express the question gave no leave.
        before = then.get(name) or LayerVerdict(
            *name, now.digest, Outcome.WITHHOLD, (), 0, "unknown-term"
        )
        if before.outcome < now.outcome:
            lower.append(before)
    return lower


# -- the fold


def fold(
    directory: Directory,
    vocabularies: Mapping[str, Vocabulary],
    now: int,
    before: Policies | None = None,
) -> Policies:
    """The policies that these statements put in force at `now` (seconds).

    `vocabularies` are all reference data there ever were, by digest. Texts that did not change
    keep what was remembered `before`.
    """
    standing = _standing(directory, now)
    signed = _texts(directory, standing)
    texts = {name: text for name, (text, _) in signed.items()}
    terms = directory.terms
    book = _book(terms, texts, None if before is None else before.book)
    layers: dict[str, set[LayerName]] = {}
    for nation, policy, _ in standing:
        if policy.registry != terms.digest:
            layers.setdefault(policy.registry, set()).update((k, nation) for k in OF_NATIONS)
    pinned = {
        digest: (_book(vocabularies[digest], texts, None), frozenset(names))
        for digest, names in layers.items()
    }
    until = min((policy.expires for _, policy, _ in standing), default=FOREVER)
    sources = {name: source for name, (_, source) in signed.items()}
    return Policies(book, pinned, sources, until, _expired(directory, now))


def check_adoptable(
    directory: Directory, vocabularies: Mapping[str, Vocabulary], nation: str
) -> None:
    """Refuse a nation's newest policy if it could not be put in force.

    Raises `Malformed` ("policy-refused") with the lint rules that it breaks.
    """
    policy = directory.nations[nation].policy
    assert policy is not None
    if policy.registry not in vocabularies:
        raise Malformed("policy-refused", "signed under reference data that was never published")
    for terms in {t.digest: t for t in (vocabularies[policy.registry], directory.terms)}.values():
        empty = PolicyBook.empty(terms)
        for kind, lines in zip(OF_NATIONS, (policy.release, policy.accept), strict=True):
            empty.with_layer(kind, nation, "\n".join(lines))


def adoption(
    before: Directory,
    after: Directory,
    vocabularies: Mapping[str, Vocabulary],
    nation: str,
    now: int,
) -> Adoption:
    """The question whether a nation's newest policy or guarantees may come into force `now`."""
    standing, coming = before.nations[nation].policy, after.nations[nation]
    if standing is not None and standing.expires <= now:
        standing = None
    kept = coming.guarantees
    return Adoption(
        owner=nation,
        vocabulary=after.terms,
        pinned=None if standing is None else vocabularies.get(standing.registry),
        floor="\n".join(after.founded.floor),
        before=None if standing is None else _layers(standing),
        after={} if coming.policy is None else _layers(coming.policy),
        guarantees="" if kept is None else "\n".join(kept.guarantees),
    )


def _layers(policy: PolicyPublish) -> Mapping[str, str]:
    return {"release": "\n".join(policy.release), "accept": "\n".join(policy.accept)}


def _standing(directory: Directory, now: int) -> list[tuple[str, PolicyPublish, str]]:
    """Nation, policy and its statement, of all that take part and whose policy has not expired."""
    states = (directory.nations[code] for code in directory.order)
    return [
        (state.code, state.policy, state.policy_identity or "")
        for state in states
        if state.expelled is None and state.policy is not None and now < state.policy.expires
    ]


def _expired(directory: Directory, now: int) -> Mapping[str, int]:
    """When the policies ended that have."""
    standing = (s for s in directory.nations.values() if s.expelled is None and s.policy)
    ends = {state.code: state.policy.expires for state in standing if state.policy}
    return {code: expires for code, expires in ends.items() if expires <= now}


def _texts(
    directory: Directory, standing: Iterable[tuple[str, PolicyPublish, str]]
) -> dict[LayerName, tuple[str, str]]:
    """Every layer's text, and the statement that it comes from."""
    charter = directory.founded
    texts = {
        ("handle", FLOOR_OWNER): ("\n".join(charter.floor), directory.pinned_charter),
        ("carry", directory.mission): ("\n".join(charter.carry), directory.pinned_charter),
    }
    for nation, policy, source in standing:
        texts["release", nation] = ("\n".join(policy.release), source)
        texts["accept", nation] = ("\n".join(policy.accept), source)
    return texts


def _book(
    terms: Vocabulary, texts: Mapping[LayerName, str], before: PolicyBook | None
) -> PolicyBook:
    """A book of all texts that fit these words; the others' layers are missing."""
    book = before if before is not None and before.vocabulary == terms else PolicyBook.empty(terms)
    for gone in book.layers.keys() - texts.keys():
        book = book.without(*gone)
    for (kind, owner), text in texts.items():
        try:
            book = book.with_layer(kind, owner, text)
        except Malformed:
            logs.event("policy.unfit", kind=kind, owner=owner, registry=terms.digest)
            book = book.without(kind, owner)
    return book
