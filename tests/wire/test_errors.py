"""Every refusal is in one table, says who must act, and never repeats what a stranger sent."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import architecture
from wire.errors import (
    SLUGS,
    BrokerFault,
    Conflict,
    Malformed,
    NotAllowed,
    TearlineError,
    quoted,
)

REFUSALS = {c.__name__ for c in (TearlineError, Malformed, NotAllowed, Conflict, BrokerFault)}


def slugs_in_code() -> set[str]:
    """First arguments of refusals, and every text that is a slug, in all of our code."""
    found = set()
    for source in architecture.sources().values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and node.value in SLUGS:
                found.add(node.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in REFUSALS and isinstance(first, ast.Constant):
                    assert first.value in SLUGS, first.value
                    found.add(first.value)
    return found


@pytest.mark.slow
def test_every_slug_that_code_uses_is_in_the_table() -> None:
    assert slugs_in_code() <= SLUGS.keys()


@pytest.mark.parametrize("slug", SLUGS)
def test_a_slug_is_short_stable_and_explained(slug: str) -> None:
    meaning = SLUGS[slug]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
    assert 400 <= meaning.status < 600
    for words in (meaning.title, meaning.advice):
        assert words
        assert not words.endswith(".")


def test_a_refusal_says_what_and_what_to_do() -> None:
    error = Malformed("too-large", "at most 9 bytes")
    assert (
        str(error)
        == "too large: at most 9 bytes [too-large]; send less; the limit is in the detail"
    )
    assert (error.slug, error.detail, error.status) == ("too-large", "at most 9 bytes", 413)
    assert str(NotAllowed("not-found")) == "not found [not-found]; check the id"


def test_a_slug_that_is_not_in_the_table_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Conflict("no-such-slug")


@given(st.text(max_size=200))
def test_foreign_text_is_quoted_cut_short_and_cannot_leave_its_quotes(text: str) -> None:
    shown = quoted(text)
    inner = shown.removeprefix("`").removesuffix("`")
    assert len(inner) <= 41
    assert "`" not in inner
    assert all(c.isascii() and c.isprintable() for c in inner.removesuffix("…"))
