"""Verified entries as lines for other systems: OCSF, ECS, and CEF in RFC 5424.

An export is a copy, and proves nothing by itself: every line carries the entry's index and the hash
of its leaf, with which it can be proven later. The native truth stays the evidence.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.base64_strict import decode
from wire.evidence import Evidence
from wire.merkle import leaf_hash

PRODUCT: Final = {"name": "Tearline", "vendor_name": "Tearline"}
OCSF: Final = "1.8.0"
OCSF_INTEGRITY: Final = "1.9.0-dev"
"""The version with the profile `record_integrity`, which is not final."""
ECS: Final = "9.0.0"

API, ENTITY, LOGGING = 6003, 3004, 1008
CREATE, READ, UPDATE, DELETE, OTHER = 1, 2, 3, 4, 99
EXPORT, START, STOP = 3, 6, 7  # of the event log

CLASSES: Final[Mapping[str, tuple[int, int]]] = {
    "report.accepted": (API, CREATE),
    "report.refused": (API, CREATE),
    "release": (API, READ),
    "report.expired": (API, DELETE),
    "report.erased": (API, DELETE),
    "subscription.set": (API, UPDATE),
    "subscription.deleted": (API, DELETE),
    "statement": (ENTITY, CREATE),
    "referral.read": (API, READ),
    "audit.read": (LOGGING, EXPORT),
    "operator.start": (LOGGING, START),
    "operator.stop": (LOGGING, STOP),
}
"""OCSF class and activity of each type of entry; others are Event Log Activity, Other."""

CATEGORIES: Final = {API: 6, ENTITY: 3, LOGGING: 1}
ECS_TYPES: Final = {CREATE: "creation", READ: "access", UPDATE: "change", DELETE: "deletion"}
ALL: Final = """
SELECT * FROM entry WHERE channel = :nation OR (channel = 'MISSION' AND idx NOT IN (
  SELECT idx FROM entry WHERE channel = :nation)) ORDER BY idx
"""

Row = Mapping[str, Any]


def lines(
    store: EvidenceStore, nation: str, origin: str, form: str, *, integrity: bool = False
) -> Iterator[str]:
    """One line an entry, in the order of the journal."""
    before: dict[str, Any] | None = None
    for row in store.rows(ALL, nation=nation):
        evidence = strict_json.load(row["line"].encode(), Evidence, limit=1 << 20, prose=True)
        known = {
            **row,
            "origin": origin,
            "leaf": leaf_hash(decode(evidence.leaf)).hex(),
            "denied": row["type"] == "report.refused",
        }
        if form == "cef":
            yield cef(known)
            continue
        event = ocsf(known) if form == "ocsf" else ecs(known)
        if integrity and form == "ocsf":
            before = _attest(event, f"{origin}/{nation}", before)
        yield json.dumps(event, ensure_ascii=True, separators=(",", ":"))


def ocsf(row: Row) -> dict[str, Any]:
    """One OCSF event."""
    kind, activity = CLASSES.get(row["type"], (LOGGING, OTHER))
    return {
        "class_uid": kind,
        "category_uid": CATEGORIES[kind],
        "activity_id": activity,
        **({"activity_name": row["type"]} if activity == OTHER else {}),
        "type_uid": kind * 100 + activity,
        "severity_id": 3 if row["denied"] else 1,
        "status_id": 2 if row["denied"] else 1,
        "time": row["time"],
        "metadata": {
            "version": OCSF,
            "product": PRODUCT,
            "uid": f"{row['origin']}/{row['idx']}",
            "sequence": row["count"],
            "tenant_uid": row["channel"],
            "logged_time": row["time"],
            "event_code": row["type"],
        },
        "unmapped": {"index": row["idx"], "leaf_hash": row["leaf"], **_view(row)},
        **_of_class(row, kind),
    }


def _of_class(row: Row, kind: int) -> dict[str, Any]:
    """What each class requires."""
    actor = {"user": {"uid": row["actor"] or row["channel"], "org": {"name": row["channel"]}}}
    if kind == API:
        return {
            "actor": actor,
            "api": {"operation": row["type"], "service": {"name": row["origin"]}},
            "src_endpoint": {"name": row["recipient"] or row["channel"]},
            "resources": [{"uid": row["report"] or row["detail"] or "", "type": "report"}],
        }
    if kind == ENTITY:
        author, spoke = row["author"] or row["channel"], row["spoke"] or row["type"]
        return {
            "actor": {"user": {"uid": author, "org": {"name": author}}},
            "entity": {"uid": row["statement"] or "", "type": spoke, "name": spoke},
        }
    return {
        "actor": actor,
        "log_name": row["channel"],
        "message": row["type"],
        "device": {"type_id": 1, "name": row["origin"]},
    }


def _attest(event: dict[str, Any], chain: str, before: dict[str, Any] | None) -> dict[str, Any]:
    """Link the event to the one before, as the profile says: the fingerprint is that of the whole
    event in canonical JSON (RFC 8785; there are no numbers but integers), the link included. Gives
    what the next event refers to. This chains the copy; the leaf's hash leads to the truth.
    """
    event["metadata"] |= {"version": OCSF_INTEGRITY, "profiles": ["record_integrity"]}
    link = {"prev_event": before} if before else {}
    attestation: dict[str, Any] = {"authority_uid": chain, "chain_uid": chain, **link}
    event["attestation_list"] = [attestation]
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    digest = sha256(text.encode()).hexdigest()
    attestation["fingerprint"] = {"algorithm_id": 3, "algorithm": "SHA-256", "value": digest}
    return {"uid": event["metadata"]["uid"], "fingerprint": attestation["fingerprint"]}


def ecs(row: Row) -> dict[str, Any]:
    """One document of the Elastic Common Schema."""
    kind, activity = CLASSES.get(row["type"], (LOGGING, OTHER))
    what = "info" if kind == LOGGING else ECS_TYPES[activity]
    kinds = [what, "denied" if row["denied"] else "allowed"]
    rules = row["slug"] or row["detail"]
    return {
        "@timestamp": _iso(row["time"]),
        "ecs": {"version": ECS},
        "event": {
            "kind": "event",
            "category": ["configuration" if row["type"] == "statement" else "api"],
            "type": kinds,
            "action": row["spoke"] or row["type"],
            "outcome": "failure" if row["denied"] else "success",
            "id": f"{row['origin']}/{row['idx']}",
            "sequence": row["count"],
            "hash": row["leaf"],
            "provider": "tearline",
        },
        "organization": {"name": row["channel"]},
        **({"user": {"id": row["actor"]}} if row["actor"] else {}),
        **({"rule": {"name": rules}} if rules else {}),
        "tearline": {"index": row["idx"], "leaf_hash": row["leaf"], **_view(row)},
    }


def cef(row: Row) -> str:
    """One RFC 5424 line with a CEF message: facility 13 (audit), severity notice or warning."""
    severity, level = (4, 6) if row["denied"] else (5, 3)
    named = {
        "externalId": row["idx"],
        "rt": row["time"],
        "outcome": "failure" if row["denied"] else "success",
        "suser": row["actor"],
        "dntdom": row["recipient"],
        "fileHash": row["leaf"],
        "cs1Label": "report",
        "cs1": row["report"],
        "cs2Label": "nation",
        "cs2": row["channel"],
        "cn1Label": "index",
        "cn1": row["idx"],
    }
    parts = (f"{name}={_escaped(value, '=')}" for name, value in named.items() if value is not None)
    kind = _escaped(row["spoke"] or row["type"], "|")
    header = f"CEF:0|Tearline|Tearline|1|{row['type']}|{kind}|{level}|"
    start = f"<{13 * 8 + severity}>1 {_iso(row['time'])} {row['origin']} tearline - {row['idx']} -"
    return f"{start} {header}{' '.join(parts)}"


def _escaped(value: object, mark: str) -> str:
    text = str(value).replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _view(row: Row) -> dict[str, Any]:
    if row["view"] is None:
        return {"erased": True}
    return {"view": strict_json.parse(row["view"].encode())}


def _iso(time_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
