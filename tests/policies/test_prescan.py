"""The native parser sees only what cannot hurt it."""

import contextlib
import re
import subprocess
import sys

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import prescan as limits
from policies.prescan import prescan
from wire.errors import Malformed


def rule(condition: str) -> str:
    return f"permit (principal, action, resource) when {{ {condition} }};"


KILLERS = {
    "brackets": rule("(" * 1_000 + "true" + ")" * 1_000),
    "brackets that never close": "(" * 1_000,
    "square brackets": rule("[" * 1_000),
    "negations": rule("!" * 1_000 + "true"),
    "minus signs": rule("-" * 1_000 + "1"),
    "conjunctions": rule(" && ".join(["true"] * 2_000)),
    "attributes": rule("context" + ".a" * 3_000),
    "conditions": rule("if true then " * 20_000 + "true"),
    "a long list": rule("[" + ",".join(["1"] * 1_000) + "].contains(1)"),
    "many rules": "permit(principal,action,resource);" * 301,
    "one long file": "// " + "x" * limits.MAX_CHARACTERS,
}


@pytest.mark.parametrize("name", KILLERS)
def test_texts_that_kill_the_parser_are_refused_before_it(name: str) -> None:
    with pytest.raises(Malformed) as refused:
        prescan(KILLERS[name])
    assert refused.value.slug == "policy-refused"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [rule("(" * 20_000 + "true" + ")" * 20_000), rule(" && ".join(["true"] * 50_000))],
    ids=["brackets", "conjunctions"],
)
def test_the_killers_are_real(text: str) -> None:
    """If the parser ever survives these, the limits may be thought about again, not before."""
    parse = "import sys, cedarpy; cedarpy.PolicySet.from_str(sys.stdin.read()).to_pst()"
    child = subprocess.run(
        [sys.executable, "-c", parse], input=text, text=True, capture_output=True, check=False
    )
    assert child.returncode < 0


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("// comment\r permit (principal, action, resource);", "control"),
        ("permit (principal, action,\tresource);", "control"),
        ("permit (principal, action, resource);\x00", "control"),
        ('@id("GBR/ki\u0434al") permit (principal, action, resource);', "not-ascii"),
        ("// \u202e override", "not-ascii"),
        ('@id("GBR/\\u{41}") permit (principal, action, resource);', "symbol"),
        ('@id("GBR/two\nlines") permit (principal, action, resource);', "symbol"),
        ('@id("GBR/never closed', "symbol"),
        (rule("1 + 1 == 2"), "symbol"),
        (rule("context.approvals * 2 > 1"), "symbol"),
        ("permit (principal == ?principal, action, resource);", "symbol"),
        (rule("(" * 13 + "true" + ")" * 13), "too-deep"),
        (rule(" && ".join(["true"] * 62)), "too-long"),
        (rule("principal in [" + "Nation::" * 200), "too-long"),
    ],
)
def test_each_limit_is_named_with_its_line(text: str, limit: str) -> None:
    with pytest.raises(Malformed) as refused:
        prescan(f"\n{text}")
    assert re.match(rf"{limit} at line [23]: ", refused.value.detail)


def test_a_carriage_return_cannot_hide_rules_in_a_comment() -> None:
    """Cedar ends a comment there: without our refusal it would see a rule that we do not."""
    hidden = "// nothing here\r permit (principal, action, resource);"
    assert len(cedarpy.PolicySet.from_str(hidden)) == 1
    with pytest.raises(Malformed):
        prescan(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// only a comment",
        '@says("((((((((((((((((((((((((((((((") permit (principal, action, resource);',
        "// ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
        rule("(" * 10 + "true" + ")" * 10),
        rule(" && ".join(["true"] * 60)),
        "permit(principal,action,resource);" * 300,
        "// " + "x" * (limits.MAX_CHARACTERS - 3),
    ],
)
def test_what_is_within_the_limits_passes_and_the_parser_survives_it(text: str) -> None:
    prescan(text)
    cedarpy.PolicySet.from_str(text).to_pst()


SIGNS = """permit forbid ( ) { } [ ] && || ! . , ; :: == != < > @id "a" "( // \\ if then else
    principal action resource when unless in has like 1 + - * ? é"""
PIECES = st.sampled_from([*SIGNS.split(), "\n", "\r", "\t"])


@pytest.mark.slow
@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join)))
def test_any_text_is_refused_with_a_slug_or_safe_to_parse(text: str) -> None:
    """For any text: `Malformed`, or a parser that answers."""
    with contextlib.suppress(Malformed, ValueError):
        prescan(text)
        cedarpy.PolicySet.from_str(text).to_pst()
