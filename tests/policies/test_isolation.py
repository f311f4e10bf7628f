"""Nobody can widen another nation's release, whatever he writes."""

from random import Random

import pytest

from policies.decide import Decision, Outcome
from tests.policies.generated import request
from tests.policies.world import MISSION, NATIONS, mission, permit_all
from wire.errors import Malformed


def without_layers_of(decision: Decision, nation: str) -> list[object]:
    return [verdict for verdict in decision.verdicts if verdict.owner != nation]


@pytest.mark.slow
@pytest.mark.parametrize("rebel", NATIONS)
def test_a_nation_that_permits_everything_changes_nothing_that_is_not_its_own(rebel: str) -> None:
    """The rebel rewrites all its policies; for each request, every other layer says the same."""
    before = mission()
    after = before
    for kind in ("release", "accept"):
        after = after.with_layer(kind, rebel, permit_all(kind, rebel))
    random = Random(rebel)
    for _ in range(60):
        recipient, facts, moment = request(random)
        old = before.decide(recipient, facts, moment)
        new = after.decide(recipient, facts, moment)
        assert without_layers_of(old, rebel) == without_layers_of(new, rebel)
        theirs = facts.contributors | {facts.originator, recipient.nation}
        if rebel not in theirs:
            assert old.outcome is new.outcome
        others = (v.outcome for v in new.verdicts if v.owner != rebel)
        assert new.outcome <= min(others)


@pytest.mark.parametrize("kind", ["release", "accept"])
def test_a_rule_in_the_wrong_place_is_refused(kind: str) -> None:
    """And it could not grant anything there: it names another action."""
    other = "accept" if kind == "release" else "release"
    with pytest.raises(Malformed, match="action at `KEN/all`"):
        mission().with_layer(kind, "KEN", permit_all(other, "KEN"))


def test_a_nation_cannot_speak_under_another_nations_name() -> None:
    with pytest.raises(Malformed, match="id-prefix"):
        mission().with_layer("release", "KEN", permit_all("release", "FRA"))


@pytest.mark.parametrize("nation", NATIONS)
def test_nobody_can_be_made_to_accept_anything(nation: str) -> None:
    """All others, the mission and the floor permit everything; the nation's own intake refuses."""
    book = mission().with_layer(
        "accept",
        nation,
        f'@id("{nation}/no") forbid (principal, action == Action::"accept", resource);',
    )
    for kind, owner in book.owners - {("accept", nation)}:
        book = book.with_layer(kind, owner, permit_all(kind, owner))
    random = Random(nation)
    for _ in range(30):
        recipient, facts, moment = request(random)
        if recipient.nation == nation:
            assert book.decide(recipient, facts, moment).outcome is Outcome.WITHHOLD


@pytest.mark.slow
def test_the_mission_and_the_floor_only_ever_take_away() -> None:
    book = mission()
    open_floor = book.with_layer("handle", "COALITION", permit_all("handle", "COALITION"))
    open_floor = open_floor.with_layer("carry", MISSION, permit_all("carry", MISSION))
    random = Random(3)
    for _ in range(100):
        asked = request(random)
        closed, opened = book.decide(*asked), open_floor.decide(*asked)
        national = [v.outcome for v in closed.verdicts if v.kind in ("release", "accept")]
        assert opened.outcome is min(national)
        assert closed.outcome <= opened.outcome
