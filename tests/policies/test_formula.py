"""Our own evaluation: the second opinion on every answer of the engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.formula import (
    AllOf,
    AnyOf,
    Flag,
    Formula,
    Not,
    Scene,
    evaluate,
    every,
    negated,
    occurrences,
    some,
)

FLAGS = [Flag("a"), Flag("b"), Flag("c")]


def formulas() -> st.SearchStrategy[Formula]:
    leaves: st.SearchStrategy[Formula] = st.sampled_from([True, False, *FLAGS])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(negated),
            st.lists(inner, max_size=3).map(lambda parts: every(*parts)),
            st.lists(inner, max_size=3).map(lambda parts: some(*parts)),
        ),
        max_leaves=12,
    )


def scenes() -> st.SearchStrategy[Scene]:
    values = st.fixed_dictionaries({"a": st.booleans(), "b": st.booleans(), "c": st.booleans()})
    return values.map(lambda found: Scene(found, {}))


@pytest.mark.slow
@given(formulas(), scenes())
def test_a_negated_formula_holds_exactly_where_the_formula_does_not(
    formula: Formula, scene: Scene
) -> None:
    assert evaluate(negated(formula), scene) is not evaluate(formula, scene)


@pytest.mark.slow
@given(st.lists(formulas(), max_size=4), scenes())
def test_every_and_some_mean_what_they_say(parts: list[Formula], scene: Scene) -> None:
    found = [evaluate(part, scene) for part in parts]
    assert evaluate(every(*parts), scene) is all(found)
    assert evaluate(some(*parts), scene) is any(found)


@pytest.mark.slow
@given(formulas())
def test_no_constant_and_no_nested_sibling_is_left_inside(formula: Formula) -> None:
    """Explanations and lint rely on it."""
    match formula:
        case AllOf(parts) | AnyOf(parts):
            assert len(parts) > 1
            for part in parts:
                assert not isinstance(part, bool | type(formula))
                test_no_constant_and_no_nested_sibling_is_left_inside.hypothesis.inner_test(part)
        case _:
            pass


def test_occurrences_tell_what_is_wanted_and_what_is_not() -> None:
    a, b, c = FLAGS
    formula = every(a, some(Not(b), c))
    assert list(occurrences(formula)) == [(a, True), (b, False), (c, True)]
    assert list(occurrences(True)) == []
