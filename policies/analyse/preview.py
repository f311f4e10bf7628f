"""What an officer sees before signing: every change, what breaks, which rules do nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import z3

from policies.analyse.adoption import LAYERS
from policies.analyse.difference import Change, differences, grows
from policies.analyse.ground import allowed
from policies.analyse.guarantees import Broken, broken
from policies.analyse.mission import Mission, Readings, alone, asked_counts
from policies.analyse.space import Space
from policies.decide import PolicyBook
from policies.layers import Layer


@dataclass(frozen=True)
class Preview:
    """One nation's change of policy. `grows`: more is released, so a second officer must sign."""

    owner: str
    changes: tuple[Change, ...]
    grows: bool
    broken: tuple[Broken, ...]
    dead: tuple[str, ...]
    """Rules of the new release layer without which nothing would be different."""


def preview(
    mission: Mission,
    book: PolicyBook,
    owner: str,
    before: Mapping[str, Readings],
    guarantees: Layer | None,
) -> Preview:
    """What it means that `owner` goes from the layers `before` to those in `book`.

    `mission` is that of `book`. Raises `BrokerFault` ("internal") if Cedar contradicts a proof.
    """
    after = {kind: alone(book.layers.get((kind, owner))) for kind in LAYERS}
    changes = [
        change
        for kind in LAYERS
        for change in differences(mission, (kind, owner), before[kind], after[kind])
    ]
    layer = book.layers.get(("release", owner))
    return Preview(
        owner,
        tuple(changes),
        grows(mission, owner, before["release"], after["release"]),
        () if guarantees is None else broken(mission, book, owner, guarantees),
        () if layer is None else tuple(_dead(mission, layer)),
    )


def _dead(mission: Mission, layer: Layer) -> Iterator[str]:
    """Rules that never decide: others say the same, or no report comes to them."""
    whole = allowed(layer.rules)
    rest = {r.id: allowed(other for other in layer.rules if other is not r) for r in layer.rules}
    formulas = [whole, *rest.values()]
    counts = asked_counts(formulas)
    asked = {
        nation: tuple(mission.ground(f, nation, count) for count in counts for f in formulas)
        for nation in mission.nations
        if nation != layer.owner
    }
    doubted = set(rest)
    for group in mission.groups(asked):
        found = asked[group[0]]
        space = Space(mission.atlases, group[0], found, owner=layer.owner)
        solver = space.solver()
        for start in range(0, len(found), len(formulas)):
            all_rules, *without = (space.holds(f) for f in found[start : start + len(formulas)])
            for name, other in zip(rest, without, strict=True):
                if name in doubted and solver.check(all_rules != other) != z3.unsat:
                    doubted.discard(name)
    yield from (rule.id for rule in layer.rules if rule.id in doubted)
