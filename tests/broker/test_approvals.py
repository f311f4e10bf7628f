"""How many approvals a layer has: whose, for which rules, until when, and what a no takes back."""

from typing import Any

import pytest

from broker.approvals import Case, Word, agreed
from broker.standing import Standing
from policies.decide import Outcome
from policies.verdicts import LayerVerdict
from tests.coalition import Coalition, Nation
from tests.refusal import refused

CASE: Case = ("ab" * 32, "cd" * 32, "GBR")
TEXT = "11" * 32
RULES = frozenset({"KEN/sources"})


@pytest.fixture
def world() -> Coalition:
    found = Coalition.of("KEN", "GBR", "FRA")
    found["KEN"].enlists("other", "officer")
    found["KEN"].delegates("release", found["KEN"].officer, found["KEN"].other)
    return found


def signs(nation: Nation, layer: str = "release", *by: str, **changes: Any) -> None:
    """An officer of a nation, or these, about the case."""
    body = {
        "verdict": "approve",
        "layer": layer,
        "report": CASE[0],
        "portion": CASE[1],
        "to": CASE[2],
        "text": TEXT,
        "rules": sorted(RULES),
        "emergency": False,
        "reason": "",
        "expires": nation.world.clock.now + 60,
        **changes,
    }
    nation.says("approval", body, by=[getattr(nation, who).sign for who in by or ("officer",)])


def count(world: Coalition, layer: str = "release", owner: str = "KEN", **asked: Any) -> int:
    """How many the layer has, by what was said up to now."""
    filed = [f.statement for f in world.history if f.statement.head.type == "approval"]
    words = [word for case, word in map(Word.of, filed) if case == CASE]
    standing = Standing(world.directory)
    now = asked.pop("now", world.clock.now)
    verdict = LayerVerdict(layer, owner, asked.pop("text", TEXT), Outcome.REFER, (), 1, None)
    rules = frozenset(asked.pop("rules", RULES))
    return agreed(verdict, rules, words, lambda who: standing.officers(who, now), now)


def test_officers_count_in_their_own_layer_alone(world: Coalition) -> None:
    kenya, britain = world["KEN"], world["GBR"]
    signs(kenya, "accept")
    signs(britain)
    assert count(world) == 0
    signs(kenya)
    assert count(world) == 1
    assert count(world, "release", "GBR") == 1
    assert count(world, "accept", "GBR") == 0


def test_an_officer_counts_once_and_only_while_his_key_stands(world: Coalition) -> None:
    kenya = world["KEN"]
    signs(kenya)
    signs(kenya)
    assert count(world) == 1
    signs(kenya, "release", "officer", "other")
    assert count(world) == 2
    kenya.revokes(kenya.other)
    assert count(world) == 1


def test_in_the_missions_layers_nations_count_each_once(world: Coalition) -> None:
    signs(world["KEN"], "handle", "officer", "other")
    assert count(world, "handle", "COALITION") == 1
    signs(world["FRA"], "handle")
    assert count(world, "handle", "COALITION") == 2
    signs(world["FRA"], "handle", verdict="reject", reason="not yet")
    assert count(world, "handle", "COALITION") == 1, "a nation takes back its own word alone"


def test_an_approval_ends_with_its_time(world: Coalition) -> None:
    signs(world["KEN"])
    assert count(world, now=world.clock.now + 59) == 1
    assert count(world, now=world.clock.now + 60) == 0


def test_an_approval_is_for_the_rules_that_it_names_in_its_text(world: Coalition) -> None:
    signs(world["KEN"])
    assert count(world, rules={"KEN/sources", "KEN/another"}) == 0
    assert count(world, text="22" * 32) == 0
    assert count(world, rules=()) == 1


def test_a_no_takes_back_every_yes_before_it_and_none_after(world: Coalition) -> None:
    kenya = world["KEN"]
    signs(kenya, "release", "officer", "other")
    signs(kenya, "release", "other", verdict="reject", reason="not now")
    assert count(world) == 0
    signs(kenya)
    assert count(world) == 1, "whoever still wants it says so again, and all that are needed"


def test_an_emergency_is_for_two_officers_and_then_for_whatever_refers(world: Coalition) -> None:
    kenya = world["KEN"]
    urgent: dict[str, Any] = {"emergency": True, "reason": "lives at stake", "rules": []}
    signs(kenya, **urgent)
    signs(kenya, **urgent)
    other: dict[str, Any] = {"rules": {"KEN/another"}, "text": "22" * 32}
    assert count(world, **other) == 0, "one officer twice is one"
    signs(kenya, "release", "other", **urgent)
    assert count(world, **other) == 2
    signs(kenya, verdict="reject", reason="a false alarm")
    assert count(world, **other) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"emergency": True},
        {"verdict": "reject"},
        {"verdict": "reject", "emergency": True, "reason": "no"},
        {"expires": 0},
        {"expires": 31 * 86_400},
        {"emergency": True, "reason": "lives at stake", "expires": 2 * 86_400},
    ],
)
def test_a_word_without_its_reason_or_for_too_long_is_refused(
    world: Coalition, changes: dict[str, Any]
) -> None:
    if "expires" in changes:
        changes = {**changes, "expires": world.clock.now + changes["expires"]}
    with refused("bad-statement"):
        signs(world["KEN"], **changes)
