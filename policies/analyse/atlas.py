"""Reference data prepared for many questions: what every place and threat type overlaps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from wire.vocabulary import Tree, Vocabulary


class Overlap(NamedTuple):
    """What lies round a code, and everything that it may overlap."""

    within: frozenset[str]
    touching: frozenset[str]


@dataclass(frozen=True)
class Atlas:
    """A vocabulary, and the overlaps of its places and threat types."""

    vocabulary: Vocabulary

    @cached_property
    def trees(self) -> Mapping[str, Mapping[str, Overlap]]:
        """By relation, `Within` for places and `Threat` for threat types, and by code."""
        vocabulary = self.vocabulary
        return {"Within": _overlaps(vocabulary.regions), "Threat": _overlaps(vocabulary.threats)}


def _overlaps(tree: Tree) -> Mapping[str, Overlap]:
    return {code: Overlap(tree.ancestors(code), tree.touching([code])) for code in tree.parents}
