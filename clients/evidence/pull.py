"""Step 10, audit: fetch what is new, verify it, and add it to the auditor's own evidence.

Both channels that concern a nation are followed, the mission's first: it says who is admitted, and
so where the nation's head stands. Every tree must extend the one before it, whichever channel it
came with, so the evidence is one history; a fork or a rollback stops here and leaves its proof.
"""

import base64
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from clients.auditor import Auditor, ViewPage
from clients.evidence import confirmed, erased
from clients.evidence.store import EvidenceStore, Tree
from clients.follower import StatementPage
from wire import base64_strict, merkle, prove, strict_json
from wire.entries import MISSION
from wire.erasures import Erasures
from wire.errors import Malformed
from wire.evidence import MAX_SEGMENT_BYTES, Segment
from wire.model import Strict
from wire.notes import OpenedCheckpoint

PAGE: Final = 500  # entries a request: about a megabyte
YOUNG_OBJECTS: Final = 50_000  # made before the collector looks at them
ANCHOR: Final = "evidence"  # the name of the sealed note

Progress = Callable[[str, int, int], None]
"""Called with (channel, entries verified, entries there are)."""


class Anchor(Strict):
    """How far the evidence had come: sealed, so that an older or edited file is found out."""

    counts: dict[str, int]
    last: dict[str, str]


@dataclass(frozen=True)
class Pulled:
    """What a pull brought."""

    nation: str
    new: int
    entries: int
    size: int
    root: str


async def pull(auditor: Auditor, store: EvidenceStore, progress: Progress | None = None) -> Pulled:
    """Follow both channels to their ends; what was verified before is not asked for again.

    Raises `Malformed` naming the first bad entry, or `Conflict` ("fork-detected"); what was
    verified until then is kept.
    """
    nation, before = auditor.identity.nation, check(auditor, store)
    await auditor.follower.sync()
    for channel in (MISSION, nation):
        erasures = erased.followed(store, channel)
        with spared_collector():
            while not await _page(auditor, store, channel, erasures, progress):
                pass
        anchor(auditor, store)
    store.keep_statements(base64.b64decode(kept.raw) for kept in auditor.follower.history)
    await confirmed.keep(auditor, store)
    store.settle()
    newest, now = store.newest(), _counts(store, nation)
    return Pulled(
        nation=nation,
        new=sum(now.values()) - sum(before.values()),
        entries=now[nation],
        size=newest.size,
        root=newest.root.hex(),
    )


@contextmanager
def spared_collector() -> Iterator[None]:
    """A page makes tens of thousands of objects, and all go with it: no need to look after each
    few hundred whether some hang on each other, which is a fifth of the work.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(max(young, YOUNG_OBJECTS), middle, old)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)


def check(auditor: Auditor, store: EvidenceStore) -> dict[str, int]:
    """That the store is where it was left, or further: gives the entries of each channel.

    Raises `Malformed` ("bad-input") if it was put back or edited.
    """
    counts = _counts(store, auditor.identity.nation)
    sealed = auditor.store.get(ANCHOR)
    if sealed is not None:
        known = strict_json.load(sealed, Anchor)
        if any(counts.get(c, 0) < n for c, n in known.counts.items()):
            raise Malformed(
                "bad-input", "the evidence is older than it was; remove it and pull again"
            )
        for channel, last in known.last.items():
            if last != _last(store, channel, known.counts[channel]):
                raise Malformed("bad-input", "the evidence was edited; remove it and pull again")
    return counts


def anchor(auditor: Auditor, store: EvidenceStore) -> None:
    """Seal how far the evidence has come."""
    counts = _counts(store, auditor.identity.nation)
    last = {channel: _last(store, channel, count) for channel, count in counts.items()}
    known = Anchor(counts=counts, last=last)
    auditor.store.put(ANCHOR, known.model_dump_json().encode())


def _last(store: EvidenceStore, channel: str, count: int) -> str:
    """The link of a channel's entry before `count`: it holds the hash of all before it."""
    return store.evidence(channel, count - 1).link if count else ""


def _counts(store: EvidenceStore, nation: str) -> dict[str, int]:
    return {channel: store.trust(channel).tip.count for channel in (MISSION, nation)}


async def _page(
    auditor: Auditor,
    store: EvidenceStore,
    channel: str,
    erasures: Erasures,
    progress: Progress | None,
) -> bool:
    """One page of a channel; says whether it was the last."""
    trust, newest = store.trust(channel), store.newest()
    segment, proof = await _asked(auditor, channel, trust.tip.count, newest.size)
    opened = await auditor.follower.trees.observe(segment.checkpoint, proof, newest.size)
    _check_extends(newest, opened, proof)
    place = auditor.directory.channels.index(channel)  # once given, a nation's place is for ever
    trust, found, complete = prove.follow(trust, segment, opened, channel, place, None)
    await auditor.check_erased(erasures, found, complete=complete)
    store.append(opened, proof, segment, found, trust, complete=complete)
    if progress and trust.head:
        progress(channel, trust.tip.count, trust.head.count)
    return complete


async def _asked(
    auditor: Auditor, channel: str, after: int, size: int
) -> tuple[Segment, tuple[str, ...]]:
    path = "/v1/statements" if channel == MISSION else "/v1/log/views"
    answer = await auditor.transport.page(path, PAGE, after=after, size=size)
    form: type[StatementPage | ViewPage] = StatementPage if channel == MISSION else ViewPage
    page = strict_json.load(answer.body, form, limit=MAX_SEGMENT_BYTES, prose=True)
    return page.segment, page.consistency


def _check_extends(newest: Tree, opened: OpenedCheckpoint, proof: tuple[str, ...]) -> None:
    """The tree came with the proof that it extends the evidence's newest one: what is kept, and
    later handed on, is this proof, whatever other one the client was convinced by.
    """
    tree = opened.checkpoint
    if tree.size < newest.size:
        raise Malformed("broken-chain", f"a tree of {tree.size}; {newest.size} were seen before")
    if newest.size:
        hashes = [base64_strict.decode(text) for text in proof]
        merkle.verify_consistency(newest.size, tree.size, hashes, newest.root, tree.root)


def whose(auditor: Auditor) -> Mapping[str, str]:
    """Whose evidence a store must hold to be this auditor's."""
    public = auditor.identity.public
    return {"mission": public.mission, "nation": public.nation, "charter": public.charter}
