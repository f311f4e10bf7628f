"""Base64 has one spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import base64_strict
from wire.errors import Malformed


@given(st.binary(max_size=99))
def test_bytes_survive_and_are_spelled_as_everybody_spells_them(data: bytes) -> None:
    assert base64_strict.encode(data) == base64.b64encode(data).decode()
    assert base64_strict.decode(base64_strict.encode(data)) == data


@pytest.mark.parametrize(
    "text",
    ["QQ", "QQ=", "QR==", "QQ===", "QQ==\n", " QQ==", "Q Q=", "Q=Q=", "-_==", "QQ==QQ==", "é", "="],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        base64_strict.decode(text, "bad-proof")
    assert caught.value.slug == "bad-proof"


@given(st.text(max_size=20) | st.text("AQgwz/+=\n", max_size=12))
def test_any_text_is_bytes_in_one_spelling_or_refused(text: str) -> None:
    try:
        data = base64_strict.decode(text)
    except Malformed:
        return
    assert base64_strict.encode(data) == text
