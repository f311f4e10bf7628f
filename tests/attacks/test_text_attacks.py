"""Attacks by text, by number, on every JSON that is signed. Expect refusal with the slug named.

The same trick is tried in a report's header, in a portion's label, in the head of a statement and
in its body; everything is signed by its author, for members of the mission may be hostile too.
"""

import struct
import time
from collections.abc import Callable

import pytest

from tests import sealing
from tests.coalition import Coalition
from tests.refusal import refused
from wire import composite, report, statements, strict_json
from wire.errors import Malformed
from wire.statements import PREAMBLE

SHARED = Coalition.of("KEN", "GBR")
PLACE = SHARED["KEN"].place(report_id="5e" * 16)
LABEL = SHARED["KEN"].label("SECRET", "GBR")
PORTION = sealing.portion(PLACE, LABEL, b"text", SHARED["KEN"].keys_for(LABEL), SHARED.random)
FRAME = SHARED["KEN"].signs(PLACE, [PORTION])
STATEMENT = SHARED["KEN"].drafts("report.recall", {"report": "ab" * 32, "reason": "wrong place"})
Trick = Callable[[bytes], bytes]


def by_header(trick: Trick) -> None:
    head = report.encode_head(trick(FRAME.header_bytes))
    signature = SHARED["KEN"].system.sign.sign(head, composite.REPORT)
    block = report.signature_block(signature)
    SHARED.copy().accepts(b"".join((head, block, PORTION.encode())))


def by_label(trick: Trick) -> None:
    portion = sealing.rebuilt(PORTION, label_bytes=trick(PORTION.label_bytes))
    SHARED.copy().accepts(SHARED["KEN"].assembles(PLACE, [portion]))


def by_head(trick: Trick) -> None:
    text = trick(STATEMENT.head_bytes[PREAMBLE.size :])
    head = PREAMBLE.pack(b"TLST", 2, 0, len(text)) + text
    officer = SHARED["KEN"].officer
    signature = officer.sign.sign(head, composite.STATEMENT)
    raw = statements._encode(head, STATEMENT.body_bytes or b"", {officer.kid: signature})
    SHARED.copy().applies(statements.parse(raw))


def by_body(trick: Trick) -> None:
    body = trick(STATEMENT.body_bytes or b"")
    fields = sealing.fields(STATEMENT.head_bytes[PREAMBLE.size :])
    text = sealing.text({**fields, "body": statements.body_digest(body)})
    head = PREAMBLE.pack(b"TLST", 2, 0, len(text)) + text
    officer = SHARED["KEN"].officer
    signature = officer.sign.sign(head, composite.STATEMENT)
    raw = statements._encode(head, body, {officer.kid: signature})
    SHARED.copy().applies(statements.parse(raw))


SURFACES = [by_header, by_label, by_head, by_body]
everywhere = pytest.mark.parametrize("send", SURFACES, ids=lambda f: f.__name__)
Send = Callable[[Trick], None]


def with_member(member: bytes | str) -> Trick:
    """One more member at the beginning of the object."""
    raw = member if isinstance(member, bytes) else member.encode("utf-8", "surrogatepass")
    return lambda honest: b"{" + raw + b"," + honest[1:]


def with_text(text: str) -> Trick:
    return with_member(f'"x":"{text}"')


@everywhere
def test_the_honest_text_is_accepted(send: Send) -> None:
    """The control: without the trick nothing is refused."""
    send(lambda honest: honest)


@everywhere
@pytest.mark.parametrize("member", ['"x":1,"x":2', '"x":1,"x":1', '"x":1,"\\u0078":2'])
def test_25_duplicate_keys_are_refused_bad_json(send: Send, member: str) -> None:
    with refused("bad-json", "duplicate"):
        send(with_member(member))


@pytest.mark.parametrize(
    ("send", "again"),
    [
        (by_header, '"originator":"GBR"'),
        (by_label, '"release_to":["KEN"]'),
        (by_head, '"nation":"GBR"'),
        (by_body, '"reason":"none"'),
    ],
)
def test_25_a_field_that_two_parsers_read_differently_is_refused_bad_json(
    send: Send, again: str
) -> None:
    """First or last wins, depending on the library: so neither does."""
    with refused("bad-json", "duplicate"):
        send(with_member(again))


@everywhere
@pytest.mark.parametrize("depth", [8, 100, 500])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_26_deep_nesting_is_refused_bad_json(send: Send, depth: int, brackets: str) -> None:
    """Depth 9 in all, the object itself being the first."""
    opening = brackets[0] if brackets == "[]" else '{"a":'
    inner = "" if brackets == "[]" else "1"
    nested = opening * depth + inner + brackets[1] * depth
    with refused("bad-json", "nest"):
        send(with_member('"x":' + nested))


@pytest.mark.parametrize("text", [b"[" * 60_000, b'{"a":' * 13_000, b"[" * 65_536])
def test_26_very_deep_nesting_is_refused_at_once_bad_json(text: bytes) -> None:
    """Without recursion, in well under 5 ms (best of five, for other work on the machine)."""
    best = 1.0
    for _ in range(5):
        begun = time.perf_counter()
        with refused("bad-json"):
            strict_json.parse(text)
        best = min(best, time.perf_counter() - begun)
    assert best < 0.005


def test_26_a_text_of_depth_100000_is_refused_too_large() -> None:
    with refused("too-large"):
        strict_json.parse(b"[" * 100_000)


@pytest.mark.slow
@everywhere
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1.0", "1e3", "1E3", "-0", "0.1", "01", "0x1", "+1"]
)
def test_27_numbers_that_are_no_plain_integers_are_refused_bad_json(
    send: Send, number: str
) -> None:
    with refused("bad-json"):
        send(with_member(f'"x":{number}'))


@everywhere
@pytest.mark.parametrize("digits", [17, 20, 400])
def test_28_a_long_integer_is_refused_bad_json(send: Send, digits: int) -> None:
    for sign in ("", "-"):
        with refused("bad-json"):
            send(with_member(f'"x":{sign}{"9" * digits}'))


@everywhere
@pytest.mark.parametrize(
    "member",
    [
        b'"x":"\\ud800"',
        b'"x":"\\udc00\\ud800"',
        b'"x":"\xed\xa0\x80"',
        b'"x":"\xff"',
        b'"x":"\xc0\xaf"',
        b'"x":"\xe2\x82"',
        b'"x":"\xf4\x90\x80\x80"',
    ],
    ids=["surrogate", "swapped pair", "surrogate in UTF-8", "ff", "overlong", "cut", "beyond"],
)
def test_29_text_that_is_not_unicode_is_refused_bad_json(send: Send, member: bytes) -> None:
    with refused("bad-json"):
        send(with_member(member))


@everywhere
@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"])
def test_29_a_byte_order_mark_is_refused_bad_json(send: Send, start: bytes) -> None:
    with refused("bad-json"):
        send(lambda honest: start + honest)


@everywhere
def test_29_another_encoding_is_refused_bad_json(send: Send) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        with refused("bad-json"):
            send(lambda honest, e=encoding: honest.decode().encode(e))  # type: ignore[misc]


@everywhere
@pytest.mark.parametrize("text", ["e\u0301", "\u212b", "\u1100\u1161", "e\\u0301"])
def test_30_text_that_is_not_nfc_is_refused_bad_json(send: Send, text: str) -> None:
    with refused("bad-json", "NFC"):
        send(with_text(text))


LOOK_ALIKES = {
    "cyrillic": "K\u0415N",
    "full width": "\uff2b\uff25\uff2e",
    "zero-width joiner": "KE\u200dN",
    "greek": "\u039aEN",
    "lower case": "ken",
    "space": "KEN ",
    "newline": "KEN\\n",
    "too long": "KENY",
    "empty": "",
}


@pytest.mark.parametrize("send", [by_header, by_label, by_head])
@pytest.mark.parametrize("code", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_31_a_nation_code_that_only_looks_like_one_is_refused(send: Send, code: str) -> None:
    """By the gate if the character is invisible, by the pattern of a code otherwise."""
    with pytest.raises(Malformed) as caught:
        send(lambda honest: honest.replace(b'"KEN"', f'"{code}"'.encode()))
    assert caught.value.slug in {"bad-json", "bad-fields"}


@everywhere
@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\\u202e", "\u061c"])
def test_32_bidi_overrides_are_refused_bad_json(send: Send, mark: str) -> None:
    with refused("bad-json", "U\\+"):
        send(with_text(f"SOURCE {mark}SENSITIVE"))


@everywhere
@pytest.mark.parametrize("mark", ["\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041", "\\u200b"])
def test_32_characters_that_nobody_sees_are_refused_bad_json(send: Send, mark: str) -> None:
    with refused("bad-json", "U\\+"):
        send(with_text(f"SECRET{mark}"))


@everywhere
@pytest.mark.parametrize("mark", ["\\u0000", "\\n", "\\r", "\\t", "\\u001b[31m", "\x7f", "\\u0085"])
def test_33_control_characters_are_refused_bad_json(send: Send, mark: str) -> None:
    """They would forge lines of logs and screens."""
    with refused("bad-json"):
        send(with_text(f"a{mark}b"))


@everywhere
@pytest.mark.parametrize("raw", [b"\x00", b"\n", b"\x1b"])
def test_33_raw_control_characters_are_refused_bad_json(send: Send, raw: bytes) -> None:
    with refused("bad-json"):
        send(with_member(b'"x":"a' + raw + b'b"'))


@everywhere
@pytest.mark.parametrize("member", ['"x":1', '"":1', '"__entity":{"type":"Nation","id":"GBR"}'])
def test_34_an_unknown_field_is_refused_bad_fields(send: Send, member: str) -> None:
    with refused("bad-fields"):
        send(with_member(member))


@pytest.mark.parametrize(
    ("send", "honest", "coerced"),
    [
        (by_header, b'"v":1', b'"v":"1"'),
        (by_header, b'"v":1', b'"v":true'),
        (by_header, b'"created":', b'"created":"7","x":'),
        (by_label, b'"exercise":false', b'"exercise":0'),
        (by_label, b'"exercise":false', b'"exercise":"false"'),
        (by_label, b'"caveats":[]', b'"caveats":null'),
        (by_label, b'"regions":["KE"]', b'"regions":"KE"'),
        (by_head, b'"v":1', b'"v":"1"'),
        (by_head, b'"v":1', b'"v":true'),
        (by_head, b'"scope":"parties"', b'"scope":["parties"]'),
        (by_body, b'"reason":"wrong place"', b'"reason":7'),
    ],
)
def test_35_a_value_of_another_kind_is_refused_bad_fields(
    send: Send, honest: bytes, coerced: bytes
) -> None:
    def coerce(text: bytes) -> bytes:
        assert honest in text
        return text.replace(honest, coerced)

    with refused("bad-fields"):
        send(coerce)


def padded(size: int) -> Trick:
    """Spaces up to so many bytes: the honest text, only longer."""
    return lambda honest: honest[:-1] + b" " * (size - len(honest)) + b"}"


def test_36_a_text_of_64_kib_is_read_and_one_byte_more_is_refused() -> None:
    """In a report, whose layout says the length before any text is there, as bad-envelope (422);
    of a statement and at the gate as too-large (413).
    """
    for send in (by_header, by_label, by_body):
        send(padded(65_536))
    for send, slug in ((by_header, "bad-envelope"), (by_label, "bad-envelope")):
        with refused(slug, "65536"):
            send(padded(65_537))
    with refused("too-large", "65536"):
        by_body(padded(65_537))
    with refused("too-large", "65536"):
        strict_json.parse(b" " * 65_537)


def test_36_a_statements_head_is_shorter_still_bad_statement() -> None:
    by_head(padded(4_096))
    with refused("bad-statement"):
        by_head(padded(4_097))


@everywhere
@pytest.mark.parametrize("value", [b"[]", b"1", b'"x"', b"null", b" ", b"{}{}", b"{},"])
def test_a_text_that_is_no_object_is_refused(send: Send, value: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        send(lambda _: value)
    assert caught.value.slug in {"bad-json", "bad-fields"}


def test_a_length_that_lies_about_the_text_is_refused() -> None:
    """The gate sees what the layout says is the text, not what follows it."""
    head = FRAME.head
    for lie in (-1, 1):
        length = struct.pack(">I", len(FRAME.header_bytes) + lie)
        raw = head[:6] + length + sealing.encode(FRAME)[10:]
        with pytest.raises(Malformed):
            SHARED.copy().accepts(raw)
