"""CloudEvents, as the SDK of the CloudEvents project reads them."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from clients.export import cloudevents
from clients.export.entry import Entry
from tests.clients.export.exported import ORIGIN, every_kind, hostile, made

EXTENSIONS = {"sequence", "leafhash", "authtype", "authid"}
AUTH = {"app_user", "user", "service_account", "api_key", "system", "unauthenticated", "unknown"}
"""What the extension `authtype` may say (CloudEvents, extensions/authcontext)."""


def check(entry: Entry) -> dict[str, Any]:
    """An event that the SDK accepts, with what the specification asks of names and values."""
    raw = cloudevents.encoded(cloudevents.event(entry))
    read = JSONFormat().read(CloudEvent, raw)
    assert (read.get_id(), read.get_specversion()) == (str(entry.index), "1.0")
    assert read.get_time() is not None
    event: dict[str, Any] = json.loads(raw)
    assert urlsplit(event["source"]).geturl() == event["source"] != ""
    assert event["source"] == f"{ORIGIN}/KEN"
    assert len(raw) <= cloudevents.EVENT_MAX
    for name, value in event.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name)
        assert name == "data" or (isinstance(value, str) and value)
    own = event.keys() - CORE
    assert own <= EXTENSIONS
    assert event.get("authtype", "unknown") in AUTH
    assert event["data"]["leaf_hash"] == event["leafhash"] == entry.leaf
    return event


CORE = {
    *("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time"),
    "data",
}


@pytest.mark.parametrize("entry", every_kind(), ids=lambda e: f"{e.type} {e.spoke or ''}")
def test_an_event_of_every_type_is_one(entry: Entry) -> None:
    event = check(entry)
    assert event["type"] == f"org.tearline.audit.{entry.type}.v1"
    told = event["data"]
    assert told.get("erased", told.get("view")) == (True if entry.view is None else entry.view)


def test_what_is_hostile_stays_in_its_field() -> None:
    """Expect nothing more than a strange name."""
    for entry in hostile():
        check(entry)


def test_the_order_of_names_is_the_order_of_the_journal() -> None:
    sequences = [cloudevents.event(made(index=i))["sequence"] for i in (0, 9, 10, 99, 10**15)]
    assert sequences == sorted(sequences)


def test_an_event_that_others_need_not_carry_leaves_its_view_out_and_says_so() -> None:
    """64 KiB: what every intermediary must forward (CloudEvents 1.0.2, size limits)."""
    event = check(made(view={"denials": ["x" * 70_000]}))
    assert event["data"]["view"] is None
    assert event["data"]["left_out"] > 65_536
