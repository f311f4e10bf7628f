"""What an order of retention would erase, before anybody signs it.

Counted from the nation's own proven history, as of now.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from clients.auditor import Auditor
from wire.erasures import PAYLOADS, SPARED, Orders
from wire.errors import Malformed, NotAllowed
from wire.prove import VerifiedEntry
from wire.retention import DAY_S, Order, in_force, limit


@dataclass(frozen=True)
class Preview:
    """What would go if the order counted now, and when it counts (seconds).

    `releases` are those among the views that are releases in the nation's name: a report that is
    recalled later cannot be shown to be destroyed everywhere. `reports` lose what can be read.
    """

    counts_from: int
    floor: int
    views: int
    releases: int
    reports: int


@dataclass(frozen=True)
class Standing:
    """What was ordered, and which order is carried out now; None if none is."""

    orders: tuple[Order, ...]
    current: Order | None
    floor: int | None


async def standing(auditor: Auditor) -> Standing:
    """A nation's orders as they stand."""
    directory = await auditor.follower.sync()
    orders = Orders.of(directory)
    ours = tuple(orders.by[auditor.identity.nation])
    now, floor = auditor.transport.now(), orders.floor
    return Standing(ours, None if floor is None else in_force(ours, floor, now), floor)


async def preview(auditor: Auditor, views: int | None, payloads: int | None) -> Preview:
    """What an order would erase.

    Raises `NotAllowed` in a mission that erases nothing, `Malformed` for less than the floor.
    """
    found = await standing(auditor)
    if found.floor is None:
        detail = "the charter names no retention floor: nothing is erased in this mission"
        raise NotAllowed("not-allowed", detail)
    if views is not None and views < found.floor:
        raise Malformed("bad-input", f"views are kept for {found.floor} days at least")
    entries, now = await auditor.entries(), auditor.transport.now()
    order = (Order("", 0, now - found.floor * DAY_S, views, payloads),)
    old = limit(order, found.floor, "views", now)
    gone = [e for e in entries if old is not None and e.view and e.time < old * 1000]
    gone = [e for e in gone if e.type not in SPARED]
    ours = auditor.identity.nation
    return Preview(
        counts_from=now + found.floor * DAY_S,
        floor=found.floor,
        views=len(gone),
        releases=sum((e.type, (e.view or {}).get("originator")) == ("release", ours) for e in gone),
        reports=len(_readable(entries, limit(order, found.floor, "payloads", now))),
    )


def _readable(entries: Iterable[VerifiedEntry], before: int | None) -> dict[int, object]:
    """Own reports accepted before then that were neither recalled nor deleted as a whole, by the
    index of the acceptance. What an erased acceptance was for is not known any more.
    """
    found: dict[int, object] = {}
    for entry in entries:
        view = entry.view or {}
        if entry.type == "report.accepted" and before is not None and entry.time < before * 1000:
            found[entry.index] = view.get("report")
        elif entry.type == PAYLOADS:
            found.pop(int(str(view.get("accepted"))), None)
        elif view.get("type") == "report.recall":
            recalled = view.get("report")
            found = {index: report for index, report in found.items() if report != recalled}
    return found
