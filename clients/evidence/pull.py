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

from clients.auditor import Auditor
from clients.evidence import confirmed, erased, left
from clients.evidence.examining import MANY, Examiner, Job
from clients.evidence.fetching import Fetched, coming
from clients.evidence.left import whose as whose
from clients.evidence.store import EvidenceStore
from wire import strict_json
from wire.entries import MISSION
from wire.errors import Conflict, Malformed
from wire.model import Strict

YOUNG_OBJECTS: Final = 50_000  # made before the collector looks at them
ANCHOR: Final = "evidence"  # the name of the sealed note
REMEDY: Final = "remove state/evidence*.sqlite3 and pull again"

Progress = Callable[[str, int, int], None]
"""Called with (channel, entries verified, entries there are)."""


class Anchor(Strict):
    """How far the evidence had come: sealed, so that an older or edited file is found out.

    `reach` is how far the one had come that was removed: its successor has to hold all of it.
    """

    counts: dict[str, int]
    last: dict[str, str]
    reach: "Anchor | None" = None


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
    _begin_anew(auditor, store)
    nation, before = auditor.identity.nation, check(auditor, store)
    await auditor.follower.sync()
    if store.whose != whose(auditor):
        raise Conflict("log-continued", f"pull again, of {auditor.follower.log.origin}")
    for channel in (MISSION, nation):
        with spared_collector():
            await _follow(auditor, store, channel, progress)
        anchor(auditor, store)
    _end_anew(auditor, store)
    left.check(auditor, store)
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
    known = _known(auditor)
    if known is not None:
        _check_reached(store, counts, known)
    return counts


def anchor(auditor: Auditor, store: EvidenceStore) -> None:
    """Seal how far the evidence has come."""
    counts, known = _counts(store, auditor.identity.nation), _known(auditor)
    last = {channel: _last(store, channel, count) for channel, count in counts.items()}
    reach = None if known is None else known.reach
    _seal(auditor, Anchor(counts=counts, last=last, reach=reach))


def _begin_anew(auditor: Auditor, store: EvidenceStore) -> None:
    """Where the file was removed, remember what the next one has to come to."""
    known = _known(auditor)
    if known is not None and not any(_counts(store, auditor.identity.nation).values()):
        _seal(auditor, Anchor(counts={}, last={}, reach=known.reach or known))


def _end_anew(auditor: Auditor, store: EvidenceStore) -> None:
    """Raises `Malformed` ("bad-input") if the new file does not hold what the removed one did."""
    counts, known = _counts(store, auditor.identity.nation), _known(auditor)
    if known is not None and known.reach is not None:
        _check_reached(store, counts, known.reach)
        _seal(auditor, known.model_copy(update={"reach": None}))


def _check_reached(store: EvidenceStore, counts: Mapping[str, int], known: Anchor) -> None:
    if any(counts.get(c, 0) < n for c, n in known.counts.items()):
        raise Malformed("bad-input", f"the evidence is older than it was; {REMEDY}")
    for channel, last in known.last.items():
        if last != _last(store, channel, known.counts[channel]):
            raise Malformed("bad-input", f"the evidence was edited; {REMEDY}")


def _known(auditor: Auditor) -> Anchor | None:
    sealed = auditor.store.get(auditor.follower.log.name(ANCHOR))
    return None if sealed is None else strict_json.load(sealed, Anchor)


def _seal(auditor: Auditor, known: Anchor) -> None:
    auditor.store.put(auditor.follower.log.name(ANCHOR), known.model_dump_json().encode())


def _last(store: EvidenceStore, channel: str, count: int) -> str:
    """The link of a channel's entry before `count`: it holds the hash of all before it."""
    return store.evidence(channel, count - 1).link if count else ""


def _counts(store: EvidenceStore, nation: str) -> dict[str, int]:
    return {channel: store.trust(channel).tip.count for channel in (MISSION, nation)}


async def _follow(
    auditor: Auditor, store: EvidenceStore, channel: str, progress: Progress | None
) -> None:
    """One channel to its end: while a page is examined, the next one comes, and the one before is
    kept.
    """
    erasures, trust = erased.followed(store, channel), store.trust(channel)
    place = auditor.directory.channels.index(channel)  # once given, a nation's place is for ever
    fetching = coming(auditor, channel, trust.tip.count, store.newest())
    async with fetching as pages, Examiner(auditor.follower.log_keys) as examiner:

        async def begin(fetched: Fetched) -> Fetched:
            await examiner.begin(Job(fetched.page, fetched.opened, channel, place, trust))
            return fetched

        now = await begin(await pages.next())
        while True:
            found = await examiner.end()
            trust = found.trust
            assert trust.head is not None, "every page has a head"
            if trust.head.count - trust.tip.count >= MANY:
                await examiner.start()
            following = pages.next_if_there()
            if following is not None:
                await begin(following)
            await auditor.check_erased(erasures, found.notable, complete=found.complete)
            store.append(now.opened, now.proof, now.page, found)
            if progress:
                progress(channel, trust.tip.count, trust.head.count)
            if found.complete:
                return
            now = following or await begin(await pages.next())
