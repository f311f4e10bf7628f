"""What a change does: which classes of reports, for whom, from which outcome to which.

The change is exact twice over. What takes effect, among the requests that the coalition's floor and
the mission let through, is one part (`any`) or, where a rule reads how a report came about, two:
`ordinary`, for original reports, and `derived`, for reports made from others. And `own` is what
changes in the nation's layer under the label alone. Where that is more, only the mission stops it
today: `latent` names those classes. What a partner accepts is the partner's own affair, which its
neighbours do not see: it is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import z3

from policies.analyse.classes import Literal as Fact
from policies.analyse.classes import cover
from policies.analyse.ground import DERIVED, Variable
from policies.analyse.mission import Mission, Readings, asked_counts
from policies.analyse.space import Space
from policies.analyse.witness import Request, witness
from policies.formula import Equals, Formula, every, occurrences

Stage = int | None
"""How many of the owner's officers must sign before the layer releases; None: it never does."""

Part = Literal["any", "ordinary", "derived", "own", "latent"]


@dataclass(frozen=True)
class Change:
    """Requests whose outcome changes in one way, for nations that are treated alike."""

    layer: tuple[str, str]
    part: Part
    nations: tuple[str, ...]
    before: Stage
    after: Stage
    classes: tuple[frozenset[Fact], ...]
    whole: bool
    example: Request

    @property
    def grows(self) -> bool:
        """Whether more is released, or on fewer signatures."""
        return self.after is not None and (self.before is None or self.after < self.before)


@dataclass(frozen=True)
class _Asked:
    """One side for one nation, grounded for each number of approvals."""

    stages: Mapping[int, tuple[tuple[Formula, Variable], ...]]

    def formulas(self) -> Iterator[Formula]:
        for readings in self.stages.values():
            yield from (formula for formula, _ in readings)


def differences(
    mission: Mission, layer: tuple[str, str], before: Readings, after: Readings
) -> tuple[Change, ...]:
    """Everything that changes when this layer of a nation goes from `before` to `after`."""
    kind, owner = layer
    counts = asked_counts(formula for formula, _ in (*before, *after))
    nations = [n for n in mission.nations if n != owner] if kind == "release" else [owner]
    asked = {n: _pair(mission, before, after, n, counts) for n in nations}
    around = {n: _around(mission, n) for n in nations}
    alike = mission.groups(
        {n: (*asked[n][0].formulas(), *asked[n][1].formulas(), *around[n]) for n in nations}
    )
    found: dict[object, Change] = {}
    for group in alike:
        old, new = asked[group[0]]
        if old.stages != new.stages:
            for change in _changes(mission, layer, group, old, new, around[group[0]]):
                same = (change.part, change.before, change.after, frozenset(change.classes))
                first = found.setdefault(same, change)
                if first is not change:
                    found[same] = replace(first, nations=(*first.nations, *change.nations))
    return tuple(found.values())


def grows(mission: Mission, owner: str, before: Readings, after: Readings) -> bool:
    """Whether any report could go, or go on fewer signatures, which could not before.

    Only the nation's own release layer and the label count: what another party stops today, it may
    let through tomorrow.
    """
    counts = asked_counts(formula for formula, _ in (*before, *after))
    others = [n for n in mission.nations if n != owner]
    asked = {n: _pair(mission, before, after, n, counts) for n in others}
    floors = {n: _around(mission, n)[0] for n in others}
    for group in mission.groups(
        {n: (*old.formulas(), *new.formulas(), floors[n]) for n, (old, new) in asked.items()}
    ):
        old, new = asked[group[0]]
        if old.stages == new.stages:
            continue
        floor = floors[group[0]]
        space = Space(
            mission.atlases, group[0], [*old.formulas(), *new.formulas(), floor], owner=owner
        )
        base = space.solver(space.encode(floor))
        for count in counts:
            gained = z3.And(
                _releases(space, new.stages[count]), z3.Not(_releases(space, old.stages[count]))
            )
            if base.check(gained) != z3.unsat:
                return True
    return False


def _pair(
    mission: Mission, before: Readings, after: Readings, nation: str, counts: Iterable[int]
) -> tuple[_Asked, _Asked]:
    def grounded(side: Readings) -> _Asked:
        return _Asked(
            {c: tuple((mission.ground(f, nation, c, v), v) for f, v in side) for c in counts}
        )

    return grounded(before), grounded(after)


def _around(mission: Mission, nation: str) -> tuple[Formula, Formula]:
    """The coalition's floor and the mission's layer, with all the officers they could ask for."""
    most = max(asked_counts([mission.floor, mission.carry]))
    floor, carry = (mission.ground(f, nation, most) for f in (mission.floor, mission.carry))
    return floor, carry


def _changes(
    mission: Mission,
    layer: tuple[str, str],
    group: tuple[str, ...],
    old: _Asked,
    new: _Asked,
    around: tuple[Formula, Formula],
) -> Iterator[Change]:
    kind, owner = layer
    formulas = [*old.formulas(), *new.formulas()]
    space = Space(
        mission.atlases,
        group[0],
        [*formulas, *around, DERIVED],
        owner=owner if kind == "release" else None,
    )
    before, after = _stages(space, old), _stages(space, new)
    floor, passed = space.encode(around[0]), space.encode(every(*around))
    for part, given in _parts(space, formulas, floor, passed):
        base = space.solver(given)
        for was, then in before.items():
            for will, becomes in after.items():
                moved = z3.And(then, becomes)
                if was == will or space.model(base, moved) is None:
                    continue
                found = cover(space, moved, [given])
                assert found.first is not None
                example = witness(space, found.first, layer, 0)
                change = Change(layer, part, group, was, will, found.classes, found.whole, example)
                yield change
                if part == "own":
                    yield from _latent(space, change, space.solver(moved, passed))


def _latent(space: Space, own: Change, effective: z3.Solver) -> Iterator[Change]:
    """Of the layer's own changes, the classes of which nothing takes effect."""
    stopped = tuple(
        literals
        for literals in own.classes
        if effective.check(*(space.fact(literal) for literal in literals)) == z3.unsat
    )
    if stopped:
        yield replace(own, part="latent", classes=stopped)


def _parts(
    space: Space, formulas: Iterable[Formula], floor: z3.BoolRef, passed: z3.BoolRef
) -> Iterator[tuple[Part, z3.BoolRef]]:
    if any(_of_lineage(formula) for formula in formulas):
        yield "ordinary", z3.And(passed, z3.Not(space.holds(DERIVED)))
        yield "derived", z3.And(passed, space.holds(DERIVED))
    else:
        yield "any", passed
    yield "own", floor


def _of_lineage(formula: Formula) -> bool:
    """Whether it reads how a report came about."""
    return any(
        atom == DERIVED or (isinstance(atom, Equals) and atom.path == "resource.origin")
        for atom, _ in occurrences(formula)
    )


def _stages(space: Space, asked: _Asked) -> Mapping[Stage, z3.BoolRef]:
    """For each number of officers, the requests that need just so many."""
    found: dict[Stage, z3.BoolRef] = {}
    fewer: list[z3.BoolRef] = []
    for count, readings in asked.stages.items():
        enough = _releases(space, readings)
        found[count] = z3.And(enough, *(z3.Not(less) for less in fewer))
        fewer.append(enough)
    found[None] = z3.And([z3.Not(less) for less in fewer])
    return found


def _releases(space: Space, readings: Iterable[tuple[Formula, Variable]]) -> z3.BoolRef:
    return z3.And([space.encode(formula, variable) for formula, variable in readings])
