"""What a quorum of witnesses stands behind, and the proof that it is one history with what was
pulled: kept, so that a file says it, and the console's page sees it, without asking anybody.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clients.auditor import Auditor
from clients.evidence.store import EvidenceStore
from clients.trees import Proof
from wire import merkle, strict_json
from wire.base64_strict import decode
from wire.entries import MISSION
from wire.evidence_lines import ConfirmedLine

PROOFS_MAX: Final = 64  # that one pull asks for: more trees than it brings, but for a first one
UNCOVERED: Final = """
SELECT t.size, t.root FROM tree t WHERE NOT EXISTS (
  SELECT 1 FROM confirmed c WHERE c.tree = t.size AND (c.size >= t.size OR c.size = :size))
ORDER BY t.size DESC LIMIT :most
"""
SETS: Final = (
    "SELECT * FROM entry WHERE channel = ? AND spoke = 'witness.set' AND idx < ? ORDER BY idx"
)


async def keep(auditor: Auditor, store: EvidenceStore) -> None:
    """Keep what is confirmed now, for every tree that it says more about than what was before.

    Raises what fails to verify: a published checkpoint of another history, or without a quorum.
    """
    confirmed = await auditor.confirmed()
    if confirmed is None:
        return
    tree, rows = confirmed.checkpoint, []
    for row in list(store.rows(UNCOVERED, size=tree.size, most=PROOFS_MAX)):
        (old, first), (new, last) = sorted(((row["size"], row["root"]), (tree.size, tree.root)))
        proof: Sequence[str] = ()
        if old != new:
            answer = await auditor.transport.get("/v1/log/proof/consistency", old=old, new=new)
            proof = strict_json.load(answer.body, Proof).proof
        merkle.verify_consistency(old, new, [decode(text) for text in proof], first, last)
        rows.append((row["size"], tree.size, confirmed.note, " ".join(proof)))
    sql = "INSERT OR IGNORE INTO confirmed VALUES(?, ?, ?, ?)"
    store.change(*((sql, row) for row in rows))


def of(
    store: EvidenceStore, tree: int, *, known: int = merkle.MAX_SIZE - 1
) -> ConfirmedLine | None:
    """The newest that was kept for this tree, and is not larger than `known`."""
    sql = "SELECT * FROM confirmed WHERE tree = ? AND size <= ? ORDER BY size DESC LIMIT 1"
    row = store.one(sql, tree, known)
    if row is None:
        return None
    return ConfirmedLine(checkpoint=row["note"], consistency=tuple(row["proof"].split()))


def appointments(store: EvidenceStore, size: int) -> list[Mapping[str, Any]]:
    """The entries that say whose keys count for a tree of this size, but for the charter."""
    return list(store.rows(SETS, MISSION, size))
