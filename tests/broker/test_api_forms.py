"""Small languages of the API: tile paths, ranges, whole numbers. A value or a refusal, always."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from broker.api import attachments, log
from broker.api.common import Whole
from broker.app import body_limit
from broker.guard import area
from wire.errors import TearlineError
from wire.report import ATTACHMENT_MAX, REPORT_MAX
from wire.statements import STATEMENT_MAX


def tile_path(level: int | None, number: int, width: int) -> str:
    """The one path of a tile, as C2SP tlog-tiles writes it."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    part = f".p/{width}" if width < 256 else ""
    return f"{'entries' if level is None else level}/{name}{part}"


LEVELS = st.none() | st.integers(0, 63)


@pytest.mark.slow
@given(LEVELS, st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_every_tile_has_a_path(level: int | None, number: int, width: int) -> None:
    assert log._parse(tile_path(level, number, width)) == (level, number, width)


@pytest.mark.slow
@given(st.from_regex(r"(entries|[0-9]{1,3})/(x?[0-9]{1,4}/){0,8}[0-9]{1,4}(\.p/[0-9]{0,4})?"))
def test_a_path_is_a_tiles_own_path_or_no_path(path: str) -> None:
    found = value_of(log._parse, path, {"not-found"})
    assert found is None or tile_path(*found) == path


@pytest.mark.parametrize(
    "path",
    [
        "0/x000/000",
        "0/001/000",
        "0/x001",
        "0/" + "x999/" * 6 + "999",
        "0/000.p/256",
        "0/000.p/0",
        "64/000",
        "01/000",
        "0/000/",
    ],
)
def test_another_spelling_of_a_tile_is_not_found(path: str) -> None:
    assert value_of(log._parse, path, {"not-found"}) is None


def asking(**headers: str) -> Any:
    """As much of a request as the reading of ranges looks at."""
    return SimpleNamespace(headers={name.replace("_", "-"): text for name, text in headers.items()})


NUMBERS = st.integers(0, 10**10 - 1)


@given(st.text() | st.builds("bytes={}-{}".format, NUMBERS, NUMBERS | st.just("")))
def test_a_range_is_within_bounds_or_refused(text: str) -> None:
    found = value_of(attachments._range, asking(range=text), {"bad-range"})
    if found is not None:
        start, end = found
        assert 0 <= start < end <= start + attachments.CHUNK_MAX


@given(
    st.text()
    | st.builds("bytes {}-{}/{}".format, NUMBERS, NUMBERS, NUMBERS)
    | st.builds("bytes */{}".format, NUMBERS)
)
def test_a_piece_lies_in_its_attachment_or_is_refused(text: str) -> None:
    found = value_of(attachments._span, asking(content_range=text), {"bad-request", "too-large"})
    if found is not None:
        start, total, length = found
        assert 0 < total <= ATTACHMENT_MAX
        assert length == 0 if start is None else start + length <= total


def value_of(read: Callable[[Any], Any], given: Any, slugs: set[str]) -> Any:
    """What is read, or None if it is refused with one of these slugs."""
    try:
        return read(given)
    except TearlineError as error:
        if error.slug not in slugs:
            raise
        return None


@given(st.text())
def test_a_whole_number_is_digits_alone(text: str) -> None:
    try:
        number = TypeAdapter(Whole).validate_python(text)
    except ValidationError:
        return
    assert text.isascii()
    assert text.isdigit()
    assert number == int(text) < 10**16


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("GET", "/v1/reports", 0),
        ("DELETE", "/v1/subscriptions/a", 0),
        ("POST", "/v1/reports", REPORT_MAX),
        ("POST", "/v1/statements", STATEMENT_MAX),
        ("PUT", "/v1/attachments/x/y", attachments.CHUNK_MAX),
        ("POST", "/anything", 16_384),
    ],
)
def test_a_body_has_the_room_that_its_place_needs(method: str, path: str, limit: int) -> None:
    assert body_limit(method, path) == limit


@given(st.text())
def test_counts_have_few_names(path: str) -> None:
    """Whoever asks for strange paths does not make new series."""
    known = {"reports", "attachments", "subscriptions", "statements", "preview", "log"}
    assert area("/v1/" + path) in known | {"streams", "other"}


def test_the_areas_are_those_of_the_api() -> None:
    assert area("/v1/reports/x") == "reports"
    assert area("/v1/subscriptions/x/stream") == "streams"
    assert area("/healthz") == area("/v1/else") == "other"
