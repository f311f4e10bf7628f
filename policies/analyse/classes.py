"""Classes of requests: what makes a set of them, in as few words as are needed.

A class is a few atoms that hold or do not; it is prime, so no word of it could be left out. Classes
may overlap; together they are exactly the set that was asked about, within what was given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import z3

from policies.analyse.ground import BEFORE
from policies.analyse.space import Space
from policies.formula import AtLeast, Atom, Cross, Empty, Equals, Flag, In
from policies.words import phrase
from wire.vocabulary import Vocabulary

CLASSES_SHOWN: Final = 12
"""Classes listed for one change; where there are more, that is said."""

Literal = tuple[Atom, bool]


@dataclass(frozen=True)
class Cover:
    """Classes; `whole` if they are all there are."""

    classes: tuple[frozenset[Literal], ...]
    whole: bool
    first: z3.ModelRef | None
    """One request of the set, None if it is empty."""


def cover(
    space: Space, wanted: z3.BoolRef, given: Iterable[z3.BoolRef], *, limit: int = CLASSES_SHOWN
) -> Cover:
    """The prime classes of the requests for which `wanted` holds, among those of `given`."""
    given = tuple(given)
    finder, outside = space.solver(wanted, *given), space.solver(z3.Not(wanted), *given)
    literals: dict[z3.BoolRef, Literal] = {}
    found: list[frozenset[Literal]] = []
    first = None
    while finder.check() == z3.sat:
        model = finder.model()
        first = model if first is None else first
        if len(found) == limit:
            return Cover(tuple(found), whole=False, first=first)
        facts = []
        for atom in sorted(space.atoms, key=_telling):
            variable = space.bits[atom]
            holds = z3.is_true(model.eval(variable, model_completion=True))
            fact = variable if holds else z3.Not(variable)
            literals[fact] = (atom, holds)
            facts.append(fact)
        prime = _prime(outside, facts)
        found.append(frozenset(literals[fact] for fact in prime))
        finder.add(z3.Not(z3.And(prime)))
    return Cover(tuple(found), whole=True, first=first)


def _prime(outside: z3.Solver, facts: list[z3.BoolRef]) -> list[z3.BoolRef]:
    """As few of the facts as still leave nothing outside; the least telling go first."""
    core = _core(outside, facts)
    for fact in list(core):
        rest = [other for other in core if other is not fact]
        if fact in core and outside.check(*rest) == z3.unsat:
            core = _core(outside, rest)
    return core


def _core(outside: z3.Solver, facts: list[z3.BoolRef]) -> list[z3.BoolRef]:
    assert outside.check(*facts) == z3.unsat, "the atoms decide every formula"
    needed = {fact.get_id() for fact in outside.unsat_core()}
    return [fact for fact in facts if fact.get_id() in needed]


def _telling(atom: Atom) -> int:
    """How much an atom says to an officer: the moment least, whether two lists agree most."""
    match atom:
        case AtLeast(path, _) | Equals(path, _) if path.startswith("context."):
            return 0
        case Flag() | Equals() | Empty():
            return 1
        case Cross():
            return 3
        case _:
            return 2


def told(literals: Iterable[Literal], vocabularies: Mapping[str, Vocabulary]) -> str:
    """A class in the officer's words. `vocabularies` by variable, as in `ground`."""
    now = vocabularies["resource"]
    ranges: dict[str, tuple[list[int], list[int]]] = {}
    said: list[str] = []
    for atom, holds in sorted(literals, key=lambda found: (-_telling(found[0]), repr(found))):
        match atom:
            case AtLeast(path, bound) if path in _LEVELLED:
                ranges.setdefault(path, ([], []))[not holds].append(bound)
            case In(variable, _) if variable == BEFORE:
                words = phrase(atom, vocabularies[BEFORE], holds=holds)
                said.append(f"{words} (by the reference data of before)")
            case _:
                said.append(phrase(atom, now, holds=holds))
    levels = [_range(path, *bounds, now) for path, bounds in sorted(ranges.items(), reverse=True)]
    return "; ".join([*levels, *said]) or "every report"


_LEVELLED: Final = {
    "resource.level": "the report is",
    "principal.clearance": "the recipient is cleared",
}


def _range(path: str, reached: list[int], missed: list[int], vocabulary: Vocabulary) -> str:
    names = [level.token for level in vocabulary.levels]
    low, high = max(reached, default=0), min(missed, default=len(names)) - 1
    if low == high:
        span = names[low]
    elif not reached:
        span = f"at most {names[high]}"
    elif not missed:
        span = f"{names[low]} or above"
    else:
        span = f"{names[low]} to {names[high]}"
    return f"{_LEVELLED[path]} {span}"
