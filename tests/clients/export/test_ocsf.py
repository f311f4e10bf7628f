"""OCSF events are what the published schema of their version says."""

import hashlib
import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from broker.audit import CONCERNED
from clients.export import ocsf
from clients.export.entry import Entry
from clients.export.kinds import KINDS, OTHER, STATEMENTS, kind_of
from tests.clients.evidence.little_history import Told
from tests.clients.export.exported import ORIGIN, every_kind, exported, hostile, json_of, made
from wire.bodies import RULES


@cache
def published() -> OcsfJsonSchemaEmbedded:
    """The schema that OCSF exports of version 1.8.0."""
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))


@cache
def validator(uid: int, profiles: tuple[str, ...]) -> Draft202012Validator:
    schema = published()
    name = schema.lookup_class_name_from_uid(uid)
    return Draft202012Validator(schema.get_class_schema(name, list(profiles)))


def check(event: dict[str, Any]) -> None:
    """Valid, by the class that it names and the profiles that it says it has."""
    profiles = tuple(event["metadata"].get("profiles", ()))
    validator(event["class_uid"], profiles).validate(event)
    assert event["category_uid"] == event["class_uid"] // 1000
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["metadata"]["version"] == ocsf.VERSION


def sent(entry: Entry) -> dict[str, Any]:
    """An event after its travel as text."""
    found: dict[str, Any] = json.loads(json.dumps(ocsf.event(entry)))
    return found


# -- what an entry is


def test_every_type_of_entry_has_a_class_and_an_activity_on_purpose() -> None:
    """Those of the protocol, and no others; a denial stands inside an `audit.read`."""
    assert KINDS.keys() | {"statement", "denial"} == CONCERNED.keys()
    assert STATEMENTS.keys() == RULES.keys()
    classes = get_ocsf_schema(version=ocsf.VERSION)["classes"]
    for kind in (*KINDS.values(), *STATEMENTS.values()):
        name = published().lookup_class_name_from_uid(kind.ocsf)
        assert str(kind.activity) in classes[name]["attributes"]["activity_id"]["enum"]
        assert kind.activity != OTHER


def test_a_broker_that_goes_on_from_a_copy_is_a_restart() -> None:
    event = ocsf.event(made("operator.resume", report=None, recipient=None, actor=None))
    assert (event["class_uid"], event["activity_id"], event["type_uid"]) == (1008, 8, 100_808)
    assert "activity_name" not in event


def test_what_a_newer_broker_writes_is_other_and_named() -> None:
    event = ocsf.event(made("some.thing-new"))
    assert (event["activity_id"], event["activity_name"]) == (OTHER, "some.thing-new")
    assert kind_of("statement", None).activity == OTHER, "an erased statement is not guessed at"


# -- valid


def test_the_events_of_a_real_history_are_valid(told: Told) -> None:
    events = [dict(json_of(line)) for line in exported(told, "ocsf")]
    for event in events:
        check(event)
        assert "attestation_list" not in event
    assert {event["class_uid"] for event in events} == {6003, 3004, 1008}


@pytest.mark.parametrize("entry", every_kind(), ids=lambda e: f"{e.type} {e.spoke or ''}")
def test_an_event_of_every_type_is_valid(entry: Entry) -> None:
    check(sent(entry))


def test_what_is_hostile_is_valid_and_stays_in_its_field() -> None:
    """Expect nothing more than a strange name."""
    for entry in hostile():
        event = sent(entry)
        check(event)
        assert event["metadata"]["uid"] == f"{ORIGIN}/7"
        assert event["unmapped"]["index"] == 7


def test_the_check_finds_what_is_wrong() -> None:
    """A control: without it, a schema that permits everything would pass as well."""
    for name in ("class_uid", "metadata", "src_endpoint", "time"):
        event = sent(made())
        del event[name]
        with pytest.raises(Exception, match=r"required|class_uid|metadata"):
            check(event)
    for name, value in (("severity_id", 50), ("time", "now"), ("invented", 1), ("action_id", 9)):
        with pytest.raises(Exception, match=r"is not|unexpected"):
            check({**sent(made()), name: value})


# -- decisions


def test_a_decision_says_what_was_decided_and_by_which_rules() -> None:
    event = ocsf.event(made())
    assert (event["action_id"], event["disposition_id"], event["status_id"]) == (1, 1, 1)
    found = [(a["policy"]["group"]["name"], a["policy"]["uid"]) for a in event["authorizations"]]
    assert found == [("release/KEN", "KEN/all"), ("carry/X", "X/a"), ("carry/X", "X/b")]
    refusal = ocsf.event(made("report.refused", view={}))
    assert (refusal["action_id"], refusal["disposition_id"], refusal["status_id"]) == (2, 2, 2)
    assert (refusal["severity_id"], refusal["status_code"]) == (3, "withheld")


def test_only_decisions_have_the_profile_of_a_control() -> None:
    for entry in every_kind():
        event = ocsf.event(entry)
        assert ("action_id" in event) == ("profiles" in event["metadata"])
        assert ("action_id" in event) == (entry.type in ocsf.DECIDED)


# -- record integrity


def check_attestation(event: dict[str, Any]) -> None:
    """What OCSF 1.9.0 asks of the profile (of that release: profiles/record_integrity.json,
    objects/attestation.json, prev_event.json and fingerprint.json; no package has its schema yet):
    a fingerprint or signatures in each attestation; of the event before at least `uid`.
    """
    (attestation,) = event["attestation_list"]
    assert attestation.keys() <= {"uid", "authority_uid", "chain_uid", "prev_event", *_SEALS}
    assert attestation.keys() & _SEALS
    for fingerprint in (attestation["fingerprint"], *_before(attestation)):
        assert fingerprint["algorithm_id"] == 3
        assert fingerprint["algorithm"] == "SHA-256"
        assert len(bytes.fromhex(fingerprint["value"])) == 32
    if "prev_event" in attestation:
        assert attestation["prev_event"].keys() == {"uid", "type_uid", "fingerprint"}


_SEALS = {"fingerprint", "signatures"}


def _before(attestation: dict[str, Any]) -> list[dict[str, Any]]:
    return [attestation["prev_event"]["fingerprint"]] if "prev_event" in attestation else []


def test_the_profile_stands_behind_a_switch_and_chains_the_events(told: Told) -> None:
    events = [dict(json_of(line)) for line in exported(told, "ocsf", integrity=True)]
    before: Any = None
    for event in events:
        assert event["metadata"]["version"] == "1.9.0"
        assert event["metadata"]["profiles"][-1] == "record_integrity"
        check_attestation(event)
        (attested,) = event["attestation_list"]
        assert attested.get("prev_event") == before
        fingerprint = attested.pop("fingerprint")
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        assert fingerprint["value"] == hashlib.sha256(text.encode()).hexdigest()
        before = {
            "uid": event["metadata"]["uid"],
            "type_uid": event["type_uid"],
            "fingerprint": fingerprint,
        }
    assert len(events) > 50


def test_but_for_the_profile_such_an_event_is_the_same(told: Told) -> None:
    plain = [dict(json_of(line)) for line in exported(told, "ocsf")]
    for event, other in zip(exported(told, "ocsf", integrity=True), plain, strict=True):
        found = dict(json_of(event))
        del found["attestation_list"]
        found["metadata"]["version"] = ocsf.VERSION
        found["metadata"]["profiles"].remove("record_integrity")
        if not found["metadata"]["profiles"]:
            del found["metadata"]["profiles"]
        assert found == other
        check(found)
