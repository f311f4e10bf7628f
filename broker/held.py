"""What is remembered of one report and its portions, and in which order a nation is offered them.

What many reports say alike is shared, so one costs 1.2 kB; and none of it is in a cycle, so the
garbage collector need not look at it (`gc=False`). After a start most of it is bytes still
(`broker.sheets`), read when somebody first asks for the report.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple, Never, Protocol, Self, TypeVar

from msgspec import Struct, field

from broker.kinds import Kind
from broker.matching import Interest, Topic
from policies.facts import ReportFacts
from wire.labels import PRECEDENCES, Source, duties
from wire.report import PortionLabel, Protected

LANES: Final = len(PRECEDENCES)
"""One lane a precedence, most urgent first."""

ALL_PORTIONS: Final = -1
"""Every bit of a set of portions."""

SALT: Final = 64
"""Hexadecimal digits of a salt (`wire.header.Protected`)."""

OFFERED: Final = 1_024
"""To whom reports are offered, and how urgently: a mission knows some dozen combinations."""

T = TypeVar("T")

NONE: Final = frozenset[Never]()
"""The one empty set: of the sets that a portion has of its own, most are empty."""


def lean(words: frozenset[T]) -> frozenset[T]:
    """The same set, without one more object for an empty one."""
    return words or NONE


_RANK: Final = {word: rank for rank, word in enumerate(PRECEDENCES)}


class HeldAttachment(Struct, frozen=True, gc=False):
    """An attachment that a portion's label names; `length` in bytes of ciphertext."""

    id: str
    sha256: str
    length: int


Origin = tuple[str, str]
"""Originator and identity of a report that another one draws on, directly or not."""

Said = tuple[PortionLabel, Protected]
"""What is signed of a portion: its label, and what its readers are not told."""


class HeldPortion(Struct, frozen=True, eq=False, gc=False):
    """One portion; `size` is roughly what a reader of it gets, in bytes."""

    index: int
    kind: Kind
    commitment: str
    expires: int | None
    attachments: tuple[HeldAttachment, ...]
    size: int
    lasting: int
    """What of `size` stays when its payload is deleted."""
    ancestors: frozenset[Source] = NONE
    """Everything that it draws on: its sources, and theirs."""
    obligations: frozenset[str] = NONE
    sources: frozenset[Origin] = NONE
    """Everything that it draws on: whose reports."""
    named: frozenset[Origin] = NONE
    """Those among them that its author named; it may not know what stands behind these."""
    salt: bytes = b""
    """Of what it says of protected sources."""

    @property
    def facts(self) -> ReportFacts:
        """What policies are asked about."""
        return self.kind.facts

    @property
    def topic(self) -> Topic:
        """What filters are asked about."""
        return self.kind.topic

    @property
    def recipients(self) -> frozenset[str]:
        """All that may see it, its author too."""
        return self.kind.recipients

    def duties(self, nation: str) -> frozenset[str]:
        """What a client of this nation must keep to be given it (`wire.labels.Label.duties`)."""
        return duties(self.obligations, self.facts.display_to, nation)

    @property
    def urgency(self) -> int:
        """The lane of its precedence."""
        return _RANK[self.topic.precedence]


Contents = tuple[tuple[HeldPortion, ...], dict[tuple[str, int], int]]
"""A report's portions, and under which entry which set of them went where."""


class Sheet(Protocol):
    """Where reports lie that nobody asked for since the start (`broker.sheets`)."""

    def contents(self, line: bytes) -> Contents:
        """What a line of it says."""


class Held(Struct, eq=False, gc=False):
    """One accepted report. What `unread` says is read when it is first asked for.

    `erased` has a bit for each portion whose payload and wraps were deleted, `recall` the identity
    of the statement that took the report back.
    """

    position: int
    accepted: int
    identity: str
    id: str
    originator: str
    created: int
    _portions: tuple[HeldPortion, ...]
    erased: int = 0
    unread: tuple[Sheet, bytes] | None = None
    recall: str | None = None
    added: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Further nations that its originator ever consented to, each with portions (commitments)."""
    _released: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    _binding: bool | None = None

    @property
    def portions(self) -> tuple[HeldPortion, ...]:
        """Its portions, in order."""
        if self.unread is not None:
            self._read(*self.unread)
        return self._portions

    @property
    def released(self) -> dict[tuple[str, int], int]:
        """Under which entry which set of portions (bits) went to which nation."""
        if self.unread is not None:
            self._read(*self.unread)
        return self._released

    @property
    def binding(self) -> bool:
        """Whether any portion asks anything of any client; most ask nothing."""
        if self._binding is None:
            self._binding = any(p.obligations or p.facts.display_to for p in self.portions)
        return self._binding

    def _read(self, sheet: Sheet, line: bytes) -> None:
        self._portions, self._released = sheet.contents(line)
        self.unread = None

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


Outlined = tuple[int, str, Sequence[Sequence[int]], str, int]
"""The values of an `Outline`."""


class Outline(NamedTuple):
    """What the indexes of all reports have to know of one: that much a start reads of each."""

    every: int
    """Its portions, as bits."""
    offered: str
    """To whom: codes of nations in order, each with its lanes as a hexadecimal digit."""
    ends: Sequence[Sequence[int]]
    """When (seconds) which portion (index) is over."""
    salts: str
    """Of what its portions say of protected sources, `SALT` hexadecimal digits each."""
    derived: int
    """1 if any portion draws on others."""

    @classmethod
    def of(cls, held: Held) -> Self:
        """Of a report that was read."""
        return cls(
            every=sum(1 << portion.index for portion in held.portions),
            offered=_offered(tuple([(p.recipients, p.urgency) for p in held.portions])),
            ends=[(p.expires, p.index) for p in held.portions if p.expires is not None],
            salts="".join(portion.salt.hex() for portion in held.portions),
            derived=int(any(portion.ancestors for portion in held.portions)),
        )


@lru_cache(OFFERED)
def _offered(portions: tuple[tuple[frozenset[str], int], ...]) -> str:
    """`Outline.offered` of portions with these recipients and lanes."""
    lanes: dict[str, int] = {}
    for recipients, urgency in portions:
        for nation in recipients:
            lanes[nation] = lanes.get(nation, 0) | 1 << urgency
    return "".join(f"{nation}{lanes[nation]:x}" for nation in sorted(lanes))


def lanes_of(offered: str) -> Mapping[str, Sequence[int]]:
    """The nations that an outline names, each with its lanes."""
    named = ((offered[at : at + 3], int(offered[at + 3], 16)) for at in range(0, len(offered), 4))
    return {code: [lane for lane in range(LANES) if bits >> lane & 1] for code, bits in named}


class Offer(Struct, frozen=True, eq=False, gc=False):
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
