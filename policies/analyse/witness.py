"""A model of the solver, turned back into a request that Cedar can be asked about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import z3

from policies.analyse.care import COMMUNITIES, Spot
from policies.analyse.ground import ALL_DISPLAYED, ALL_RELEASED, NOW
from policies.analyse.space import Space
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.formula import AtLeast, Atom, Equals, Flag, Holds, In, Is
from wire.labels import PRECEDENCES
from wire.vocabulary import Vocabulary

Request = tuple[Recipient, ReportFacts, Circumstances]

FRESH: Final = 0
"""Seconds; the age of an example, and its time, where no rule asks for more."""


def witness(space: Space, model: z3.ModelRef, layer: tuple[str, str], approvals: int) -> Request:
    """One request of the model, with so many approvals of the layer's own officers."""
    seen = _Seen(space, model)
    owner = space.owner or layer[1]
    vocabulary = space.atlases[NOW].vocabulary
    origin = seen.origin(owner)
    others = frozenset({owner}) if space.owner and origin != owner else frozenset[str]()
    recipient = Recipient(
        nation=space.nation,
        kind="Analyst" if seen.on(Is("Analyst")) else "Gateway",
        clearance=seen.reached("principal.clearance", 0),
        communities=seen.words(COMMUNITIES[0]),
        exercise=seen.on(Flag("principal.exercise")),
    )
    facts = ReportFacts(
        originator=origin,
        level=seen.reached("resource.level", 0),
        regions=seen.codes(space.places),
        threats=seen.codes(space.threats),
        release_to=seen.words(ALL_RELEASED) | {origin},
        display_to=seen.words(ALL_DISPLAYED),
        caveats=seen.caveats(vocabulary),
        communities=seen.words(COMMUNITIES[1]),
        contributors=others,
        derived=seen.on(Flag("resource.derived")),
        exercise=seen.on(Flag("resource.exercise")),
        precedence=seen.one(PRECEDENCES, lambda word: In(NOW, ("Precedence", word))),
        originator_control=seen.on(Flag("resource.originatorControl")),
    )
    purpose = seen.one(vocabulary.purposes, lambda word: Equals("context.purpose", word))
    now, age = seen.reached("context.now", FRESH), seen.reached("context.age", FRESH)
    return recipient, facts, Circumstances(now, age, purpose, {layer: approvals})


@dataclass(frozen=True)
class _Seen:
    """What a model says of the atoms; an atom without a variable can be either, so it is not."""

    space: Space
    model: z3.ModelRef

    def on(self, atom: Atom) -> bool:
        bit = self.space.bits.get(atom)
        return bit is not None and z3.is_true(self.model.eval(bit, model_completion=True))

    def reached(self, path: str, least: int) -> int:
        """The least number that reaches and misses the same bounds."""
        bounds = [a.bound for a in self.space.bits if isinstance(a, AtLeast) and a.path == path]
        reached = [bound for bound in bounds if self.on(AtLeast(path, bound))]
        missed = [bound for bound in bounds if bound not in reached]
        low = max(reached, default=least)
        return min(low, min(missed) - 1) if missed else low

    def words(self, path: str) -> frozenset[str]:
        held = (a for a in self.space.bits if isinstance(a, Holds) and a.path == path)
        return frozenset(atom.word for atom in held if self.on(atom))

    def codes(self, spots: Iterable[Spot]) -> frozenset[str]:
        return frozenset(
            spot.code
            for spot in spots
            if z3.is_true(self.model.eval(spot.present, model_completion=True))
        )

    def caveats(self, vocabulary: Vocabulary) -> frozenset[str]:
        return frozenset(c for c in vocabulary.caveats if self.on(In(NOW, ("Caveat", c))))

    def one(self, words: Iterable[str], atom: Callable[[str], Atom]) -> str:
        """The word that holds, or the first that no rule asks about."""
        free = None
        for word in words:
            if self.on(atom(word)):
                return word
            if free is None and atom(word) not in self.space.bits:
                free = word
        assert free is not None
        return free

    def origin(self, owner: str) -> str:
        nations = self.space.atlases[NOW].vocabulary.nations
        ordered = [owner, *(nation for nation in nations if nation != owner)]
        return self.one(ordered, lambda word: Equals("resource.origin", word))
