"""Policy analysis at the size of a large mission: matrix, one nation's preview, guarantees.

Thirty nations, five levels, 250 regions, 80 threat types, 200 rules: five for the release of each
of the nations, one for what it accepts, and those of the coalition and the mission. The preview is
that of one nation which raises a level and drops a prohibition; the guarantees are four.

Bounded by: making formulas for the solver, in Python; then by the solver. Targets: 10 s for the
matrix of 870 pairs, 1 s for a preview, 1 s for four guarantees over 29 nations.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, busy, interleave
from clients import standard
from clients.founding import library
from policies.analyse.difference import differences, grows
from policies.analyse.guarantees import broken
from policies.analyse.matrix import matrix
from policies.analyse.mission import Mission, alone
from policies.decide import PolicyBook
from wire.vocabulary import RegistryBody, Term, Vocabulary, vocabulary

NATO: Final = ("GBR", "FRA", "DEU", "USA", "CAN", "NLD", "ITA", "ESP", "POL", "NOR", "SWE", "DNK")
AFRICAN: Final = ("SEN", "KEN", "RWA", "ETH", "GHA", "NGA", "EGY")
OTHERS: Final = ("BGD", "IRL", "IND", "NPL", "PAK", "JOR", "IDN", "BRA", "URY", "ARG", "AUS")
NATIONS: Final = (*NATO, *AFRICAN, *OTHERS)
OWNER: Final = "GBR"
REGIONS: Final = 250
THREATS: Final = 80
GROUPS: Final = {"NATO": NATO, "AFRICAN": AFRICAN}


def run(bench: Bench) -> list[Row]:
    """Measure."""
    book = _book()
    mission = Mission.of(book)
    layer = book.layers["release", OWNER]
    wider = layer.text.replace('UpTo::"CONFIDENTIAL"', 'UpTo::"SECRET"', 1)
    changed = book.with_layer("release", OWNER, wider.rpartition("@id")[0])
    before, after = alone(layer), alone(changed.layers["release", OWNER])
    never = book.with_layer("release", OWNER, _GUARANTEES).layers["release", OWNER]

    def preview() -> None:
        differences(Mission.of(changed), ("release", OWNER), before, after)
        grows(Mission.of(changed), OWNER, before, after)

    matrix(mission)  # the overlaps of all places are known from here on
    found = interleave(
        bench.of(3, 1),
        {
            "matrix": lambda: busy(lambda: matrix(Mission.of(book))),
            "preview": lambda: busy(preview),
            "guarantees": lambda: busy(lambda: broken(Mission.of(book), book, OWNER, never)),
        },
    )
    limits = {"matrix": 10, "preview": 1, "guarantees": 1}
    what = {
        "matrix": "870 pairs of nations",
        "preview": "one nation's change, all classes",
        "guarantees": "four, over 29 nations",
    }
    return [
        Row(
            f"analyse.{name}",
            what[name],
            "s",
            samples,
            target=Target(limits[name], of="value", at="most"),
        )
        for name, samples in found.items()
    ]


def _book() -> PolicyBook:
    words, random = _words(), Random(7)
    book = PolicyBook.empty(words)
    book = book.with_layer("handle", "COALITION", library("coalition-baseline"))
    book = book.with_layer("carry", words.mission, library("mission-carry", mission=words.mission))
    for nation in NATIONS:
        rules = "\n".join(_rule(random, words, nation, number) for number in range(5))
        book = book.with_layer("release", nation, rules)
        book = book.with_layer("accept", nation, _ACCEPT % {"nation": nation})
    return book


def _words() -> Vocabulary:
    """The first regions and threat types of the standard ones, whole branches."""
    registry = standard.registry(groups=GROUPS.items())
    body = registry.model_copy(
        update={
            "regions": dict(_first(registry.regions, REGIONS)),
            "threats": dict(_first(registry.threats, THREATS)),
        }
    )
    assert isinstance(body, RegistryBody)
    return vocabulary("MINUSX", NATIONS, standard.levels(), body, "0" * 64)


def _first(terms: dict[str, Term], count: int) -> Iterator[tuple[str, Term]]:
    kept: set[str] = set()
    while len(kept) < count:
        for code, term in terms.items():
            if code not in kept and (term.parent is None or term.parent in kept):
                if len(kept) == count:
                    break
                kept.add(code)
                yield code, term


def _rule(random: Random, words: Vocabulary, nation: str, number: int) -> str:
    """A plausible rule: grants first, then prohibitions."""
    region = random.choice(sorted(words.regions.parents))
    threat = random.choice(sorted(words.threats.parents))
    level = random.choice(["RESTRICTED", "CONFIDENTIAL", "SECRET"])
    who = random.choice(
        [
            f'in Coalition::"{random.choice(sorted(GROUPS))}"',
            f'in Nation::"{random.choice(NATIONS)}"',
        ]
    )
    officers = random.choice([1, 2])
    effect, scope, which, clause = (
        ("permit", f"principal {who}", f'resource in UpTo::"{level}"', ""),
        (
            "permit",
            "principal",
            f'resource in Within::"{region}"',
            'when { resource in UpTo::"CONFIDENTIAL" }',
        ),
        (
            "permit",
            "principal is Analyst",
            f'resource in Threat::"{threat}"',
            f'when {{ context.purpose == Purpose::"PLANNING" && resource in UpTo::"{level}" }}',
        ),
        (
            "forbid",
            "principal",
            'resource in Caveat::"SIGINT"',
            f"unless {{ context.approvals >= {officers} }}",
        ),
        (
            "forbid",
            "principal",
            f'resource in Touching::"{region}"',
            f'unless {{ principal {who} || context.age >= duration("24h") }}',
        ),
    )[number]
    head = f'{effect} ({scope}, action == Action::"release", {which})'
    return f'@id("{nation}/r{number}")\n{head} {clause};\n'


_ACCEPT: Final = """\
@id("%(nation)s/own")
permit (principal in Nation::"%(nation)s", action == Action::"accept", resource);
"""

_GUARANTEES: Final = """\
@id("GBR/never-top-secret")
forbid (principal, action == Action::"release", resource) unless { resource in UpTo::"SECRET" };

@id("GBR/never-signals")
forbid (principal, action == Action::"release", resource in Caveat::"SIGINT")
unless { context.approvals >= 1 };

@id("GBR/never-unlisted")
forbid (principal, action == Action::"release", resource)
unless { resource.releasableTo.contains(principal.nation) }
unless { resource.displayTo.contains(principal.nation) };

@id("GBR/never-kenya")
forbid (principal, action == Action::"release", resource in Touching::"KE")
unless { resource in UpTo::"SECRET" };
"""
