"""What every client object is made of: an identity, a transport, a follower and a local store."""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from clients.follower import Follower
from clients.identity import Identity
from clients.store import Store
from clients.transport import Transport
from wire.directory import Directory
from wire.errors import Malformed, NotAllowed
from wire.evidence import Evidence
from wire.notes import open_checkpoint
from wire.prove import VerifiedEntry, verify_entry
from wire.witness import ConfirmedCheckpoint, open_confirmed

CONFIRMED: Final = "confirmed"  # the name under which it is kept
FRESH: Final = 60.0  # seconds a followed directory may be old to read the charter in it


class Session:
    """The common part of `Publisher`, `Subscriber`, `Officer` and `Auditor`.

    Nothing connects before the first use inside `async with`. Time and randomness can be given,
    for tests and replays; they are the machine's own by default.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.identity, self.clock, self.random = identity, clock, random
        self.store = Store(identity.state, identity.keys.store, random)
        self.transport = Transport(identity, clock=clock, random=random)
        self.follower = Follower(identity, self.transport, self.store)

    async def __aenter__(self) -> Self:
        await self.transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.follower.trees.keep()
        await self.transport.__aexit__(kind, error, trace)

    @property
    def directory(self) -> Directory:
        """Who is who, as far as this client has proven it."""
        return self.follower.directory

    async def confirmed(self) -> ConfirmedCheckpoint | None:
        """The newest checkpoint that the charter's quorum of witnesses stands behind; None while
        there is none, or if the mission asks for none.

        Whose keys count for it is followed first. Raises `Malformed` ("bad-checkpoint"), or
        `Conflict` ("fork-detected") if it is of another history than this client sees.
        """
        charter = (await self.follower.sync(within=FRESH)).founded
        if not charter.witness_quorum:
            return None
        try:
            answer = await self.transport.get("/v1/log/checkpoint")
        except NotAllowed as error:
            if error.slug != "not-found":
                raise
            return None
        note = answer.body.decode("utf-8", "replace")
        size = (await self.follower.observe(note)).checkpoint.size
        whose = (await self.follower.sync(at_least=size - 1)).witnesses
        known = self.follower.complete_to
        confirmed = open_confirmed(note, self.follower.log_keys, whose, known=known)
        self.store.put(self.follower.log.name(CONFIRMED), confirmed.note.encode(), lasting=False)
        return confirmed

    def last_confirmed(self) -> ConfirmedCheckpoint | None:
        """The one that was seen last, by this run or one before; nobody is asked."""
        note = self.store.get(self.follower.log.name(CONFIRMED))
        if note is None:
            return None
        keys, whose = self.follower.log_keys, self.directory.witnesses
        size = open_checkpoint(note.decode(), keys).checkpoint.size
        # What was said up to this tree was followed, and kept, before the note was.
        return open_confirmed(note.decode(), keys, whose, known=size)

    async def proven(self, evidence: Evidence, kind: str, channel: str) -> VerifiedEntry:
        """The journal entry that the evidence proves, in a tree that extends all seen before.

        Raises `Malformed` or `Conflict` if it proves anything else.
        """
        if evidence.checkpoint is None:
            raise Malformed("bad-proof", "evidence without a checkpoint")
        opened = await self.follower.observe(evidence.checkpoint)
        entry = verify_entry(evidence, self.follower.log_keys, channel, checkpoint=opened)
        if entry.type != kind or entry.view is None:
            raise Malformed("bad-proof", f"the entry is not a {kind}")
        return entry
