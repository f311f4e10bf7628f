"""What a verified entry says, as rows that can be asked about.

Views that this version does not know become an entry without facts: they are there, proven and
counted, and the questions do not guess what they mean.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from wire.prove import VerifiedEntry

View: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[str | int | bool | None, ...]
Texts: TypeAlias = tuple[tuple[str, ...], ...]
Part: TypeAlias = tuple[str, Texts]
"""The table that it is kept in, and its rows."""
NOTHING: Final[View] = MappingProxyType({})
NUMBERS: Final = frozenset({int})

FACTS: Final = (
    *("report", "originator", "recipient", "actor", "outcome", "slug", "accepted"),
    *("statement", "author", "spoke", "detail", "accepted_time", "portions"),
)
"""The columns of table `fact` that a view fills, after the entry's own."""

SHARED: Final = ("part_rule", "part_policy", "part_banner")
"""The tables of what many entries have in common."""
OWN: Final = ("portion", "denial", "drawn")
"""The tables of what an entry may have several of."""

OUTCOMES: Final = {
    "report.accepted": "accepted",
    "report.refused": "refused",
    "release": "released",
}
DENIAL: Final = (
    *("report", "originator", "to", "reader", "kind", "how", "purpose", "because", "outcome"),
    *("first", "last", "times"),
)
"""What a denial says of itself (protocol 14); its rules stand beside."""


class Facts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The rows of one entry. Portions: (index, label digest, nation, outcome); `drawn` are the
    sources of a derived one that we are told of, `banners` the markings of what was released.
    """

    fact: Row
    rules: Texts = ()
    policies: Texts = ()
    portions: tuple[tuple[int, str, str, str], ...] = ()
    denials: tuple[Row, ...] = ()
    drawn: Texts = ()
    banners: Texts = ()

    @property
    def shared(self) -> tuple[Part, ...]:
        """What many entries have in common."""
        return tuple(zip(SHARED, (self.rules, self.policies, self.banners), strict=True))

    @property
    def own(self) -> tuple[tuple[Row, ...], ...]:
        """What the entry has for itself, in the order of `OWN`."""
        return self.portions, self.denials, self.drawn


def facts(entry: VerifiedEntry) -> Facts:
    """The rows of a verified entry; an erased one leaves the columns empty."""
    view, kind = entry.view or NOTHING, entry.type
    return Facts(
        tuple(columns(kind, entry.channel, view).values()),
        tuple([(layer, rule) for layer, rules in _map(view, "rules") for rule in _list(rules)]),
        tuple([(layer, str(named)) for layer, named in _map(view, "policies")]),
        tuple(_portions(view)) if kind == "report.accepted" else (),
        tuple(map(_denial, _objects(view, "denials"))) if "denials" in view else (),
        tuple([(source,) for source in _list(view.get("sources"))]) if "sources" in view else (),
        tuple([(_text(m, "banner") or "",) for m in _objects(view, "marked")]),
    )


def columns(kind: str, channel: str, view: View) -> dict[str, Any]:
    """What a view says, by the names of `FACTS` and in their order: texts and a number, None where
    it says nothing.
    """
    return {
        "report": _text(view, "report"),
        "originator": _originator(kind, channel, view),
        "recipient": _text(view, "to"),
        "actor": _text(view, "reader") or _text(view, "signer"),
        "outcome": OUTCOMES.get(kind),
        "slug": _text(view, "slug"),
        "accepted": _number(view, "accepted"),
        "statement": _text(view, "statement"),
        "author": _text(view, "nation") if kind == "statement" else None,
        "spoke": _text(view, "type") if kind == "statement" else None,
        "detail": _detail(view),
        "accepted_time": _number(view, "accepted_time"),
        "portions": _indices(view) if kind == "release" else None,
    }


def _detail(view: View) -> str | None:
    """What else there is to say in a word."""
    nations = ", ".join(_list(view.get("nations")))
    return nations or _text(view, "use") or _text(view, "name") or _text(view, "version")


def _denial(view: View) -> Row:
    rules = [f"{layer}: {r}" for layer, rules in _map(view, "rules") for r in _list(rules)]
    return (*(_plain(view.get(name)) for name in DENIAL), "; ".join(rules) or None)


def _originator(kind: str, channel: str, view: View) -> str | None:
    """What was accepted or refused in a nation's own channel came from that nation."""
    if kind in {"report.accepted", "report.refused"}:
        return channel
    return _text(view, "originator")


def _portions(view: View) -> Iterator[tuple[int, str, str, str]]:
    for portion in _objects(view, "portions"):
        index, label = _number(portion, "index"), _text(portion, "label")
        for nation, outcome in _map(portion, "nations"):
            yield (-1 if index is None else index), label or "", nation, str(outcome)


def _indices(view: View) -> str | None:
    """The portions that were released, as JSON."""
    value = view.get("portions")
    if not isinstance(value, list):
        return None
    # A list of numbers is written alike, and much faster.
    return str(value) if NUMBERS.issuperset(map(type, value)) else json.dumps(value)


def _objects(view: View, name: str) -> list[View]:
    value = view.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _plain(value: object) -> str | int | None:
    return value if isinstance(value, str | int) else None


def _map(view: View, name: str) -> Iterable[tuple[str, object]]:
    value = view.get(name)
    return value.items() if isinstance(value, dict) else ()


def _list(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _text(view: View, name: str) -> str | None:
    value = view.get(name)
    return value if isinstance(value, str) else None


def _number(view: View, name: str) -> int | None:
    value = view.get(name)
    return value if isinstance(value, int) else None
