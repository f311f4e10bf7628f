"""What of the evidence is missing because a broker erased it, and by whose order."""

from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.entries import MISSION
from wire.erasures import VIEWS, Erased, Erasures, Hole

NEWEST = "SELECT view FROM entry WHERE channel = ? AND type = ? ORDER BY count DESC LIMIT 1"
HOLES = "SELECT count, idx, time FROM entry WHERE channel = ? AND erased AND count >= ?"


def followed(store: EvidenceStore, channel: str) -> Erasures:
    """A channel's erasures, as far as the evidence goes."""
    newest = None if channel == MISSION else store.one(NEWEST, channel, VIEWS)
    until = 0 if newest is None else strict_json.load(newest["view"].encode(), Erased).until
    holes = (
        Hole(row["count"], row["idx"], row["time"]) for row in store.rows(HOLES, channel, until)
    )
    return Erasures(channel, until, holes)
