"""A verified entry as exports see it: where it stands, what it says, and the hash of its leaf.

An export is a copy, and proves nothing by itself: every line carries the entry's index and the hash
of its leaf, with which it can be proven later. The native truth stays the evidence.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.evidence.facts import columns
from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.base64_strict import decode
from wire.errors import Malformed
from wire.evidence import Evidence
from wire.links import open_link, open_view
from wire.merkle import leaf_hash

END: Final = 1 << 62  # beyond every index

CONCERNING: Final = """
SELECT e.channel, e.idx, e.line FROM fact f INDEXED BY fact_idx
CROSS JOIN entry e ON e.channel = f.channel AND e.count = f.count
WHERE f.idx >= :after AND f.idx < :below AND (f.channel = :nation OR (f.channel = 'MISSION'
  AND NOT EXISTS (SELECT 1 FROM fact o WHERE o.idx = f.idx AND o.channel = :nation)))
ORDER BY f.idx
"""
"""Read along the index of positions, so that a page costs the same wherever it starts."""


@dataclass(frozen=True)
class Entry:
    """One verified entry. `time` is in Unix milliseconds, `leaf` the leaf's hash in hex; `view` is
    None if it was erased. What the view does not say is None as well.
    """

    origin: str
    channel: str
    index: int
    count: int
    time: int
    type: str
    leaf: str
    view: Mapping[str, Any] | None
    report: str | None = None
    recipient: str | None = None
    actor: str | None = None
    slug: str | None = None
    detail: str | None = None
    statement: str | None = None
    author: str | None = None
    spoke: str | None = None

    @property
    def uid(self) -> str:
        """Its name in the log: every export has it."""
        return f"{self.origin}/{self.index}"

    @property
    def denied(self) -> bool:
        """Whether it tells that something was refused."""
        return self.type == "report.refused"

    @property
    def when(self) -> str:
        """Its time, as RFC 3339 has it."""
        moment = dt.datetime.fromtimestamp(self.time / 1000, dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """The rules that determined, each with its layer, as far as this nation is told them."""
        told = (self.view or {}).get("rules")
        if not isinstance(told, dict):
            return ()
        return tuple(
            (layer, str(rule))
            for layer, rules in told.items()
            if isinstance(rules, list)
            for rule in rules
        )

    @property
    def proof(self) -> dict[str, Any]:
        """What stands on every line in JSON: what proves it, and what it says, in full."""
        said = {"erased": True} if self.view is None else {"view": dict(self.view)}
        return {"index": self.index, "leaf_hash": self.leaf, **said}


def entries(
    store: EvidenceStore, nation: str, origin: str, *, after: int = 0, below: int = END
) -> Iterator[Entry]:
    """The entries that concern a nation, each once, in the order of the journal: those at `after`
    and later, and before `below`. Raises `Malformed` ("broken-chain") for one that was edited.
    """
    for row in store.rows(CONCERNING, nation=nation, after=after, below=below):
        evidence = strict_json.load(row["line"].encode(), Evidence, limit=1 << 20, prose=True)
        yield _opened(evidence, row["channel"], row["idx"], origin)


def _opened(evidence: Evidence, channel: str, index: int, origin: str) -> Entry:
    """What the leaf commits to, opened once more: the line shows the leaf's hash, so it says what
    that leaf says, whatever was written beside it in the store meanwhile.
    """
    leaf = decode(evidence.leaf)
    link, _ = open_link(leaf, evidence.slot, decode(evidence.opening), decode(evidence.link))
    if (link.channel, link.index) != (channel, index):
        raise Malformed("broken-chain", f"the evidence of entry {index} is that of another")
    view = None
    if evidence.view is not None and evidence.view_opening is not None:
        view = open_view(link, decode(evidence.view_opening), decode(evidence.view))
    found = columns(link.type, channel, view or {})
    return Entry(
        origin=origin,
        channel=channel,
        index=index,
        count=link.count,
        time=link.time,
        type=link.type,
        leaf=leaf_hash(leaf).hex(),
        view=view,
        **{name: found[name] for name in _TOLD},
    )


_TOLD: Final = (
    *("report", "recipient", "actor", "slug", "detail", "statement", "author", "spoke"),
)
