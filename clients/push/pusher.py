"""Pushing what is verified and new: batch by batch, in order, at least once.

A batch is named on disk before it is sent and forgotten after the receiver's yes, so a crash
repeats it, under the same id, and loses nothing. What the receiver answers decides what follows:

    2xx                                  taken; the next batch
    410                                  the receiver is gone; nothing more is sent to it
    no answer, redirect, 401, 403, 404,  the receiver's trouble: wait, and try the same again
    407, 408, 425, 429, 502, 503, 504
    any other                            these events' trouble: after `most` tries they are sent one
                                         by one, and those that are refused become dead letters
"""

import hashlib
import itertools
import random as chance
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import anyio

from clients.evidence.store import EvidenceStore
from clients.export import cloudevents, ocsf
from clients.export.entry import Entry, entries
from clients.push.outbox import DeadLetter, Outbox, State
from clients.push.receiver import Reply
from clients.push.webhook import Secrets
from wire.entries import MISSION
from wire.errors import Conflict, NotAllowed

BATCH: Final = 100  # events
BODY_MAX: Final = 1 << 20  # bytes of one body, a single event apart
TRIES: Final = 6
PAUSE: Final = 2.0  # seconds before the second try; each further pause is twice as long
PAUSE_MAX: Final = 300.0  # seconds
REST_SHORT: Final = 60.0  # seconds that a run waits because it was asked to; a later one goes on

AGENT: Final = "tearline"
GONE: Final = 410
TROUBLED: Final = frozenset({0, 401, 403, 404, 407, 408, 425, 429, 502, 503, 504})
"""Statuses, 0 for none, that say something of the receiver and nothing of what was sent."""

MEDIA: Final = {
    "cloudevents": "application/cloudevents-batch+json",
    "ocsf": "application/json",
}
"""The forms, and how each travels: a JSON array of events."""


class Door(Protocol):
    """Where a batch is handed in: `clients.push.receiver.Receiver`."""

    async def post(self, body: bytes, headers: dict[str, str], now: float) -> Reply:
        """One try."""


@dataclass(frozen=True)
class Target:
    """Where to and as what: the address, the form, and the secrets that sign."""

    url: str
    form: str
    secrets: Secrets = field(repr=False)

    @property
    def name(self) -> str:
        """What its cursor and its dead letters are kept under."""
        return f"{self.form} {self.url}"


@dataclass(frozen=True)
class Batch:
    """Events that go out together: all that concern the nation from the cursor to before `end`."""

    end: int
    indices: tuple[int, ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Means:
    """What the pusher takes from the world: the time in Unix seconds, chance in [0, 1), sleep."""

    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = chance.random
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


@dataclass
class Pushed:
    """What a run did."""

    delivered: int = 0
    buried: int = 0


class Pusher:
    """One store, pushed to one target. `done` says what this run did, whatever ended it."""

    def __init__(
        self,
        store: EvidenceStore,
        nation: str,
        origin: str,
        target: Target,
        door: Door,
        *,
        most: int = TRIES,
        means: Means | None = None,
    ) -> None:
        self._store, self._nation, self._origin = store, nation, origin
        self._target, self._door, self._most = target, door, most
        self._means, self.done = means or Means(), Pushed()
        self._outbox = Outbox(store, target.name)

    async def drain(self) -> Pushed:
        """Send all that is verified and was not sent.

        Raises `Conflict` ("undelivered") if the receiver is still in trouble after `most` tries, or
        wants to be left alone for longer than one waits: a later run goes on. Raises `NotAllowed`
        ("undelivered") if it says that it is gone.
        """
        self._check_there()
        while (batch := self._next()) is not None:
            await self._through(batch)
        return self.done

    async def revive(self) -> Pushed:
        """Send the dead letters once more, in order; those that are refused stay what they are.
        Raises like `drain`.
        """
        self._outbox.keep(replace(self._outbox.state(), gone=0, rest=0))
        for letter in self._outbox.dead():
            batch = self._batch(letter.index, letter.index + 1)
            reply = await self._answered(batch)
            if _troubled(reply):
                raise Conflict("undelivered", f"{reply.why}; what was not taken is kept")
            if _taken(reply):
                self._outbox.revived(letter.index)
                self.done.delivered += 1
            else:
                tried = replace(letter, tries=letter.tries + 1, why=reply.why, time=self._now_ms())
                self._outbox.bury(self._outbox.state(), tried)
                self.done.buried += 1
        return self.done

    # -- batches

    def _next(self) -> Batch | None:
        """What is to be sent next: the batch that was under way, or a new one, which is named on
        disk before anybody sends it.
        """
        state = self._outbox.state()
        if state.upto > state.cursor:
            return self._batch(state.cursor, state.upto)
        most = 1 if state.cursor < state.singly else BATCH
        batch = self._batch(state.cursor, horizon(self._store, self._nation), most)
        if not batch.indices:
            return None
        self._outbox.keep(replace(state, upto=batch.end, tries=0))
        return batch

    def _batch(self, start: int, below: int, most: int = BATCH) -> Batch:
        """The events from `start` on, as many as may go together, all before `below`."""
        indices, parts, size, end = list[int](), list[bytes](), 0, below
        for entry in entries(self._store, self._nation, self._origin, after=start, below=below):
            part = self._event(entry)
            if parts and (len(parts) == most or size + len(part) > BODY_MAX):
                end = entry.index
                break
            indices.append(entry.index)
            parts.append(part)
            size += len(part)
        return Batch(end, tuple(indices), b"[" + b",".join(parts) + b"]")

    def _event(self, entry: Entry) -> bytes:
        form = cloudevents if self._target.form == "cloudevents" else ocsf
        return cloudevents.encoded(form.event(entry))

    # -- one batch

    async def _through(self, batch: Batch) -> None:
        """Hand in one batch until it is settled: taken, or to be sent one by one, or buried."""
        for failed in itertools.count(1):
            await self._rested()
            reply = await self._answered(batch)
            state = self._outbox.state()
            if _taken(reply):
                self._outbox.keep(replace(state, cursor=batch.end, tries=0))
                self.done.delivered += len(batch.indices)
                return
            if _troubled(reply):
                if failed >= self._most:
                    raise Conflict("undelivered", f"{reply.why}; what was not taken is kept")
            elif self._refused(state, batch, reply):
                return
            await self._means.sleep(self._pause(failed))

    def _refused(self, state: State, batch: Batch, reply: Reply) -> bool:
        """Count a refusal; says whether the batch is settled by it."""
        alone, tries = state.cursor < state.singly, state.tries + 1
        if not alone and tries < self._most:
            self._outbox.keep(replace(state, tries=tries))
            return False
        if len(batch.indices) > 1:
            # From here on each goes alone: one event must not keep the others from where they go.
            self._outbox.keep(replace(state, upto=state.cursor, singly=batch.end, tries=0))
            return True
        told = self._most + 1 if alone else tries
        (index,) = batch.indices
        letter = DeadLetter(self._target.name, index, told, reply.why, self._now_ms())
        self._outbox.bury(replace(state, cursor=batch.end, tries=0), letter)
        self.done.buried += 1
        return True

    async def _answered(self, batch: Batch) -> Reply:
        """One try, signed for now. What the receiver asks for is kept; raises `NotAllowed` if that
        is to be sent nothing more.
        """
        now = self._means.clock()
        headers = {
            "content-type": MEDIA[self._target.form],
            "user-agent": AGENT,
            **self._target.secrets.headers(self._message(batch), int(now), batch.body),
        }
        reply = await self._door.post(batch.body, headers, now)
        if reply.rest:
            until = int((now + reply.rest) * 1000)
            self._outbox.keep(replace(self._outbox.state(), rest=until))
        if reply.status == GONE:
            self._outbox.keep(replace(self._outbox.state(), gone=self._now_ms()))
            self._check_there()
        return reply

    def _message(self, batch: Batch) -> str:
        """The id of what is sent: the same for the same events, whenever they are sent."""
        parts = (self._target.form, self._origin, self._nation, batch.indices[0], batch.indices[-1])
        return "msg_" + hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]

    def _check_there(self) -> None:
        if self._outbox.state().gone:
            detail = "the receiver says that it is gone (410); --retry asks it once more"
            raise NotAllowed("undelivered", detail)

    async def _rested(self) -> None:
        """Wait as long as the receiver asked for. Raises `Conflict` if that is too long for now."""
        left = self._outbox.state().rest / 1000 - self._means.clock()
        if left <= 0:
            return
        if left > REST_SHORT:
            raise Conflict("undelivered", f"it asks to be left alone for {int(left)} seconds")
        await self._means.sleep(left)

    def _pause(self, failed: int) -> float:
        """Seconds before the next try: twice as long each time, and never the same for all."""
        longest = min(PAUSE_MAX, PAUSE * 2.0 ** min(failed - 1, 30))
        return longest * (0.5 + self._means.chance() / 2)

    def _now_ms(self) -> int:
        return int(self._means.clock() * 1000)


def horizon(store: EvidenceStore, nation: str) -> int:
    """The index up to which all is known that concerns the nation: what comes later may still miss
    an entry of the other channel, which would then be passed over for ever.
    """
    known = []
    for channel in (MISSION, nation):
        trust = store.trust(channel)
        known.append(trust.size if store.is_complete(channel) else trust.tip.index + 1)
    return min(known)


def _taken(reply: Reply) -> bool:
    return 200 <= reply.status < 300


def _troubled(reply: Reply) -> bool:
    return reply.status in TROUBLED or 300 <= reply.status < 400
