"""The cases that ship with the policies hold, and a case that does not hold is told in words."""

import json

import pytest

from policies import cases
from policies.cases import Case, Mismatch
from tests.policies.world import NATIONS, POLICIES, mission, words
from wire.errors import Malformed

FILES = sorted((POLICIES / "cases").glob("*.json"))
EXAMPLE = {
    "name": "a plain release",
    "recipient": {"nation": "GBR", "kind": "Gateway", "clearance": "SECRET"},
    "report": {
        "originator": "KEN",
        "classification": "SECRET",
        "release_to": ["GBR", "KEN"],
        "regions": ["KE"],
        "threats": ["explosive.mine"],
    },
    "circumstances": {"now": "2026-06-01", "age": "2h", "purpose": "PLANNING", "approvals": {}},
    "outcome": "RELEASE",
    "rules": [
        "COALITION/named-in-the-label",
        "GBR/own-members",
        "KEN/eastern-africa",
        "MINUSX/ceiling",
    ],
}


def case(**changes: object) -> Case:
    return cases.parse(json.dumps({"cases": [EXAMPLE | changes]}).encode())[0]


def shipped() -> list[Case]:
    return [found for file in FILES for found in cases.parse(file.read_bytes())]


@pytest.mark.parametrize("found", shipped(), ids=lambda found: found.name)
def test_a_shipped_case_holds(found: Case) -> None:
    assert [str(mismatch) for mismatch in cases.run(mission(), found)] == []


def test_every_rule_of_the_examples_is_seen_to_decide_something() -> None:
    """A rule without a case is a promise that nobody checks."""
    determining = {rule for found in shipped() for rule in found.rules}
    for layer in mission().layers.values():
        untested = {rule.id for rule in layer.rules} - determining
        assert not untested


def test_every_nation_and_every_outcome_has_cases() -> None:
    assert {found.outcome for found in shipped()} == {"WITHHOLD", "REFER", "RELEASE"}
    assert {file.stem for file in FILES} == {"coalition", "mission", *NATIONS}


def test_a_case_that_holds_has_no_mismatch() -> None:
    assert cases.run(mission(), case()) == ()


def test_a_case_that_does_not_hold_says_what_is_different() -> None:
    wrong = case(outcome="REFER", rules=[], alarms=["no-decision"])
    assert [str(found) for found in cases.run(mission(), wrong)] == [
        "a plain release: outcome should be REFER, is RELEASE",
        f"a plain release: rules should be none, is {', '.join(case().rules)}",
        "a plain release: alarms should be no-decision, is none",
    ]
    assert cases.run(mission(), wrong)[2] == Mismatch(
        "a plain release", "alarms", "no-decision", "none"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"outcome": "MAYBE"},
        {"extra": 1},
        {"recipient": {"nation": "Kenya", "clearance": "SECRET"}},
        {"circumstances": {"purpose": "PLANNING", "approvals": {"release": 1}}},
        {"circumstances": {"purpose": "PLANNING", "approvals": {"release/KEN": -1}}},
    ],
)
def test_a_malformed_case_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        case(**changes)


@pytest.mark.parametrize("moment", [{"now": "yesterday"}, {"age": "2 hours"}])
def test_a_time_that_cannot_be_read_is_refused(moment: dict[str, str]) -> None:
    found = case(circumstances={"purpose": "PLANNING", **moment})
    with pytest.raises(Malformed, match="bad-input"):
        cases.run(mission(), found)


def test_a_level_that_the_scale_does_not_have_is_refused() -> None:
    found = case(recipient={"nation": "GBR", "clearance": "COSMIC"})
    with pytest.raises(Malformed, match="unknown-term"):
        cases.request(found, words())


def test_approvals_are_read_per_layer() -> None:
    moment = {"purpose": "PLANNING", "approvals": {"release/KEN": 1, "accept/GBR": 2}}
    _, _, circumstances = cases.request(case(circumstances=moment), words())
    assert circumstances.approvals == {("release", "KEN"): 1, ("accept", "GBR"): 2}
