"""Documents of the Elastic Common Schema. What it has no field for stands under `tearline`."""

from typing import Any, Final

from clients.export.entry import Entry
from clients.export.kinds import kind_of

VERSION: Final = "9.4.0"


def document(entry: Entry) -> dict[str, Any]:
    """One document."""
    kind = kind_of(entry.type, entry.spoke)
    verdict = ["denied" if entry.denied else "allowed"] if kind.category == "api" else []
    rules = [rule for _, rule in entry.rules]
    return {
        "@timestamp": entry.when,
        "ecs": {"version": VERSION},
        "event": {
            "kind": "event",
            "category": [kind.category],
            "type": [kind.type, *verdict],
            "action": entry.spoke or entry.type,
            "outcome": "failure" if entry.denied else "success",
            "id": entry.uid,
            "sequence": entry.count,
            "hash": entry.leaf,
            "provider": "tearline",
            **({"reason": entry.slug} if entry.slug else {}),
        },
        "organization": {"name": entry.channel},
        **({"user": {"id": entry.actor}} if entry.actor else {}),
        **({"rule": {"name": rules[0]}} if len(rules) == 1 else {}),
        "tearline": {**entry.proof, **({"rules": rules} if rules else {})},
    }
