"""Reports derived from reports, consents and recalls in any order, and a plain model beside them.

The model keeps sets and walks the graph for every question. It knows the third-party rule and
nothing else: who may have a portion at all is what its list says, what was added to it, and what
everything that it draws on lets through.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

NATIONS = ("KEN", "GBR", "FRA", "SEN")
DEPTH = 6


@dataclass
class Made:
    """A report of one portion, as the model knows it."""

    number: int
    author: str
    released: frozenset[str]
    shown: frozenset[str]
    sources: tuple["Made", ...]
    recalled: bool = False
    consents: list["Consent"] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return 1 + max((source.depth for source in self.sources), default=0)

    def behind(self) -> Iterator["Made"]:
        """Everything that it draws on, some of it more than once."""
        for source in self.sources:
            yield source
            yield from source.behind()


@dataclass
class Consent:
    """The originator's word that one more nation may have it."""

    to: str
    expires: int
    withdrawn: bool = False

    def holds(self, now: int) -> bool:
        return not self.withdrawn and now < self.expires


def added(made: Made, now: int) -> frozenset[str]:
    return frozenset(c.to for c in made.consents if c.holds(now))


def audience(made: Made, now: int) -> frozenset[str]:
    """Every nation that the rule lets have the report now, one way or the other."""
    if made.recalled:
        return frozenset()
    keeping = made.released | added(made, now)
    looking = made.shown - keeping
    for source in made.behind():
        if source.recalled:
            return frozenset({made.author})
        may_keep = source.released | added(source, now)
        keeping &= may_keep
        looking &= may_keep | source.shown
    return keeping | looking | {made.author}
