"""The release matrix: the highest level that each nation's reports can reach each other nation.

A cell is about what is possible at all, for some report and some member: with no officer's
signature, and with all the signatures that anybody could ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import z3

from policies.analyse.mission import Mission, asked_counts
from policies.analyse.space import Space
from policies.formula import AtLeast, Formula


class Cell(NamedTuple):
    """Highest level, as an index of the scale, unaided and with officers; None: nothing goes."""

    unaided: int | None
    officers: int | None


@dataclass(frozen=True)
class Matrix:
    """All cells, by originator and recipient."""

    nations: tuple[str, ...]
    levels: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]


def matrix(mission: Mission) -> Matrix:
    """The highest level from every nation to every other one."""
    nations = tuple(mission.nations)
    cells = {
        (originator, recipient): _cell(mission, originator, recipient)
        for originator in nations
        for recipient in nations
        if originator != recipient
    }
    return Matrix(nations, tuple(level.token for level in mission.vocabulary.levels), cells)


def _cell(mission: Mission, originator: str, recipient: str) -> Cell:
    layers = [
        mission.floor,
        mission.carry,
        mission.layer("release", originator),
        mission.layer("accept", recipient),
    ]
    alone = [mission.ground(formula, recipient, 0) for formula in layers]
    most = max(asked_counts(layers))
    aided = [mission.ground(formula, recipient, most) for formula in layers]
    steps = [AtLeast("resource.level", k) for k in range(1, len(mission.vocabulary.levels))]
    space = Space(mission.atlases, recipient, [*alone, *aided, *steps], owner=originator)
    origin = space.from_originator()
    unaided = _highest(space, alone, origin, steps)
    officers = unaided if alone == aided else _highest(space, aided, origin, steps)
    return Cell(unaided, officers)


def _highest(
    space: Space, layers: list[Formula], origin: z3.BoolRef, steps: list[AtLeast]
) -> int | None:
    if any(layer is False for layer in layers):
        return None
    solver = space.solver(origin, *(space.encode(layer) for layer in layers))
    for step in reversed(steps):
        if solver.check(space.bits[step]) == z3.sat:
            return step.bound
    return 0 if solver.check() == z3.sat else None
