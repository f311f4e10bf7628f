"""The JSON gate: security.md §4.1, numbers 25 to 36, and the properties behind them."""

import json
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.terms import label
from wire import strict_json
from wire.errors import Malformed, TearlineError
from wire.labels import Label
from wire.model import NationCode, Strict
from wire.strict_json import DEPTH, LIMIT_BYTES, Json, dump, load, parse


def refusal(data: bytes, **options: bool) -> TearlineError:
    with pytest.raises(Malformed) as caught:
        parse(data, **options)
    return caught.value


def label_bytes(**changes: object) -> bytes:
    """The wire form of a good label with raw changes, past every check of ours."""
    fields = label().model_dump(mode="json", exclude_none=True) | changes
    return json.dumps(fields, ensure_ascii=False).encode()


# -- what is accepted


def test_plain_json_is_returned_as_it_is() -> None:
    data = b' { "a" : [ 1, -12, true, false, null, "x\\ty" ] , "b" : {} }\r\n'
    assert parse(data, prose=True) == {"a": [1, -12, True, False, None, "x\ty"], "b": {}}


@pytest.mark.parametrize("text", ["Côte d'Ivoire", "বাংলা", "Київ", "العربية", "漢字", "🛰"])
def test_the_languages_of_nations_pass(text: str) -> None:
    assert parse(json.dumps(text, ensure_ascii=False).encode()) == text
    assert parse(json.dumps(text).encode()) == text


def test_a_text_of_exactly_the_limit_passes() -> None:
    assert len(str(parse(b'"' + b"a" * (LIMIT_BYTES - 2) + b'"'))) == LIMIT_BYTES - 2


def test_integers_have_at_most_16_digits() -> None:
    assert parse(b"9999999999999999") == 10**16 - 1
    assert parse(b"-9999999999999999") == 1 - 10**16
    assert refusal(b"10000000000000000").slug == "bad-json"
    assert refusal(b"-10000000000000000").slug == "bad-json"


# -- the numbered attacks


@pytest.mark.parametrize(
    "data", [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":1}', b'[{"a":{"b":0,"b":0}}]']
)
def test_25_duplicate_keys_are_refused(data: bytes) -> None:
    """A parser that keeps the first and one that keeps the last would read two labels."""
    assert refusal(data).detail == "a duplicate key"


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'["\\"[",', b"]"), (b'["[",', b"]")]
)
def test_26_depth_nine_is_refused_and_depth_eight_is_not(opening: bytes, closing: bytes) -> None:
    parse(opening * DEPTH + b"0" + closing * DEPTH)
    error = refusal(opening * (DEPTH + 1) + b"0" + closing * (DEPTH + 1))
    assert "deeper" in error.detail


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["\\"",', b'["', b'["\\"['])
def test_26_a_hundred_thousand_levels_are_refused_quickly_and_without_recursion(
    opening: bytes,
) -> None:
    whole = LIMIT_BYTES // len(opening)
    data = b"[" * 100_000 if opening == b"[" else opening * whole
    fastest = 1.0
    for _ in range(5):
        start = time.perf_counter()
        with pytest.raises(Malformed):
            parse(data, limit=len(data))
        fastest = min(fastest, time.perf_counter() - start)
    assert fastest < 0.5


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b"\\", b'"a"', b"[]", b"[],", b"{}", b'""'])
def test_26_no_repeated_unit_costs_more_than_its_length(unit: bytes) -> None:
    """An unterminated string must not be looked for again from each of its quotes."""
    data = b"[" + unit * (LIMIT_BYTES // len(unit) - 1)
    start = time.perf_counter()
    with pytest.raises(Malformed):
        parse(data)
    assert time.perf_counter() - start < 0.5


def test_26_brackets_inside_strings_do_not_count() -> None:
    deep = "[" * 50 + "{" * 50
    assert parse(json.dumps([deep, {deep: deep}]).encode()) == [deep, {deep: deep}]
    assert parse(json.dumps([deep + '"\\', deep + '\\"[']).encode()) == [
        deep + '"\\',
        deep + '\\"[',
    ]


@pytest.mark.parametrize("data", [b"[{]}", b"]", b"[", b"[]]", b"}{", b'{"a":[}]', b"[}"])
def test_26_brackets_that_do_not_match_are_refused(data: bytes) -> None:
    assert refusal(data).slug == "bad-json"


@pytest.mark.parametrize(
    "number",
    [b"NaN", b"Infinity", b"-Infinity", b"1.0", b"1e3", b"1E3", b"0e0", b"-0", b"-0.0", b"0x1"],
)
def test_27_floats_exponents_nan_and_minus_zero_are_refused(number: bytes) -> None:
    assert refusal(b'{"a":' + number + b"}").slug == "bad-json"


@pytest.mark.parametrize("number", [b"01", b"+1", b"1_000", b"--1", "\u0661".encode()])
def test_27_an_integer_has_one_form(number: bytes) -> None:
    assert refusal(number).slug == "bad-json"


def test_28_a_20_digit_integer_is_refused() -> None:
    assert "digits" in refusal(b"[12345678901234567890]").detail


@pytest.mark.parametrize(
    "data",
    [
        b'"\\ud800"',  # lone surrogates, each half
        b'"\\udc00"',
        b'{"\\ud800":1}',
        b'"\\udc00\\ud800"',
        b'\xef\xbb\xbf"a"',  # byte order marks
        b'"\xef\xbb\xbf"',
        '"a"'.encode("utf-16"),
        b'"\xff"',  # invalid UTF-8
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b'"\xc0\xaf"',  # overlong
        b'"\xe2\x82"',  # cut short
        b"",
    ],
)
def test_29_what_is_not_well_formed_utf8_text_is_refused(data: bytes) -> None:
    assert refusal(data).slug == "bad-json"


@pytest.mark.parametrize("text", ["e\u0301", "\u212b", "\u1100\u1161", "가\u11a8"])
def test_30_text_that_is_not_nfc_is_refused_written_or_escaped(text: str) -> None:
    assert unicodedata.normalize("NFC", text) != text
    assert "NFC" in refusal(json.dumps([text], ensure_ascii=False).encode()).detail
    assert "NFC" in refusal(json.dumps([text]).encode()).detail
    assert "NFC" in refusal(json.dumps({text: 1}).encode()).detail
    half_escaped = json.dumps([text], ensure_ascii=False).replace(
        text[-1], f"\\u{ord(text[-1]):04x}"
    )
    assert "NFC" in refusal(half_escaped.encode()).detail


@pytest.mark.parametrize("code", ["N\u041eR", "\uff2eOR", "N\u200dOR", "NO\u0280", "nor", "NOR\n"])
def test_31_a_nation_code_that_only_looks_like_one_is_refused(code: str) -> None:
    with pytest.raises(Malformed) as caught:
        load(label_bytes(release_to=[code]), Label)
    assert caught.value.slug in ("bad-json", "bad-fields")


@pytest.mark.parametrize("char", ["\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c"])
def test_32_a_bidi_override_is_refused_written_or_escaped(char: str) -> None:
    for ascii_only in (True, False):
        data = json.dumps({"caveats": [f"NO{char}FORN"]}, ensure_ascii=ascii_only).encode()
        assert refusal(data).detail == f"the character U+{ord(char):04X}"
        assert refusal(data, prose=True).detail == f"the character U+{ord(char):04X}"


@pytest.mark.parametrize("char", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028"])
def test_33_nul_newline_and_other_controls_are_refused_in_any_field(char: str) -> None:
    for text in (f"FRA{char}", char, f"{char}x"):
        assert refusal(json.dumps({text: 1}).encode()).slug == "bad-json"
        assert refusal(json.dumps([text]).encode()).slug == "bad-json"
        assert refusal(f'["{text}"]'.encode()).slug == "bad-json"


@pytest.mark.parametrize(
    "char",
    ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u034f", "\u3164", "\ufe0f", "\U000e0041", "\ufdd0",
     "\uffff", "\U0001ffff", "\ue000", "\U0010ffff", "\u2060", "\u180e"],
)  # fmt: skip
def test_33_invisible_private_and_unassignable_characters_are_refused(char: str) -> None:
    for ascii_only in (True, False):
        data = json.dumps([f"a{char}b"], ensure_ascii=ascii_only).encode()
        assert refusal(data).slug == "bad-json"
        if char not in "\u200d\ufe0f":  # joiners and variation selectors are part of prose
            assert refusal(data, prose=True).slug == "bad-json"


def test_33_prose_may_break_lines_but_only_in_its_strings_and_by_escapes() -> None:
    assert parse(b'{"body":"one\\n\\ttwo"}', prose=True) == {"body": "one\n\ttwo"}
    for data in (b'"a\\rb"', b'"a\nb"', b'"a\\u0000b"', b'"a\\u200bb"'):
        assert refusal(data, prose=True).slug == "bad-json"
    assert refusal(b'"one\\ntwo"').slug == "bad-json"


def test_34_an_unknown_field_is_refused() -> None:
    with pytest.raises(Malformed) as caught:
        load(label_bytes(nations="all"), Label)
    assert caught.value.slug == "bad-fields"


@pytest.mark.parametrize("value", ["1700000000", True, None, [1], -1, 1 << 40])
def test_35_a_field_of_another_type_is_refused_not_coerced(value: object) -> None:
    with pytest.raises(Malformed) as caught:
        load(label_bytes(occurred=value), Label)
    assert caught.value.slug == "bad-fields"
    assert caught.value.detail.startswith("`occurred`")


def test_36_a_byte_over_the_limit_is_too_large() -> None:
    error = refusal(b" " * LIMIT_BYTES + b"1")
    assert (error.slug, error.status) == ("too-large", 413)


# -- the loader and the writer


class Posting(Strict):
    nation: NationCode
    count: int


def test_a_loaded_object_equals_what_was_written() -> None:
    assert load(dump({"nation": "KEN", "count": 2}), Posting) == Posting(nation="KEN", count=2)


def test_a_finding_names_the_field_and_never_the_value() -> None:
    with pytest.raises(Malformed) as caught:
        load(b'{"nation":"secret words","count":2}', Posting)
    assert caught.value.slug == "bad-fields"
    assert "nation" in caught.value.detail
    assert "secret" not in str(caught.value)


def test_a_foreign_field_name_is_cut_short_in_a_finding() -> None:
    with pytest.raises(Malformed) as caught:
        load(dump({"nation": "KEN", "count": 2, "x" * 500: 1}), Posting)
    assert len(caught.value.detail) < 120


def test_a_finding_about_the_whole_has_no_location() -> None:
    with pytest.raises(Malformed) as caught:
        load(b"[]", Posting)
    assert not caught.value.detail.startswith("`")


def test_the_limits_of_the_gate_hold_for_the_loader() -> None:
    with pytest.raises(Malformed, match="too-large"):
        load(b'{"nation":"KEN","count":2}', Posting, limit=10)
    with pytest.raises(Malformed, match="bad-json"):
        load(b'{"nation":"KEN","count":2,"count":2}', Posting)


@pytest.mark.parametrize(
    "value", ["\ud800", 1.0, float("nan"), "e\u0301", "a\nb", {"a": [[[[[[[[0]]]]]]]]}, 10**16]
)
def test_the_writer_writes_nothing_that_the_gate_refuses(value: object) -> None:
    with pytest.raises(Malformed):
        dump(value)


def test_the_writer_is_compact_and_keeps_letters() -> None:
    assert (
        dump({"name": "Côte d'Ivoire", "n": [1, 2]})
        == '{"name":"Côte d\'Ivoire","n":[1,2]}'.encode()
    )
    assert dump("a\nb", prose=True) == b'"a\\nb"'
    with pytest.raises(Malformed, match="too-large"):
        dump("a" * 100, limit=100)


@pytest.mark.parametrize("value", [b"a", {"a"}, datetime(2026, 1, 1, tzinfo=UTC), [Posting]])
def test_the_writer_makes_no_json_of_what_is_none(value: object) -> None:
    with pytest.raises(TypeError):
        dump(value)


def test_the_writer_takes_what_python_takes_for_lists_and_names() -> None:
    assert dump({1: ("a", None, True)}) == b'{"1":["a",null,true]}'


# -- properties

TEXTS = st.text(max_size=20) | st.text('[]{}"\\', max_size=6)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | st.text('[]{}",:\\u0123abe. \n', max_size=60).map(str.encode))
def test_any_bytes_give_a_value_or_a_refusal(data: bytes) -> None:
    try:
        value = parse(data)
    except Malformed:
        return
    assert parse(dump(value)) == value == json.loads(data)


def acceptable(value: Json) -> bool:
    """The rules again, one character and one level at a time."""
    if isinstance(value, str):
        seen = not any(strict_json._FORBIDDEN_IN_STRINGS.match(char) for char in value)
        return seen and unicodedata.normalize("NFC", value) == value
    if isinstance(value, dict):
        return all(map(acceptable, value)) and all(map(acceptable, value.values()))
    if isinstance(value, list):
        return all(map(acceptable, value))
    return not isinstance(value, int) or isinstance(value, bool) or abs(value) < 10**16


def depth(value: Json) -> int:
    inner = (
        value if isinstance(value, list) else value.values() if isinstance(value, dict) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@pytest.mark.slow
@given(VALUES, st.booleans())
def test_a_value_passes_exactly_if_each_part_is_acceptable(value: Json, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    if acceptable(value) and depth(value) <= DEPTH:
        assert parse(data) == value
        assert dump(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    else:
        assert refusal(data).slug == "bad-json"
        with pytest.raises(Malformed):
            dump(value)


@pytest.mark.slow
def test_every_invisible_category_is_in_the_fixed_ranges() -> None:
    """The ranges do not follow Python's tables, but must not be narrower than them."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    missed = [
        f"U+{point:04X}"
        for point in range(0x110000)
        if unicodedata.category(chr(point)) in hidden
        and not strict_json._FORBIDDEN_IN_STRINGS.match(chr(point))
    ]
    assert missed == []
    assert not any(
        strict_json._FORBIDDEN_IN_STRINGS.match(chr(point)) for point in range(0x20, 0x7F)
    )


@pytest.mark.parametrize(
    "text", ["\u0995\u09cd\u200d\u09b7", "\u0645\u06cc\u200c\u0631\u0648\u062f", "\u2764\ufe0f"]
)
def test_prose_may_be_written_as_people_write(text: str) -> None:
    """Bengali and Persian need joiners; refusing them would refuse an author's own language."""
    assert strict_json.parse(strict_json.dump(text, prose=True), prose=True) == text
    with pytest.raises(Malformed):
        strict_json.dump(text)


@pytest.mark.parametrize("hidden", ["\u200b", "\u200e", "\u202e", "\ufe00", "\ufeff"])
def test_prose_still_has_no_invisible_direction_marks(hidden: str) -> None:
    with pytest.raises(Malformed):
        strict_json.dump(f"a{hidden}b", prose=True)


# -- the short way


def both_ways(data: bytes, *, prose: bool = False) -> tuple[str, str]:
    """What each way says: the value, with its types, or slug and words of the refusal."""

    def said(read: Callable[..., Json]) -> str:
        try:
            return repr(read(data, prose=prose))
        except Malformed as error:
            return repr((error.slug, error.detail))

    return said(parse), said(strict_json._parsed)


NUMBERS = ["0", "-1", "-0", "0.0", "-0.0", "1.5", "1e3", "1E-3", "01", "9" * 16, "9" * 17, "1" * 40]
NUMBERS += ["-" + "9" * 16, "-1" + "0" * 16, "1" + "0" * 5_000, "1e400", "NaN", "-Infinity", "1."]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", ["{}", "[{}]", '{{"a":{}}}', '{{"a":[0,{},"x"]}}', '["{}"]'])
def test_a_number_is_judged_alike_both_ways(number: str, around: str) -> None:
    """Expect no float and no long integer to pass for being written as plainly as the rest."""
    short, long = both_ways(around.format(number).encode())
    assert short == long


@pytest.mark.parametrize(
    "data",
    [
        *(b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'[{"":0,"":0}]', b'{"a":1,"b":2,"a":1}'),
        *(b'"\x7f"', b'"\x01"', b'"\t"', b"[1]\n", b" [1]", b"[1 ]", b'"\\u0041"', b'"\\/"'),
        *(b"", b"nul", b"true", b"[true,false,null]", b'"', b"[1,]", b"{1:2}", b"[1][2]", b"\xff"),
        *(b"[" * depth + b"]" * depth for depth in (7, 8, 9, 10, 100_000)),
        *(b'{"a":' * depth + b"{}" + b"}" * depth for depth in (6, 7, 8, 9)),
    ],
)
def test_a_plain_text_is_judged_alike_both_ways(data: bytes) -> None:
    short, long = both_ways(data[:LIMIT_BYTES])
    assert short == long


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats() | st.text("aé\x7f\\0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=12,
)


EDITS = [bytes([mark]) for mark in b'{}[]",:\\/ \n\x00\x1f\x7f\xc3-.0129eEab']
EDITS += [b"null", b"-0", b"1.5", b"\\u0041", b'"a":1,', b'"a":1,"a":1', "é".encode(), b"[" * 8]
EDITS += [b""]


@pytest.mark.slow
@given(PLAIN, st.booleans(), st.booleans(), st.data())
def test_any_text_is_judged_alike_both_ways(
    value: Json, ascii_only: bool, prose: bool, data: st.DataObject
) -> None:
    """Expect the same for whatever is made of a plain text: values, types, slugs and words."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    for _ in range(data.draw(st.integers(0, 2))):
        at, piece = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from(EDITS))
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
    short, long = both_ways(text, prose=prose)
    assert short == long
