"""The mission that the policy tests talk about: five nations and the standard vocabulary."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from clients import standard
from policies import bundle
from policies.decide import PolicyBook
from policies.facts import Circumstances, Recipient, ReportFacts
from wire.vocabulary import Vocabulary, vocabulary

NATIONS: Final = ("KEN", "GBR", "FRA", "SEN", "BGD")
MISSION: Final = "MINUSX"
POLICIES: Final = Path(__file__).parents[2] / "policies"

LEVELS: Final = {"U": 0, "R": 1, "C": 2, "S": 3, "TS": 4}


@cache
def words() -> Vocabulary:
    """The standard vocabulary, one coalition and one area that the mission drew across borders."""
    registry = standard.registry(
        areas=[("mission:liptako", "Liptako-Gourma", "011")], groups=[("AFRICAN", ("KEN", "SEN"))]
    )
    return vocabulary(MISSION, NATIONS, standard.levels(), registry, "0" * 64)


def library(name: str, *, nation: str = "KEN") -> str:
    text = (POLICIES / "library" / f"{name}.cedar").read_text()
    return bundle.fill(text, nation=nation, mission=MISSION)


def example(nation: str) -> Mapping[str, str]:
    folder = POLICIES / "examples" / nation
    texts = {
        file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.cedar")
    }
    return bundle.assemble(texts)


def layers_of(*nations: str) -> PolicyBook:
    """The ready floor and mission layer, and the example policies of these nations."""
    return bundle.book(
        words(),
        library("coalition-baseline"),
        library("mission-carry"),
        {nation: example(nation) for nation in nations},
    )


@cache
def mission() -> PolicyBook:
    """The whole demonstration: floor, mission and all five nations."""
    return layers_of(*NATIONS)


def open_book() -> PolicyBook:
    """A book in which every layer permits everything: tests take away from it."""
    found = PolicyBook.empty(words())
    for kind, owner in found.owners:
        found = found.with_layer(kind, owner, permit_all(kind, owner))
    return found


def permit_all(kind: str, owner: str) -> str:
    return f'@id("{owner}/all") permit (principal, action == Action::"{kind}", resource);'


def analyst(nation: str, clearance: int = 3, **changes: Any) -> Recipient:
    plain = Recipient(nation, "Analyst", clearance, frozenset(), exercise=False)
    return replace(plain, **changes)


def report(originator: str, *release_to: str, **changes: Any) -> ReportFacts:
    """A live CONFIDENTIAL report on a mine in Kenya."""
    plain = ReportFacts(
        originator=originator,
        level=LEVELS["C"],
        regions=frozenset({"KE"}),
        threats=frozenset({"explosive.mine"}),
        release_to=frozenset({originator, *release_to}),
        display_to=frozenset(),
        caveats=frozenset(),
        communities=frozenset(),
        contributors=frozenset(),
        derived=False,
        exercise=False,
        precedence="ROUTINE",
        originator_control=True,
    )
    return structs.replace(plain, **changes)


def moment(
    age: int = 60,
    *,
    now: int = 1_780_000_000,
    purpose: str = "FORCE PROTECTION",
    approvals: Mapping[tuple[str, str], int] | None = None,
) -> Circumstances:
    return Circumstances(now, age, purpose, approvals or {})
