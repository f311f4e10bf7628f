"""Cursors: opaque, of one length, and good for one reader and one filter."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cursors import LENGTH, CursorSeal
from wire.errors import Malformed

KEY = bytes(range(32))
POSITIONS = st.integers(min_value=-1, max_value=2**53)


def seal(*binding: str, key: bytes = KEY) -> CursorSeal:
    return CursorSeal(key, os.urandom, *(binding or ("stream", "kid", "name", "filter")))


@given(POSITIONS)
def test_a_cursor_says_to_its_own_seal_what_was_sealed(position: int) -> None:
    assert seal().open(seal().seal(position)) == position


@given(st.lists(POSITIONS, min_size=2, max_size=20))
def test_all_cursors_look_alike(positions: list[int]) -> None:
    cursors = [seal().seal(position) for position in [*positions, positions[0]]]
    assert {len(cursor) for cursor in cursors} == {LENGTH}
    assert len(set(cursors)) == len(cursors), "the same place twice must not be recognised"


@pytest.mark.parametrize(
    "other",
    [
        seal("stream", "kid", "name", "other filter"),
        seal("stream", "kid", "other name", "filter"),
        seal("stream", "other kid", "name", "filter"),
        seal("pull", "kid", "name", "filter"),
        seal("stream", "kidname", "", "filter"),
        seal(key=bytes(32)),
    ],
)
def test_a_cursor_of_another_reader_or_filter_does_not_open(other: CursorSeal) -> None:
    with pytest.raises(Malformed, match="bad-cursor"):
        other.open(seal().seal(7))


def test_every_changed_letter_is_found() -> None:
    cursor = seal().seal(7)
    for i, letter in enumerate(cursor):
        changed = cursor[:i] + ("A" if letter != "A" else "B") + cursor[i + 1 :]
        with pytest.raises(Malformed, match="bad-cursor"):
            seal().open(changed)


@given(st.text(max_size=80) | st.text(alphabet="Ab-_9", min_size=LENGTH, max_size=LENGTH))
def test_what_we_did_not_make_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(Malformed, match="bad-cursor"):
        seal().open(text)
