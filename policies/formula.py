"""A rule as a formula over atoms: what our own evaluation, the cache and the explanations read.

Every rule of the release profile is a boolean combination of a few kinds of total tests, the atoms.
Total means: each one is true or false for every request, so no rule can fail to be evaluated.
Times and spans are whole seconds; every comparison becomes "at least".
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Value = bool | int | str | frozenset[str]
Parent = tuple[str, str]
"""Entity type and id, such as ("Within", "KE")."""


class Scene(NamedTuple):
    """One request, flattened. `values` by path; `parents` of "principal" and of "resource"."""

    values: Mapping[str, Value]
    parents: Mapping[str, frozenset[Parent]]


@dataclass(frozen=True, slots=True)
class Is:
    """The recipient is a Gateway, or an Analyst."""

    kind: str


@dataclass(frozen=True, slots=True)
class In:
    """The recipient or the report has this parent."""

    variable: str
    parent: Parent


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number, time or span is at least the bound."""

    path: str
    bound: int


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes-or-no attribute says yes."""

    path: str


@dataclass(frozen=True, slots=True)
class Holds:
    """A set attribute holds the word."""

    path: str
    word: str


@dataclass(frozen=True, slots=True)
class Equals:
    """An enumerated attribute is the word."""

    path: str
    word: str


@dataclass(frozen=True, slots=True)
class Empty:
    """A set attribute is empty."""

    path: str


CrossTest = Literal["contains", "contains_all", "contains_any", "equal", "at_least"]


@dataclass(frozen=True, slots=True)
class Cross:
    """A test between two attributes, such as recipient clearance and report level."""

    test: CrossTest
    left: str
    right: str


Atom = Is | In | AtLeast | Flag | Holds | Equals | Empty | Cross


@dataclass(frozen=True, slots=True)
class Not:
    """The atom does not hold. Only atoms are negated; `negated` moves a negation down to them."""

    part: Atom


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds. Made by `every`."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds. Made by `some`."""

    parts: tuple["Formula", ...]


Formula = bool | Atom | Not | AllOf | AnyOf


def evaluate(formula: Formula, scene: Scene) -> bool:
    """Whether the formula holds in the scene. Depth is bounded by the prescan."""
    match formula:
        case bool():
            return formula
        case Not(part):
            return not holds(part, scene)
        case AllOf(parts):
            return all(evaluate(part, scene) for part in parts)
        case AnyOf(parts):
            return any(evaluate(part, scene) for part in parts)
        case _:
            return holds(formula, scene)


def holds(atom: Atom, scene: Scene) -> bool:
    """Whether one atom holds in the scene."""
    match atom:
        case Is(kind):
            return scene.values["principal"] == kind
        case In(variable, parent):
            return parent in scene.parents[variable]
        case AtLeast(path, bound):
            return number(scene.values[path]) >= bound
        case Flag(path):
            return bool(scene.values[path])
        case Holds(path, word):
            return word in words(scene.values[path])
        case Equals(path, word):
            return scene.values[path] == word
        case Empty(path):
            return not words(scene.values[path])
        case _:
            return CROSS_TESTS[atom.test](scene.values[atom.left], scene.values[atom.right])


CROSS_TESTS: Final[Mapping[CrossTest, Callable[[Value, Value], bool]]] = {
    "contains": lambda left, right: right in words(left),
    "contains_all": lambda left, right: words(left) >= words(right),
    "contains_any": lambda left, right: not words(left).isdisjoint(words(right)),
    "equal": operator.eq,
    "at_least": lambda left, right: number(left) >= number(right),
}


def occurrences(formula: Formula) -> Iterator[tuple[Atom, bool]]:
    """Every atom, and whether the formula wants it (True) or wants it absent (False)."""
    match formula:
        case bool():
            return
        case Not(atom):
            yield atom, False
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from occurrences(part)
        case _:
            yield formula, True


def every(*parts: Formula) -> Formula:
    """All parts together, without constants and without nesting."""
    flat: list[Formula] = []
    for part in parts:
        if part is False:
            return False
        if isinstance(part, AllOf):
            flat.extend(part.parts)
        elif part is not True:
            flat.append(part)
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat)) if flat else True


def some(*parts: Formula) -> Formula:
    """Any of the parts, without constants and without nesting."""
    flat: list[Formula] = []
    for part in parts:
        if part is True:
            return True
        if isinstance(part, AnyOf):
            flat.extend(part.parts)
        elif part is not False:
            flat.append(part)
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat)) if flat else False


def negated(formula: Formula) -> Formula:
    """The formula that holds exactly where this one does not."""
    match formula:
        case bool():
            return not formula
        case Not(part):
            return part
        case AllOf(parts):
            return some(*(negated(part) for part in parts))
        case AnyOf(parts):
            return every(*(negated(part) for part in parts))
        case _:
            return Not(formula)


def number(value: Value) -> int:
    """The value as a number. The profile's types make sure that it is one."""
    assert isinstance(value, int)
    return value


def words(value: Value) -> frozenset[str]:
    """The value as a set of words. The profile's types make sure that it is one."""
    assert isinstance(value, frozenset)
    return value
