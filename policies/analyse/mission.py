"""The layers of a mission as formulas: what an analysis is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from policies.analyse.atlas import Atlas
from policies.analyse.ground import BEFORE, NOW, Grounding, Variable, allowed, counts
from policies.decide import PolicyBook
from policies.formula import Equals, Formula, Holds, occurrences
from policies.layers import Layer
from policies.lint import OFFICERS_ASKED
from policies.schema import FLOOR_OWNER
from wire.vocabulary import Vocabulary

Readings = tuple[tuple[Formula, Variable], ...]
"""A layer, read with one or more versions of the reference data: all of them must agree."""

NOTHING: Final[Readings] = ((False, NOW),)
"""A layer that nobody adopted: it lets nothing through."""


def alone(layer: Layer | None) -> Readings:
    """A layer under today's reference data alone."""
    return NOTHING if layer is None else ((allowed(layer.rules), NOW),)


@dataclass(frozen=True)
class Mission:
    """All layers under today's reference data; `atlases` may hold another to compare with."""

    atlases: Mapping[Variable, Atlas]
    layers: Mapping[tuple[str, str], Formula]
    grounded: dict[tuple[Formula, Variable, str, int], Formula] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, book: PolicyBook, before: Vocabulary | None = None) -> Self:
        """The mission that a book decides for, and reference data to compare it with."""
        atlases: dict[Variable, Atlas] = {NOW: Atlas(book.vocabulary)}
        if before is not None and before != book.vocabulary:
            atlases[BEFORE] = Atlas(before)
        layers = {name: allowed(layer.rules) for name, layer in book.layers.items()}
        return cls(atlases, layers)

    @property
    def vocabulary(self) -> Vocabulary:
        """Today's words."""
        return self.atlases[NOW].vocabulary

    @property
    def nations(self) -> Sequence[str]:
        """All of them, in the mission's order."""
        return self.vocabulary.nations

    def layer(self, kind: str, owner: str) -> Formula:
        """Where a layer says yes; nowhere if nobody adopted it."""
        return self.layers.get((kind, owner), False)

    @property
    def floor(self) -> Formula:
        """The coalition's floor: what the label itself demands."""
        return self.layer("handle", FLOOR_OWNER)

    @property
    def carry(self) -> Formula:
        """The mission's layer."""
        return self.layer("carry", self.vocabulary.mission)

    def ground(
        self, formula: Formula, nation: str, approvals: int, variable: Variable = NOW
    ) -> Formula:
        """A formula about one recipient nation, after so many approvals."""
        key = (formula, variable, nation, approvals)
        found = self.grounded.get(key)
        if found is None:
            vocabulary = self.atlases[variable].vocabulary
            found = Grounding(vocabulary, nation, approvals, variable)(formula)
            self.grounded[key] = found
        return found

    def groups(self, formulas: Mapping[str, tuple[Formula, ...]]) -> list[tuple[str, ...]]:
        """Nations that grounded formulas, by nation, cannot tell apart."""
        found: dict[object, list[str]] = {}
        for nation, asked in formulas.items():
            named = any(_names(nation, formula) for formula in asked)
            since = tuple(nation in atlas.vocabulary.nations for atlas in self.atlases.values())
            found.setdefault((asked, since, nation if named else None), []).append(nation)
        return [tuple(nations) for nations in found.values()]


def asked_counts(formulas: Iterable[Formula]) -> tuple[int, ...]:
    """The numbers of officers that can make a difference."""
    return counts(formulas, OFFICERS_ASKED)


def _names(nation: str, formula: Formula) -> bool:
    return any(
        isinstance(atom, Holds | Equals) and atom.word == nation for atom, _ in occurrences(formula)
    )
