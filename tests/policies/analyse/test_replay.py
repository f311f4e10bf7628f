"""A replay counts what would have gone otherwise."""

from policies.analyse.replay import Moved, Past, replay
from policies.decide import Outcome
from tests.policies import world
from tests.policies.world import report

NOW = 1_780_000_000


def sent(number: int, place: str) -> Past:
    facts = report("GBR", "KEN", "FRA", regions=frozenset({place}))
    return Past(f"{number:032x}", facts, NOW)


def test_a_replay_counts_by_nation_and_names_some() -> None:
    before = world.mission()
    text = before.layers["release", "GBR"].text.replace('in Touching::"BF"', 'in Touching::"KE"')
    after = before.with_layer("release", "GBR", text)
    places = ["KE", "KE", "KE", "KE", "BF", "UG"]
    past = [sent(number, place) for number, place in enumerate(places)]
    moved = replay(before, after, past)
    some = tuple(f"{number:032x}" for number in range(3))
    assert moved == (
        Moved("KEN", Outcome.REFER, Outcome.RELEASE, 1, (f"{4:032x}",)),
        Moved("KEN", Outcome.RELEASE, Outcome.REFER, 4, some),
    )
    assert replay(before, before, past) == ()
