"""Standing guarantees: what a nation's policy may never do, or must always do, whoever edits it.

A guarantee is a rule in the same words as a policy: `forbid` says never, `permit` says always. It
decides nothing. It is proved: on the nation's own release layer and the label alone, for nobody
else's layer is the nation's to rely on, for every number of officers who may have signed. What
breaks one is shown as a request, and only after Cedar itself has answered so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.analyse.ground import DERIVED, allowed
from policies.analyse.mission import Mission, asked_counts
from policies.analyse.space import Space
from policies.analyse.witness import Request, witness
from policies.decide import PolicyBook
from policies.formula import Formula, evaluate, negated
from policies.layers import Layer, scene
from policies.observe import observe_circumstances, observe_recipient, observe_report
from policies.profile import Rule
from policies.verdicts import Outcome
from wire.errors import BrokerFault

LAYER: Final = "release"
"""What guarantees are about: what leaves."""


@dataclass(frozen=True)
class Broken:
    """A guarantee that the policy does not keep, for which nations, and a request that shows it."""

    rule: Rule
    nations: tuple[str, ...]
    officers: int
    example: Request


def broken(mission: Mission, book: PolicyBook, owner: str, rules: Layer) -> tuple[Broken, ...]:
    """The guarantees of `owner` that the release layer in `book` does not keep.

    `rules` are the guarantees, read as a layer. Raises `BrokerFault` ("internal") if Cedar does not
    confirm what was found: then nothing is proved.
    """
    layer = book.layers.get((LAYER, owner))
    found: dict[str, Broken] = {}
    for breach in _breaches(mission, layer, owner, rules.rules):
        _confirm(book, layer, rules, breach)
        first = found.setdefault(breach.rule.id, breach)
        if first is not breach:
            nations = (*first.nations, *breach.nations)
            found[breach.rule.id] = Broken(first.rule, nations, first.officers, first.example)
    return tuple(found.values())


def _breaches(
    mission: Mission, layer: Layer | None, owner: str, guarantees: Sequence[Rule]
) -> Iterator[Broken]:
    formula = False if layer is None else allowed(layer.rules)
    counts = asked_counts([formula, mission.floor, *(rule.formula for rule in guarantees)])
    asked = {
        nation: tuple(
            tuple(mission.ground(f, nation, count) for f in (formula, *_formulas(guarantees)))
            for count in counts
        )
        for nation in mission.nations
        if nation != owner
    }
    floors = {n: mission.ground(mission.floor, n, counts[-1]) for n in asked}
    groups = mission.groups(
        {n: (floors[n], *(f for formulas in asked[n] for f in formulas)) for n in asked}
    )
    for group in groups:
        stages, floor = asked[group[0]], floors[group[0]]
        every_formula = [floor, DERIVED, *(f for formulas in stages for f in formulas)]
        space = Space(mission.atlases, group[0], every_formula, owner=owner)
        solver = space.solver(space.encode(floor))
        for number, rule in enumerate(guarantees, start=1):
            for count, formulas in zip(counts, stages, strict=True):
                wrong = formulas[0] if rule.effect == "forbid" else negated(formulas[0])
                solver.push()
                solver.add(space.holds(formulas[number]), space.holds(wrong))
                model = space.model(solver, space.holds(negated(DERIVED))) or space.model(solver)
                solver.pop()
                if model is not None:
                    example = witness(space, model, (LAYER, owner), count)
                    yield Broken(rule, group, count, example)
                    break


def _formulas(rules: Sequence[Rule]) -> tuple[Formula, ...]:
    return tuple(rule.formula for rule in rules)


def _confirm(book: PolicyBook, layer: Layer | None, rules: Layer, breach: Broken) -> None:
    """Ask Cedar: the policy does it, and the guarantee is about it."""
    recipient, facts, moment = breach.example
    sides = (
        observe_recipient(recipient, book.vocabulary),
        observe_report(facts, book.vocabulary),
    )
    released = layer is not None and layer.ask(*sides, moment).outcome is Outcome.RELEASE
    said = rules.ask(*sides, moment)
    never = breach.rule.effect == "forbid"
    if never:
        meant = breach.rule.id in said.rules
    else:  # another rule that says never hides it from Cedar's reasons, not from ours
        context = observe_circumstances(moment, LAYER, rules.owner)
        meant = evaluate(breach.rule.formula, scene(*sides, context))
    if released is not never or not meant:
        raise BrokerFault("internal", "the analysis and the policy engine disagree")
