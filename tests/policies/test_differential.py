"""Cached, uncached and our own evaluation give the same answer to every question.

Three independent ways: classes remembered from Cedar, Cedar with every parent and nothing
remembered, and a model that evaluates formulas and takes the minimum.
"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.decide import Outcome, PolicyBook
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.layers import Layer, scene
from policies.observe import observe_circumstances, observe_recipient, observe_report
from tests.policies.generated import layer_text, request
from tests.policies.world import MISSION, library, mission, words

pytestmark = pytest.mark.slow


def random_book(random: Random) -> PolicyBook:
    """The ready floor, and random layers of everybody else (sometimes one is missing)."""
    book = PolicyBook.empty(words()).with_layer(
        "handle", "COALITION", library("coalition-baseline")
    )
    for kind, owner in sorted(book.owners - {("handle", "COALITION")}):
        if random.random() < 0.97:
            rules = random.choice([1, 2, 4, 8])
            book = book.with_layer(kind, owner, layer_text(random, kind, owner, rules))
    return book


def modelled(layer: Layer, asked: tuple[Recipient, ReportFacts, Circumstances]) -> Outcome:
    """One layer's outcome from formulas alone."""
    recipient, facts, moment = asked
    sides = observe_recipient(recipient, words()), observe_report(facts, words())
    context = observe_circumstances(moment, layer.kind, layer.owner)
    signed = moment.approvals.get((layer.kind, layer.owner), 0)
    if layer.evaluate(scene(*sides, context)).allowed:
        return Outcome.RELEASE
    for more in (1, 2):
        if more > signed:
            supposed = scene(*sides, {**context, "context.approvals": more})
            if layer.evaluate(supposed).allowed:
                return Outcome.REFER
    return Outcome.WITHHOLD


def model(book: PolicyBook, asked: tuple[Recipient, ReportFacts, Circumstances]) -> Outcome:
    recipient, facts, _ = asked
    names = [("handle", "COALITION"), ("carry", MISSION), ("accept", recipient.nation)]
    names += [("release", o) for o in facts.contributors | {facts.originator}]
    outcomes = [
        modelled(book.layers[name], asked) if name in book.layers else Outcome.WITHHOLD
        for name in names
        if name != ("release", recipient.nation)
    ]
    return min(outcomes)


def compare(random: Random, requests: int, seen: set[Outcome]) -> int:
    """One random book, many requests; the book's cache is warm for most of them.

    Gives how many layers were asked.
    """
    book, layers = random_book(random), 0
    recipients: dict[Recipient, object] = {}
    for _ in range(requests):
        asked = request(random)
        recipient, facts, moment = asked
        uncached = book.decide_uncached(*asked)
        key = recipients.setdefault(recipient, book.recipient_key(recipient))
        keyed = book.decide_keyed(key, book.report_key(facts), moment)  # type: ignore[arg-type]
        assert book.decide(*asked) == keyed == uncached
        assert uncached.outcome is model(book, asked)
        assert set(uncached.alarms) <= {"missing-layer"}
        seen.add(uncached.outcome)
        layers += len(uncached.verdicts)
    return layers


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**64))
def test_remembered_answers_are_cedars_answers(seed: int) -> None:
    compare(Random(seed), 10, set())


def test_remembered_answers_are_cedars_answers_in_thousands_of_cases() -> None:
    seen: set[Outcome] = set()
    for seed in range(10):
        compare(Random(seed), 150, seen)
    assert seen == set(Outcome)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_remembered_answers_are_cedars_answers_in_a_hundred_thousand_layer_decisions() -> None:
    """Outcome, determining rules and alarms of every layer, uncached, remembered and modelled."""
    seen: set[Outcome] = set()
    asked = seed = 0
    while asked < 100_000:
        asked += compare(Random(seed), 300, seen)
        seed += 1
    assert seen == set(Outcome)


def test_the_example_policies_agree_in_all_three_ways_too() -> None:
    random = Random(5)
    for _ in range(100):
        asked = request(random)
        decided = mission().decide(*asked)
        assert decided == mission().decide_uncached(*asked)
        assert decided.outcome is model(mission(), asked)
        assert decided.alarms == ()
