"""Facts, flattened into what policies can read: the values of attributes, and parents.

`Within` holds every area that contains the whole report, `Touching` every area that overlaps any
part of it; the same for threats. So a grant for Kenya never releases a report on Kenya *and*
Somalia, and a prohibition on Kidal stops a report labelled Mali.

Raises `Malformed("unknown-term")` for a word that the vocabulary does not have: a decision about
it could only be a guess.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from policies.facts import Circumstances, Recipient, ReportFacts
from policies.formula import Parent, Value
from wire.errors import Malformed, quoted
from wire.labels import PRECEDENCES
from wire.vocabulary import Vocabulary


class Side(NamedTuple):
    """One side of a request, flattened: `values` by path, and all its parents."""

    values: Mapping[str, Value]
    parents: frozenset[Parent]


def observe_recipient(recipient: Recipient, vocabulary: Vocabulary) -> Side:
    """What policies can read of a recipient.

    A community that the vocabulary no longer has is left out: nobody can be read into it any more.
    """
    _known([recipient.nation], vocabulary.nations)
    _known_level(recipient.clearance, vocabulary)
    values: dict[str, Value] = {
        "principal": recipient.kind,
        "principal.nation": recipient.nation,
        "principal.clearance": recipient.clearance,
        "principal.communities": recipient.communities.intersection(vocabulary.communities),
        "principal.exercise": recipient.exercise,
    }
    coalitions = (
        ("Coalition", group)
        for group, members in vocabulary.groups.items()
        if recipient.nation in members
    )
    return Side(values, frozenset([("Nation", recipient.nation), *coalitions]))


def observe_report(facts: ReportFacts, vocabulary: Vocabulary) -> Side:
    """What policies can read of a report."""
    _known([facts.originator, *facts.release_to, *facts.display_to], vocabulary.nations)
    _known(facts.contributors, vocabulary.nations)
    _known_level(facts.level, vocabulary)
    _known(facts.caveats, vocabulary.caveats)
    _known(facts.communities, vocabulary.communities)
    _known([facts.precedence], PRECEDENCES)
    values: dict[str, Value] = {
        "resource.origin": facts.originator,
        "resource.level": facts.level,
        "resource.releasableTo": facts.release_to,
        "resource.displayTo": facts.display_to,
        "resource.communities": facts.communities,
        "resource.derived": facts.derived,
        "resource.exercise": facts.exercise,
        "resource.originatorControl": facts.originator_control,
    }
    return Side(values, frozenset(_report_parents(facts, vocabulary)))


def observe_circumstances(
    circumstances: Circumstances, kind: str, owner: str
) -> Mapping[str, Value]:
    """What the policies of one layer can read of the moment: only its own officers count."""
    return {
        "context.now": circumstances.now,
        "context.age": circumstances.age,
        "context.approvals": circumstances.approvals.get((kind, owner), 0),
        "context.purpose": circumstances.purpose,
    }


def _report_parents(facts: ReportFacts, vocabulary: Vocabulary) -> Iterable[Parent]:
    for codes, tree, within, touching in (
        (facts.regions, vocabulary.regions, "Within", "Touching"),
        (facts.threats, vocabulary.threats, "Threat", "ThreatTouching"),
    ):
        yield from ((within, code) for code in tree.within(codes))
        yield from ((touching, code) for code in tree.touching(codes))
    yield from (("UpTo", level.token) for level in vocabulary.levels[facts.level :])
    yield from (("Caveat", caveat) for caveat in facts.caveats)
    yield "Precedence", facts.precedence


def _known(named: Iterable[str], known: Iterable[str]) -> None:
    for word in sorted(frozenset(named).difference(known)):
        raise Malformed("unknown-term", quoted(word))


def _known_level(level: int, vocabulary: Vocabulary) -> None:
    if not 0 <= level < len(vocabulary.levels):
        raise Malformed("unknown-term", f"level {level}")
