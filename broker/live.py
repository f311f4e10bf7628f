"""One live stream: a reader's place in what is offered to its nation, and nothing more.

A stream holds no queue. It points into the four lanes of its nation, one a precedence, and takes
what comes next from the most urgent lane that has something: FLASH goes before everything, however
long the backlog. How urgent a report is follows from the portions that this reader may have, so a
report can stand in several lanes; it is taken from one. An idle stream costs a few hundred bytes
and a slow one no more.

The cursor that goes with an event is a low-water mark: everything up to it was taken or is not for
this reader. Who comes back with it misses nothing; what overtook may come once more.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from broker.answers import Event, EventKind, Release, Unsupported
from broker.cursors import CursorSeal
from broker.deciding import Visible
from broker.denials import Denials
from broker.held import Held, Lanes, Offer
from broker.journal import Journal
from broker.matching import Filter, Interest
from broker.release import Asker, Releases
from broker.state import State
from wire import strict_json
from wire.errors import NotAllowed, TearlineError
from wire.members import Member

BUFFER_BYTES: Final = 1 << 20
"""What may wait for a reader that takes nothing, and what is made ready for one at a time."""

AHEAD: Final = 256
"""Reports made ready at a time for a reader that catches up: one journal batch, one query."""

SLOW_S: Final = 5
"""Seconds without taking anything after which a reader that much is waiting for is cut."""

OVERDUE: Final = 2
"""Heartbeats asked for after which one goes out before the next report."""

SCAN: Final = 2_048
"""Offers looked at before other tasks get their turn: about a millisecond."""


@dataclass(eq=False)
class Group:
    """All open streams that ask for the same as the same class of reader."""

    asker: Asker
    wanted: Filter
    interest: Interest
    streams: "dict[LiveStream, None]" = field(default_factory=dict)
    _newest: tuple[Held | None, Mapping[str, frozenset[str]], int] = (None, {}, 0)

    def read_by(self, interest: Interest) -> None:
        """The filter, read by other words from now on."""
        self.interest, self._newest = interest, (None, {}, 0)

    def matching(self, held: Held) -> int:
        """The portions that answer the filter, of those that name the nation, as bits."""
        newest, added, found = self._newest
        if newest is not held or added is not held.added:  # all its streams ask about the same one
            found = held.answering(self.asker.recipient.nation, self.interest)
            self._newest = held, held.added, found
        return found


@dataclass(slots=True)
class _Found:
    lane: int
    after: int
    visible: Visible


class LiveStream:
    """A stream from its opening to its end. `events` is iterated once."""

    def __init__(
        self,
        member: Member,
        name: str,
        group: Group,
        seal: CursorSeal,
        position: int,
        state: State,
        releases: Releases,
        denials: Denials,
        journal: Journal,
        life: int,
    ) -> None:
        self.member, self.name, self.group = member, name, group
        self.asker = replace(group.asker, kid=member.kid)
        self._state, self._releases, self._journal = state, releases, journal
        self._denials = denials
        self._seal, self._mark = seal, position
        self._offers = state.holdings.lanes(member.nation)
        self._at = [Lanes.start(lane, position) for lane in self._offers.lanes]
        self._early = frozenset[int]()  # positions taken; a later lane may have them still
        self._beyond: Visible | None = None  # what its client cannot be given, to be said next
        self._ahead: dict[tuple[int, int], Release] = {}
        self._wake = asyncio.Event()
        self._beats = 0
        self._notices: deque[bytes] = deque()
        self._away_since: int | None = None
        self._untaken = 0
        self._stood = -1
        self._now = state.now()
        self._until = self._now + life
        self.ended: str | None = None

    # -- what others tell it

    def end(self, reason: str) -> None:
        """Let it end, with a last event that says why."""
        self.ended = self.ended or reason
        self._wake.set()

    def beat(self) -> None:
        """Let it send a heartbeat once nothing else is there to send, or else the next time; and
        look whether its reader still stands.
        """
        self._beats += 1
        self._wake.set()

    def tell(self, notice: bytes) -> None:
        """Let it say before everything else that a report was taken back."""
        self._notices.append(notice)
        self.wake(len(notice))

    def wake(self, size: int) -> None:
        """Something of `size` bytes is there. A reader that takes nothing of too much is cut."""
        if self._away_since is not None:
            self._untaken += size
            slow = self._state.now() - self._away_since >= SLOW_S
            if slow and self._untaken > BUFFER_BYTES:
                self.end("too-slow")
        self._wake.set()

    # -- what its reader gets

    async def events(self, leave: Callable[["LiveStream"], None]) -> AsyncGenerator[Event, None]:
        """Reports, recalls, heartbeats and, at the end, why it ends.

        `leave` is called when all is over.
        """
        try:
            while True:
                event = await self._next()
                self._away_since, self._untaken = self._now, 0
                yield event
                self._away_since = None
                if event.kind == "end":
                    return
        finally:
            leave(self)

    async def _next(self) -> Event:
        """The next event, once there is one."""
        while True:
            if reason := self.over():
                return self._event("end", strict_json.dump({"reason": reason}))
            if self._notices:
                return self._event("recall", self._notices.popleft())
            try:
                event = await self._report()
            except TearlineError as fault:
                self.end(fault.slug)
                continue
            if event is not None:
                return event
            if self.ended is not None or self._notices:
                continue
            if self._beats:
                self._beats = 0
                return self._event("heartbeat", self._heartbeat())
            await self._wake.wait()

    def over(self) -> str | None:
        """Why the stream must end now, if it must: asked before every event."""
        self._now = self._state.now()
        if self.ended is None and self._now >= self._until:
            self.ended = "stopping"  # its time is over; the reader comes back with its cursor
        if self._stood != self._state.version or self._now >= self.member.expires:
            try:
                self._state.member(self.member.kid, self._journal.size)
            except NotAllowed as refusal:
                self.ended = refusal.slug
            self._stood = self._state.version
        return self.ended

    def _heartbeat(self) -> bytes:
        beat = {"checkpoint": self._journal.checkpoint, "time": self._state.now()}
        return strict_json.dump(beat, prose=True)

    def _event(self, kind: EventKind, data: bytes) -> Event:
        return Event(kind, self._seal.seal(self._low_water()), data)

    # -- the next report

    async def _report(self) -> Event | None:
        """The most urgent report there is; None if there is none, or something else comes first."""
        self._wake.clear()
        while self.ended is None and self._beats < OVERDUE and not self._notices:
            looked, found = self._find() if self._beyond is None else (0, None)
            if self._beyond is not None:
                return self._unsupported(self._beyond)
            if found is None and looked < SCAN:
                break
            if found is None:  # there is more to look at; others first
                await asyncio.sleep(0)
            elif (release := self._release(found.visible)) is None:
                await self._make_ready(found)  # meanwhile something more urgent may have come
            else:
                self._take(found)
                return self._event("report", release.json)
            self.over()  # who was revoked meanwhile gets nothing of it
        return None

    def _take(self, found: _Found) -> None:
        self._at[found.lane] = found.after
        self._ahead.pop(_name(found.visible), None)
        offer = self._offers.lanes[found.lane][found.after - 1]
        self._beyond = self._releases.beyond(self.asker, offer.held)
        self._pass(offer)

    def _pass(self, offer: Offer) -> None:
        """It was taken; what stands in several lanes is not to be taken from another one."""
        if len(offer.held.portions) > 1:
            self._early |= {offer.position}

    def _unsupported(self, beyond: Visible) -> Event:
        self._beyond = None
        lacks = self.asker.lacks(beyond)
        told = Unsupported(report=beyond.held.identity, lacks=lacks)
        return self._event("unsupported", told.model_dump_json().encode())

    def _release(self, visible: Visible) -> Release | None:
        name = _name(visible)
        nation = self.asker.recipient.nation
        return self._ahead.get(name) or self._releases.ring.get((name[0], nation, name[1]))

    def _find(self) -> tuple[int, _Found | None]:
        """The first offer in the most urgent lane that is for this reader, and how many were not.

        Looks at no more than `SCAN`.
        """
        looked = 0
        for lane, offers in enumerate(self._offers.lanes):
            while (at := self._at[lane]) < len(offers) and looked < SCAN:
                visible = self._look(offers[at], lane)
                if visible is not None:
                    return looked, _Found(lane, at + 1, visible)
                self._at[lane] = at + 1
                looked += 1
                self._beyond = self._look_beyond(offers[at])
                if self._beyond is not None:
                    self._pass(offers[at])
                    return looked, None
        return looked, None

    def _look_beyond(self, offer: Offer) -> Visible | None:
        """What answers the filter only with what is not for this client."""
        matching = self.group.matching(offer.held)
        if not matching or offer.position in self._early:
            return None
        beyond = self._releases.beyond(self.asker, offer.held)
        if beyond is None or not beyond.mask & offer.portions & matching:
            return None
        visible = self._releases.look(self.asker, offer.held)
        return beyond if visible is None or not visible.mask & matching else None

    def _look(self, offer: Offer, lane: int) -> Visible | None:
        """What this reader may have of an offer now, if that answers its filter and is as urgent
        as the lane, or should have come in a lane before.
        """
        matching = self.group.matching(offer.held)
        if not matching or offer.position in self._early:
            return None
        visible = self._releases.look(self.asker, offer.held)
        entitled = self._releases.beyond(self.asker, offer.held) or visible
        allowed = 0 if entitled is None else entitled.mask
        if matching & ~allowed:
            self._denials.passed_over(self.asker, "stream", offer.held, matching & ~allowed)
        if visible is None or not visible.mask & offer.portions or visible.lane > lane:
            return None
        return visible if visible.mask & matching else None

    async def _make_ready(self, first: _Found) -> None:
        """Journal and read the next reports of a lane together, at most `BUFFER_BYTES` of them."""
        wanted, size = [first.visible], first.visible.size
        offers = self._offers.lanes[first.lane]
        for at in range(first.after, min(first.after + SCAN, len(offers))):
            visible = self._look(offers[at], first.lane)
            if visible is not None:
                size += visible.size
                if size > BUFFER_BYTES or len(wanted) >= AHEAD:
                    break
                wanted.append(visible)
        releases = await self._releases.serve(self.asker, [v.held for v in wanted])
        self._ahead = {
            _name(visible): release
            for visible, release in zip(wanted, releases, strict=True)
            if release is not None
        }

    def _low_water(self) -> int:
        """Everything up to this journal position was taken or is not for this reader."""
        pending = []
        for lane, offers in enumerate(self._offers.lanes):
            while (at := self._at[lane]) < len(offers) and offers[at].position in self._early:
                self._at[lane] = at + 1
            if at < len(offers):
                pending.append(offers[at].position - 1)
        if not pending and self._offers.all:
            pending = [self._offers.all[-1].position]
        mark = max(self._mark, min(pending, default=self._mark))
        if mark > self._mark and self._early:
            self._early = frozenset(position for position in self._early if position > mark)
        self._mark = mark
        return mark


def _name(visible: Visible) -> tuple[int, int]:
    return visible.held.position, visible.mask
