"""The label of one portion: what it is, who may read it, and what binds those who do.

A label says everything in full. `release_to` is never empty and always holds the originator; there
is no wildcard, no default and no absent field that could mean "everyone". Groups were expanded when
the label was written, so a nation that joins a coalition later gains nothing.

Every rule that needs nothing but the label and the mission's vocabulary is in this file.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import Field

from wire.errors import Malformed, quoted
from wire.model import Hex32B, NationCode, Place, Seconds, SortedSet, Strict, ThreatType, Token
from wire.vocabulary import Vocabulary

RECIPIENTS_LIMIT: Final = 64
"""Nations of one list: each costs a wrapped key, and no mission so far had more contributors."""

REGIONS_LIMIT: Final = 16
"""Places of one portion; a report that names more says a larger place."""

THREATS_LIMIT: Final = 8
"""Threat types of one portion; more would match every subscription."""

TERMS_LIMIT: Final = 16
"""Caveats, communities or obligations of one portion: what fits a banner that people still read."""

SOURCES_LIMIT: Final = 64
"""Source portions, and consents, of one derived portion."""

Precedence = Literal["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"]
"""How urgent it is, most urgent first."""

PRECEDENCES: Final[tuple[Precedence, ...]] = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")

DISPLAY: Final = "DISPLAY"
"""The duty of a client that may only show: it keeps no copy of what it shows."""

Onward = Literal["none", "national", "release_list"]
"""How far a reader may pass it on: not at all, inside the own nation, inside the lists."""

ONWARD: Final[tuple[Onward, ...]] = ("none", "national", "release_list")


class Source(Strict):
    """One portion that a derived portion draws on: report identity and portion commitment."""

    report: Hex32B
    portion: Hex32B

    def __lt__(self, other: Self) -> bool:
        return (self.report, self.portion) < (other.report, other.portion)


Terms = Annotated[tuple[Token, ...], Field(max_length=TERMS_LIMIT), SortedSet]
Sources = Annotated[tuple[Source, ...], Field(max_length=SOURCES_LIMIT), SortedSet]
Consents = Annotated[tuple[Hex32B, ...], Field(max_length=SOURCES_LIMIT), SortedSet]


class Label(Strict):
    """The label of one portion. Lists mean sets: sorted, without duplicates.

    Well formed is not yet acceptable: `check` asks the mission's vocabulary.
    """

    classification: Token
    release_to: Annotated[
        tuple[NationCode, ...], Field(min_length=1, max_length=RECIPIENTS_LIMIT), SortedSet
    ]
    """The nations that may read and keep it; the originator is always one of them."""
    display_to: Annotated[tuple[NationCode, ...], Field(max_length=RECIPIENTS_LIMIT), SortedSet]
    """Nations that may look at it in a display client and not keep it."""
    caveats: Terms
    """A reader must hold all of them."""
    communities: Terms
    """A reader must belong to all of them."""
    regions: Annotated[tuple[Place, ...], Field(min_length=1, max_length=REGIONS_LIMIT), SortedSet]
    threats: Annotated[
        tuple[ThreatType, ...], Field(min_length=1, max_length=THREATS_LIMIT), SortedSet
    ]
    precedence: Precedence
    occurred: Seconds
    """When what it tells happened."""
    expires: Seconds | None = None
    """When serving stops; `None` keeps it until it is recalled."""
    obligations: Terms
    """What a client must do (watermark, no print); one that cannot is refused."""
    onward: Onward
    derive: Literal["consent", "within_release"]
    """Whether the originator keeps control of what is derived from it ("consent": ORCON)."""
    derived_from: Sources
    consents: Consents
    """The `report.release` statements that let it go further than its sources were released."""
    supersedes: Hex32B | None = None
    """The report that it replaces."""
    exercise: bool
    """Made for training; never mixed with live traffic."""

    @property
    def recipients(self) -> frozenset[str]:
        """Every nation that may see it, to keep or only on a display."""
        return frozenset(self.release_to) | frozenset(self.display_to)

    def duties(self, nation: str) -> frozenset[str]:
        """What a client of this nation must keep to be given the portion: every obligation, and
        `DISPLAY` for a nation that may only look.
        """
        return duties(self.obligations, self.display_to, nation)


def duties(
    obligations: Collection[str], display_to: Collection[str], nation: str
) -> frozenset[str]:
    """The duties of a nation's client under these two fields of a label."""
    return frozenset({*obligations, DISPLAY} if nation in display_to else obligations)


def check(label: Label, originator: str, vocabulary: Vocabulary) -> None:
    """Refuse a label that breaks a rule of the mission.

    Raises `Malformed` with "unknown-term", "label-release-to", "label-display-to", "label-expired"
    or "label-lineage". Whether it is derived rightly is `lattice.check_lineage`, whether it is in
    force now `check_in_force`, whether the keys fit its recipients the report format's business.
    """
    _check_known("nation", (originator, *label.release_to, *label.display_to), vocabulary.nations)
    vocabulary.level(label.classification)
    _check_known("caveat", label.caveats, vocabulary.caveats)
    _check_known("community", label.communities, vocabulary.communities)
    _check_known("place", label.regions, vocabulary.regions.parents)
    _check_known("threat type", label.threats, vocabulary.threats.parents)
    if originator not in label.release_to:
        raise Malformed("label-release-to", f"without its originator {quoted(originator)}")
    if twice := set(label.release_to) & set(label.display_to):
        raise Malformed("label-display-to", f"also released to {quoted(min(twice))}")
    if label.expires is not None and label.expires <= label.occurred:
        raise Malformed("label-expired", "it ends before what it tells happened")
    if label.consents and not label.derived_from:
        raise Malformed("label-lineage", "consents without a source")


def check_report(labels: Sequence[Label], originator: str, vocabulary: Vocabulary) -> None:
    """Refuse the labels of one report: each by `check`, and all together.

    Raises what `check` raises, and `Malformed("label-exercise")` if exercise and live are mixed.
    """
    for label in labels:
        check(label, originator, vocabulary)
    if len({label.exercise for label in labels}) > 1:
        raise Malformed("label-exercise", "portions of one report")


def check_in_force(label: Label, now: int) -> None:
    """Refuse a label whose time is over; `now` in Unix seconds. `Malformed("label-expired")`."""
    if label.expires is not None and label.expires <= now:
        raise Malformed("label-expired", "its time is over")


def _check_known(what: str, words: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(words).difference(known):
        raise Malformed("unknown-term", f"the {what} {quoted(min(unknown))}")
