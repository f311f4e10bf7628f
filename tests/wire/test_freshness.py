"""How near the end of something is, and how long ago it was."""

from dataclasses import replace

import pytest

from tests.coalition import DAY, Coalition
from tests.refusal import refused
from wire.entries import MISSION
from wire.freshness import Ending, State, endings, lasting


@pytest.mark.parametrize(
    ("left", "state", "words"),
    [
        (31 * DAY, "fresh", "ends in 31 days"),
        (30 * DAY, "soon", "ends in 30 days"),
        (7 * DAY + 1, "soon", "ends in 7 days"),
        (7 * DAY, "urgent", "ends in 7 days"),
        (DAY, "urgent", "ends in 1 day"),
        (3_600, "urgent", "ends in 1 hour"),
        (1, "urgent", "ends in less than an hour"),
        (0, "expired", "ended less than an hour ago"),
        (-DAY, "expired", "ended 1 day ago"),
    ],
)
def test_people_are_told_thirty_and_seven_days_before(left: int, state: State, words: str) -> None:
    ending = Ending("KEN", "policy", "1", 1_000 * DAY)
    now = ending.expires - left
    assert (ending.state(now), ending.words(now)) == (state, words)


def test_what_lives_a_week_is_not_always_about_to_end() -> None:
    week = Ending("KEN", "epoch", "1", 100 * DAY, 7 * DAY)
    states = [week.state(100 * DAY - hours * 3_600) for hours in (168, 43, 42, 21, 0)]
    assert states == ["fresh", "fresh", "soon", "urgent", "expired"]


def test_lengths_are_rounded_down() -> None:
    assert [lasting(s) for s in (0, 3_599, 7_199, DAY - 1, 2 * DAY - 1)] == [
        "less than an hour",
        "less than an hour",
        "1 hour",
        "23 hours",
        "1 day",
    ]


def test_all_that_ends_by_itself_is_found() -> None:
    world = Coalition.of("KEN", "GBR")
    kenya = world["KEN"]
    kenya.revokes(kenya.analyst)
    found = list(endings(world.directory, "KEN"))
    assert [e.what for e in found] == ["root", "policy", "epoch", "member", "member", "member"]
    assert kenya.analyst.kid not in {e.name for e in found}


def test_another_nations_policy_is_not_among_what_a_client_knows() -> None:
    world = Coalition.of("KEN", "GBR")
    found = {e.what for e in endings(world.as_seen_by("GBR"), "KEN")}
    assert found == {"root", "epoch", "member"}


def test_a_refusal_says_for_how_long_keys_are_stale() -> None:
    world = Coalition.of("KEN", "GBR")
    world.clock.forward(days=8)
    with refused("stale-epoch", "ended 24 hours ago"):
        world.directory.epoch_key("KEN", 0, world.clock.now)
    world.clock.forward(days=365)
    with refused("root-expired", "KEN, 192 hours ago"):
        world["KEN"].opens_epoch()
    assert MISSION not in world.directory.nations


def test_what_a_nation_does_not_have_does_not_end() -> None:
    """One that was admitted and has published nothing yet."""
    world = Coalition.of("KEN", "GBR")
    bare = replace(world.directory.nations["GBR"], root_version=0, policy=None, epochs={})
    assert {e.what for e in endings(world.directory.with_nation(bare), "GBR")} == {"member"}
