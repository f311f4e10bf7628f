"""Refusals, events, counts and log lines: none says more than it should."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import logs, sse
from broker.answers import NationPreview, PortionPreview, Preview, Withheld
from broker.metrics import Metrics
from broker.problems import NOT_FOUND, problem
from policies.explain import Line, RuleLine
from wire import strict_json
from wire.errors import SLUGS, Malformed, NotAllowed, TearlineError


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_every_slug_has_its_document(slug: str) -> None:
    said = problem(TearlineError(slug))
    document = json.loads(said.body)
    assert (document["type"], document["status"]) == (slug, said.status)
    assert dict(said.fields)[b"content-type"] == b"application/problem+json"
    assert dict(said.fields)[b"content-length"] == str(len(said.body)).encode()


def test_not_found_is_one_answer_whatever_the_reason() -> None:
    assert problem(NotAllowed("not-found", "it was recalled")) is NOT_FOUND
    assert b"recalled" not in NOT_FOUND.body


@pytest.mark.parametrize(
    ("slug", "field"),
    [
        ("unsigned-request", b"www-authenticate"),
        ("method-not-allowed", b"allow"),
        ("rate-limited", b"retry-after"),
        ("busy", b"retry-after"),
    ],
)
def test_a_status_brings_the_field_that_http_asks_for(slug: str, field: bytes) -> None:
    assert field in dict(problem(TearlineError(slug)).fields)


def test_a_detail_is_ascii_on_one_line_and_cut_short() -> None:
    body = problem(Malformed("bad-fields", "\x1b[31m\n\u202e" + "é" * 5_000)).body
    assert body.isascii()
    assert b"\n" not in body
    assert b"\x1b" not in body
    assert len(body) < 4_000


def test_a_withheld_report_comes_with_its_reasons_in_sentences() -> None:
    def line(**fields: Any) -> Line:
        usual = {"layer": "release", "owner": "KEN", "outcome": "WITHHOLD", "rules": ()}
        return Line(**{**usual, "needs": (), "approvals_needed": 0, **fields})

    rule = RuleLine(id="KEN/not-chad", says="Chad is ours")
    lines = (
        line(rules=(rule, RuleLine(id="KEN/quiet", says="")), needs=("ask again",)),
        line(owner="COALITION", layer="handle", outcome="RELEASE"),
        line(outcome="REFER", approvals_needed=1),
        line(outcome="REFER", approvals_needed=2),
        line(owner=None, layer="other"),
    )
    portion = PortionPreview(nations={"FRA": NationPreview(outcome="WITHHOLD", lines=lines)})
    body = problem(Withheld("withheld", "from FRA", Preview(portions=(portion,)))).body
    document = strict_json.parse(body)  # a client's gate lets it through
    assert isinstance(document, dict)
    told = {
        "outcome": "WITHHOLD",
        "lines": [
            "release of KEN: WITHHOLD",
            "because of KEN/not-chad: Chad is ours",
            "because of KEN/quiet: (no reason given)",
            "ask again",
            "release of KEN: REFER",
            "1 officer of KEN can release it",
            "release of KEN: REFER",
            "2 officers of KEN can release it",
            "withheld by another party",
        ],
    }
    assert document["explanation"] == {"portions": [{"nations": {"FRA": told}}]}


# -- server-sent events


def test_an_event_is_one_line_a_field() -> None:
    frame = sse.frame("report", b'{"a":1}', "AbC_-=")
    assert frame == b'id: AbC_-=\nevent: report\ndata: {"a":1}\n\n'
    assert sse.frame("end", b"{}") == b"event: end\ndata: {}\n\n"


@pytest.mark.parametrize(
    ("kind", "data", "identity"),
    [
        ("report", b"a\ndata: b", "1"),
        ("report", b"a\rb", "1"),
        ("report", b"a\0b", "1"),
        ("report", b"a", "1\nevent: end"),
        ("report", b"a", ""),
        ("report\nid: 7", b"a", "1"),
        ("", b"a", "1"),
    ],
)
def test_a_line_break_cannot_add_a_field(kind: str, data: bytes, identity: str) -> None:
    """Expect refusal."""
    with pytest.raises(ValueError, match="event's"):
        sse.frame(kind, data, identity)


@given(st.text(), st.binary(), st.none() | st.text())
def test_whatever_is_framed_is_exactly_one_event(
    kind: str, data: bytes, identity: str | None
) -> None:
    try:
        frame = sse.frame(kind, data, identity)
    except ValueError:
        return
    assert frame.endswith(b"\n\n")
    assert re.split(rb"\r\n|\r|\n", frame[:-2]) == [
        *([b"id: " + identity.encode()] if identity is not None else []),
        b"event: " + kind.encode(),
        b"data: " + data,
    ]


# -- the log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    logs.configure(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_one_json_object(lines: io.StringIO) -> None:
    logs.event("refused", slug="too-slow", ms=1.5, path='/v1/\n{"event":"forged"}\x1b[2J\u202e')
    (line,) = lines.getvalue().splitlines()
    assert line.isascii()
    found = json.loads(line)
    assert (found["event"], found["slug"], found["ms"]) == ("refused", "too-slow", 1.5)
    assert found["path"].startswith("/v1/\n{")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])


def test_a_long_field_is_cut(lines: io.StringIO) -> None:
    logs.event("refused", path="/" + "a" * 10_000)
    assert len(lines.getvalue()) < 500


def _goes_wrong() -> None:
    raise LookupError("the name of a source")


def test_an_error_is_logged_by_type_and_place_only(lines: io.StringIO) -> None:
    with pytest.raises(LookupError) as caught:
        _goes_wrong()
    logs.failure("request-failed", caught.value)
    found = json.loads(lines.getvalue())
    assert found["error"] == "LookupError"
    assert found["at"].startswith("test_problems.py:")
    assert "source" not in lines.getvalue()


def test_a_librarys_line_is_its_template_and_never_a_text_of_an_error(lines: io.StringIO) -> None:
    try:
        _goes_wrong()
    except LookupError:
        logging.getLogger("uvicorn.error").exception("went wrong for %s", "a secret")
    assert json.loads(lines.getvalue())["event"] == "went wrong for %s"
    assert "secret" not in lines.getvalue()
    assert "source" not in lines.getvalue()


# -- counts


def test_counts_are_in_the_text_format() -> None:
    metrics = Metrics()
    metrics.request("reports", 201, 0.003)
    metrics.request("reports", 201, 99.0)
    metrics.refusal("too-slow")
    metrics.dropped("head-time")
    metrics.gauge("tearline_connections", "open", lambda: 7.0)
    text = metrics.text().decode()
    assert 'tearline_requests_total{area="reports",status="201"} 2\n' in text
    assert 'tearline_refusals_total{slug="too-slow"} 1\n' in text
    assert 'tearline_dropped_connections_total{reason="head-time"} 1\n' in text
    assert 'tearline_request_seconds_bucket{area="reports",le="0.0025"} 0\n' in text
    assert 'tearline_request_seconds_bucket{area="reports",le="0.005"} 1\n' in text
    assert 'tearline_request_seconds_bucket{area="reports",le="+Inf"} 2\n' in text
    assert "tearline_connections 7.0\n" in text
    sample = r'[a-z_]+(\{[a-z]+="[^"\n\\]*"(,[a-z]+="[^"\n\\]*")*\})? [0-9.e+]+'
    assert all(re.fullmatch(rf"# (HELP|TYPE) .+|{sample}", line) for line in text.splitlines())


def test_memory_is_shown() -> None:
    found = re.search(r"process_resident_memory_bytes ([0-9.]+)", Metrics().text().decode())
    assert found is not None
    assert float(found[1]) > 1_000_000
