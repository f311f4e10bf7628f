"""Documents of the Elastic Common Schema have its fields, of its types, with its values.

No Python package has the schema. What stands here of it is that of ECS 9.4.0, as Elastic publishes
it in the package `@elastic/ecs` for JavaScript (`generated/ecs_flat`).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from clients.export import ecs
from clients.export.entry import Entry
from tests.clients.evidence.little_history import Told
from tests.clients.export.exported import every_kind, exported, hostile, json_of, made

KEYWORD, LONG, DATE, LIST = "keyword", "long", "date", "list of keywords"
FIELDS = {
    "@timestamp": DATE,
    "ecs.version": KEYWORD,
    "event.action": KEYWORD,
    "event.category": LIST,
    "event.hash": KEYWORD,
    "event.id": KEYWORD,
    "event.kind": KEYWORD,
    "event.outcome": KEYWORD,
    "event.provider": KEYWORD,
    "event.reason": KEYWORD,
    "event.sequence": LONG,
    "event.type": LIST,
    "organization.name": KEYWORD,
    "rule.name": KEYWORD,
    "user.id": KEYWORD,
}
TYPES = {
    "api": "access admin allowed change creation deletion denied end info start user",
    "configuration": "access change creation deletion info",
    "iam": "admin change creation deletion group info user",
    "process": "access change end info start",
}
"""The types that go with each category that we use."""
KINDS = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}


def flat(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The fields by their dotted names, our own apart."""
    for name, each in value.items():
        if isinstance(each, dict) and name != "tearline":
            yield from flat(each, f"{before}{name}.")
        else:
            yield f"{before}{name}", each


def check(document: dict[str, Any]) -> None:
    fields = dict(flat(document))
    assert fields.keys() <= {*FIELDS, "tearline"}
    for name, kind in FIELDS.items():
        if name not in fields:
            continue
        value = fields[name]
        match kind:
            case "long":
                assert type(value) is int
                assert -(1 << 63) <= value < 1 << 63
            case "date":
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value)
            case "list of keywords":
                assert isinstance(value, list)
                assert all(isinstance(each, str) for each in value)
            case _:
                assert isinstance(value, str)
    assert fields["ecs.version"] == ecs.VERSION
    assert fields["event.kind"] in KINDS
    assert fields["event.outcome"] in {"failure", "success", "unknown"}
    for category in fields["event.category"]:
        assert set(fields["event.type"]) <= set(TYPES[category].split())


def sent(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(ecs.document(entry)))
    return found


def test_the_documents_of_a_real_history_are_of_the_schema(told: Told) -> None:
    for line in exported(told, "ecs"):
        check(dict(json_of(line)))


@pytest.mark.parametrize("entry", every_kind(), ids=lambda e: f"{e.type} {e.spoke or ''}")
def test_a_document_of_every_type_is_of_the_schema(entry: Entry) -> None:
    check(sent(entry))


def test_what_is_hostile_stays_in_its_field() -> None:
    """Expect nothing more than a strange name."""
    for entry in hostile():
        document = sent(entry)
        check(document)
        assert document["tearline"]["index"] == 7
        assert document["event"]["hash"] == entry.leaf


def test_a_refusal_is_a_denied_failure_with_its_reason() -> None:
    event = ecs.document(made("report.refused"))["event"]
    assert (event["type"], event["outcome"]) == (["creation", "denied"], "failure")
    assert event["reason"] == "withheld"
    assert ecs.document(made())["event"]["type"] == ["access", "allowed"]


def test_one_rule_has_the_schemas_field_and_several_have_ours() -> None:
    one = ecs.document(made(view={"rules": {"release/KEN": ["KEN/all"]}}))
    assert one["rule"] == {"name": "KEN/all"}
    several = ecs.document(made())
    assert "rule" not in several
    assert several["tearline"]["rules"] == ["KEN/all", "X/a", "X/b"]
