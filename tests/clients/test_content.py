from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import content
from clients.content import BODY_MAX, Content, decode, encode, tidy
from wire import strict_json
from wire.errors import Malformed

TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=80)
BODY = st.text(st.sampled_from('ab é\n\t"\\漢{}[]'), max_size=300).map(tidy)
ATTACHMENT = "0" * 32


def raw(**how: Any) -> bytes:
    fields = {"v": 1, "title": "Title", "body": "Body", **how}
    return strict_json.dump(fields, limit=1 << 24, prose=True)


@given(TEXT, BODY)
def test_what_people_write_comes_back(title: str, body: str) -> None:
    written = Content(title=title, body=body, confidence=70, source_grade="B")
    assert decode(encode(written)) == written


@pytest.mark.parametrize(
    "how",
    [
        {"report_type": "INTREP"},
        {"dtg": "091630ZJUL26"},
        {"place": "Garissa road, 12 km east of the bridge"},
        {"mgrs": "37NBA8912345678"},
        {"mgrs": "29PPP"},
        {"source_grade": "F", "information_grade": "6"},
        {"confidence": 0},
        {"attachments": {ATTACHMENT: "photo 1.jpg"}},
        {"body": ""},
        {"body": "line\n\tindented"},
    ],
)
def test_the_usual_fields_are_taken(how: dict[str, Any]) -> None:
    assert decode(raw(**how)).title == "Title"


@pytest.mark.parametrize(
    "how",
    [
        {"v": 2},
        {"title": ""},
        {"title": "two\nlines"},
        {"title": "x" * 301},
        {"body": 7},
        {"body": "x" * (BODY_MAX + 1)},
        {"more": "unknown"},
        {"report_type": "intrep"},
        {"dtg": "321630ZJUL26"},
        {"dtg": "091630JJUL26"},
        {"dtg": "091630Z JUL 26"},
        {"place": "two\nlines"},
        {"mgrs": "61NBA89"},
        {"mgrs": "37NBA891"},
        {"mgrs": "37IBA89"},
        {"source_grade": "G"},
        {"information_grade": "7"},
        {"information_grade": 2},
        {"confidence": 101},
        {"confidence": True},
        {"attachments": {"short": "a.jpg"}},
        *(
            {"attachments": {ATTACHMENT: name}}
            for name in ("", ".", "..", "a/b", "..\\b", "c:d", " a", "a.", "a\nb", "x" * 201, "a|b")
        ),
    ],
)
def test_what_has_another_form_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="bad-content"):
        decode(raw(**how))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"v":1,"title":"a","title":"b","body":""}',
        b'{"v":1,"title":"a","body":"\\u202e"}',
        b'{"v":1,"title":"a","body":"\\u0000"}',
        b'{"v":1,"title":"a","body":"\\r"}',
        '{"v":1,"title":"a","body":"e\u0301"}'.encode(),
        b'{"v":1,"title":"a","body":""' + b" " * content.CONTENT_MAX + b"}",
    ],
)
def test_content_passes_the_same_gate_as_everything(data: bytes) -> None:
    with pytest.raises(Malformed, match="bad-content"):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_content_or_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="bad-content"):
        decode(data)


def test_a_writers_own_text_is_put_in_the_one_form() -> None:
    assert tidy("e\u0301\r\nb\rc") == "\u00e9\nb\nc"
