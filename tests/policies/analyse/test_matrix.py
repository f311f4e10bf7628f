"""The release matrix says what decisions say."""

import itertools

from policies.analyse.adoption import guarantees, standing
from policies.analyse.matrix import Cell, matrix
from policies.analyse.mission import Mission
from policies.analyse.preview import preview
from policies.analyse.space import Space
from policies.decide import Outcome
from policies.formula import Formula, negated
from tests.policies import world
from tests.policies.world import NATIONS, analyst, moment, permit_all, report


def test_every_cell_is_the_highest_level_that_a_decision_can_have() -> None:
    """Brute force over the example policies: levels, recipients, places and officers."""
    book = world.mission()
    cells, read_in = matrix(Mission.of(book)).cells, frozenset(book.vocabulary.communities)
    for originator, recipient in itertools.permutations(NATIONS, 2):
        best: dict[bool, int | None] = {}
        for signed in (False, True):
            approvals = dict.fromkeys(book.layers, 2) if signed else {}
            levels = [
                level
                for level in range(5)
                for place in ("KE", "ML", "TD", "SN", "GB")
                for threat in ("explosive.mine", "cyber.intrusion", "conflict.clash")
                for kind in ("Analyst", "Gateway")
                for purpose in book.vocabulary.purposes
                if book.decide(
                    analyst(recipient, 4, kind=kind, communities=read_in),
                    report(
                        originator,
                        recipient,
                        level=level,
                        regions=frozenset({place}),
                        threats=frozenset({threat}),
                    ),
                    moment(age=10**7, purpose=purpose, approvals=approvals),
                ).outcome
                is Outcome.RELEASE
            ]
            best[signed] = max(levels, default=None)
        assert cells[originator, recipient] == Cell(best[False], best[True])


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
