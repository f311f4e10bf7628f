"""CloudEvents 1.0.2 in JSON. `source` and `id` name an entry for ever: a receiver that has them
drops what comes again.
"""

import json
from typing import Any, Final

from clients.export.entry import Entry

SPEC: Final = "1.0"
TYPE: Final = "org.tearline.audit"
EVENT_MAX: Final = 65_536  # bytes: what every intermediary must forward


def event(entry: Entry) -> dict[str, Any]:
    """One event. A view that makes it larger than others must carry is left out, and said to be:
    the entry's proof leads to it.
    """
    found = _event(entry, entry.proof)
    size = len(encoded(found))
    if size <= EVENT_MAX:
        return found
    return _event(entry, {**entry.proof, "view": None, "left_out": size})


def _event(entry: Entry, proof: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": SPEC,
        "id": str(entry.index),
        "source": f"{entry.origin}/{entry.channel}",
        "type": f"{TYPE}.{entry.type}.v1",
        "time": entry.when,
        **({"subject": entry.report} if entry.report else {}),
        "sequence": f"{entry.index:016}",
        "leafhash": entry.leaf,
        **({"authtype": "unknown", "authid": entry.actor} if entry.actor else {}),
        "datacontenttype": "application/json",
        "data": {
            "channel": entry.channel,
            "count": entry.count,
            "type": entry.type,
            "time": entry.time,
            **proof,
        },
    }


def encoded(event: dict[str, Any]) -> bytes:
    """Its bytes: ASCII, so that no character is read differently."""
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()
