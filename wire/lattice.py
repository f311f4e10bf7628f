"""The order of labels: what may flow into what, and how far a derived report may go.

Inside one mission a label is a point (level, caveats, communities, R, D, O): R may read and keep, D
may see (R is part of D), O is originator control. It rises with level, caveats, communities and O,
and with *fewer* readers. Two points have a least point above both, so what is put together from
several sources has a lowest safe label, and nobody outside every source's lists gains by it.

The third-party rule: what a derived report adds beyond the lists of a source needs the consent of
that source's originator, for exactly the nations named and for that source alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from wire.errors import Malformed, NotAllowed, quoted
from wire.labels import ONWARD, Label, Source
from wire.vocabulary import Vocabulary


@dataclass(frozen=True)
class Point:
    """Where a label stands in one mission's order."""

    level: int
    caveats: frozenset[str]
    communities: frozenset[str]
    release: frozenset[str]
    """Nations that may read and keep it."""
    display: frozenset[str]
    """Nations that may see it: those of `release` and those of the display list."""
    originator_control: bool

    def __post_init__(self) -> None:
        if not self.release <= self.display:
            raise ValueError("who may keep it may see it")


@dataclass(frozen=True)
class Origin:
    """A source as the rule sees it: which portion, under what label."""

    source: Source
    label: Label


def point(label: Label, vocabulary: Vocabulary) -> Point:
    """The point of a label; raises `Malformed("unknown-term")` for a level of another scale."""
    return Point(
        level=vocabulary.level(label.classification),
        caveats=frozenset(label.caveats),
        communities=frozenset(label.communities),
        release=frozenset(label.release_to),
        display=label.recipients,
        originator_control=label.derive == "consent",
    )


def flows_into(low: Point, high: Point) -> bool:
    """Whether what is labelled `low` may be put into what is labelled `high`."""
    return (
        low.level <= high.level
        and low.caveats <= high.caveats
        and low.communities <= high.communities
        and low.release >= high.release
        and low.display >= high.display
        and low.originator_control <= high.originator_control
    )


def join(one: Point, other: Point) -> Point:
    """The least point that both may flow into."""
    return Point(
        level=max(one.level, other.level),
        caveats=one.caveats | other.caveats,
        communities=one.communities | other.communities,
        release=one.release & other.release,
        display=one.display & other.display,
        originator_control=one.originator_control or other.originator_control,
    )


def roll_up(points: Iterable[Point], author: str) -> Point:
    """The lowest point at which `author` may put the parts together: the banner over portions.

    Raises `NotAllowed("third-party-rule")` if a part is not released to the author, so there is no
    result that nobody, or everybody, may read. `points` holds at least one.
    """
    together = reduce(join, points)
    if author not in together.release:
        raise NotAllowed("third-party-rule", f"a part is not released to {quoted(author)}")
    return together


def check_lineage(
    derived: Label,
    author: str,
    origins: Sequence[Origin],
    consents: Mapping[Source, frozenset[str]],
    vocabulary: Vocabulary,
) -> None:
    """Refuse a derived label that lets out more than its sources allow.

    `origins` are the sources that `derived` names, each once, in its order. `consents` says which
    nations a source's originator added, for that source alone; the caller has checked the
    statements that say so.

    Raises `Malformed("label-lineage")` if origins, consents and label do not name the same sources,
    `Malformed("label-exercise")` if exercise and live are mixed, and
    `NotAllowed("third-party-rule")`, naming the source's commitment and nothing else of it, if the
    author may not have it, or if the label is wider, lower or laxer than it allows.
    """
    if tuple(origin.source for origin in origins) != derived.derived_from:
        raise Malformed("label-lineage", "other sources than the label names")
    if not consents.keys() <= set(derived.derived_from):
        raise Malformed("label-lineage", "a consent for something that is not a source")
    high = point(derived, vocabulary)
    for origin in origins:
        named = f"the source {quoted(origin.source.portion, 12)}"
        if origin.label.exercise != derived.exercise:
            raise Malformed("label-exercise", named)
        low = point(origin.label, vocabulary)
        added = consents.get(origin.source, frozenset())
        allowed = replace(low, release=low.release | added, display=low.display | added)
        if author not in allowed.release:
            raise NotAllowed("third-party-rule", f"{named} is not released to the author")
        if not flows_into(allowed, high):
            raise NotAllowed("third-party-rule", f"{named} does not allow so wide or low a label")
        if not _is_handled_as_strictly(origin.label, derived):
            raise NotAllowed("third-party-rule", f"{named} is to be handled more strictly")


def _is_handled_as_strictly(source: Label, derived: Label) -> bool:
    """Whether `derived` keeps the obligations, the limit on passing on and the end of `source`."""
    return (
        set(source.obligations) <= set(derived.obligations)
        and ONWARD.index(derived.onward) <= ONWARD.index(source.onward)
        and (
            source.expires is None
            or (derived.expires is not None and derived.expires <= source.expires)
        )
    )
