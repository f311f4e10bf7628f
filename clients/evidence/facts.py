"""What a verified entry says, as rows that can be asked about.

Views that this version does not know become an entry without facts: they are there, proven and
counted, and the questions do not guess what they mean.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from wire.prove import VerifiedEntry

View: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[object, ...]

FACTS: Final = (
    *("report", "originator", "recipient", "actor", "outcome", "slug", "accepted"),
    *("statement", "author", "spoke", "detail"),
)
"""The columns of table `fact` that a view fills, after the entry's own."""

OUTCOMES: Final = {
    "report.accepted": "accepted",
    "report.refused": "refused",
    "release": "released",
    "denied": "denied",
}


@dataclass(frozen=True)
class Facts:
    """The rows of one entry. Portions: (index, label digest, nation, outcome)."""

    fact: Row
    rules: tuple[tuple[str, str], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    portions: tuple[tuple[int, str, str, str], ...] = field(default=())


def facts(entry: VerifiedEntry) -> Facts:
    """The rows of a verified entry; an erased one leaves the columns empty."""
    view: View = entry.view or {}
    found = {
        "report": _text(view, "report"),
        "originator": _originator(entry, view),
        "recipient": _text(view, "to") or _text(view, "recipient"),
        "actor": _text(view, "reader") or _text(view, "signer"),
        "outcome": OUTCOMES.get(entry.type),
        "slug": _text(view, "slug"),
        "accepted": _number(view, "accepted"),
        "statement": _text(view, "statement"),
        "author": _text(view, "nation") if entry.type == "statement" else None,
        "spoke": _text(view, "type") if entry.type == "statement" else None,
        "detail": _text(view, "use") or _text(view, "name") or _text(view, "version"),
    }
    return Facts(
        tuple(found[name] for name in FACTS),
        tuple((layer, rule) for layer, rules in _map(view, "rules") for rule in _list(rules)),
        tuple((layer, str(named)) for layer, named in _map(view, "policies")),
        tuple(_portions(view)) if entry.type == "report.accepted" else (),
    )


def _originator(entry: VerifiedEntry, view: View) -> str | None:
    """What was accepted or refused in a nation's own channel came from that nation."""
    if entry.type in {"report.accepted", "report.refused"}:
        return entry.channel
    return _text(view, "originator")


def _portions(view: View) -> Iterator[tuple[int, str, str, str]]:
    portions = view.get("portions")
    for portion in portions if isinstance(portions, list) else []:
        if isinstance(portion, dict):
            index, label = _number(portion, "index"), _text(portion, "label")
            for nation, outcome in _map(portion, "nations"):
                yield (-1 if index is None else index), label or "", nation, str(outcome)


def _map(view: View, name: str) -> list[tuple[str, object]]:
    value = view.get(name)
    return [(str(key), each) for key, each in value.items()] if isinstance(value, dict) else []


def _list(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _text(view: View, name: str) -> str | None:
    value = view.get(name)
    return value if isinstance(value, str) else None


def _number(view: View, name: str) -> int | None:
    value = view.get(name)
    return value if isinstance(value, int) else None
