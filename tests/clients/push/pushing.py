"""One auditor's evidence of its own, and a pusher whose clock and chance are the test's."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.evidence.store import EvidenceStore
from clients.export.entry import entries
from clients.identity import Identity
from clients.push.outbox import Outbox, State
from clients.push.pusher import Means, Pushed, Pusher, Target, horizon
from clients.push.receiver import Receiver
from clients.push.webhook import Secrets
from tests.clients.evidence.little_history import Desk, Told
from tests.clients.push.inbox import SECRET, Inbox
from tests.pilot import PASSPHRASE

START = 1_800_000_000.0


def own(told: Told, folder: Path, nation: str = "KEN") -> Desk:
    """A copy of what an auditor has, to be pushed from."""
    home = folder / f"{nation}-auditor"
    shutil.copytree(told.desks[nation].identity.folder, home)
    return Desk(Identity.load(home, PASSPHRASE))


@dataclass
class World:
    """A clock that goes on when somebody sleeps, and remembers for how long."""

    now: float = START
    slept: list[float] = field(default_factory=list)
    chance: float = 0.5
    asleep: Callable[[], Awaitable[None]] | None = None

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.asleep is not None:
            await self.asleep()

    @property
    def means(self) -> Means:
        return Means(clock=self.clock, chance=lambda: self.chance, sleep=self.sleep)


@dataclass
class Push:
    """One push of a desk's evidence to an inbox. Every `run` starts anew, from what is on disk."""

    desk: Desk
    to: Inbox
    world: World = field(default_factory=World)
    form: str = "cloudevents"

    @property
    def target(self) -> Target:
        return Target(self.to.url, self.form, Secrets.parse(SECRET))

    @contextmanager
    def store(self) -> Iterator[EvidenceStore]:
        """The evidence, without the check that takes an auditor's whole memory."""
        public = self.desk.identity.public
        whose = {name: getattr(public, name) for name in ("mission", "nation", "charter")}
        with EvidenceStore.open(self.desk.identity.state, whose, new=False) as store:
            yield store

    @asynccontextmanager
    async def pusher(self, **how: Any) -> AsyncIterator[Pusher]:
        me = self.desk.identity
        with self.store() as store:
            async with Receiver(self.to.url) as door:
                whose, means = (me.nation, me.public.origin), self.world.means
                yield Pusher(store, *whose, self.target, door, means=means, **how)

    async def run(self, **how: Any) -> Pushed:
        async with self.pusher(**how) as pusher:
            return await pusher.drain()

    async def revive(self) -> Pushed:
        async with self.pusher() as pusher:
            return await pusher.revive()

    @property
    def all(self) -> list[int]:
        """The indices of everything that there is to push; the reading of the last pull itself is
        beyond what that pull knows of the mission, and comes with the next one.
        """
        nation = self.desk.identity.nation
        with self.store() as store:
            below = horizon(store, nation)
            return [entry.index for entry in entries(store, nation, "x", below=below)]

    @property
    def state(self) -> State:
        with self.store() as store:
            return Outbox(store, self.target.name).state()

    @property
    def dead(self) -> list[tuple[int, int, str]]:
        """Index, tries and reason of each dead letter."""
        with self.store() as store:
            letters = Outbox(store, self.target.name).dead()
        return [(letter.index, letter.tries, letter.why) for letter in letters]
