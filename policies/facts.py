"""What a decision is about, in plain types: who receives, which report, under what circumstances.

Nothing here is interpreted; `policies/observe.py` flattens it into what policies can read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Self

from msgspec import Struct

from wire.errors import Malformed
from wire.labels import Label
from wire.vocabulary import Vocabulary

PrincipalKind = Literal["Gateway", "Analyst"]

LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z: the last moment that Cedar's datetime can name."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who would receive. `clearance` is the index of a level; `communities` it is read into."""

    nation: str
    kind: PrincipalKind
    clearance: int
    communities: frozenset[str]
    exercise: bool


class ReportFacts(Struct, frozen=True):
    """What the signed label of one portion says. `level` is an index; `contributors` are the
    originators of everything that it was derived from.
    """

    originator: str
    level: int
    regions: frozenset[str]
    threats: frozenset[str]
    release_to: frozenset[str]
    display_to: frozenset[str]
    caveats: frozenset[str]
    communities: frozenset[str]
    contributors: frozenset[str]
    derived: bool
    exercise: bool
    precedence: str
    originator_control: bool

    @classmethod
    def from_label(
        cls,
        label: Label,
        originator: str,
        vocabulary: Vocabulary,
        contributors: frozenset[str] = frozenset(),
    ) -> Self:
        """The facts of a checked label. Raises `Malformed("unknown-term")` for a strange level."""
        return cls(
            originator=originator,
            level=vocabulary.level(label.classification),
            regions=frozenset(label.regions),
            threats=frozenset(label.threats),
            release_to=frozenset(label.release_to),
            display_to=frozenset(label.display_to),
            caveats=frozenset(label.caveats),
            communities=frozenset(label.communities),
            contributors=contributors,
            derived=bool(label.derived_from),
            exercise=label.exercise,
            precedence=label.precedence,
            originator_control=label.derive == "consent",
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The moment of asking. `now` is Unix time in seconds, `age` the report's age in seconds
    (below zero if its originator's clock is ahead), `approvals` counts the officers who signed,
    by layer kind and owner: a nation's officers never count in another nation's layer.

    Raises `Malformed("bad-input")` for a time that Cedar cannot name or a negative count.
    """

    now: int
    age: int
    purpose: str
    approvals: Mapping[tuple[str, str], int]

    def __post_init__(self) -> None:
        if not (0 <= self.now <= LAST_SECOND and -LAST_SECOND <= self.age <= LAST_SECOND):
            raise Malformed("bad-input", "a time outside the years 1970 to 9999")
        if any(count < 0 for count in self.approvals.values()):
            raise Malformed("bad-input", "a negative count of approvals")
        object.__setattr__(self, "approvals", MappingProxyType(dict(self.approvals)))
