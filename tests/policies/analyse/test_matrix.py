"""The release matrix says what decisions say."""

import itertools
from dataclasses import replace

import pytest

from policies.analyse.adoption import guarantees, standing
from policies.analyse.guarantees import _confirm, broken
from policies.analyse.matrix import Cell, matrix
from policies.analyse.mission import Mission
from policies.analyse.preview import preview
from policies.analyse.space import Space
from policies.analyse.witness import Request, witness
from policies.decide import Outcome
from policies.formula import AtLeast, Formula, negated
from tests.policies import world
from tests.policies.generated import PLACES, THREATS
from tests.policies.test_guards import book_with, release_layer
from tests.policies.world import NATIONS, analyst, moment, permit_all, report
from tests.refusal import refused


@pytest.mark.slow
@pytest.mark.parametrize("signed", [False, True])
def test_every_cell_is_reached_by_a_report_that_cedar_releases_and_passed_by_none(
    *, signed: bool
) -> None:
    """From below by many decisions, from above by a witness that is decided."""
    book = world.mission()
    mission, read_in = Mission.of(book), frozenset(book.vocabulary.communities)
    approvals = dict.fromkeys(book.layers, 2) if signed else {}
    for (originator, recipient), cell in matrix(mission).cells.items():
        highest = cell.officers if signed else cell.unaided
        assert highest is not None
        who, what, when = at_least(mission, originator, recipient, highest, 2 * signed)
        when = replace(when, approvals=approvals)
        assert what.level >= highest
        assert book.decide(who, what, when).outcome is Outcome.RELEASE
        who = analyst(recipient, 4, communities=read_in)
        for level, place, threat in itertools.product(range(5), PLACES, THREATS):
            named = {"regions": frozenset({place}), "threats": frozenset({threat})}
            facts = report(originator, recipient, level=level, **named)
            when = moment(age=10**7, approvals=approvals)
            if book.decide(who, facts, when).outcome is Outcome.RELEASE:
                assert level <= highest


def at_least(
    mission: Mission, originator: str, recipient: str, level: int, officers: int
) -> Request:
    """A request of this level or above that the analysis says all layers let through."""
    step = AtLeast("resource.level", level) if level else True
    layers = [mission.floor, mission.carry, step]
    layers += [mission.layer("release", originator), mission.layer("accept", recipient)]
    formulas = [mission.ground(layer, recipient, officers) for layer in layers]
    space = Space(mission.atlases, recipient, formulas, owner=originator)
    found = space.find(space.from_originator(), *map(space.encode, formulas))
    assert found is not None
    return witness(space, found, ("release", originator), officers)


def test_a_missing_layer_lets_nothing_through() -> None:
    book = world.layers_of("KEN", "GBR")
    cells = matrix(Mission.of(book)).cells
    assert cells["KEN", "GBR"].unaided is not None
    assert cells["KEN", "FRA"] == cells["FRA", "KEN"] == Cell(None, None)


def test_a_guarantee_that_always_releases_is_broken_by_a_prohibition() -> None:
    """And by no policy at all."""
    book = world.open_book()
    always = '@id("KEN/always") permit (principal in Nation::"GBR", action == Action::"release",'
    always += ' resource in Threat::"explosive");'
    kept = guarantees(book, "KEN", always)
    found = preview(Mission.of(book), book, "KEN", standing({}, "KEN", book, None), kept)
    assert found.grows
    assert not found.broken
    no = (
        '@id("KEN/no") forbid (principal, action == Action::"release", resource in Touching::"SO");'
    )
    tight = book.with_layer("release", "KEN", permit_all("release", "KEN") + no)
    before = {"release": permit_all("release", "KEN"), "accept": permit_all("accept", "KEN")}
    again = preview(Mission.of(tight), tight, "KEN", standing(before, "KEN", tight, None), kept)
    assert not again.grows
    (broken,) = again.broken
    assert broken.nations == ("GBR",)
    recipient, facts, _ = broken.example
    assert recipient.nation == "GBR"
    assert "SO" in book.vocabulary.regions.touching(facts.regions)
    without = book.without("release", "KEN")
    nothing = preview(Mission.of(without), without, "KEN", standing({}, "KEN", without, None), kept)
    assert [one.rule.id for one in nothing.broken] == ["KEN/always"]


def test_more_signatures_never_withhold() -> None:
    """Lint's polarity sees to it; the analysis finds no counterexample in any example policy."""
    mission = Mission.of(world.mission())
    for formula in mission.layers.values():
        for nation in NATIONS:
            fewer, more = (mission.ground(formula, nation, n) for n in (0, 1))
            assert implies(mission, nation, fewer, more)


def implies(mission: Mission, nation: str, one: Formula, other: Formula) -> bool:
    space = Space(mission.atlases, nation, [one, other])
    return space.find(space.holds(one), space.holds(negated(other))) is None


NEVER = (
    '@id("KEN/never") forbid (principal, action == Action::"release", resource in Touching::"SO");'
)
ALWAYS = (
    '@id("KEN/always") permit (principal in Nation::"GBR", action == Action::"release",'
    ' resource in Within::"SO");'
)
OTHER = (
    '@id("KEN/other") {} (principal in Nation::"FRA", action == Action::"release",'
    ' resource in {}::"ML");'
)


@pytest.mark.parametrize("effect", ["forbid", "permit"])
def test_what_the_policy_engine_does_not_confirm_is_no_proof(effect: str) -> None:
    """Neither that the policy does it, nor that the guarantee is about it, is taken on trust."""
    relation = "Touching" if effect == "forbid" else "Within"
    text = (NEVER if effect == "forbid" else ALWAYS) + OTHER.format(effect, relation)
    free = world.open_book()
    closed = free.with_layer("release", "KEN", NEVER)
    book, opposite = (free, closed) if effect == "forbid" else (closed, free)
    kept = guarantees(book, "KEN", text)
    assert kept is not None
    breach = broken(Mission.of(book), book, "KEN", kept)[0]
    layers = [one.layers["release", "KEN"] for one in (book, opposite)]
    _confirm(book, layers[0], kept, breach)
    with refused("internal"):
        _confirm(book, layers[1], kept, breach)
    about_others = replace(breach, rule=kept.rules[1])
    with refused("internal"):
        _confirm(book, layers[0], kept, about_others)


def test_a_breach_that_only_the_analysis_sees_is_not_reported() -> None:
    """The rules that we read release; the engine, which has another text, does not."""
    kept = guarantees(world.open_book(), "KEN", NEVER)
    assert kept is not None
    lying = book_with(release_layer(NEVER, judged=permit_all("release", "KEN")))
    with refused("internal"):
        broken(Mission.of(lying), lying, "KEN", kept)


def test_what_the_floor_stops_neither_breaks_a_guarantee_nor_grows() -> None:
    """The floor is the label's own: no policy of a nation is needed to keep it."""
    low = 'resource in UpTo::"CONFIDENTIAL"'
    floor = f'@id("COALITION/low") permit (principal, action == Action::"handle", {low});'
    text = f'@id("KEN/low") permit (principal, action == Action::"release", {low});'
    never = '@id("KEN/never") forbid (principal, action == Action::"release", resource)'
    before = {"release": text, "accept": permit_all("accept", "KEN")}
    for book, stopped in (
        (world.open_book().with_layer("handle", "COALITION", floor), True),
        (world.open_book(), False),
    ):
        kept = guarantees(book, "KEN", f"{never} unless {{ {low} }};")
        found = preview(Mission.of(book), book, "KEN", standing(before, "KEN", book, None), kept)
        assert (found.grows, bool(found.broken)) == (not stopped, not stopped)
