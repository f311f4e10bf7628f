"""Bilateral reconciliation: what two nations' histories say of the same events.

An entry that a broker kept out of one nation's chain from the beginning is seen by nobody but the
other nation that it concerns. Both histories are proven to be whole; compared here is what each of
them should find in the other: the releases that both were party to, up to the smaller tree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.evidence.store import EvidenceStore
from wire.errors import Malformed
from wire.evidence_file import Proven
from wire.prove import VerifiedEntry

SAME: Final = ("report", "originator", "to", "accepted")
"""What both parties are told of one release; the rest is each one's own."""

RELEASES: Final = 'SELECT idx, report, originator, recipient AS "to", accepted, erased FROM fact'

View = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One event that two histories do not tell alike."""

    index: int
    what: str

    def __str__(self) -> str:
        return f"entry at index {self.index}: {self.what}"


@dataclass(frozen=True)
class Compared:
    """The outcome: events that both histories should have, and where they differ."""

    nation: str
    partner: str
    up_to: int
    common: int
    differences: tuple[Difference, ...]


def reconcile(store: EvidenceStore, nation: str, partner: Proven) -> Compared:
    """Compare our evidence with a partner's verified history.

    Raises `Malformed` ("bad-input") for a receipt or our own file.
    """
    header = partner.header
    if header.kind != "history" or header.nation == nation:
        raise Malformed("bad-input", "it takes another nation's history, not a receipt or our own")
    other, up_to = header.nation, min(store.newest().size, header.size)
    ours, theirs = dict(_between(store, nation, other)), dict(_of_file(partner.of(other)))
    ours |= _at(store, nation, theirs.keys() - ours.keys())
    parties, common, found = {nation, other}, 0, [*_forks(store, partner)]
    for index in sorted(ours.keys() | theirs.keys()):
        mine, yours = ours.get(index), theirs.get(index)
        told = [view for view in (mine, yours) if view]
        between = [{view.get("originator"), view.get("to")} for view in told]
        if index >= up_to or parties not in between:  # either one may have been told another story
            continue
        if mine is None or yours is None:
            holder, misser = (nation, other) if yours is None else (other, nation)
            what = f"{_event(told[0])} is in the history of {holder} and not in that of {misser}"
            found.append(Difference(index, what))
            continue
        common += 1
        if mine and yours and any(mine.get(name) != yours.get(name) for name in SAME):
            found.append(Difference(index, f"{nation} is told {_event(mine)}, {other} otherwise"))
    return Compared(nation, other, up_to, common, tuple(found))


def _forks(store: EvidenceStore, partner: Proven) -> Iterable[Difference]:
    """Trees of one size with two roots: the log's own signatures prove that it forked."""
    for tree in store.trees():
        if partner.trees.get(tree.size, tree.root) != tree.root:
            yield Difference(tree.size, "two different trees of this size: the log forked")


def _between(store: EvidenceStore, nation: str, other: str) -> Iterable[tuple[int, View]]:
    """Our releases to and from the other, by index, those that still say so."""
    sql = f"{RELEASES} WHERE channel = ? AND type = 'release' AND ? IN (originator, recipient)"
    for row in store.rows(sql, nation, other):
        yield row["idx"], row


def _at(store: EvidenceStore, nation: str, indices: Iterable[int]) -> dict[int, View]:
    """Our releases at these indices; an erased one is there, and says nothing."""
    sql = f"{RELEASES} INDEXED BY fact_idx WHERE idx = ? AND channel = ? AND type = 'release'"
    found = ((index, store.one(sql, index, nation)) for index in indices)
    return {index: {} if row["erased"] else row for index, row in found if row is not None}


def _of_file(entries: Iterable[VerifiedEntry]) -> Iterable[tuple[int, View]]:
    for entry in entries:
        if entry.type == "release":
            yield entry.index, entry.view or {}


def _event(view: View) -> str:
    report, originator, to = (view.get(name) for name in ("report", "originator", "to"))
    return f"the release of {str(report)[:16]} from {originator} to {to}"
