"""Atoms in the words of a disclosure officer."""

from datetime import UTC, datetime
from typing import Final

from policies.formula import (
    AtLeast,
    Atom,
    CrossTest,
    Empty,
    Equals,
    Flag,
    Holds,
    In,
    Is,
)
from wire.vocabulary import Vocabulary

_NAMES: Final = {
    "principal.nation": "the recipient's nation",
    "principal.clearance": "the recipient's clearance",
    "principal.communities": "the communities that the recipient is read into",
    "principal.exercise": "the recipient's exercise setting",
    "resource.origin": "the originator",
    "resource.level": "the report's level",
    "resource.releasableTo": "the release list",
    "resource.displayTo": "the display list",
    "resource.communities": "the report's communities",
    "resource.derived": "the derivation of the report",
    "resource.exercise": "the report's exercise setting",
    "resource.originatorControl": "originator control",
    "context.purpose": "the purpose",
}

_FLAGS: Final = {
    "principal.exercise": ("the recipient takes part in an exercise", "the recipient is live"),
    "resource.derived": ("the report is derived from others", "the report is not derived"),
    "resource.exercise": ("the report is for exercise", "the report is live"),
    "resource.originatorControl": (
        "the originator keeps control of derivation",
        "derivation is free within the release list",
    ),
}

_RELATIONS: Final = {
    "Nation": ("the recipient is of {}", "the recipient is not of {}"),
    "Coalition": ("the recipient's nation is in {}", "the recipient's nation is not in {}"),
    "Within": ("the report lies wholly inside {}", "the report does not lie wholly inside {}"),
    "Touching": ("the report touches {}", "the report does not touch {}"),
    "Threat": ("the threat is wholly {}", "the threat is not wholly {}"),
    "ThreatTouching": ("the threat touches {}", "the threat does not touch {}"),
    "UpTo": ("the report is at most {}", "the report is above {}"),
    "Caveat": ("the report is marked {}", "the report is not marked {}"),
    "Precedence": ("the report is {}", "the report is not {}"),
}

_CROSSES: Final[dict[CrossTest, tuple[str, str]]] = {
    "contains": ("{left} names {right}", "{left} does not name {right}"),
    "contains_all": (
        "nothing in {right} is missing in {left}",
        "something in {right} is missing in {left}",
    ),
    "contains_any": (
        "{left} and {right} have something in common",
        "{left} and {right} have nothing in common",
    ),
    "equal": ("{left} and {right} are the same", "{left} and {right} differ"),
    "at_least": ("{left} reaches {right}", "{left} does not reach {right}"),
}


def phrase(atom: Atom, vocabulary: Vocabulary, *, holds: bool) -> str:
    """The atom as something that is so (`holds`), or is not so."""
    other = int(not holds)
    match atom:
        case Is(kind):
            return f"the recipient is {'a gateway' if (kind == 'Gateway') is holds else 'a person'}"
        case In(_, (relation, word)):
            return _RELATIONS[relation][other].format(_named(relation, word, vocabulary))
        case AtLeast(path, bound):
            return _threshold(path, bound, holds=holds)
        case Flag(path):
            return _FLAGS[path][other]
        case Holds(path, word):
            return f"{word} is {'' if holds else 'not '}in {_NAMES[path]}"
        case Equals(path, word):
            return f"{_NAMES[path]} is {'' if holds else 'not '}{word}"
        case Empty(path):
            return f"there is {'nothing' if holds else 'something'} in {_NAMES[path]}"
        case _:
            return _CROSSES[atom.test][other].format(
                left=_NAMES[atom.left], right=_NAMES[atom.right]
            )


def _named(relation: str, word: str, vocabulary: Vocabulary) -> str:
    if relation in ("Within", "Touching"):
        return f"{vocabulary.regions.names[word]} ({word})"
    if relation in ("Threat", "ThreatTouching"):
        return f"{vocabulary.threats.names[word]} ({word})"
    return word


def _threshold(path: str, bound: int, *, holds: bool) -> str:
    match path:
        case "context.approvals":
            officers = "1 officer" if bound == 1 else f"{bound} officers"
            return f"{'at least' if holds else 'fewer than'} {officers} signed"
        case "context.age":
            return f"the report is {'at least' if holds else 'less than'} {_span(bound)} old"
        case "context.now":
            moment = datetime.fromtimestamp(bound, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return f"the time is {'from' if holds else 'before'} {moment}"
        case _:
            return f"{_NAMES[path]} is {'at least' if holds else 'below'} level number {bound}"


def _span(seconds: int) -> str:
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"
