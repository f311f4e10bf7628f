"""Lines of CEF in RFC 5424: one line, the fields that we wrote, and no others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.export import cef
from clients.export.entry import Entry
from tests.clients.evidence.little_history import Told
from tests.clients.export.exported import (
    HOSTILE,
    KID,
    REPORT,
    every_kind,
    exported,
    found_in_cef,
    hostile,
    leaves,
    made,
)

SYSLOG = re.compile(
    r"<(?P<priority>\d{1,3})>1 "
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) "
    r"(?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48}) (?P<process>[\x21-\x7e]{1,128}) "
    r"(?P<kind>[\x21-\x7e]{1,32}) "
    r"(?P<data>-|(?:\[(?P<id>[^ =\]\"]{1,32})"
    r"(?: [^ =\]\"]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*\])+)"
    r"(?: (?P<message>.*))?",
    re.DOTALL,
)
"""The grammar of RFC 5424, section 6."""
VALUES = {
    *("externalId", "fileHash", "rt", "cat", "outcome", "reason", "suser", "dntdom"),
    *("cn1Label", "cn1", "cs1Label", "cs1", "cs2Label", "cs2"),
}
LENGTH = 2_048  # octets that a receiver of RFC 5424 should take (6.1)
VERSION = "0.1.0"


def check(line: str) -> tuple[re.Match[str], list[str], dict[str, str]]:
    """One line of the grammar, whose message is CEF; gives its parts."""
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    line.encode()
    found = SYSLOG.fullmatch(line)
    assert found is not None, line
    assert 104 <= int(found["priority"]) <= 111, "facility 13, log audit"
    assert found["id"] == "origin"
    header, pairs = found_in_cef(found["message"])
    assert header[:3] == ["CEF:0", "Tearline", "Tearline"]
    assert header[6] in {"3", "6"}
    assert pairs.keys() <= VALUES
    for label in ("cn1", "cs1", "cs2"):
        assert (label in pairs) == (f"{label}Label" in pairs)
    return found, header, pairs


def test_the_lines_of_a_real_history_are_well_formed(told: Told) -> None:
    known = leaves(told)
    indices = []
    for line in exported(told, "cef"):
        _, _, pairs = check(line)
        assert len(line.encode()) <= LENGTH
        assert known[int(pairs["externalId"])] == pairs["fileHash"]
        indices.append(int(pairs["externalId"]))
    assert indices == sorted(known)


@pytest.mark.parametrize("entry", every_kind(), ids=lambda e: f"{e.type} {e.spoke or ''}")
def test_a_line_of_every_type_is_well_formed(entry: Entry) -> None:
    found, header, pairs = check(cef.line(entry, VERSION))
    assert found["kind"] == header[4] == entry.type
    assert (pairs["externalId"], pairs["cn1"], pairs["fileHash"]) == ("7", "7", entry.leaf)
    assert pairs.get("cs1") == entry.report


def test_a_refusal_is_a_warning() -> None:
    found, header, pairs = check(cef.line(made("report.refused"), VERSION))
    assert (found["priority"], header[6], pairs["reason"]) == ("108", "6", "withheld")
    found, header, _ = check(cef.line(made(), VERSION))
    assert (found["priority"], header[6]) == ("109", "3")


def test_no_name_forges_a_line_a_field_or_an_element() -> None:
    """Expect that every hostile text stays inside the one field that it was given for."""
    for entry in hostile():
        found, header, pairs = check(cef.line(entry, VERSION))
        assert len(header) == 7
        assert (pairs["externalId"], pairs["fileHash"], pairs["cs2Label"]) == (
            "7",
            entry.leaf,
            "nation",
        )
        assert found["host"] == entry.origin


@pytest.mark.parametrize("text", [*HOSTILE, "d = d\\", "a\\|b", "p|q=r\\=s"])
def test_what_can_be_shown_is_read_back_as_it_was(text: str) -> None:
    _, header, pairs = check(cef.line(made(actor=text, spoke=text), VERSION))
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text)
    lines = "".join(c if c.isprintable() or c in "\r\n" else "\ufffd" for c in text)
    cut = lines if len(lines) <= 1023 else lines[:1022] + "…"
    assert pairs["suser"] == cut
    assert header[5] == (shown if len(shown) <= 512 else shown[:511] + "…")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_texts_are_read_back(actor: str, report: str, version: str) -> None:
    found, _, pairs = check(cef.line(made(actor=actor, report=report), version))
    assert pairs.get("fileHash") == made().leaf
    assert pairs["cs2"] == "KEN"
    assert found["id"] == "origin"


def test_values_are_cut_where_the_dictionary_ends_and_say_so() -> None:
    _, _, pairs = check(cef.line(made(actor="u" * 2_000, report="r" * 9_000), VERSION))
    assert (len(pairs["suser"]), pairs["suser"][-1]) == (1_023, "…")
    assert (len(pairs["cs1"]), pairs["cs1"][-1]) == (4_000, "…")


def test_what_proves_a_line_stands_where_no_cut_takes_it() -> None:
    """A receiver that keeps the first 480 octets (RFC 5424, 6.1) still has index and leaf."""
    for entry in (made(origin="o" * 128, actor="u" * 2_000), *every_kind()[:5]):
        line = cef.line(entry, VERSION)[:480]
        assert f" fileHash={entry.leaf} " in line
        assert "externalId=7 " in line


def test_a_header_of_syslog_holds_printable_characters_only() -> None:
    line = cef.line(made(origin="a b\nc\u00e9" + "x" * 400), 'v"]\\')
    found, _, _ = check(line)
    assert found["host"].startswith("a?b?c?x")
    assert len(found["host"]) == 255
    assert r'swVersion="v\"\]\\"' in found["data"]
    assert KID in line
    assert REPORT in line
