"""Cedar skips a rule that fails, prohibitions too. Every way to a wrong Allow ends in WITHHOLD.

The faults are real: policies that our lint would refuse, handed to the engine behind its back.
"""

import json
from dataclasses import replace
from typing import Any

import cedarpy

from policies.cache import Projection
from policies.decide import Outcome, PolicyBook
from policies.formula import AllOf, Flag, In
from policies.layers import Layer
from policies.lint import examine
from policies.observe import observe_recipient, observe_report
from policies.schema import schema_json, terms
from tests.policies.world import (
    analyst,
    moment,
    open_book,
    permit_all,
    report,
    words,
)

MINE = report("KEN", "GBR")
GRANT = permit_all("release", "KEN")


def release_layer(text: str, judged: str | None = None, schema: str | None = None) -> Layer:
    """A layer that asks Cedar about `text`, while we evaluate the rules of `judged`."""
    real = cedarpy.Schema.from_json_str(schema_json(words()))
    examined = examine(judged or text, "release", "KEN", terms(words()), real)
    used = cedarpy.Schema.from_json_str(schema) if schema else real
    policies = cedarpy.PolicySet.from_str(text)
    return Layer("release", "KEN", text, examined.rules, policies, used)


def book_with(layer: Layer) -> PolicyBook:
    book = open_book()
    return PolicyBook(
        book.vocabulary,
        cedarpy.Schema.from_json_str(schema_json(words())),
        {**book.layers, ("release", "KEN"): layer},
    )


def outcome_and_alarms(layer: Layer) -> tuple[Outcome, tuple[str, ...]]:
    decision = book_with(layer).decide(analyst("GBR"), MINE, moment())
    return decision.outcome, decision.alarms


def test_the_planted_layer_itself_releases() -> None:
    assert outcome_and_alarms(release_layer(GRANT)) == (Outcome.RELEASE, ())


def test_a_prohibition_that_fails_at_run_time_withholds() -> None:
    """Integer overflow passes Cedar's strict validation and only fails in the decision."""
    overflow = (
        '@id("KEN/f") forbid (principal, action == Action::"release", resource)'
        " when { context.approvals - 9223372036854775807 - 9223372036854775807 < 0 };"
    )
    layer = release_layer(GRANT + overflow, judged=GRANT)
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("cedar-error",))


def test_a_prohibition_on_an_attribute_that_is_not_there_withholds() -> None:
    optional = '@id("KEN/f") forbid (principal, action, resource) when { resource.delay > 3 };'
    layer = release_layer(GRANT + optional, judged=GRANT)
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("cedar-error",))


def changed_schema(change: Any) -> str:
    schema = json.loads(schema_json(words()))
    change(schema[""])
    return json.dumps(schema)


def test_no_decision_withholds() -> None:
    """An action that the schema does not have: without the schema, the grant would be given."""
    without = changed_schema(lambda schema: schema["actions"].pop("release"))
    layer = release_layer(GRANT, schema=without)
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("no-decision",))


def test_entities_that_the_schema_refuses_withhold() -> None:
    other = changed_schema(lambda schema: schema["entityTypes"].update(Nation={"enum": ["USA"]}))
    assert outcome_and_alarms(release_layer(GRANT, schema=other)) == (
        Outcome.WITHHOLD,
        ("cedar-error",),
    )


def test_two_evaluations_that_disagree_withhold() -> None:
    never = GRANT.replace("resource);", "resource) when { resource.derived };")
    layer = release_layer(GRANT, judged=never)
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("disagreement",))


def test_two_evaluations_that_agree_for_different_reasons_withhold() -> None:
    layer = release_layer(GRANT, judged=GRANT.replace("KEN/all", "KEN/other"))
    layer = Layer(
        "release",
        "KEN",
        GRANT,
        [
            replace(layer.rules[0], id="KEN/all"),
            replace(layer.rules[0], position="policy1", id="KEN/more"),
        ],
        cedarpy.PolicySet.from_str(GRANT),
        cedarpy.Schema.from_json_str(schema_json(words())),
    )
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("disagreement",))


def test_a_fault_that_shows_only_with_more_approvals_withholds_too() -> None:
    """The question with two officers is a question like any other."""
    judged = GRANT.replace("resource);", "resource) when { context.approvals >= 1 };")
    text = GRANT.replace("resource);", "resource) when { context.approvals >= 2 };")
    layer = release_layer(text, judged=judged)
    assert outcome_and_alarms(layer) == (Outcome.WITHHOLD, ("disagreement",))


def test_an_alarm_is_raised_each_time_and_never_remembered() -> None:
    layer = release_layer(GRANT, judged=GRANT.replace("resource);", "resource) when { false };"))
    book = book_with(layer)
    recipient, about = book.recipient_key(analyst("GBR")), book.report_key(MINE)
    for _ in range(2):
        assert book.decide_keyed(recipient, about, moment()).alarms == ("disagreement",)
    assert len(layer.verdicts) == 0


def test_what_trimming_hides_from_cedar_is_noticed() -> None:
    """If the projection forgot an atom, Cedar and the full evaluation would come apart."""
    text = GRANT + (
        '@id("KEN/f") forbid (principal, action == Action::"release", resource in Touching::"KE");'
    )
    layer = release_layer(text)
    blind = Projection("resource", [])
    object.__setattr__(layer, "resource", blind)
    sides = observe_recipient(analyst("GBR"), words()), observe_report(MINE, words())
    assert layer.ask(*sides, moment()).alarm == "disagreement"
    assert layer.ask(*sides, moment(), trim=False).alarm is None


def test_formulas_see_what_rules_say() -> None:
    """A spot check of the reading that the second evaluation rests on."""
    text = GRANT.replace("resource);", 'resource in Within::"014") when { resource.derived };')
    assert release_layer(text).rules[0].formula == AllOf(
        (In("resource", ("Within", "014")), Flag("resource.derived"))
    )
