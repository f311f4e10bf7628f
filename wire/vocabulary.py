"""The words of a mission: nations, levels, caveats, communities, purposes, places, threats, groups.

A vocabulary is reference data that the mission signed: levels and nations come from the charter
and the admissions, the rest from `registry.publish`. Nothing is built in, so no equivalence between
two nations' words can creep in. What a vocabulary does not have is refused, never guessed.

Places and threats are trees. Two questions are asked of them, and they are not the same: a grant
asks what a report lies wholly `within`, a prohibition asks what it is `touching` at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Annotated, Final, NoReturn

from pydantic import Field, StringConstraints

from wire.errors import Malformed, quoted
from wire.model import NationCode, Place, Strict, ThreatType, Token

LEVELS_LIMIT: Final = 8
"""Levels of one scale: every known scale has at most 7, and each costs a key pair per epoch."""

TREE_DEPTH: Final = 10
"""Codes on the longest path: world, continent, region, sub-region, country, subdivision in
subdivision, area and sector, and one to spare."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
"""A human name beside a code: shown, never compared."""

_TIDY: Final = re.compile(r"[A-Z][A-Z0-9]*(?:[ _-][A-Z0-9]+)*")
_BANNER_WORDS: Final = re.compile(r"(?:REL|DISPLAY|COI|EXERCISE)(?: .*)?|(?:.* )?ONLY|ORCON")


class Level(Strict):
    """One classification level: the word of the banner and the short mark of a portion."""

    token: Token
    mark: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,4}\z")]


class Term(Strict):
    """One code of a tree: its name, and the code that it lies wholly inside (`None` for a root)."""

    name: Title
    parent: str | None


class RegistryBody(Strict):
    """The body of a `registry.publish` statement, at most 64 KiB of JSON."""

    version: Annotated[int, Field(ge=1, lt=1 << 31)]
    caveats: dict[Token, Title]
    communities: dict[Token, Title]
    purposes: Annotated[tuple[Token, ...], Field(min_length=1, max_length=32)]
    regions: dict[Place, Term]
    threats: dict[ThreatType, Term]
    groups: dict[Token, tuple[NationCode, ...]]


@dataclass(frozen=True)
class Tree:
    """Codes that each lie wholly inside their parent; codes on different branches do not overlap.

    The one exception is an area that the mission drew itself (`mission:…` below a place that is no
    mission area). It may cross borders, so it may overlap anything else below its parent, and
    `touching` says so. Sectors of one mission area do not overlap each other.

    Making a tree raises `Malformed` for an unknown parent, a circle or a path that is too long.
    Every question raises `Malformed("unknown-term")` for a code that the tree does not have.
    """

    parents: Mapping[str, str | None]
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        for code in self.parents:
            self._path(code)

    def __contains__(self, code: object) -> bool:
        return code in self.parents

    def ancestors(self, code: str) -> frozenset[str]:
        """The code and everything that it lies inside."""
        return frozenset(self._path(code))

    def descendants(self, code: str) -> frozenset[str]:
        """The code and everything inside it."""
        if code not in self.parents:
            _unknown(code)
        found = [code]
        for outer in found:
            found.extend(self._children[outer])
        return frozenset(found)

    def within(self, codes: Iterable[str]) -> frozenset[str]:
        """Every code that holds all of `codes`: what a grant may name.

        An empty list is refused, for everything holds nothing.
        """
        return frozenset.intersection(*map(self.ancestors, _some(codes)))

    def touching(self, codes: Iterable[str]) -> frozenset[str]:
        """Every code that overlaps, or may overlap, any of `codes`: what a prohibition may name."""
        return frozenset.union(*map(self._overlapping, _some(codes)))

    def _overlapping(self, code: str) -> frozenset[str]:
        path = self._path(code)
        found = self.descendants(code).union(path)
        for inner, outer in zip(path, path[1:], strict=False):
            if _is_drawn_across(inner, outer):
                found |= self.descendants(outer) - self.descendants(inner)
            for beside in self._children[outer]:
                if beside != inner and _is_drawn_across(beside, outer):
                    found |= self.descendants(beside)
        return found

    def _path(self, code: str) -> list[str]:
        path = []
        step: str | None = code
        while step is not None:
            if step not in self.parents:
                _unknown(step)
            path.append(step)
            if len(path) > TREE_DEPTH:
                raise Malformed("bad-fields", f"{quoted(code)} has no root within {TREE_DEPTH}")
            step = self.parents[step]
        return path

    @cached_property
    def _children(self) -> Mapping[str, Sequence[str]]:
        children: dict[str, list[str]] = {code: [] for code in self.parents}
        for code, parent in self.parents.items():
            if parent is not None:
                children[parent].append(code)
        return children


@dataclass(frozen=True)
class Vocabulary:
    """The reference data of one mission, checked; made by `vocabulary`."""

    mission: str
    nations: tuple[str, ...]
    levels: tuple[Level, ...]
    """Lowest first."""
    caveats: Mapping[str, str]
    communities: Mapping[str, str]
    purposes: tuple[str, ...]
    """The first is the default."""
    regions: Tree
    threats: Tree
    groups: Mapping[str, tuple[str, ...]]
    version: int
    digest: str

    def level(self, token: str) -> int:
        """The place of a level in the scale, from 0; raises `Malformed("unknown-term")`."""
        for index, level in enumerate(self.levels):
            if level.token == token:
                return index
        return _unknown(token)

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """The nations that `names`, nations and groups, stand for under this registry version.

        Raises `Malformed("unknown-term")` for a name that is neither, and for a group with a member
        outside the mission: a recipient is never left out silently.
        """
        found: set[str] = set()
        for name in names:
            members = (name,) if name in self.nations else self.groups.get(name, ())
            if not members or not set(members) <= set(self.nations):
                _unknown(name)
            found.update(members)
        return frozenset(found)


def vocabulary(
    mission: str,
    nations: Iterable[str],
    levels: Iterable[Level],
    registry: RegistryBody,
    digest: str,
) -> Vocabulary:
    """The vocabulary of a mission from its charter, its admitted nations and its registry.

    `digest` is the registry's SHA-256 in hex. Raises `Malformed("bad-fields")` for words that
    could be confused, and for a tree whose codes contradict their parents.
    """
    nations, levels = tuple(nations), tuple(levels)
    if not 1 <= len(levels) <= LEVELS_LIMIT:
        raise Malformed("bad-fields", f"{len(levels)} levels; from 1 to {LEVELS_LIMIT}")
    _check_unique("level", [level.token for level in levels])
    _check_unique("mark", [level.mark for level in levels])
    _check_unique("nation", nations)
    _check_unique("purpose", registry.purposes)
    _check_words(mission, levels, registry)
    for code, term in registry.regions.items():
        if not _is_place_inside(code, term.parent):
            raise Malformed("bad-fields", f"the parent of place {quoted(code)}")
    for code, term in registry.threats.items():
        if term.parent != (code.rpartition(".")[0] or None):
            raise Malformed("bad-fields", f"the parent of threat type {quoted(code)}")
    return Vocabulary(
        mission=mission,
        nations=nations,
        levels=levels,
        caveats=dict(registry.caveats),
        communities=dict(registry.communities),
        purposes=registry.purposes,
        regions=_tree(registry.regions),
        threats=_tree(registry.threats),
        groups=dict(registry.groups),
        version=registry.version,
        digest=digest,
    )


def _tree(terms: Mapping[str, Term]) -> Tree:
    return Tree(
        parents={code: term.parent for code, term in terms.items()},
        names={code: term.name for code, term in terms.items()},
    )


def _check_words(mission: str, levels: Sequence[Level], registry: RegistryBody) -> None:
    """Words that look alike, or like another part of a banner, would mislead its readers."""
    caveats = [*registry.caveats, *registry.communities]
    tokens = [level.token for level in levels]
    for word in chain([mission], tokens, caveats, registry.purposes, registry.groups):
        if not _TIDY.fullmatch(word):
            raise Malformed("bad-fields", f"the word {quoted(word)}: single separators, none last")
    for word in caveats:
        if _BANNER_WORDS.fullmatch(word):
            raise Malformed("bad-fields", f"the word {quoted(word)} has another meaning in banners")
    for group, members in registry.groups.items():
        if re.fullmatch(r"[A-Z]{3}", group):
            raise Malformed("bad-fields", f"the group {quoted(group)} could be a nation's code")
        if not members:
            raise Malformed("bad-fields", f"the group {quoted(group)} has no members")
        _check_unique("member", members)


def _check_unique(what: str, words: Sequence[str]) -> None:
    if len(set(words)) != len(words):
        raise Malformed("bad-fields", f"a {what} is named twice")


def _is_place_inside(code: str, parent: str | None) -> bool:
    """Whether the forms of the two codes allow one to lie inside the other."""
    if code.startswith("mission:"):
        area, slash, _sector = code.partition("/")
        return parent == area if slash else parent is not None and not parent.startswith("mission:")
    if "-" in code:
        return parent is not None and parent[:2] == code[:2]
    return parent is None or parent.isdigit()


def _is_drawn_across(area: str, outer: str) -> bool:
    return area.startswith("mission:") and not outer.startswith("mission:")


def _some(codes: Iterable[str]) -> list[str]:
    listed = list(codes)
    if not listed:
        raise Malformed("unknown-term", "no place or threat type is named")
    return listed


def _unknown(word: str) -> NoReturn:
    raise Malformed("unknown-term", quoted(word))
