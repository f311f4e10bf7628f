"""What of the evidence is missing because a broker erased it, and by whose order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.entries import MISSION
from wire.erasures import PAYLOADS, VIEWS, Erased, Erasures, Hole

NEWEST: Final = "SELECT view FROM entry WHERE channel = ? AND type = ? ORDER BY count DESC LIMIT 1"
HOLES: Final = "SELECT count, idx, time FROM entry WHERE channel = ? AND erased AND count >= ?"
COVERING: Final = """
SELECT * FROM entry WHERE channel = ? AND type = 'view.erased'
  AND json_extract(view, '$.first') <= ? AND json_extract(view, '$.until') > ?
"""
ORDER_OF: Final = """
SELECT * FROM entry WHERE channel = 'MISSION' AND statement = json_extract(?, '$.order')
"""
BY_ORDER: Final = """
SELECT s."order", max(s.before) AS before, count(e.idx) AS views FROM (
  SELECT json_extract(view, '$.order') AS "order", json_extract(view, '$.before') AS before,
    json_extract(view, '$.first') AS first, json_extract(view, '$.until') AS until
  FROM entry WHERE channel = :nation AND type = 'view.erased') s
LEFT JOIN entry e ON e.channel = :nation AND e.erased AND e.count >= s.first AND e.count < s.until
GROUP BY s."order" ORDER BY before
"""

ORDERS: Final = """
SELECT s.identity AS "order", json_extract(CAST(s.body AS TEXT), '$.views') AS views,
  json_extract(CAST(s.body AS TEXT), '$.payloads') AS payloads,
  e.time / 1000 + 86400 * (SELECT json_extract(CAST(c.body AS TEXT), '$.retention_floor')
    FROM statement c WHERE c.type = 'mission.charter') AS counts_from
FROM entry e JOIN statement s ON s.identity = e.statement
WHERE e.channel = 'MISSION' AND s.type = 'retention.set' AND s.nation = :nation ORDER BY e.idx
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ByOrder:
    """What one order of the nation's root erased: up to which second, and how many views are
    missing from this evidence.
    """

    order: str
    before: int
    views: int


@dataclass(frozen=True)
class Coming:
    """An order that does not count yet: how many days of views and payloads it keeps (None is for
    ever), and from which second on it counts.
    """

    order: str
    views: int | None
    payloads: int | None
    counts_from: int


def coming(store: EvidenceStore, nation: str, now: int) -> tuple[Coming, ...]:
    """The nation's orders that are to be carried out after this second."""
    orders = (Coming(**row) for row in store.rows(ORDERS, nation=nation))
    return tuple(order for order in orders if order.counts_from > now)


def by_order(store: EvidenceStore, nation: str) -> tuple[ByOrder, ...]:
    """What was erased of a nation's channel, by every order that was carried out."""
    return tuple(ByOrder(**row) for row in store.rows(BY_ORDER, nation=nation))


def followed(store: EvidenceStore, channel: str) -> Erasures:
    """A channel's erasures, as far as the evidence goes."""
    newest = None if channel == MISSION else store.one(NEWEST, channel, VIEWS)
    until = 0 if newest is None else strict_json.load(newest["view"].encode(), Erased).until
    holes = (
        Hole(row["count"], row["idx"], row["time"]) for row in store.rows(HOLES, channel, until)
    )
    return Erasures(channel, until, holes)


def explained(store: EvidenceStore, entries: Sequence[Row]) -> list[Row]:
    """Entries, each once, with those that erased what is missing of them, and the orders."""
    found = {_place(entry): entry for entry in entries}
    for entry in entries:
        if entry["erased"]:
            count = entry["count"]
            found |= _placed(store.rows(COVERING, entry["channel"], count, count))
    for entry in list(found.values()):
        if entry["type"] in (VIEWS, PAYLOADS):
            found |= _placed(store.rows(ORDER_OF, entry["view"]))
    return list(found.values())


def _placed(rows: Iterable[Row]) -> dict[tuple[str, int], Row]:
    return {_place(row): row for row in rows}


def _place(row: Row) -> tuple[str, int]:
    return row["channel"], row["count"]
