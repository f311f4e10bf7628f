"""Step 8, release: decide again, journal, and only then bytes.

    (1) the policies of now say which portions this reader may have
    (2) a release entry for his nation and exactly these portions is durable
    (3) the policies still say the same; only now the bytes are handed out

One entry a nation and set of portions, however many of its readers get them. A reader who may have
fewer portions than another gets proof of exactly his own: the entry of the other would tell him
what he is not cleared for.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import json

from broker import audit
from broker.answers import Release
from broker.deciding import Deciding, Visible
from broker.holdings import Held
from broker.journal import THIS_INDEX, Entry, Journal, Record, Row
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from policies.facts import Recipient
from wire.errors import BrokerFault, NotAllowed
from wire.evidence import Evidence
from wire.report import parse

RING_BYTES: Final = 64 << 20
"""Releases kept ready, about: the newest thousands of reports for all their nations."""

ATTEMPTS: Final = 4
"""Times a release is tried while policies change under it; then the reader comes back."""

Key = tuple[int, str, int]
"""Position of the report, nation, set of portions."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A reader with what it asks for: as whom it reads, its own key, and its purpose."""

    recipient: Recipient
    kid: str
    purpose: str


class Ring:
    """Releases made once for all readers of a nation; the oldest go when there are too many."""

    def __init__(self, limit: int = RING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Key, Release] = OrderedDict()

    def get(self, key: Key) -> Release | None:
        """The release, if it is still there."""
        return self._kept.get(key)

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
        """One record for each set of portions that has none yet."""
        asker, records = self._asker, []
        for held in self._wanted:
            visible = self._deciding.visible(asker.recipient, held, asker.purpose)
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
    if (nation, visible.mask) in visible.held.released or claim in moment.claimed:
        return None
    moment.claimed.add(claim)
    event = audit.released(visible, nation, asker.kid, position, state.policies.sources)
    return Record(event, (Row("release", (position, nation, visible.mask, THIS_INDEX)),))


class Releases:
    """Hands out reports, in the order of the steps above."""

    def __init__(
        self, state: State, deciding: Deciding, journal: Journal, sequencer: Sequencer
    ) -> None:
        self._state, self._deciding = state, deciding
        self._journal, self._sequencer = journal, sequencer
        self.ring: Final = Ring()

    def ready(self, asker: Asker, held: Held) -> tuple[Visible | None, Release | None]:
        """What the asker may have now, and its release if nothing is left to be done for it."""
        self._sequencer.check()
        visible = self._deciding.visible(asker.recipient, held, asker.purpose)  # (1)
        if visible is None:
            return None, None
        nation = asker.recipient.nation
        if (nation, visible.mask) not in held.released:  # (2)
            return visible, None
        return visible, self.ring.get((held.position, nation, visible.mask))

    async def serve(self, asker: Asker, wanted: Sequence[Held]) -> list[Release | None]:
        """A release for each report, or None where the asker may have nothing.

        Raises `BrokerFault` if the journal stopped, or if policies kept changing ("busy").
        """
        for _ in range(ATTEMPTS):
            answers = [self.ready(asker, held) for held in wanted]  # (3), the last time round
            missing = [v for v, release in answers if v is not None and release is None]
            if not missing:
                return [release for _, release in answers]
            await self._make(asker, missing)
            ready = {v.held.position: self._fresh(asker, v) for v in missing}
            answers = [self.ready(asker, held) for held in wanted]
            if all(v is None or r or ready.get(v.held.position) for v, r in answers):
                return [r or (v and ready.get(v.held.position)) or None for v, r in answers]
        raise BrokerFault("busy")

    async def one(self, asker: Asker, held: Held | None) -> Release:
        """One report. Raises `NotAllowed` ("not-found") for whatever reason."""
        if held is None:
            raise NotAllowed("not-found")
        (release,) = await self.serve(asker, [held])
        if release is None:
            raise NotAllowed("not-found")
        return release
