"""Nobody can widen another's release, and nobody's intake can be forced.

One nation rewrites all its policies to permit everything, and its officers approve everything of
everybody. For every reader of every nation, what belongs to others is as visible as before or less;
but for what the greedy nation itself refused to take in while every other layer had agreed.
"""

import pytest
from hypothesis import HealthCheck, Phase, event, example, given, settings

from tests.journeys.sovereign import (
    ALL_PLANS,
    GREEDY,
    NATIONS,
    RULES,
    SOME_PLANS,
    Label,
    Mission,
    Plan,
    played,
)

pytestmark = pytest.mark.slow

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
PHASES = (Phase.explicit, Phase.generate)  # a broker an example: shrinking would take hours
FEW, MANY = 3, 200
FIRST = {kind: texts[0] for kind, texts in GREEDY.items()}


def plan(greedy: str, label: Label, **rules: tuple[str, ...]) -> Plan:
    """One report of Kenya; all permit all but where it is said: `GBR_accept=()`."""
    texts = {
        (nation, kind): rules.get(f"{nation}_{kind}", RULES[kind][:1])
        for nation in NATIONS
        for kind in RULES
    }
    return Plan((("KEN", (label,)),), texts, (), greedy, FIRST, ())


def label(*release_to: str, caveats: tuple[str, ...] = ()) -> Label:
    nations, places = frozenset(release_to), frozenset({"KE"})
    return Label("SECRET", nations, frozenset(), places, frozenset(caveats), "FLASH")


async def nobody_can_widen_what_belongs_to_others(mission: Mission) -> None:
    greedy = mission.plan.greedy
    before, agreed = await mission.visible(), mission.agreed("accept")
    takes_in = mission.accepted()
    await mission.wants_all()
    after = await mission.visible()
    for reader, items in after.items():
        gained = items - before[reader]
        foreign = mission.of_others(gained, greedy)
        if reader[0] == greedy:
            assert foreign <= agreed[reader], f"{reader} got more than others agreed to"
        else:
            assert not foreign, f"{greedy} widened what {reader} sees of others"
            assert gained <= takes_in[reader], f"{greedy} forced something on {reader}"
        event(f"gained: {bool(foreign)} of others, {bool(gained - foreign)} of its own")


@settings(max_examples=FEW, phases=PHASES, suppress_health_check=QUIET, derandomize=True)
@given(SOME_PLANS)
@example(plan("GBR", label("GBR"), KEN_release=RULES["release"][5:7]))
@example(plan("KEN", label("GBR"), GBR_accept=RULES["accept"][3:4]))
def test_a_nation_cannot_widen_anothers_release(drawn: Plan) -> None:
    played(drawn, nobody_can_widen_what_belongs_to_others)


@pytest.mark.long
@settings(max_examples=MANY, phases=PHASES, suppress_health_check=QUIET)
@given(ALL_PLANS)
def test_a_nation_cannot_widen_anothers_release_whatever_the_policies(drawn: Plan) -> None:
    played(drawn, nobody_can_widen_what_belongs_to_others)


def test_a_nation_may_let_in_what_all_others_agreed_to_and_nothing_else() -> None:
    """The one thing that it decides alone, and it decides it for itself alone."""

    async def check(mission: Mission) -> None:
        before = await mission.visible()
        assert not before["GBR", "analyst", "FORCE PROTECTION"]
        await mission.wants_all()
        after = await mission.visible()
        assert after["GBR", "analyst", "FORCE PROTECTION"]
        assert {r: i for r, i in after.items() if r[0] != "GBR"} == {
            r: i for r, i in before.items() if r[0] != "GBR"
        }

    played(plan("GBR", label("GBR"), GBR_accept=RULES["accept"][1:2]), check)


@pytest.mark.parametrize("refusing", ["KEN_release", "GBR_accept"])
def test_officers_of_one_nation_approve_nothing_of_another(refusing: str) -> None:
    """Expect refusal: the case waits for an officer of the layer's own nation."""
    rule = {"KEN_release": RULES["release"][4:5], "GBR_accept": RULES["accept"][5:]}
    rules = {refusing: (*RULES["accept"][:1], *rule[refusing])} if "accept" in refusing else rule
    drawn = plan("FRA", label("GBR", "FRA", caveats=("HUMINT",)), **{refusing: rules[refusing]})
    analyst = ("GBR", "analyst", "FORCE PROTECTION")

    async def check(mission: Mission) -> None:
        await mission.wants_all()
        assert not (await mission.visible())[analyst]
        held, commitment, to = next(c for c in mission.cases() if c[2] == "GBR")
        owner, layer = refusing.split("_")
        taken = await mission.approves("FRA", layer, held.identity, commitment, to)
        assert not (taken and (await mission.visible())[analyst])
        assert await mission.approves(owner, layer, held.identity, commitment, to)
        assert (await mission.visible())[analyst], "its own officers can"

    played(drawn, check)
