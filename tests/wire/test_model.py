"""Identifiers and sets: one spelling each, refused otherwise, never repaired."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from wire.model import (
    Channel,
    Hex16B,
    Hex32B,
    NationCode,
    Place,
    Seconds,
    SortedSet,
    Strict,
    ThreatType,
    Token,
    Version1,
)

GOOD: list[tuple[Any, list[Any]]] = [
    (NationCode, ["KEN", "ZZZ"]),
    (Channel, ["KEN", "MISSION"]),
    (Place, ["001", "KE", "KE-30", "GB-ENG", "mission:sable", "mission:sable/sector_east-2"]),
    (ThreatType, ["explosive", "explosive.ied_emplaced", "a.b.c"]),
    (Token, ["SECRET", "TOP SECRET", "PII-2", "A"]),
    (Hex16B, ["0" * 32]),
    (Hex32B, ["f" * 64]),
    (Seconds, [0, (1 << 40) - 1]),
    (Version1, [1]),
]
BAD: list[tuple[Any, list[Any]]] = [
    (NationCode, ["KE", "KENY", "ken", "KEN\n", " KEN", "K\u0415N", "K1N", "", 7, None]),
    (Channel, ["MISSIO", "mission", "KE"]),
    (Place, ["01", "0001", "K", "KEN", "KE-", "KE-ABCD", "mission:", "mission:A", "mission:a/"]),
    (Place, ["mission:a/b/c", "mission:" + "a" * 60, "KE\n", "ke"]),
    (ThreatType, ["", ".a", "a.", "a..b", "a.b.c.d", "A", "a-b", "a" * 65]),
    (Token, ["", "secret", "1A", " A", "A" * 65, "A.B", "A\n"]),
    (Hex16B, ["0" * 31, "0" * 33, "F" * 32, "g" * 32]),
    (Hex32B, ["0" * 63, "0" * 65, "F" * 64]),
    (Seconds, [-1, 1 << 40, "7", 7.0, True, None]),
    (Version1, [0, 2, True, "1", 1.0]),
]


def cases(table: list[tuple[Any, list[Any]]]) -> list[tuple[Any, Any]]:
    return [(form, value) for form, values in table for value in values]


@pytest.mark.parametrize(("form", "value"), cases(GOOD))
def test_a_right_form_is_taken(form: Any, value: Any) -> None:
    assert TypeAdapter(form).validate_python(value, strict=True) == value


@pytest.mark.parametrize(("form", "value"), cases(BAD))
def test_a_wrong_form_is_refused(form: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(form).validate_python(value, strict=True)


class Words(Strict):
    words: Annotated[tuple[str, ...], SortedSet]


@pytest.mark.parametrize("words", [[], ["A"], ["A", "B", "C"]])
def test_a_sorted_set_is_taken(words: list[str]) -> None:
    assert Words.model_validate({"words": tuple(words)}).words == tuple(words)


@pytest.mark.parametrize("words", [["B", "A"], ["A", "A"], ["A", "B", "B"], ["C", "A", "B"]])
def test_a_set_that_is_unsorted_or_says_something_twice_is_refused(words: list[str]) -> None:
    with pytest.raises(ValidationError, match="sorted and without duplicates"):
        Words.model_validate({"words": tuple(words)})


def test_objects_are_frozen_and_closed() -> None:
    words = Words(words=("A",))
    with pytest.raises(ValidationError):
        words.words = ("B",)  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Words.model_validate({"words": (), "more": 1})


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        Words.model_validate({"words": "the plan is to meet at noon"})
    assert "noon" not in str(caught.value)
