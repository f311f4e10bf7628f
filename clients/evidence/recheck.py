"""Prove stored evidence anew, and that what questions read of it is what its proven entries say.

A store is plain SQLite: whoever could write it may have changed an entry in the middle, or only the
facts that stand beside it. Here both are found; `pull.check` finds what was done to its end. Who
signed a statement is not proven again, for signatures are not kept.
"""

from collections import Counter, defaultdict
from typing import Any, Final

from clients.evidence import files
from clients.evidence.facts import FACTS, facts
from clients.evidence.store import EvidenceStore
from wire import evidence_file
from wire.entries import MISSION
from wire.errors import Malformed, TearlineError
from wire.prove import VerifiedEntry

RECHECKED_MAX: Final = 200_000  # entries: about ten seconds of proofs, all of them in memory
BESIDE: Final = {
    "rule": "rules",
    "policy": "policies",
    "portion": "portions",
    "denial": "denials",
    "drawn": "drawn",
    "banner": "banners",
}
"""The tables beside `fact`, and the rows of `Facts` that belong into each."""


def recheck(
    store: EvidenceStore, mission: str, nation: str, charter: str, now_ms: int
) -> str | None:
    """What does not hold, in words that name the entry; an empty text if all of it does, and None
    where there is too much to look at each time.
    """
    if sum(store.trust(channel).tip.count for channel in (MISSION, nation)) > RECHECKED_MAX:
        return None
    lines = files.history(store, mission, nation, charter)
    try:
        proven = evidence_file.verify(lines, store.pinned, now_ms=now_ms)
        _check_facts(store, proven.entries)
        _check_statements(store)
    except TearlineError as error:
        return error.detail
    return ""


def _check_facts(store: EvidenceStore, entries: list[VerifiedEntry]) -> None:
    """Every row is the one that its entry makes, and there are no others."""
    kept = {(row["channel"], row["count"]): row for row in store.rows("SELECT * FROM fact")}
    beside = {table: _beside(store, table) for table in BESIDE}
    for entry in entries:
        where, said = (entry.channel, entry.count), facts(entry)
        row = kept.pop(where)
        own = (row["idx"], row["time"], row["type"], bool(row["erased"]))
        if own != (entry.index, entry.time, entry.type, entry.view is None) or said.fact != tuple(
            row[name] for name in FACTS
        ):
            raise _differs(entry, "fact")
        for table, name in BESIDE.items():
            told = getattr(said, name)
            if table == "portion":  # one that is told twice is kept once
                told = set(told)
            if beside[table].pop(where, Counter()) != Counter(told):
                raise _differs(entry, table)
    left = {"fact": list(kept), **{table: list(rows) for table, rows in beside.items()}}
    for table, places in left.items():
        for channel, count in places:
            detail = f"entry {count} of {channel}: the index has a {table} that no entry proves"
            raise Malformed("broken-chain", detail)


def _check_statements(store: EvidenceStore) -> None:
    """Every statement has the identity, head and body that it is kept under."""
    for row in store.rows("SELECT * FROM statement"):
        said = store.said(row["identity"])
        assert said is not None, "it was just read"
        head, _ = said.opened()
        told = (said.identity, head.nation, head.seq, head.type, head.issued)
        if told != tuple(row[name] for name in ("identity", "nation", "seq", "type", "issued")):
            raise Malformed("broken-chain", f"the statement {row['identity'][:16]} was edited")


def _beside(store: EvidenceStore, table: str) -> dict[tuple[str, int], Counter[tuple[Any, ...]]]:
    """The rows of a table, by the entry that they stand beside."""
    found: dict[tuple[str, int], Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for row in store.rows(f"SELECT * FROM {table}"):
        channel, count, *rest = row.values()
        found[channel, count][tuple(rest)] += 1
    return found


def _differs(entry: VerifiedEntry, table: str) -> Malformed:
    where = f"entry {entry.count} of {entry.channel}, at index {entry.index}"
    detail = f"{where}: the index ({table}) says other than what the entry is proven to say"
    return Malformed("broken-chain", detail)
