"""A world so small that Cedar can be asked about every request that can be made in it."""

import itertools
import json
from collections.abc import Iterable, Sequence
from functools import cache
from random import Random
from typing import Final

import cedarpy

from policies import lint
from policies.analyse.mission import Mission
from policies.decide import PolicyBook
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.formula import Scene
from policies.layers import _attributes, _uids, scene
from policies.observe import Side, observe_circumstances, observe_recipient, observe_report
from policies.schema import schema_json, terms
from tests.policies.world import permit_all
from wire.vocabulary import Level, RegistryBody, Term, Vocabulary, vocabulary

OWNER: Final = "KEN"
OTHER: Final = "FRA"
RECIPIENT: Final = "SEN"
NATIONS: Final = (OWNER, RECIPIENT, OTHER)
LAYER: Final = ("release", OWNER)

Request = tuple[Recipient, ReportFacts, Circumstances]


@cache
def words(*, moved: bool = False) -> Vocabulary:
    """Two countries, a region and an area drawn across; `moved`: Kenya changed its region."""
    parents = {"014": None, "015": None, "KE": "015" if moved else "014", "mission:x": "014"}
    registry = RegistryBody(
        version=2 if moved else 1,
        caveats={"SIGINT": "Signals"},
        communities={"CYBER": "Cyber"},
        purposes=("PLANNING",),
        regions={code: Term(name=code, parent=parent) for code, parent in parents.items()},
        threats={"cyber": Term(name="cyber", parent=None), "mine": Term(name="mine", parent=None)},
        groups={"AFRICAN": ("KEN",) if moved else ("KEN", "SEN")},
    )
    levels = (Level(token="LOW", mark="L"), Level(token="HIGH", mark="H"))
    return vocabulary("MINUSX", NATIONS, levels, registry, ("1" if moved else "0") * 64)


def mission(before: Vocabulary | None = None, **layers: str) -> Mission:
    """Floor and mission permit everything, unless a text is given as `handle` or `carry`."""
    book = PolicyBook.empty(words())
    for kind, owner in (("handle", "COALITION"), ("carry", "MINUSX")):
        book = book.with_layer(kind, owner, layers.get(kind, permit_all(kind, owner)))
    return Mission.of(book, before)


def _subsets(codes: Iterable[str]) -> list[frozenset[str]]:
    listed = sorted(codes)
    sizes = range(1, len(listed) + 1)
    return [frozenset(some) for n in sizes for some in itertools.combinations(listed, n)]


@cache
def requests() -> tuple[Request, ...]:
    """Every acceptable request: lists, levels, caveats, places, threats, lineage, officers."""
    found = []
    for regions, threats, level, caveats, lists, (origin, derived), kind in itertools.product(
        _subsets(words().regions.parents),
        _subsets(words().threats.parents),
        (0, 1),
        (frozenset[str](), frozenset({"SIGINT"})),
        ("release", "display"),
        ((OWNER, False), (OWNER, True), (OTHER, True)),
        ("Gateway", "Analyst"),
    ):
        facts = ReportFacts(
            originator=origin,
            level=level,
            regions=regions,
            threats=threats,
            release_to=frozenset({origin, RECIPIENT} if lists == "release" else {origin}),
            display_to=frozenset({RECIPIENT} if lists == "display" else ()),
            caveats=caveats,
            communities=frozenset(),
            contributors=frozenset({OWNER} if derived else ()),
            derived=derived,
            exercise=False,
            precedence="ROUTINE",
            originator_control=True,
        )
        recipient = Recipient(RECIPIENT, kind, 1, frozenset(), exercise=False)  # type: ignore[arg-type]
        found.append((recipient, facts, Circumstances(0, 0, "PLANNING", {})))
    return tuple(found)


class Asked:
    """All requests, as Cedar sees them under one version of the words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.schema = cedarpy.Schema.from_json_str(schema_json(vocabulary))
        sides = [
            (observe_recipient(who, vocabulary), observe_report(what, vocabulary))
            for who, what, _ in requests()
        ]
        self.sides: Sequence[tuple[Side, Side]] = sides
        entities = []
        for number, (who, what) in enumerate(sides):
            entities += [
                _entity(str(who.values["principal"]), number, "principal", who),
                _entity("Report", number, "resource", what),
            ]
        self.store = cedarpy.Entities.from_json_str(json.dumps(entities), self.schema)

    def stages(self, text: str, kind: str = "release") -> list[int | None]:
        """How many officers each request needs by this text; None if no number is enough."""
        examined = lint.examine(text, kind, OWNER, terms(self.vocabulary), self.schema)
        assert not examined.errors, examined.errors
        assert examined.policies is not None
        found: list[int | None] = [None] * len(self.sides)
        for officers in (2, 1, 0) if "approvals" in text else (0,):
            context = observe_circumstances(
                Circumstances(0, 0, "PLANNING", {(kind, OWNER): officers}), kind, OWNER
            )
            asked = [
                {
                    "principal": {"type": str(who.values["principal"]), "id": str(number)},
                    "action": {"type": "Action", "id": kind},
                    "resource": {"type": "Report", "id": str(number)},
                    "context": _attributes("context", context),
                }
                for number, (who, _) in enumerate(self.sides)
            ]
            answers = cedarpy.is_authorized_batch(asked, examined.policies, self.store, self.schema)
            for number, answer in enumerate(answers):
                assert not answer.diagnostics.errors
                if answer.allowed:
                    found[number] = officers
        return found

    def scenes(self, before: "Asked | None" = None) -> list[Scene]:
        """The requests as formulas see them."""
        context = observe_circumstances(Circumstances(0, 0, "PLANNING", {}), *LAYER)
        found = []
        for number, (who, what) in enumerate(self.sides):
            seen = scene(who, what, context)
            old = (before or self).sides[number][1].parents
            found.append(Scene(seen.values, {**seen.parents, "before": old}))
        return found


def _entity(kind: str, number: int, variable: str, side: Side) -> dict[str, object]:
    return {
        "uid": {"type": kind, "id": str(number)},
        "attrs": _attributes(variable, side.values),
        "parents": _uids(side.parents),
    }


def text(random: Random) -> str:
    """A random release layer in the small world's words."""
    return "".join(_rule(random, number) for number in range(random.randint(1, 4)))


def _rule(random: Random, number: int) -> str:
    effect = "permit" if number == 0 or random.random() < 0.5 else "forbid"
    head = f'@id("{OWNER}/r{number}") {effect} (principal, action == Action::"release", resource)'
    clauses = f" when {{ {_expression(random, effect, wanted=True, depth=2)} }}"
    if random.random() < 0.4:
        clauses += f" unless {{ {_expression(random, effect, wanted=False, depth=1)} }}"
    return f"{head}{clauses};\n"


def _expression(random: Random, effect: str, *, wanted: bool, depth: int) -> str:
    form = random.random()
    if depth == 0 or form < 0.35:
        return _atom(random, helps=(effect == "permit") is wanted)
    left = _expression(random, effect, wanted=wanted, depth=depth - 1)
    if form < 0.5:
        return f"!({_expression(random, effect, wanted=not wanted, depth=depth - 1)})"
    right = _expression(random, effect, wanted=wanted, depth=depth - 1)
    return f"({left} {random.choice(['&&', '||'])} {right})"


def _atom(random: Random, *, helps: bool) -> str:
    place, threat = (
        random.choice(["014", "015", "KE", "mission:x"]),
        random.choice(["cyber", "mine"]),
    )
    officers = random.choice([1, 2])
    return random.choice(
        [
            f'resource in {"Within" if helps else "Touching"}::"{place}"',
            f'resource in {"Within" if helps else "Touching"}::"{place}"',
            f'resource in {"Threat" if helps else "ThreatTouching"}::"{threat}"',
            f"context.approvals {'>=' if helps else '<'} {officers}",
            'resource in UpTo::"LOW"',
            'resource in Caveat::"SIGINT"',
            "resource.derived",
            f'resource.origin == Nation::"{random.choice(NATIONS)}"',
            "principal is Analyst",
            f'principal in Nation::"{random.choice(NATIONS)}"',
            'principal in Coalition::"AFRICAN"',
            "resource.releasableTo.contains(principal.nation)",
            "resource.displayTo.isEmpty()",
            "principal.clearance > resource.level",
        ]
    )
