"""Formulas for one recipient nation: what is known of it is put in, what is left is about reports.

Two formulas that come out equal say the same about the same requests, so nations for which all
formulas come out equal are nations that the policies cannot tell apart.

What is left has one form for each test: levels as "at least", no test that a label's own rules
answer already (the originator is always on the release list; no nation is on both lists). Places
and threats that are read with the reference data of before are parents of `BEFORE`.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from policies.facts import LAST_SECOND
from policies.formula import (
    AllOf,
    AnyOf,
    AtLeast,
    Atom,
    Cross,
    Empty,
    Equals,
    Flag,
    Formula,
    In,
    Is,
    Not,
    every,
    negated,
    some,
)
from policies.profile import Rule
from wire.vocabulary import Vocabulary

Variable = Literal["resource", "before"]
NOW: Final = "resource"
BEFORE: Final = "before"
"""Whose parents a report's places are: today's reference data, or the one compared with it."""

TREES: Final = ("Within", "Touching", "Threat", "ThreatTouching")

DERIVED: Final = Flag("resource.derived")
ALL_RELEASED: Final = "resource.releasableTo"
ALL_DISPLAYED: Final = "resource.displayTo"


def allowed(rules: Iterable[Rule]) -> Formula:
    """Where a layer of these rules says yes."""
    rules = tuple(rules)
    permits = some(*(rule.formula for rule in rules if rule.effect == "permit"))
    forbids = some(*(rule.formula for rule in rules if rule.effect == "forbid"))
    return every(permits, negated(forbids))


def counts(formulas: Iterable[Formula], asked: int) -> tuple[int, ...]:
    """Every number of approvals that could make a difference to these formulas, or is asked for."""
    bounds = {bound for formula in formulas for bound in _approval_bounds(formula)}
    return tuple(sorted({*range(asked + 1), *(bound for bound in bounds if bound > 0)}))


def _approval_bounds(formula: Formula) -> Iterable[int]:
    match formula:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _approval_bounds(part)
        case Not(AtLeast("context.approvals", bound)) | AtLeast("context.approvals", bound):
            yield bound
        case _:
            return


class Grounding:
    """Puts one nation, one set of reference data and a number of approvals into formulas."""

    def __init__(
        self, vocabulary: Vocabulary, nation: str, approvals: int, variable: Variable = "resource"
    ) -> None:
        self._groups: Final = frozenset(g for g, who in vocabulary.groups.items() if nation in who)
        self._levels: Final[Mapping[str, int]] = {
            level.token: index for index, level in enumerate(vocabulary.levels)
        }
        self._nation, self._approvals, self._variable = nation, approvals, variable

    def __call__(self, formula: Formula) -> Formula:
        """The formula, grounded."""
        match formula:
            case bool():
                return formula
            case Not(part):
                return negated(self._atom(part))
            case AllOf(parts):
                return every(*map(self, parts))
            case AnyOf(parts):
                return some(*map(self, parts))
            case _:
                return self._atom(formula)

    def _atom(self, atom: Atom) -> Formula:
        match atom:
            case Is(kind):
                return atom if kind == "Analyst" else Not(Is("Analyst"))
            case In("principal", (relation, word)):
                return word == self._nation if relation == "Nation" else word in self._groups
            case In(_, ("UpTo", level)):
                return negated(self._bounded("resource.level", self._levels[level] + 1))
            case In(_, (relation, word)) if relation in TREES:
                return In(self._variable, (relation, word))
            case AtLeast("context.approvals", bound):
                return self._approvals >= bound
            case AtLeast(path, bound):
                return self._bounded(path, bound)
            case Equals("principal.nation", word):
                return word == self._nation
            case Empty(path) if path == ALL_RELEASED:
                return False
            case Cross():
                return self._cross(atom)
            case _:
                return atom

    def _bounded(self, path: str, bound: int) -> Formula:
        lowest = -LAST_SECOND if path == "context.age" else 0
        highest = len(self._levels) - 1 if path.endswith(("level", "clearance")) else LAST_SECOND
        return True if bound <= lowest else False if bound > highest else AtLeast(path, bound)

    def _cross(self, atom: Cross) -> Formula:
        left, right = atom.left, atom.right
        lists = {left, right} <= {ALL_RELEASED, ALL_DISPLAYED}
        match atom.test:
            case "contains" if right == "resource.origin":
                return left == ALL_RELEASED
            case "contains_all" | "contains_any" | "equal" | "at_least" if left == right:
                return negated(self._atom(Empty(left))) if atom.test == "contains_any" else True
            case "contains_all" if lists:
                return Empty(ALL_DISPLAYED) if left == ALL_RELEASED else False
            case "contains_any" if lists:
                return False
            case "contains_any":
                return Cross("contains_any", *sorted((left, right)))
            case "equal" if "principal.nation" in (left, right):
                return Equals("resource.origin", self._nation)
            case _:
                return atom
