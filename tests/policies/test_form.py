"""A short form, and the text that it becomes, say the same."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import form as forms
from policies.analyse.ground import allowed
from policies.analyse.mission import Mission
from policies.analyse.sameness import same
from policies.decide import PolicyBook
from policies.formula import Formula
from policies.lint import lint
from tests.policies.world import NATIONS, words
from tests.refusal import refused

READY = (Path(__file__).parents[2] / "policies" / "form.toml").read_text()
ONE = 'nation = "KEN"\nnations = ["KEN", "GBR"]\n[[rule]]\nid = "a"\nsays = "b"\n'


def read(text: str) -> tuple[Mission, Formula]:
    """What a release text of Kenya means."""
    book = PolicyBook.empty(words()).with_layer("release", "KEN", text)
    return Mission.of(book), allowed(book.layers["release", "KEN"].rules)


def test_the_ready_form_is_clean_and_says_what_it_says() -> None:
    form = forms.parse(READY)
    text = forms.cedar(form, words())
    assert lint(text, "release", "KEN", words()) == ()
    mission, found = read(text)
    assert same(mission, "KEN", found, forms.meaning(form, words()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('UpTo::"SECRET"', 'UpTo::"TOP SECRET"'),
        ('Touching::"SO"', 'Touching::"KE"'),
        ("approvals >= 1", "approvals >= 2"),
        ('Nation::"BGD", ', ""),
        ('unless { principal in [Nation::"GBR"] }\n', ""),
        ('when { resource in [Within::"014"] }\n', ""),
    ],
)
def test_a_slip_in_the_text_is_seen(old: str, new: str) -> None:
    """Expect that the two are found to differ."""
    form = forms.parse(READY)
    text = forms.cedar(form, words())
    assert old in text
    mission, found = read(text.replace(old, new, 1))
    assert not same(mission, "KEN", found, forms.meaning(form, words()))


NAMES = st.lists(st.sampled_from([*NATIONS, "AFRICAN"]), unique=True, max_size=3)
RULES = st.fixed_dictionaries(
    {
        "says": st.just("why"),
        "does": st.sampled_from(["release", "withhold"]),
        "to": NAMES,
        "regions": st.lists(st.sampled_from(["KE", "014", "mission:liptako"]), max_size=2),
        "threats": st.lists(st.sampled_from(["cyber", "explosive.mine"]), max_size=1),
        "marked": st.lists(st.sampled_from(["SIGINT", "HUMINT"]), max_size=2),
        "officers": st.integers(0, 2),
    },
    optional={
        "only": st.sampled_from(["gateways", "people"]),
        "up_to": st.sampled_from(["UNCLASSIFIED", "SECRET", "TOP SECRET"]),
    },
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), NAMES)
def test_every_form_becomes_a_text_that_says_the_same(
    rules: list[dict[str, Any]], but_to: list[str]
) -> None:
    for number, rule in enumerate(rules):
        rule["id"] = f"r{number}"
        if rule["does"] == "withhold":
            rule["but_to"] = but_to
    form = forms.Form.model_validate(
        {
            "nation": "KEN",
            "nations": NATIONS,
            "rule": tuple(
                {k: tuple(v) if isinstance(v, list) else v for k, v in rule.items()}
                for rule in rules
            ),
        }
    )
    mission, found = read(forms.cedar(form, words()))
    assert same(mission, "KEN", found, forms.meaning(form, words()))


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("nation = ", "bad-input"),
        (ONE, "bad-fields"),
        (f'{ONE}does = "give"\n', "bad-fields"),
        (f'{ONE}does = "release"\nofficers = 3\n', "bad-fields"),
        (f'{ONE}does = "release"\nbut_to = ["GBR"]\n', "bad-input"),
        (f"{ONE}does = 2026-01-01\n", "bad-input"),
        (ONE.replace('"b"', "'b\"c'") + 'does = "release"\n', "bad-fields"),
        ("#" * 70_000, "too-large"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(text: str, slug: str) -> None:
    with refused(slug):
        forms.parse(text)


def test_a_name_that_nobody_has_is_refused_not_left_out() -> None:
    """Left out, it would release to everybody. Expect refusal."""
    form = forms.parse(f'{ONE}does = "release"\nto = ["USA"]\n')
    with refused("unknown-term"):
        forms.meaning(form, words())
