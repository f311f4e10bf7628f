"""Amendments: which report took the place of which, as their own originators signed it.

An amendment is a report whose label names the one that it supersedes: a correction, a higher or a
lower classification, a longer release list. The old one stays what it was; it is marked once the
new one was read here. Nobody can mark another nation's report.
"""

from collections.abc import Iterable
from typing import Final

from clients.opened import OpenedReport
from clients.store import Store
from wire import strict_json
from wire.model import Hex32B, NationCode, Strict

MOST: Final = 64
"""Amendments of amendments that are followed: nobody corrects one report more often."""


class Mark(Strict):
    """That a nation put another report in the place of one."""

    by: Hex32B
    originator: NationCode


def replaces(report: OpenedReport) -> frozenset[str]:
    """The reports in whose place this one stands."""
    found = (portion.label.supersedes for portion in report.portions)
    return frozenset(old for old in found if old is not None)


def note(store: Store, reports: Iterable[OpenedReport]) -> None:
    """Remember what these opened reports replace."""
    for report in reports:
        for old in replaces(report):
            mark = Mark(by=report.identity, originator=report.originator)
            store.put(f"amended:{old}", strict_json.dump(mark.model_dump()), lasting=False)


def newest(store: Store, identity: str, originator: str) -> str | None:
    """The report that stands in this one's place by now, if one was read here."""
    found: str | None = None
    for _ in range(MOST):
        data = store.get(f"amended:{found or identity}")
        mark = None if data is None else strict_json.load(data, Mark)
        if mark is None or mark.originator != originator:
            break
        found = mark.by
    return found
