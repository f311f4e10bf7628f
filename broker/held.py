"""What is remembered of one report and its portions, and in which order a nation is offered them.

Equal facts and topics are shared, so a report costs less than a kilobyte.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from broker.matching import Interest, Topic
from policies.facts import ReportFacts
from wire.labels import PRECEDENCES, Source, duties
from wire.report import PortionLabel, Protected

LANES: Final = len(PRECEDENCES)
"""One lane a precedence, most urgent first."""

ALL_PORTIONS: Final = -1
"""Every bit of a set of portions."""

_RANK: Final = {word: rank for rank, word in enumerate(PRECEDENCES)}


@dataclass(frozen=True, slots=True)
class HeldAttachment:
    """An attachment that a portion's label names; `length` in bytes of ciphertext."""

    id: str
    sha256: str
    length: int


Origin = tuple[str, str]
"""Originator and identity of a report that another one draws on, directly or not."""

Said = tuple[PortionLabel, Protected]
"""What is signed of a portion: its label, and what its readers are not told."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldPortion:
    """One portion; `size` is roughly what a reader of it gets, in bytes."""

    index: int
    facts: ReportFacts
    topic: Topic
    commitment: str
    recipients: frozenset[str]
    expires: int | None
    attachments: tuple[HeldAttachment, ...]
    size: int
    ancestors: frozenset[Source] = frozenset()
    """Everything that it draws on: its sources, and theirs."""
    obligations: frozenset[str] = frozenset()
    sources: frozenset[Origin] = frozenset()
    """Everything that it draws on: whose reports."""
    named: frozenset[Origin] = frozenset()
    """Those among them that its author named; it may not know what stands behind these."""
    salt: bytes = b""
    """Of what it says of protected sources."""
    banner: str = ""

    def duties(self, nation: str) -> frozenset[str]:
        """What a client of this nation must keep to be given it (`wire.labels.Label.duties`)."""
        return duties(self.obligations, self.facts.display_to, nation)

    @property
    def urgency(self) -> int:
        """The lane of its precedence."""
        return _RANK[self.topic.precedence]


@dataclass(slots=True, eq=False)
class Held:
    """One accepted report. `released` says under which entry which set of portions went where.

    `erased` has a bit for each portion whose payload and wraps were deleted, `recall` the identity
    of the statement that took the report back.
    """

    position: int
    accepted: int
    identity: str
    id: str
    originator: str
    created: int
    portions: tuple[HeldPortion, ...]
    erased: int = 0
    recall: str | None = None
    released: dict[tuple[str, int], int] = field(default_factory=dict)
    added: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Further nations that its originator ever consented to, each with portions (commitments)."""
    binding: bool = field(init=False)
    """Whether any portion asks anything of any client; most ask nothing."""

    def __post_init__(self) -> None:
        self.binding = any(p.obligations or p.facts.display_to for p in self.portions)

    def names(self, nation: str, portion: HeldPortion) -> bool:
        """Whether the nation stands on the portion's list, or ever was added to it."""
        return nation in portion.recipients or portion.commitment in self.added.get(nation, ())

    @property
    def recalled(self) -> bool:
        """Whether its originator took it back."""
        return self.recall is not None

    @property
    def holders(self) -> frozenset[str]:
        """Every nation that was sent some of it."""
        return frozenset(nation for nation, _ in self.released)

    @property
    def nations(self) -> frozenset[str]:
        """Every nation that holds a key to some portion."""
        return frozenset().union(*(portion.recipients for portion in self.portions))

    def duties(self, nation: str) -> frozenset[str]:
        """What a client of a nation must keep to be given all that there is for it."""
        if not self.binding:
            return frozenset()
        ours = (p.duties(nation) for p in self.portions if self.names(nation, p))
        return frozenset().union(*ours)

    def lanes(self, nation: str) -> frozenset[int]:
        """How urgent it can be for a reader of a nation, who may have all portions or some."""
        ours = frozenset(p.urgency for p in self.portions if self.names(nation, p))
        return ours or frozenset({LANES - 1})

    def answering(self, nation: str, interest: Interest) -> int:
        """The portions that answer a filter, of those that name a nation, as bits."""
        ours = (p for p in self.portions if self.names(nation, p) and p.topic in interest)
        return sum(1 << portion.index for portion in ours)


@dataclass(frozen=True, slots=True)
class Offer:
    """That at this journal position a report was there to be had, or had again.

    `portions` are those that may be new then, as bits: to who may have none of them it is nothing.
    """

    position: int
    held: Held
    portions: int = ALL_PORTIONS


_position = attrgetter("position")


class Lanes:
    """What was ever offered to one nation, in journal order: all of it, and by precedence.

    A report whose portions differ in precedence stands in several lanes: how urgent it is depends
    on which of them a reader may have.
    """

    def __init__(self) -> None:
        self.all: list[Offer] = []
        self.lanes: tuple[list[Offer], ...] = tuple([] for _ in range(LANES))

    def add(self, offer: Offer, lanes: Iterable[int]) -> None:
        """Offer it; positions only grow."""
        self.all.append(offer)
        for lane in lanes:
            self.lanes[lane].append(offer)

    @staticmethod
    def start(lane: Sequence[Offer], position: int) -> int:
        """Where in a lane the offers after this journal position begin."""
        return bisect_right(lane, position, key=_position)
