"""Decisions by equivalence class: what one layer's rules can tell apart, and nothing more.

Two requests on which every atom of a layer has the same value get the same answer from it, by
induction over the formula. So a request is projected onto what the atoms observe: parents and
words that some rule mentions, the interval that a number or time falls into, flags, and the truth
of the tests between recipient and report. Cedar fills the cache; no evaluation of ours does.

Times enter as intervals between the moments that rules mention, so an entry never goes stale.
Classes of recipients and of reports are numbered, and a number is never used twice: a key that
outlives a full cache misses, it can never hit another class.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from policies.formula import (
    CROSS_TESTS,
    AtLeast,
    Atom,
    Cross,
    Empty,
    Equals,
    Flag,
    Holds,
    In,
    Is,
    Parent,
    Value,
    number,
    words,
)
from policies.observe import Side

Kept = TypeVar("Kept")
Class = tuple[object, ...]

CLASSES_LIMIT: Final = 16_384
"""Classes kept per layer, about 4 MiB; a month of one mission's traffic shows some hundreds."""


class Projection:
    """What the atoms of one layer observe of one variable: principal, resource or context."""

    def __init__(self, variable: str, atoms: Iterable[Atom]) -> None:
        parents: set[Parent] = set()
        bounds: dict[str, set[int]] = {}
        named: dict[str, set[str]] = {}
        held: dict[str, set[str]] = {}
        whole: set[str] = set()
        emptiness: set[str] = set()
        for atom in atoms:
            match atom:
                case In(of, parent) if of == variable:
                    parents.add(parent)
                case AtLeast(path, bound) if _reads(variable, path):
                    bounds.setdefault(path, set()).add(bound)
                case Equals(path, word) if _reads(variable, path):
                    named.setdefault(path, set()).add(word)
                case Holds(path, word) if _reads(variable, path):
                    held.setdefault(path, set()).add(word)
                case Flag(path) if _reads(variable, path):
                    whole.add(path)
                case Empty(path) if _reads(variable, path):
                    emptiness.add(path)
                case Is() if variable == "principal":
                    whole.add("principal")
                case _:
                    pass  # of another variable, or a test between two
        self.parents: Final = frozenset(parents)
        self._bounds: Final = [(path, sorted(cuts)) for path, cuts in sorted(bounds.items())]
        self._named: Final = [(path, frozenset(some)) for path, some in sorted(named.items())]
        self._held: Final = [(path, frozenset(some)) for path, some in sorted(held.items())]
        self._whole: Final = sorted(whole)
        self._emptiness: Final = sorted(emptiness)
        self.constant: Final = not (parents or bounds or named or held or whole or emptiness)

    def of(self, values: Mapping[str, Value]) -> Class:
        """The class that these attributes fall into, parents aside."""
        return (
            *(bisect_right(cuts, number(values[path])) for path, cuts in self._bounds),
            *(values[path] if values[path] in some else None for path, some in self._named),
            *(words(values[path]) & some for path, some in self._held),
            *(values[path] for path in self._whole),
            *(not values[path] for path in self._emptiness),
        )

    def of_side(self, side: Side) -> Class:
        """The class that a recipient or a report falls into."""
        return (self.parents & side.parents, *self.of(side.values))


class Crossing:
    """The tests that one layer makes between recipient and report."""

    def __init__(self, atoms: Iterable[Atom]) -> None:
        tests = sorted(
            (atom for atom in atoms if isinstance(atom, Cross)),
            key=lambda atom: (atom.test, atom.left, atom.right),
        )
        self._tests: Final = [
            (
                CROSS_TESTS[cross.test],
                _reads("resource", cross.left),
                cross.left,
                _reads("resource", cross.right),
                cross.right,
            )
            for cross in tests
        ]

    def of(self, principal: Mapping[str, Value], resource: Mapping[str, Value]) -> Class:
        """Which of the tests hold."""
        if not self._tests:
            return ()
        sides = (principal, resource)
        return tuple(
            [
                test(sides[left_side][left], sides[right_side][right])
                for test, left_side, left, right_side, right in self._tests
            ]
        )


class Numbered:
    """Numbers for classes: equal classes share one, until there are too many to remember."""

    def __init__(self, limit: int = CLASSES_LIMIT) -> None:
        self._limit = limit
        self._numbers: dict[Class, int] = {}
        self._next = itertools.count()

    def __getitem__(self, found: Class) -> int:
        known = self._numbers.get(found)
        if known is None:
            if len(self._numbers) >= self._limit:
                self._numbers = {}
            known = self._numbers[found] = next(self._next)
        return known


class Bounded(Generic[Kept]):
    """A mapping that forgets everything when it is full: the next questions ask Cedar again."""

    def __init__(self, limit: int = CLASSES_LIMIT) -> None:
        self._limit = limit
        self._entries: dict[Class, Kept] = {}
        self.get = self._entries.get

    def keep(self, key: Class, value: Kept) -> None:
        """Remember the value."""
        if len(self._entries) >= self._limit:
            self._entries.clear()
        self._entries[key] = value

    def __len__(self) -> int:
        return len(self._entries)


def _reads(variable: str, path: str) -> bool:
    return path.startswith(f"{variable}.")
