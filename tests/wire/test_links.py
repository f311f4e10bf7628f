"""Links in the form that brokers write need no gate; all others pass it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusal import refused
from wire import links, mac, strict_json
from wire.entries import Event, seal_event
from wire.errors import Malformed
from wire.links import LINK_KEY, Link, LinkForm

OPENING = b"o" * 32
NUMBERS = [-2, -1, 0, 7, 10**14, 10**15, (1 << 53) - 1, 1 << 53, 10**16, 10**17]
WORDS: dict[str, Any] = {
    "channel": "KEN",
    "count": 5,
    "index": 7,
    "slot": 0,
    "prev_index": 3,
    "prev": "ab" * 32,
    "time": 1_790_000_000_000,
    "type": "report.accepted",
    "view": "cd" * 32,
}


def opened(text: bytes) -> Link:
    """What a leaf that commits to this text opens to."""
    leaf = b"\x01\x01" + mac.digest(LINK_KEY, OPENING + text)
    return links.open_link(leaf, 0, OPENING, text)[0]


def written(**changes: object) -> bytes:
    return json.dumps(WORDS | changes, separators=(",", ":")).encode()


def test_what_a_broker_writes_has_the_usual_form() -> None:
    event = Event("report.accepted", {"KEN": {"a": 1}, "MISSION": {}})
    entry = seal_event(event, 7, 1_790_000_000_000, {}, bytes(32), bytes)
    for row in entry.links.values():
        assert links._USUAL_LINK.fullmatch(row.link)


def judged_alike(text: bytes) -> None:
    """A text that passes neither gate nor form would have passed both, and is read alike."""
    try:
        expected = Link(**strict_json.load(text, LinkForm).model_dump())
    except Malformed:
        with pytest.raises(Malformed):
            opened(text)
    else:
        assert opened(text) == expected


@pytest.mark.parametrize("number", [*NUMBERS, 9, 10, 99, 100, 199, 200, 254, 255, 999])
@pytest.mark.parametrize("field", ["count", "index", "slot", "prev_index", "time"])
def test_each_number_has_the_bounds_of_its_field(field: str, number: int) -> None:
    judged_alike(written(**{field: number}))


@pytest.mark.parametrize("name", ["a", "a" * 64, "a" * 65, "a.b.c.d", "a.b.c.d.e", "A", "", "a\n"])
@pytest.mark.parametrize("channel", ["KEN", "MISSION", "KENYA", "ken", ""])
def test_a_type_and_a_channel_have_their_forms(name: str, channel: str) -> None:
    judged_alike(written(type=name, channel=channel))


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {
            "channel": st.sampled_from(["KEN", "MISSION", "ken", "KENYA"]),
            "count": st.sampled_from(NUMBERS),
            "prev_index": st.sampled_from(NUMBERS),
            "time": st.sampled_from(NUMBERS),
            "slot": st.integers(0, 300),
            "type": st.sampled_from(["a", "a.b", "A", "a" * 64, "a" * 65, "a.b.c.d.e", 'a"', "ä"]),
            "prev": st.sampled_from(["ab" * 32, "AB" * 32, "ab" * 31]),
        }
    )
)
def test_the_usual_form_holds_nothing_that_the_gate_refuses(changes: dict[str, object]) -> None:
    judged_alike(written(**changes))


@pytest.mark.parametrize(
    "text",
    [
        written().replace(b'"count":5', b'"count":5,"count":5'),
        written().replace(b'"count":5', b'"count":5.0'),
        written().replace(b'"count":5', b'"count":-0'),
        written().replace(b'"count":5', b'"count":05'),
        written().replace(b'"prev_index":3', b'"prev_index":-0'),
        written().replace(b'"slot":0', b'"slot":0,"\\u0073lot":0'),
        b"\xef\xbb\xbf" + written(),
        written() + b"{}",
    ],
)
def test_a_link_that_two_parsers_could_read_differently_is_refused(text: bytes) -> None:
    """Expect refusal, though the leaf commits to it."""
    with refused("bad-json"):
        opened(text)


def test_a_link_in_another_form_is_read_all_the_same() -> None:
    assert opened(json.dumps(WORDS, indent=1).encode()) == Link(**WORDS)
