"""OCSF events. Releases, acceptances and refusals carry the profile `security_control`: what was
decided, and by which rules; the whole view stands under `unmapped`.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from clients.export.entry import Entry
from clients.export.kinds import API, ENTITY, OTHER, Kind, kind_of

VERSION: Final = "1.8.0"
VERSION_INTEGRITY: Final = "1.9.0"
"""The first version with the profile `record_integrity`."""

PRODUCT: Final = {"name": "Tearline", "vendor_name": "Tearline"}
INFORMATIONAL, MEDIUM = 1, 3
SUCCESS, FAILURE = 1, 2
ALLOWED, DENIED = 1, 2
BLOCKED: Final = 2  # a disposition
SERVER: Final = 1  # a type of device
SHA256: Final = 3

DECIDED: Final = frozenset({"report.accepted", "report.refused", "release"})
"""Types that tell of a decision."""


def event(entry: Entry) -> dict[str, Any]:
    """One OCSF event."""
    kind = kind_of(entry.type, entry.spoke)
    decided = entry.type in DECIDED
    metadata = {
        "version": VERSION,
        "product": PRODUCT,
        "uid": entry.uid,
        "sequence": entry.count,
        "tenant_uid": entry.channel,
        "logged_time": entry.time,
        "event_code": entry.type,
        **({"profiles": ["security_control"]} if decided else {}),
    }
    return {
        "class_uid": kind.ocsf,
        "category_uid": kind.ocsf // 1000,
        "activity_id": kind.activity,
        **({"activity_name": entry.type} if kind.activity == OTHER else {}),
        "type_uid": kind.ocsf * 100 + kind.activity,
        "severity_id": MEDIUM if entry.denied else INFORMATIONAL,
        "status_id": FAILURE if entry.denied else SUCCESS,
        **({"status_code": entry.slug} if entry.slug else {}),
        "time": entry.time,
        "metadata": metadata,
        "unmapped": entry.proof,
        **(_decision(entry) if decided else {}),
        **_of_class(entry, kind),
    }


def _decision(entry: Entry) -> dict[str, Any]:
    """What was decided, and by which rules; each rule is an authorization."""
    outcome = DENIED if entry.denied else ALLOWED
    said = "deny" if entry.denied else "permit"
    authorizations = [
        {"decision": said, "policy": {"uid": rule, "name": rule, "group": {"name": layer}}}
        for layer, rule in entry.rules
    ]
    return {
        "action_id": outcome,
        "disposition_id": BLOCKED if entry.denied else ALLOWED,
        **({"authorizations": authorizations} if authorizations else {}),
    }


def _of_class(entry: Entry, kind: Kind) -> dict[str, Any]:
    """What each class requires."""
    user = {"uid": entry.actor or entry.channel, "org": {"name": entry.channel}}
    if kind.ocsf == API:
        about = entry.report or entry.detail
        return {
            "actor": {"user": user},
            "api": {"operation": entry.type, "service": {"name": entry.origin}},
            "src_endpoint": {"name": entry.recipient or entry.channel},
            **({"resources": [{"uid": about, "type": _resource(entry)}]} if about else {}),
        }
    if kind.ocsf == ENTITY:
        author, spoke = entry.author or entry.channel, entry.spoke or entry.type
        return {
            "actor": {"user": {"uid": author, "org": {"name": author}}},
            "entity": {"uid": entry.statement or entry.uid, "type": spoke, "name": spoke},
        }
    return {
        "actor": {"user": user},
        "log_name": entry.channel,
        "message": entry.type,
        "device": {"type_id": SERVER, "name": entry.origin},
    }


def _resource(entry: Entry) -> str:
    return "report" if entry.report else "subscription"


def attest(event: dict[str, Any], chain: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Link the event to the one before, as the profile `record_integrity` says: the fingerprint is
    that of the whole event in canonical JSON (RFC 8785; there are no numbers but integers), the
    link included. Gives what the next event refers to. This chains the copy; the leaf's hash leads
    to the truth.
    """
    metadata = event["metadata"]
    metadata["version"] = VERSION_INTEGRITY
    metadata["profiles"] = [*metadata.get("profiles", ()), "record_integrity"]
    link = {"prev_event": before} if before else {}
    attestation: dict[str, Any] = {"authority_uid": chain, "chain_uid": chain, **link}
    event["attestation_list"] = [attestation]
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    digest = sha256(text.encode()).hexdigest()
    attestation["fingerprint"] = {"algorithm_id": SHA256, "algorithm": "SHA-256", "value": digest}
    return {
        "uid": metadata["uid"],
        "type_uid": event["type_uid"],
        "fingerprint": attestation["fingerprint"],
    }
