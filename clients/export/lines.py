"""Entries as lines for other systems."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from clients.evidence.store import EvidenceStore
from clients.export import cef, ecs, ocsf
from clients.export.entry import entries

FORMS: Final = ("ocsf", "ecs", "cef")


def lines(
    store: EvidenceStore, nation: str, origin: str, form: str, *, integrity: bool = False
) -> Iterator[str]:
    """One line an entry, in the order of the journal. `integrity` chains OCSF events."""
    before: dict[str, Any] | None = None
    ours = version("tearline")
    for entry in entries(store, nation, origin):
        if form == "cef":
            yield cef.line(entry, ours)
            continue
        found = ocsf.event(entry) if form == "ocsf" else ecs.document(entry)
        if integrity and form == "ocsf":
            before = ocsf.attest(found, f"{origin}/{nation}", before)
        yield json.dumps(found, ensure_ascii=True, separators=(",", ":"))
