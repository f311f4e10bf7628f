"""What every client object is made of: an identity, a transport, a follower and a local store."""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from clients.follower import Follower
from clients.identity import Identity
from clients.store import Store
from clients.transport import Transport
from wire.directory import Directory
from wire.errors import Malformed
from wire.evidence import Evidence
from wire.prove import VerifiedEntry, verify_entry


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
