"""What the evidence says about itself: whole or not, how old, and what contradicts itself in it."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from clients.evidence.erased import ByOrder, Coming, by_order, coming
from clients.evidence.question import NOT_NAMED
from clients.evidence.store import EvidenceStore
from wire import links, strict_json
from wire.base64_strict import decode
from wire.entries import MISSION
from wire.evidence import HeadEvidenceModel
from wire.witness import ConfirmedCheckpoint

STALE_S: Final = 86_400  # seconds: a day without a pull is a day nobody looked

NOT_ACCEPTED: Final = """
SELECT r.idx FROM fact r WHERE r.channel = :nation AND r.type = 'release'
  AND r.originator = :nation AND NOT r.erased AND NOT EXISTS (
    SELECT 1 FROM fact a WHERE a.channel = :nation AND a.type = 'report.accepted'
      AND a.idx = r.accepted AND (a.erased OR a.report = r.report)
      AND a.time / 1000 = r.accepted_time)
"""


@dataclass(frozen=True)
class Status:
    """What an auditor sees first. Times are Unix milliseconds, ages are in seconds.

    `confirmed` says that a quorum of witnesses stands behind all that concerns the nation, its own
    reading of it apart, and `cosigned_age_s` since when; None if no quorum ever did.
    """

    nation: str
    complete: bool
    size: int
    root: str
    entries: int
    mission_entries: int
    erased: int
    trees: int
    newest_ms: int | None
    checked_ms: int
    age_s: int
    findings: tuple[str, ...]
    confirmed: bool = False
    confirmed_size: int = 0
    cosigned_age_s: int | None = None
    erased_by: tuple[ByOrder, ...] = ()
    ordered: tuple[Coming, ...] = ()

    @property
    def good(self) -> bool:
        """Green: whole, fresh, and nothing contradicts itself."""
        return self.complete and not self.findings and self.age_s <= STALE_S

    @property
    def verdict(self) -> str:
        """Why it is green, or not."""
        if not self.complete:
            return "the last pull did not reach the end of the history; run it again"
        if self.findings:
            return "complete and unaltered, and it contradicts itself"
        if self.age_s > STALE_S:
            return "complete and unaltered as of the last pull; pull again"
        return "complete and unaltered"

    def fields(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {"good": self.good, "verdict": self.verdict, **asdict(self)}


def status_of(
    store: EvidenceStore, nation: str, now_ms: int, confirmed: ConfirmedCheckpoint | None = None
) -> Status:
    """What the store holds for this nation, and what of it witnesses have confirmed."""
    newest = store.newest()
    checked = _checked(store, nation)
    counted = store.one(
        "SELECT max(time) AS newest, total(erased) AS erased FROM entry WHERE channel = ?", nation
    )
    trees = store.one("SELECT count(*) AS n FROM tree")
    assert counted is not None, "an aggregate always has a row"
    assert trees is not None, "an aggregate always has a row"
    return Status(
        nation=nation,
        complete=bool(newest.size) and store.is_complete(nation) and store.is_complete(MISSION),
        size=newest.size,
        root=newest.root.hex(),
        entries=store.trust(nation).tip.count,
        mission_entries=store.trust(MISSION).tip.count,
        erased=int(counted["erased"]),
        trees=trees["n"],
        newest_ms=counted["newest"],
        checked_ms=checked,
        age_s=max(0, now_ms - checked) // 1000,
        findings=findings(store, nation),
        confirmed=confirmed is not None and confirmed.covers(_last(store, nation)),
        confirmed_size=0 if confirmed is None else confirmed.checkpoint.size,
        cosigned_age_s=None if confirmed is None else max(0, now_ms // 1000 - confirmed.time),
        erased_by=by_order(store, nation),
        ordered=coming(store, nation, now_ms // 1000),
    )


def findings(store: EvidenceStore, nation: str) -> tuple[str, ...]:
    """Where a history that is whole and unaltered contradicts itself: releases in our name of what
    we did not send, or to whom we did not send it.
    """
    found = [
        f"entry {row['idx']} releases a report that we are not known to send"
        for row in store.rows(NOT_ACCEPTED, nation=nation)
    ]
    found += [
        f"entry {row['idx']} releases other than what entry {row['accepted']} accepted"
        for row in store.rows(NOT_NAMED, nation=nation)
    ]
    return tuple(found)


def _last(store: EvidenceStore, nation: str) -> int:
    """The newest entry that concerns the nation; each pull adds one of its own, never confirmed."""
    sql = "SELECT max(idx) AS idx FROM entry WHERE channel = ? AND type <> 'audit.read'"
    row = store.one(sql, nation)
    return -1 if row is None or row["idx"] is None else int(row["idx"])


def _checked(store: EvidenceStore, nation: str) -> int:
    """The time in the newest heads leaf that was verified for the nation."""
    sql = "SELECT head FROM page WHERE channel = ? ORDER BY number DESC LIMIT 1"
    row = store.one(sql, nation)
    if row is None:
        return 0
    head = strict_json.load(row["head"].encode(), HeadEvidenceModel)
    return links.open_heads(decode(head.leaf))[0]
