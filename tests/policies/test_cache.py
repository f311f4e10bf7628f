"""What is remembered, for how long, and that it never stands for something else."""

import pytest

from policies import cache
from policies.cache import Bounded, Crossing, Numbered, Projection
from policies.decide import Outcome
from policies.formula import AtLeast, Cross, Empty, Equals, Flag, Holds, In, Is, Value
from policies.observe import Side
from tests.policies.world import (
    LEVELS,
    NATIONS,
    analyst,
    layers_of,
    moment,
    open_book,
    report,
)


def test_a_projection_keeps_only_what_some_rule_mentions() -> None:
    projection = Projection(
        "resource",
        [
            In("resource", ("Within", "KE")),
            In("principal", ("Nation", "KEN")),
            AtLeast("resource.level", 2),
            AtLeast("resource.level", 3),
            Flag("resource.derived"),
            Holds("resource.communities", "CYBER"),
            Equals("resource.origin", "GBR"),
            Empty("resource.displayTo"),
            Is("Gateway"),
            Cross("equal", "principal.exercise", "resource.exercise"),
        ],
    )
    values: dict[str, Value] = {
        "resource.level": 2,
        "resource.derived": True,
        "resource.communities": frozenset({"CYBER", "MARITIME"}),
        "resource.origin": "FRA",
        "resource.displayTo": frozenset[str](),
    }
    side = Side(values, frozenset({("Within", "KE"), ("Within", "014")}))
    seen = (frozenset({("Within", "KE")}), 1, None, frozenset({"CYBER"}), True, True)
    assert projection.of_side(side) == seen
    assert not projection.constant
    assert Projection("context", [Is("Gateway")]).constant
    kinds = Projection("principal", [Is("Gateway")])
    assert kinds.of({"principal": "Analyst"}) == ("Analyst",)


def test_a_crossing_tests_recipient_against_report() -> None:
    crossing = Crossing(
        [
            Flag("resource.derived"),
            Cross("contains", "resource.releasableTo", "principal.nation"),
            Cross("contains_any", "resource.releasableTo", "resource.displayTo"),
        ]
    )
    principal = {"principal.nation": "GBR"}
    resource = {
        "resource.releasableTo": frozenset({"GBR"}),
        "resource.displayTo": frozenset({"FRA"}),
    }
    assert crossing.of(principal, resource) == (True, False)
    assert Crossing([]).of({}, {}) == ()


def test_the_number_of_a_class_is_never_given_to_another_class() -> None:
    """A key that outlives a full table may miss; it must never hit what is not its own."""
    numbers = Numbered(limit=2)
    first = [numbers["a",], numbers["b",], numbers["a",]]
    assert first == [0, 1, 0]
    assert numbers["c",] == 2
    assert numbers["a",] == 3


def test_a_full_cache_forgets_everything() -> None:
    kept: Bounded[str] = Bounded(limit=2)
    for key in ("a", "b"):
        kept.keep((key,), key)
    assert (kept.get(("a",)), len(kept)) == ("a", 2)
    kept.keep(("c",), "c")
    assert (kept.get(("a",)), kept.get(("c",)), len(kept)) == (None, "c", 1)


def test_decisions_stay_right_when_the_cache_is_far_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache.Numbered.__init__, "__defaults__", (1,))
    monkeypatch.setattr(cache.Bounded.__init__, "__defaults__", (1,))
    book = open_book().with_layer(
        "release",
        "KEN",
        '@id("KEN/a") permit (principal in Nation::"GBR", action == Action::"release",'
        ' resource in UpTo::"CONFIDENTIAL");',
    )
    recipients = [book.recipient_key(analyst(nation)) for nation in ("GBR", "FRA")]
    reports = [
        book.report_key(report("KEN", "GBR", "FRA", level=level)) for level in LEVELS.values()
    ]
    for _ in range(2):
        for recipient in recipients:
            for about in reports:
                found = book.decide_keyed(recipient, about, moment())
                assert found == book.decide_uncached(recipient.recipient, about.facts, moment())


def test_equal_classes_ask_cedar_once() -> None:
    book = layers_of(*NATIONS)  # nobody else asks it
    layer = book.layers["release", "KEN"]
    book.decide(analyst("GBR"), report("KEN", "GBR", regions=frozenset({"KE"})), moment())
    before = len(layer.verdicts)
    alike = report("KEN", "GBR", "FRA", regions=frozenset({"TZ"}))
    assert book.decide(analyst("GBR", 2), alike, moment()).outcome is Outcome.RELEASE
    assert len(layer.verdicts) == before
    other = report("KEN", "GBR", regions=frozenset({"ML"}))
    book.decide(analyst("GBR"), other, moment())
    assert len(layer.verdicts) == before + 1


def test_an_answer_about_time_does_not_go_stale() -> None:
    book = open_book().with_layer(
        "release",
        "KEN",
        '@id("KEN/t") permit (principal, action == Action::"release", resource) when'
        ' { context.age >= duration("1h") && context.now < datetime("2026-07-01") };',
    )
    july = 1_782_864_000
    recipient, about = book.recipient_key(analyst("GBR")), book.report_key(report("KEN", "GBR"))
    for age, now, outcome in (
        (3_599, july - 1, Outcome.WITHHOLD),
        (3_600, july - 1, Outcome.RELEASE),
        (3_601, july - 1, Outcome.RELEASE),
        (3_600, july, Outcome.WITHHOLD),
        (3_600, july - 1, Outcome.RELEASE),
    ):
        found = book.decide_keyed(recipient, about, moment(age, now=now))
        assert found.outcome is outcome, (age, now)


def test_layers_that_did_not_change_keep_what_they_remember() -> None:
    book = open_book()
    book.decide(analyst("GBR"), report("KEN", "GBR"), moment())
    changed = book.without("accept", "FRA")
    assert len(changed.layers["release", "KEN"].verdicts) == 1
