"""Step 7, match: which filters ask for a report. Pure; what they may have is decided afterwards.

A filter asks for regions, threats and precedences; an empty list asks for all. A report answers if
it *touches* what is asked for: a report on Kenya answers for East Africa, and a report on East
Africa for Kenya. Regions, threats and precedence are those of one portion together.

The index is inverted: a portion looks up the cells (region, threat, precedence) that it touches, so
the cost grows with the filters that match and not with those that exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from pydantic import Field

from wire.errors import Malformed, quoted
from wire.labels import PRECEDENCES, Precedence
from wire.model import Place, Strict, ThreatType, Token
from wire.vocabulary import Tree, Vocabulary

TERMS_LIMIT: Final = 64
"""Terms of one list of a filter; who wants more wants a larger region."""

CELLS_LIMIT: Final = 512
"""Cells of one filter: larger products are indexed by region alone and compared when found, so that
two long lists cost their owner's readers time and not the broker its memory."""

TOPICS_LIMIT: Final = 16_384
"""Topics whose cells are remembered; a year of one mission's traffic has some thousands."""

ANY: Final = ""
"""The cell of an empty list."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """What one portion is about. Equal topics are one object, so that what was computed for one
    portion serves all like it (`broker.holdings`).
    """

    regions: frozenset[str]
    threats: frozenset[str]
    precedence: Precedence


class Filter(Strict):
    """What a reader asks for, in any order; an empty list asks for all.

    `purpose` is what the policies are told the reader wants it for; None is the mission's default.
    """

    regions: Annotated[tuple[Place, ...], Field(max_length=TERMS_LIMIT)] = ()
    threats: Annotated[tuple[ThreatType, ...], Field(max_length=TERMS_LIMIT)] = ()
    precedence: Annotated[tuple[Precedence, ...], Field(max_length=len(PRECEDENCES))] = ()
    purpose: Token | None = None

    @property
    def canonical(self) -> "Filter":
        """The same filter with each list sorted and every term once."""
        return Filter(
            regions=tuple(sorted(set(self.regions))),
            threats=tuple(sorted(set(self.threats))),
            precedence=tuple(sorted(set(self.precedence))),
            purpose=self.purpose,
        )


def check(wanted: Filter, vocabulary: Vocabulary) -> None:
    """Refuse a filter with words that the mission does not have. `Malformed` ("unknown-term")."""
    purposes = () if wanted.purpose is None else (wanted.purpose,)
    for words, known in (
        (wanted.regions, vocabulary.regions),
        (wanted.threats, vocabulary.threats),
        (purposes, vocabulary.purposes),
    ):
        for word in words:
            if word not in known:
                raise Malformed("unknown-term", quoted(word))


class Interest:
    """A filter made ready to be compared with many topics under one vocabulary.

    A term that the vocabulary no longer has touches nothing any more.
    """

    def __init__(self, wanted: Filter, vocabulary: Vocabulary) -> None:
        self._regions = _touched(wanted.regions, vocabulary.regions)
        self._threats = _touched(wanted.threats, vocabulary.threats)
        self._precedence = frozenset(wanted.precedence or PRECEDENCES)
        self._known: dict[Topic, bool] = {}

    def __contains__(self, topic: Topic) -> bool:
        known = self._known.get(topic)
        if known is None:
            known = self._known[topic] = self._matches(topic)
        return known

    def _matches(self, topic: Topic) -> bool:
        return (
            topic.precedence in self._precedence
            and (self._regions is None or not self._regions.isdisjoint(topic.regions))
            and (self._threats is None or not self._threats.isdisjoint(topic.threats))
        )


class Index(Generic[Key]):
    """Who asks for what, inverted. Keys are whatever the caller wants to find again."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._regions, self._threats = vocabulary.regions, vocabulary.threats
        self._cells: dict[str, dict[str, dict[str, dict[Key, Interest | None]]]] = {}
        self._vocabulary = vocabulary
        self._filters: dict[Key, Filter] = {}
        self._touching: dict[Topic, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def __len__(self) -> int:
        return len(self._filters)

    def add(self, key: Key, wanted: Filter) -> None:
        """Remember that `key` asks for this; a key asks for one thing."""
        self.discard(key)
        self._filters[key] = wanted
        cells, exact = _cells(wanted)
        interest = None if exact else Interest(wanted, self._vocabulary)
        for region, threat, precedence in cells:
            by_threat = self._cells.setdefault(region, {})
            found = by_threat.setdefault(threat, {}).setdefault(precedence, {})
            found[key] = interest

    def discard(self, key: Key) -> None:
        """Forget what `key` asked for."""
        wanted = self._filters.pop(key, None)
        if wanted is None:
            return
        for region, threat, precedence in _cells(wanted)[0]:
            by_threat = self._cells[region]
            by_precedence = by_threat[threat]
            del by_precedence[precedence][key]
            if not by_precedence[precedence]:  # empty cells must not pile up
                del by_precedence[precedence]
            if not by_precedence:
                del by_threat[threat]
            if not by_threat:
                del self._cells[region]

    def match(self, topic: Topic) -> set[Key]:
        """Everyone who asks for a portion on this topic.

        Raises `Malformed` ("unknown-term") for a topic outside the vocabulary.
        """
        regions, threats = self._touched(topic)
        found: set[Key] = set()
        for by_threat in _present(self._cells, regions):
            for by_precedence in _present(by_threat, threats):
                for keys in _present(by_precedence, (topic.precedence, ANY)):
                    found.update(
                        key
                        for key, interest in keys.items()
                        if interest is None or topic in interest
                    )
        return found

    def _touched(self, topic: Topic) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The cells of regions and of threats that a topic looks into."""
        known = self._touching.get(topic)
        if known is None:
            regions = (*self._regions.touching(topic.regions), ANY)
            threats = (*self._threats.touching(topic.threats), ANY)
            if len(self._touching) >= TOPICS_LIMIT:
                self._touching.clear()
            known = self._touching[topic] = regions, threats
        return known


Cell = TypeVar("Cell")


def _present(cells: Mapping[str, Cell], codes: Sequence[str]) -> Iterator[Cell]:
    """The cells under these codes; the shorter of the two lists is walked."""
    if len(cells) < len(codes):
        wanted = frozenset(codes)
        return (cell for code, cell in cells.items() if code in wanted)
    return (cells[code] for code in codes if code in cells)


def _cells(wanted: Filter) -> tuple[list[tuple[str, str, str]], bool]:
    """The cells of a filter, and whether being found there is already a match."""
    regions = sorted(set(wanted.regions)) or [ANY]
    threats = sorted(set(wanted.threats)) or [ANY]
    precedences: list[str] = [*sorted(set(wanted.precedence))] or [ANY]
    if len(regions) * len(threats) * len(precedences) > CELLS_LIMIT:
        return [(region, ANY, ANY) for region in regions], False
    product = [(r, t, p) for r in regions for t in threats for p in precedences]
    return product, True


def _touched(words: Sequence[str], tree: Tree) -> frozenset[str] | None:
    """Every code that overlaps any of the words; None if nothing particular is asked for."""
    if not words:
        return None
    known = [word for word in words if word in tree]
    return tree.touching(known) if known else frozenset()
