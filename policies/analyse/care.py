"""Which combinations of atoms some report, recipient and moment can show: the care set.

Without it an analysis would speak of reports within Mali but not within the Sahel. It is exact:
what it lets through is realised by some acceptable label (up to the number of places that one label
may name), what it keeps out by none. Each function states one family of atoms.

Words that no rule names are told apart only as far as tests between two sets can: three of them
stand for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import z3

from policies.analyse.atlas import Atlas
from policies.analyse.ground import ALL_DISPLAYED, ALL_RELEASED, NOW, Variable
from policies.formula import AtLeast, Atom, Cross, Empty, Equals, Flag, Holds, In
from wire.labels import PRECEDENCES

STAND_INS: Final = 3
"""In the first set only, in the second only, in both: all that a test between two sets can see."""

COMMUNITIES: Final = ("principal.communities", "resource.communities")
LISTS: Final = (ALL_RELEASED, ALL_DISPLAYED)

Bits = Callable[[Atom], z3.BoolRef]
"""The variable of an atom, made when it is first asked for."""


@dataclass(frozen=True)
class Spot:
    """Places, or threat types, that no rule tells apart; `code` is one of them."""

    present: z3.BoolRef
    code: str


@dataclass(frozen=True)
class Question:
    """What is asked about: the atoms, one recipient nation, and whose layer is asked."""

    atoms: frozenset[Atom]
    atlases: Mapping[Variable, Atlas]
    nation: str
    owner: str | None

    def words(self, of: str) -> tuple[str, ...]:
        """All words of a kind, of today's reference data and of the one compared with it."""
        found: dict[str, None] = {}
        for atlas in self.atlases.values():
            found.update(dict.fromkeys(getattr(atlas.vocabulary, of)))
        return tuple(found)


def known(question: Question, variable: Variable, bit: Bits) -> Iterator[z3.BoolRef]:
    """That a request uses no word, places aside, which this reference data does not have."""
    vocabulary = question.atlases[variable].vocabulary
    if question.nation not in vocabulary.nations:
        yield z3.BoolVal(val=False)
    for of, atoms in (
        ("caveats", lambda word: [In(NOW, ("Caveat", word))]),
        ("communities", lambda word: [Holds("resource.communities", word)]),
        ("purposes", lambda word: [Equals("context.purpose", word)]),
        ("nations", lambda word: [Holds(path, word) for path in LISTS]),
    ):
        for word in question.words(of):
            if word not in getattr(vocabulary, of):
                yield from (z3.Not(bit(atom)) for atom in atoms(word))


def care(question: Question, bits: Mapping[Atom, z3.BoolRef], bit: Bits) -> Iterator[z3.BoolRef]:
    """Every family but places and threats. `bits` grows while this runs."""
    yield from _numbers_compared(question, bit)
    yield from _flags_compared(question, bit)
    yield from _communities(question, bits, bit)
    yield from _nations(question, bits, bit)
    yield from _one_of(_named(bits, "context.purpose"), question.words("purposes"), bit, _purpose)
    marked = [a.parent[1] for a in bits if isinstance(a, In) and a.parent[0] == "Precedence"]
    yield from _one_of(marked, PRECEDENCES, bit, _precedence)
    yield from _thermometers(bits)


def spots(
    question: Question, relation: str, bit: Bits
) -> tuple[list[Spot], list[z3.BoolRef], Mapping[Variable, z3.BoolRef]]:
    """Places (`Within`) or threat types (`Threat`): classes of codes, what they make of the
    atoms, and for each reference data that it knows all that the report names.
    """
    wide = {"Within": "Touching", "Threat": "ThreatTouching"}[relation]
    asked = [
        atom
        for atom in question.atoms
        if isinstance(atom, In) and atom.parent[0] in (relation, wide)
    ]
    trees = {v: atlas.trees[relation] for v, atlas in question.atlases.items()}
    kinds: dict[tuple[bool | None, ...], str] = {}
    for code in dict.fromkeys(code for tree in trees.values() for code in tree):
        seen = [
            code in trees[a.variable]  # type: ignore[index]  # a variable of this question
            and a.parent[1] in _overlap(trees[a.variable][code], narrow=a.parent[0] == relation)  # type: ignore[index]
            for a in asked
        ]
        kinds.setdefault((*seen, *(code in tree for tree in trees.values())), code)
    found = [Spot(z3.Bool(f"{relation} {code}"), code) for code in kinds.values()]
    facts = [z3.Or([spot.present for spot in found])]
    for column, atom in enumerate(asked):
        narrow = atom.parent[0] == relation
        some = [s.present for s, kind in zip(found, kinds, strict=True) if kind[column] != narrow]
        facts.append(bit(atom) == (z3.Not(z3.Or(some)) if narrow else z3.Or(some)))
    clear = {}
    for column, variable in enumerate(trees, start=len(asked)):
        strange = [s.present for s, kind in zip(found, kinds, strict=True) if not kind[column]]
        clear[variable] = z3.Not(z3.Or(strange))
    return found, facts, clear


def _overlap(overlap: tuple[frozenset[str], frozenset[str]], *, narrow: bool) -> frozenset[str]:
    return overlap[0] if narrow else overlap[1]


def _thermometers(bits: Mapping[Atom, z3.BoolRef]) -> Iterator[z3.BoolRef]:
    """What reaches the higher bound reaches the lower one."""
    bounds: dict[str, list[int]] = {}
    for atom in bits:
        if isinstance(atom, AtLeast):
            bounds.setdefault(atom.path, []).append(atom.bound)
    for path, found in bounds.items():
        ordered = sorted(found)
        for low, high in zip(ordered, ordered[1:], strict=False):
            yield z3.Implies(bits[AtLeast(path, high)], bits[AtLeast(path, low)])


def _numbers_compared(question: Question, bit: Bits) -> Iterator[z3.BoolRef]:
    """Clearance against level."""
    for atom in sorted_crosses(question.atoms):
        if atom.left in _FLAGS or atom.test not in ("at_least", "equal"):
            continue
        steps = range(1, len(question.atlases[NOW].vocabulary.levels))
        left, right = ([bit(AtLeast(p, k)) for k in steps] for p in (atom.left, atom.right))
        reached = z3.And([z3.Implies(r, x) for x, r in zip(left, right, strict=True)])
        back = z3.And([z3.Implies(x, r) for x, r in zip(left, right, strict=True)])
        yield bit(atom) == (reached if atom.test == "at_least" else z3.And(reached, back))


_FLAGS: Final = (
    *("principal.exercise", "resource.exercise", "resource.derived"),
    "resource.originatorControl",
)


def _flags_compared(question: Question, bit: Bits) -> Iterator[z3.BoolRef]:
    for atom in sorted_crosses(question.atoms):
        if atom.left in _FLAGS:
            yield bit(atom) == (bit(Flag(atom.left)) == bit(Flag(atom.right)))


def _communities(
    question: Question, bits: Mapping[Atom, z3.BoolRef], bit: Bits
) -> Iterator[z3.BoolRef]:
    """What the recipient is read into, against what the report names."""
    crosses = [a for a in sorted_crosses(question.atoms) if a.left in COMMUNITIES]
    empties = [a for a in question.atoms if isinstance(a, Empty) and a.path in COMMUNITIES]
    if not crosses and not empties:
        return
    words = _some(_held(bits, *COMMUNITIES), question.words("communities"))
    for cross in crosses:
        pairs = [(bit(Holds(cross.left, w)), bit(Holds(cross.right, w))) for w in words]
        if cross.test == "contains_all":
            yield bit(cross) == z3.And([z3.Implies(right, left) for left, right in pairs])
        else:
            yield bit(cross) == z3.Or([z3.And(left, right) for left, right in pairs])
    for empty in empties:
        yield bit(empty) == z3.Not(z3.Or([bit(Holds(empty.path, w)) for w in words]))


def _nations(
    question: Question, bits: Mapping[Atom, z3.BoolRef], bit: Bits
) -> Iterator[z3.BoolRef]:
    """Who is on the lists: the originator is released to, and no nation is on both lists.

    A layer is asked about reports of others only where its owner contributed to them.
    """
    every_nation = question.words("nations")
    named = {*_held(bits, *LISTS), *_named(bits, "resource.origin"), question.nation}
    named |= {question.owner} if question.owner else set()
    words = _some(named, every_nation)
    for cross in sorted_crosses(question.atoms):
        if cross.test == "contains":
            yield bit(cross) == bit(Holds(cross.left, question.nation))
    if Empty(ALL_DISPLAYED) in question.atoms:
        shown = [bit(Holds(ALL_DISPLAYED, word)) for word in words]
        yield bit(Empty(ALL_DISPLAYED)) == z3.Not(z3.Or(shown))
    yield from _one_of(words, every_nation, bit, _origin)
    for word in words:
        yield z3.Not(z3.And(bit(Holds(ALL_RELEASED, word)), bit(Holds(ALL_DISPLAYED, word))))
        yield z3.Implies(bit(_origin(word)), bit(Holds(ALL_RELEASED, word)))
    if question.owner:
        yield z3.Or(bit(_origin(question.owner)), bit(Flag("resource.derived")))


def _one_of(
    named: Iterable[str], words: Iterable[str], bit: Bits, atom: Callable[[str], Atom]
) -> Iterator[z3.BoolRef]:
    """One word at most, and exactly one if there is no other to be had."""
    some = sorted(set(named))
    variables = [bit(atom(word)) for word in some]
    if len(variables) > 1:
        yield z3.AtMost(*variables, 1)
    if variables and not set(words).difference(some):
        yield z3.Or(variables)


def _purpose(word: str) -> Atom:
    return Equals("context.purpose", word)


def _origin(word: str) -> Atom:
    return Equals("resource.origin", word)


def _precedence(word: str) -> Atom:
    return In(NOW, ("Precedence", word))


def _held(bits: Iterable[Atom], *paths: str) -> set[str]:
    return {atom.word for atom in bits if isinstance(atom, Holds) and atom.path in paths}


def _named(bits: Iterable[Atom], path: str) -> set[str]:
    return {atom.word for atom in bits if isinstance(atom, Equals) and atom.path == path}


def _some(named: set[str], words: Iterable[str]) -> list[str]:
    others = [word for word in words if word not in named]
    return sorted(named) + others[:STAND_INS]


def sorted_crosses(atoms: Iterable[Atom]) -> list[Cross]:
    """The tests between two attributes, in order."""
    return sorted(
        (atom for atom in atoms if isinstance(atom, Cross)),
        key=lambda cross: (cross.test, cross.left, cross.right),
    )
