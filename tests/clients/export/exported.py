"""Exports of the little history, and entries made up for one test."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients.export import lines
from clients.export.entry import Entry
from clients.export.kinds import KINDS, STATEMENTS
from tests.clients.evidence.little_history import Told
from wire.base64_strict import decode
from wire.merkle import leaf_hash

ORIGIN = "tearline.example/minusx"
REPORT, KID, LEAF = "5e" * 32, "ab" * 16, "1f" * 32

HOSTILE = (
    'a|b\\|c = d\\=e "f" [g] ]h\\] <10>1 ',
    "line\nforged=1\r\n<109>1 2026-01-01T00:00:00Z x y z - - CEF:0|Tearline|",
    " cs2=GBR cn1=7 externalId=1",
    "\u2028\u2029\x85\x0b\x0c\x1e\x00\x7f\u202egnp.exe\ud800",
    "\\",
    "É中🙂" * 3,
    "x" * 1_200,
)
"""What a nation, a rule or a name might be, if whoever wrote it wished to forge a line or field."""


def made(kind: str = "release", spoke: str | None = None, **changes: Any) -> Entry:
    """An entry of this type that says something in every field."""
    view = {"report": REPORT, "rules": {"release/KEN": ["KEN/all"], "carry/X": ["X/a", "X/b"]}}
    told: dict[str, Any] = {
        "origin": ORIGIN,
        "channel": "KEN",
        "index": 7,
        "count": 3,
        "time": 1_795_888_926_451,
        "type": kind,
        "leaf": LEAF,
        "view": view,
        "report": REPORT,
        "recipient": "GBR",
        "actor": KID,
        "slug": None,
        "detail": "release",
        "statement": None,
        "author": None,
        "spoke": spoke,
    }
    if kind == "statement":
        told |= {"statement": "cd" * 32, "author": "KEN", "report": None, "recipient": None}
    if kind == "report.refused":
        told |= {"slug": "withheld"}
    return Entry(**{**told, **changes})


def every_kind() -> list[Entry]:
    """One entry of every type, told in full, erased, and one of a type that nobody knows yet."""
    return list(_every_kind())


def _every_kind() -> Iterator[Entry]:
    for kind in (*KINDS, "some.thing-new"):
        yield made(kind)
        nothing = dict.fromkeys(("report", "recipient", "actor", "slug", "detail"))
        yield made(kind, view=None, **nothing)
    for spoke in (*STATEMENTS, "some.statement"):
        yield made("statement", spoke)
    yield made("statement", None, view=None, statement=None, author=None, actor=None, detail=None)


def hostile() -> Iterator[Entry]:
    """Entries with a hostile text in each field, and inside the view."""
    for text in HOSTILE:
        for name in ("report", "recipient", "actor", "slug", "detail", "statement", "author"):
            yield made("report.refused", **{name: text})
        yield made("statement", text)
        yield made(view={"rules": {text: [text]}, text: text})


def exported(told: Told, form: str, **how: Any) -> list[str]:
    """The lines of Kenya's history."""
    with told.desks["KEN"].store() as store:
        return list(lines.lines(store, "KEN", ORIGIN, form, **how))


def leaves(told: Told) -> dict[int, str]:
    """The hash of every leaf that concerns Kenya, by index."""
    with told.desks["KEN"].store() as store:
        rows = list(store.rows("SELECT channel, count, idx FROM entry"))
        return {
            row["idx"]: leaf_hash(decode(store.evidence(row["channel"], row["count"]).leaf)).hex()
            for row in rows
        }


def unescaped(text: str) -> str:
    """A CEF value as its reader sees it."""
    marks = {"n": "\n", "r": "\r"}
    return re.sub(r"\\(.)", lambda found: marks.get(found[1], found[1]), text)


def found_in_cef(text: str) -> tuple[list[str], dict[str, str]]:
    """The header and the pairs of a CEF message, by the rules of its specification (revision 25):
    pipes split the header unless escaped; a pair starts with a key and an equals sign that is not
    escaped, and ends where the next one starts.
    """
    found = re.fullmatch(r"((?:[^|\\]|\\.)*)\|" * 7 + "(.*)", text, re.DOTALL)
    assert found is not None, text
    *header, extension = found.groups()
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", extension))
    pairs = {}
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        value = extension[start.end() : None if end is None else end.start()]
        assert start[1] not in pairs, "a key twice"
        pairs[start[1]] = unescaped(value)
    return [unescaped(part) for part in header], pairs


def json_of(line: str) -> Mapping[str, Any]:
    """A line in JSON, which is one line for whatever splits it."""
    assert line.isascii()
    assert line.splitlines() == [line]
    found: Mapping[str, Any] = json.loads(line)
    return found
