"""The one gate through which every JSON text on the wire passes.

Signed bytes are stored and forwarded as they came; nothing is ever written out again in another
form. What two parsers could read differently is therefore refused here, before anything else looks
at it: other encodings than UTF-8, text that is not NFC, a byte order mark, duplicate keys, floats,
NaN, exponents, minus zero, long integers, deep nesting, lone surrogates, and characters that a
reader cannot see (controls, bidi overrides, zero-width and other invisible characters).

Refused texts raise `Malformed` with the slug "too-large" or "bad-json"; well-formed JSON that does
not fit its model raises `Malformed("bad-fields")`.

Most texts are plain: ASCII without escapes, written compactly. Decoded by a library into a type
that knows no floats, long integers or deep nesting, and encoded again, such a text is the same; a
text with any of the above in it is not. Every other text goes the long way, to the same answers.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Final, NoReturn, TypeAlias, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from wire.errors import Malformed, quoted

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
Model = TypeVar("Model", bound=BaseModel)

LIMIT_BYTES: Final = 65_536
"""The longest header, label or statement: read whole, before its signer is trusted with more."""

DEPTH: Final = 8
"""The deepest object of ours nests 5; more only tries a parser's recursion."""

INTEGER_DIGITS: Final = 16
"""Enough for milliseconds and byte counts, and always inside a signed 64-bit integer."""

# Fixed ranges (Unicode 16.0), not `unicodedata.category`: two organisations with different Python
# versions must refuse the same texts. Categories Cc, Cf, Cs, Co, Zl, Zp, the noncharacters, and
# Default_Ignorable_Code_Point. Tab, newline and return are left out: they may stand between tokens.
_PLANE_ENDS: Final = "".join(chr(end - 1) + chr(end) for end in range(0x1FFFF, 0xF0000, 0x10000))
_UNSEEN: Final = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891"
    "\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff" + _PLANE_ENDS
)
# What people write needs joiners (Bengali, Persian) and variation selectors (emoji).
_UNSEEN_IN_PROSE: Final = _UNSEEN.replace("\u200b-\u200f", "\u200b\u200e\u200f").replace(
    "\ufe00-\ufe0f", "\ufe00-\ufe0d"
)
_FORBIDDEN: Final = re.compile(f"[{_UNSEEN}]")
_FORBIDDEN_IN_STRINGS: Final = re.compile(f"[\t\n\r{_UNSEEN}]")
_FORBIDDEN_PROSE: Final = re.compile(f"[{_UNSEEN_IN_PROSE}]")
_FORBIDDEN_IN_PROSE: Final = re.compile(f"[\r{_UNSEEN_IN_PROSE}]")
_UNUSUAL: Final = re.compile("[^\x20-\x7e]+")

# A string ends at its quote or, if it never closes, at the end: so the search stays linear.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SPACES: Final = " \t\n\r"
_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_IRRELEVANT: Final = bytes(set(range(256)) - set(b'"[]{}'))


def parse(data: bytes, *, limit: int = LIMIT_BYTES, prose: bool = False) -> Json:
    """The value of one JSON text.

    `limit` is in bytes. `prose` also allows newline and tab inside strings (written as escapes),
    joiners and variation selectors: only for decrypted content, which people wrote for people.
    """
    if len(data) > limit:
        raise Malformed("too-large", f"{len(data)} bytes; at most {limit}")
    if data.isascii() and b"\\" not in data and b"\x7f" not in data:
        try:
            value: Json = _PLAIN.decode(data)
        except msgspec.MsgspecError:
            pass  # the long way says why
        else:
            if _COMPACT.encode(value) == data:
                return value
    return _parsed(data, prose=prose)


def _parsed(data: bytes, *, prose: bool) -> Json:
    """The long way, for every text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("bad-json", f"not UTF-8 at byte {error.start}") from None
    # Plain ASCII needs no look at its characters: the decoder itself refuses raw controls but DEL.
    if not text.isascii() or "\x7f" in text:
        _check_text(text, _FORBIDDEN_PROSE if prose else _FORBIDDEN)
    _check_depth(data)
    value = _decode(text)
    if "\\" in text:  # only escapes can put into a string what the text itself does not show
        forbidden = _FORBIDDEN_IN_PROSE if prose else _FORBIDDEN_IN_STRINGS
        for string in _escaped(text, value):
            if not (string.isascii() and string.isprintable()):
                _check_text(string, forbidden)
    return value


def load(
    data: bytes, model: type[Model], *, limit: int = LIMIT_BYTES, prose: bool = False
) -> Model:
    """One JSON text as an object of `model`: through the gate first, then validated strictly."""
    parse(data, limit=limit, prose=prose)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Malformed("bad-fields", _first_finding(error)) from None


def dump(value: object, *, limit: int = LIMIT_BYTES, prose: bool = False) -> bytes:
    """The compact UTF-8 text of `value`, which our own gate accepts."""
    try:
        data = _COMPACT.encode(value)
        if parse(data, limit=limit, prose=prose) == value:
            return data
        data = _ENCODER.encode(value).encode()  # NaN, bytes, tuples: some of it JSON, some not
    except UnicodeEncodeError:
        raise Malformed("bad-json", "a lone surrogate") from None
    parse(data, limit=limit, prose=prose)
    return data


def _check_text(text: str, forbidden: re.Pattern[str]) -> None:
    if found := forbidden.search("".join(_UNUSUAL.findall(text))):
        raise Malformed("bad-json", f"the character U+{ord(found[0]):04X}")
    if not unicodedata.is_normalized("NFC", text):
        raise Malformed("bad-json", "text that is not NFC")


def _check_depth(data: bytes) -> None:
    """Refuse deep nesting before the recursive decoder runs, without a loop over characters."""
    opened = data.count(b"{") + data.count(b"[") - data.count(b"[]")
    if opened < DEPTH:  # too few for more, strings included; the decoder finds what does not match
        return
    if b'\\"' in data:  # not every quote is one that opens or closes a string
        data = _STRING.sub(b"", data)
    # Two quotes side by side go: what is left lies inside or outside of strings as it did before.
    marks = data.translate(_TO_SQUARE, _IRRELEVANT).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])  # every other part lies inside a string
    for _ in range(DEPTH):  # each round takes away exactly the innermost level
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise Malformed("bad-json", f"brackets that do not match, or nest deeper than {DEPTH}")


def _decode(text: str) -> Json:
    """What `json.loads` does, without its regular expressions for the space around a text."""
    start = len(text) - len(text.lstrip(_SPACES))
    try:
        value, end = _DECODER.scan_once(text, start)
    except json.JSONDecodeError as error:
        raise Malformed("bad-json", f"not JSON at character {error.pos}") from None
    except StopIteration as nothing:
        raise Malformed("bad-json", f"not JSON at character {nothing.value}") from None
    if text[end:].strip(_SPACES):
        raise Malformed("bad-json", f"not JSON at character {end}")
    return value  # type: ignore[no-any-return]


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("bad-json", "a duplicate key")
    return found


def _integer(digits: str) -> int:
    if len(digits.removeprefix("-")) > INTEGER_DIGITS:
        raise Malformed("bad-json", f"an integer of more than {INTEGER_DIGITS} digits")
    if digits == "-0":
        raise Malformed("bad-json", "minus zero")
    return int(digits)


def _no_number(_text: str) -> NoReturn:
    raise Malformed("bad-json", "a number that is not a plain integer")


def _nested(depth: int) -> Any:
    """The type of plain values that nest no deeper."""
    longest = 10**INTEGER_DIGITS - 1
    scalar = str | Annotated[int, msgspec.Meta(ge=-longest, le=longest)] | bool | None
    if not depth:
        return scalar
    inner = _nested(depth - 1)
    return dict[str, inner] | list[inner] | scalar  # type: ignore[valid-type]


_PLAIN: Final[Any] = msgspec.json.Decoder(_nested(DEPTH))
_COMPACT: Final = msgspec.json.Encoder()
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER: Final[Any] = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_no_number,
    parse_constant=_no_number,
)


def _escaped(text: str, value: Json) -> Iterator[str]:
    """At least the strings that are written with escapes; `value` is what the text says."""
    if '\\"' in text:  # then not every quote is one that opens or closes a string
        yield from _strings(value)
        return
    at = text.find("\\")
    while at >= 0:
        start, end = text.rfind('"', 0, at), text.find('"', at) + 1
        yield _decode(text[start:end])  # type: ignore[misc]
        at = text.find("\\", end)


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _strings(item)


def _first_finding(error: ValidationError) -> str:
    """Where and what, never the value: location and message of the first finding."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"][:1].lower() + first["msg"][1:]
    if first["type"] == "string_pattern_mismatch":  # a pattern tells people nothing
        message = "does not have the right form"
    return f"{quoted(where)} {message}" if where else message
