"""Step 8, release: decide again, journal, and only then bytes.

    (1) the reader stands, and the policies of now say which portions he may have
    (2) a release entry for his nation and exactly these portions is durable
    (3) he still stands and they still say the same; only now the bytes are handed out

One entry a nation and set of portions, however many of its readers get them. A reader who may have
fewer portions than another gets proof of exactly his own: the entry of the other would tell him
what he is not cleared for.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker import audit
from broker.answers import Release
from broker.deciding import NOTHING, Deciding, Visible
from broker.held import Held
from broker.journal import THIS_INDEX, Entry, Journal, Record, Row
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from policies.facts import Recipient
from wire.errors import BrokerFault, NotAllowed
from wire.evidence import Evidence
from wire.report import Frame, parse

RING_BYTES: Final = 64 << 20
"""Releases kept ready, about: the newest thousands of reports for all their nations."""

ATTEMPTS: Final = 4
"""Times a release is tried while policies change under it; then the reader comes back."""

Key = tuple[int, str, int]
"""Position of the report, nation, set of portions."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A reader with what it asks for: as whom it reads, its own key, its purpose, and the duties
    that its client declares to keep.
    """

    recipient: Recipient
    kid: str
    purpose: str
    keeps: frozenset[str] = NOTHING

    def lacks(self, visible: Visible) -> tuple[str, ...]:
        """The duties of these portions that its client does not keep."""
        return tuple(sorted(visible.duties(self.recipient.nation) - self.keeps))


class Ring:
    """Releases made once for all readers of a nation; the oldest go when there are too many."""

    def __init__(self, limit: int = RING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Key, Release] = OrderedDict()

    def get(self, key: Key) -> Release | None:
        """The release, if it is still there."""
        return self._kept.get(key)

    def drop(self, position: int) -> None:
        """Forget all releases of the report at this position: parts of it were deleted."""
        for key in [key for key in self._kept if key[0] == position]:
            self._bytes -= self._kept.pop(key).size

    def drop_nation(self, nation: str) -> None:
        """Forget all releases to a nation: the views that prove them were erased."""
        for key in [key for key in self._kept if key[1] == nation]:
            self._bytes -= self._kept.pop(key).size

    def put(self, key: Key, release: Release) -> None:
        """Keep it for the next reader."""
        old = self._kept.pop(key, None)
        self._bytes += release.size - (old.size if old else 0)
        self._kept[key] = release
        while self._bytes > self._limit and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].size


class ReleaseAct(Act[Mapping[Key, Evidence]]):
    """Journals what is about to go out; gives the evidence of what it wrote itself."""

    def __init__(
        self, state: State, deciding: Deciding, asker: Asker, wanted: Iterable[Held]
    ) -> None:
        self._state, self._deciding, self._asker = state, deciding, asker
        self._wanted = tuple(wanted)
        self._planned: list[Visible] = []

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One record for each set of portions that has none yet; none for who stands no more."""
        asker, records = self._asker, list[Record]()
        self._state.member(asker.kid, moment.position)
        for held in self._wanted:
            visible = self._deciding.visible(asker.recipient, held, asker.purpose, asker.keeps)
            if visible is None:
                continue
            record = release_record(self._state, visible, asker, held.position, moment)
            if record is not None:
                records.append(record)
                self._planned.append(visible)
        return records

    def settle(self, entries: Sequence[Entry]) -> Mapping[Key, Evidence]:
        """The sets are released."""
        nation = self._asker.recipient.nation
        fresh = {}
        for visible, entry in zip(self._planned, entries, strict=True):
            visible.held.released[nation, visible.mask] = entry.index
            fresh[visible.held.position, nation, visible.mask] = entry.evidence[nation]
        return fresh


def release_record(
    state: State, visible: Visible, asker: Asker, position: int, moment: Moment
) -> Record | None:
    """What records that these portions go to the asker's nation; None if it is recorded already.

    `position` is that of the report, which may be part of the same batch.
    """
    nation = asker.recipient.nation
    claim = ("release", position, nation, visible.mask)
    if is_proven(state, visible, nation) or claim in moment.claimed:
        return None
    moment.claimed.add(claim)
    event = audit.released(visible, nation, asker.kid, position, state.policies.sources)
    return Record(event, (Row("release", (position, nation, visible.mask, THIS_INDEX)),))


def is_proven(state: State, visible: Visible, nation: str) -> bool:
    """Whether these portions were released to the nation by an entry that still says so: where it
    was erased by the nation's own order, they are released once more.
    """
    index = visible.held.released.get((nation, visible.mask))
    return index is not None and state.proves(nation, index)


class Releases:
    """Hands out reports, in the order of the steps above."""

    def __init__(
        self, state: State, deciding: Deciding, journal: Journal, sequencer: Sequencer
    ) -> None:
        self._state, self._deciding = state, deciding
        self._journal, self._sequencer = journal, sequencer
        self.ring: Final = Ring()

    def look(self, asker: Asker, held: Held) -> Visible | None:
        """What the asker may have at this moment. Raises `BrokerFault` if the journal stopped."""
        self._sequencer.check()
        return self._deciding.visible(asker.recipient, held, asker.purpose, asker.keeps)

    def beyond(self, asker: Asker, held: Held) -> Visible | None:
        """All that the asker might have, if its client keeps too few duties for some of it."""
        return self._deciding.beyond(asker.recipient, held, asker.purpose, asker.keeps)

    def entitled(self, asker: Asker, held: Held) -> Visible | None:
        """All that the policies let the asker have at this moment, whatever its client keeps."""
        return self.beyond(asker, held) or self.look(asker, held)

    async def serve(self, asker: Asker, wanted: Sequence[Held]) -> list[Release | None]:
        """A release for each report, or None where the asker may have nothing.

        Raises `NotAllowed` ("unknown-signer") if the asker stands no more, and `BrokerFault` if the
        journal stopped, or if policies kept changing ("busy").
        """
        made: dict[Key, Release] = {}
        for _ in range(ATTEMPTS):
            self._state.member(asker.kid, self._journal.size)  # (1), and (3) once all is made
            seen = [self.look(asker, held) for held in wanted]
            keys = [None if v is None else key_of(v, asker.recipient.nation) for v in seen]
            for key in keys:
                if key is not None and (kept := self.ring.get(key)) is not None:
                    made[key] = kept  # what is in the ring is in the journal
            lacking = [v for v, key in zip(seen, keys, strict=True) if v and key not in made]
            if not lacking:
                return [None if key is None else made[key] for key in keys]
            made |= await self._make(asker, lacking)
        raise BrokerFault("busy")

    async def one(self, asker: Asker, held: Held | None) -> Release:
        """One report. Raises `NotAllowed`: "obligation-unsupported" with the duties if a client
        that keeps them would be given it, or "not-found" for whatever other reason.
        """
        found = None if held is None else (await self.serve(asker, [held]))[0]
        if found is None:
            raise self.refusal(asker, held)
        return found

    def refusal(self, asker: Asker, held: Held | None) -> NotAllowed:
        """Why an asker gets nothing of a report, as far as it may know."""
        beyond = None if held is None else self.beyond(asker, held)
        if beyond is None:
            return NotAllowed("not-found")
        return NotAllowed("obligation-unsupported", ", ".join(asker.lacks(beyond)))

    async def _make(self, asker: Asker, lacking: Sequence[Visible]) -> dict[Key, Release]:
        """Journal (2) what is not released yet, then put the bytes and the proofs together."""
        nation = asker.recipient.nation
        new = [v.held for v in lacking if not is_proven(self._state, v, nation)]
        fresh: Mapping[Key, Evidence] = {}
        if new:
            act = ReleaseAct(self._state, self._deciding, asker, new)
            fresh = await self._sequencer.do(act)
        # What was withheld meanwhile is not in `released`, and is left out here.
        ready = [v for v in lacking if is_proven(self._state, v, nation)]
        positions = json.dumps([v.held.position for v in ready])
        proofs, rows = await asyncio.gather(
            self._proofs(nation, [v for v in ready if key_of(v, nation) not in fresh]),
            self._journal.rows("reports_at", (positions,)),
        )
        raws = dict(rows)
        made = {}
        for visible in ready:
            key = key_of(visible, nation)
            proof = fresh.get(key) or proofs[visible.held.released[nation, visible.mask]]
            if not is_proven(self._state, visible, nation):
                continue  # its view was erased meanwhile
            made[key] = made_release(parse(raws[visible.held.position]), visible, nation, proof)
            self.ring.put(key, made[key])
        return made

    async def _proofs(self, nation: str, visible: Sequence[Visible]) -> dict[int, Evidence]:
        """Evidence of release entries that were written before, by their index."""
        indices = [v.held.released[nation, v.mask] for v in visible]
        found = await self._journal.prove(nation, indices) if indices else []
        return {proof.index: proof for proof in found}


def key_of(visible: Visible, nation: str) -> Key:
    """The name of a release: which report, to whom, which portions."""
    return visible.held.position, nation, visible.mask


def made_release(frame: Frame, visible: Visible, nation: str, proof: Evidence) -> Release:
    """What a nation's readers get: only these portions, only their nation's wraps."""
    kept = [portion.index for portion in visible.portions]
    return Release(frame.redacted(kept, nation), visible.use, proof)
