"""Random policies inside the release profile, and random requests near the edges that they draw."""

from random import Random

from policies.facts import Circumstances, Recipient, ReportFacts
from tests.policies.world import MISSION, NATIONS

PLACES = ["KE", "SO", "014", "ML", "011", "202", "001", "mission:liptako"]
THREATS = ["cyber", "cyber.intrusion", "explosive", "explosive.mine", "civilians.attack"]
CAVEATS = ["SOURCE SENSITIVE", "SIGINT", "HUMINT"]
COMMUNITIES = ["CYBER", "MARITIME", "FORCE HEALTH"]
PURPOSES = ["FORCE PROTECTION", "PLANNING", "TARGETING"]
LEVELS = ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"]
AGES = [-1, 0, 3_599, 3_600, 3_601, 86_399, 86_400, 10**7]
MOMENTS = [1_767_225_599, 1_767_225_600, 1_782_863_999, 1_782_864_000, 0, 1_900_000_000]
"""Around 2026-01-01 and 2026-07-01."""


def layer_text(random: Random, kind: str, owner: str, rules: int) -> str:
    """A layer of so many rules that lint has no error about."""
    return "".join(_rule(random, kind, f"{owner}/r{number}") for number in range(rules))


def _rule(random: Random, kind: str, name: str) -> str:
    effect = random.choice(["permit", "permit", "forbid"])
    who = random.choice(
        [
            "principal",
            "principal is Gateway",
            f'principal in Nation::"{random.choice(NATIONS)}"',
            'principal is Analyst in Coalition::"AFRICAN"',
        ]
    )
    which = random.choice(["resource", "resource is Report", _resource(random, effect)])
    clauses = [
        f"{clause} {{ {_expression(random, effect, clause == 'when', 3)} }}"
        for clause in ("when", "unless")
        if random.random() < 0.6
    ]
    head = f'@id("{name}") {effect} ({who}, action == Action::"{kind}", {which})'
    text = f"{head} {' '.join(clauses)};\n"
    # Only release layers may ask whether a report is derived.
    return text if kind == "release" else text.replace("resource.derived", "principal.exercise")


def _resource(random: Random, effect: str) -> str:
    return random.choice(
        [
            _relation(random, narrow=effect == "permit"),
            f'resource in UpTo::"{random.choice(LEVELS)}"',
            f'resource in Caveat::"{random.choice(CAVEATS)}"',
            'resource in Precedence::"FLASH"',
        ]
    )


def _relation(random: Random, *, narrow: bool) -> str:
    if random.random() < 0.6:
        relation, words = ("Within" if narrow else "Touching"), PLACES
    else:
        relation, words = ("Threat" if narrow else "ThreatTouching"), THREATS
    return f'resource in {relation}::"{random.choice(words)}"'


def _expression(random: Random, effect: str, wanted: bool, depth: int) -> str:
    """An expression whose polar atoms are right for a rule that wants it (or wants it absent)."""
    form = random.random()
    if depth == 0 or form < 0.45:
        return _atom(random, effect, wanted)
    left = _expression(random, effect, wanted, depth - 1)
    right = _expression(random, effect, wanted, depth - 1)
    if form < 0.65:
        return f"({left} && {right})"
    if form < 0.85:
        return f"({left} || {right})"
    if form < 0.95:
        return f"!({_expression(random, effect, not wanted, depth - 1)})"
    return f"(if {random.choice(_PLAIN)} then {left} else {right})"


_PLAIN = [
    "resource.derived",
    "resource.exercise == principal.exercise",
    "principal.exercise",
    "resource.originatorControl != false",
    "principal is Gateway",
    "principal.clearance >= resource.level",
    "resource.level < principal.clearance",
    "principal.clearance > 2",
    "resource.level == 3",
    "1 <= resource.level",
    "resource.level <= 2",
    'context.now <= datetime("2026-07-01")',
    "resource.releasableTo.contains(principal.nation)",
    "resource.displayTo.contains(principal.nation)",
    "resource.displayTo.isEmpty()",
    'resource.releasableTo.containsAny([Nation::"SEN", Nation::"BGD"])',
    "principal.communities.containsAll(resource.communities)",
    "principal.communities.containsAny(resource.communities)",
    'principal.communities.contains(Community::"CYBER")',
    'resource.communities.containsAll([Community::"CYBER", Community::"MARITIME"])',
    "principal.nation == resource.origin",
    'resource.origin != Nation::"FRA"',
    'principal in [Nation::"GBR", Nation::"SEN"]',
    'context.purpose == Purpose::"TARGETING"',
    'context.age >= duration("1h")',
    'context.age > duration("1h")',
    'duration("1d") <= context.age',
    'context.now < datetime("2026-07-01")',
    'context.now >= datetime("2026-01-01T00:00:00Z")',
]


def _atom(random: Random, effect: str, wanted: bool) -> str:
    helps = (effect == "permit") is wanted
    choice = random.random()
    if choice < 0.25:
        return _relation(random, narrow=helps)
    if choice < 0.40:
        count = random.choice([1, 2])
        return f"context.approvals >= {count}" if helps else f"context.approvals < {count}"
    if choice < 0.50:
        kind, words = random.choice([("Caveat", CAVEATS), ("UpTo", LEVELS)])
        return f'resource in [{kind}::"{random.choice(words)}", {kind}::"{random.choice(words)}"]'
    return random.choice(_PLAIN)


def request(random: Random) -> tuple[Recipient, ReportFacts, Circumstances]:
    """A request in which every word that a rule can name turns up often."""
    some = random.sample
    recipient = Recipient(
        nation=random.choice(NATIONS),
        kind=random.choice(["Gateway", "Analyst"]),
        clearance=random.randrange(5),
        communities=frozenset(some(COMMUNITIES, random.choice([0, 1, 3]))),
        exercise=random.random() < 0.2,
    )
    released = some(NATIONS, random.choice([1, 3, 5]))
    displayed = [nation for nation in NATIONS if nation not in released and random.random() < 0.3]
    facts = ReportFacts(
        originator=random.choice(NATIONS),
        level=random.randrange(5),
        regions=frozenset(some(PLACES, random.choice([1, 1, 2]))),
        threats=frozenset(some(THREATS, random.choice([1, 1, 2]))),
        release_to=frozenset(released),
        display_to=frozenset(displayed),
        caveats=frozenset(some(CAVEATS, random.choice([0, 0, 1, 2]))),
        communities=frozenset(some(COMMUNITIES, random.choice([0, 0, 1, 2]))),
        contributors=frozenset(some(NATIONS, random.choice([0, 0, 1, 2]))),
        derived=random.random() < 0.4,
        exercise=random.random() < 0.2,
        precedence=random.choice(["FLASH", "ROUTINE"]),
        originator_control=random.random() < 0.7,
    )
    layers = [("release", nation) for nation in NATIONS] + [("carry", MISSION)]
    approvals = {name: random.choice([0, 1, 2, 3]) for name in layers if random.random() < 0.2}
    moment = Circumstances(
        random.choice(MOMENTS), random.choice(AGES), random.choice(PURPOSES), approvals
    )
    return recipient, facts, moment
