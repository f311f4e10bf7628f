"""All requests that one recipient nation can make of some layers, as a space to be searched.

A variable is an atom; the care set (`policies/analyse/care.py`) says which combinations there are.
So what is found empty here is empty in truth, and what is found is a request that can be made.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import z3

from policies.analyse import care
from policies.analyse.atlas import Atlas
from policies.analyse.ground import NOW, Variable
from policies.formula import AllOf, AnyOf, Atom, Equals, Formula, Not, occurrences


class Space:
    """The requests of `nation`; `owner` is whose release layer is asked, if it is one.

    Only what `formulas`, grounded for the nation, can tell apart is told apart.
    """

    def __init__(
        self,
        atlases: Mapping[Variable, Atlas],
        nation: str,
        formulas: Iterable[Formula],
        *,
        owner: str | None = None,
    ) -> None:
        atoms = dict.fromkeys(atom for formula in formulas for atom, _ in occurrences(formula))
        question = care.Question(frozenset(atoms), atlases, nation, owner)
        self.atlases: Final = atlases
        self.nation: Final = nation
        self.owner: Final = owner
        self.atoms: Final = tuple(atoms)
        self.bits: Final[dict[Atom, z3.BoolRef]] = {}
        for atom in atoms:
            self._bit(atom)
        self.places, place_facts, place_known = care.spots(question, "Within", self._bit)
        self.threats, threat_facts, threat_known = care.spots(question, "Threat", self._bit)
        self.known: Final = {
            variable: z3.And(
                [
                    place_known[variable],
                    threat_known[variable],
                    *care.known(question, variable, self._bit),
                ]
            )
            for variable in atlases
        }
        self.care: Final = [
            *place_facts,
            *threat_facts,
            *care.care(question, self.bits, self._bit),
        ]

    def encode(self, formula: Formula, variable: Variable = NOW) -> z3.BoolRef:
        """Where a grounded formula holds, and its reference data has every word of the request."""
        return z3.And(self.known[variable], self._encoded(formula))

    def holds(self, formula: Formula) -> z3.BoolRef:
        """Where a grounded formula holds."""
        return self._encoded(formula)

    def from_originator(self) -> z3.BoolRef:
        """Where the owner of the layer is the report's originator."""
        assert self.owner is not None
        return self.bits[Equals("resource.origin", self.owner)]

    def fact(self, literal: tuple[Atom, bool]) -> z3.BoolRef:
        """That an atom holds, or does not."""
        atom, holds = literal
        return self.bits[atom] if holds else z3.Not(self.bits[atom])

    def find(self, *facts: z3.BoolRef) -> z3.ModelRef | None:
        """A request for which all of this holds, if there is one."""
        return self.model(self.solver(*facts))

    @staticmethod
    def model(solver: z3.Solver, *supposed: z3.BoolRef) -> z3.ModelRef | None:
        """A request that satisfies the solver, and what is supposed; None if there is none."""
        found = solver.check(*supposed)
        assert found != z3.unknown, "booleans are decided"
        return solver.model() if found == z3.sat else None

    def solver(self, *facts: z3.BoolRef) -> z3.Solver:
        """A solver that knows the care set and these facts."""
        solver = z3.SolverFor("QF_FD")
        solver.add(self.care)
        solver.add(*facts)
        return solver

    def _encoded(self, formula: Formula) -> z3.BoolRef:
        match formula:
            case bool():
                return z3.BoolVal(formula)
            case Not(part):
                return z3.Not(self.bits[part])
            case AllOf(parts):
                return z3.And([self._encoded(part) for part in parts])
            case AnyOf(parts):
                return z3.Or([self._encoded(part) for part in parts])
            case _:
                return self.bits[formula]

    def _bit(self, atom: Atom) -> z3.BoolRef:
        found = self.bits.get(atom)
        if found is None:
            found = self.bits[atom] = z3.Bool(f"a{len(self.bits)}")
        return found
