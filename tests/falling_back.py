"""A pilot whose broker loses its disk, falls back to a backup, and goes on as nations sign.

    with Falling.back("KEN", "GBR", "FRA", folder=path) as pilot:
        with pilot.serves(): ...
        vault = await pilot.saves()
        with pilot.serves(): ...
        await pilot.loses(vault)
        await pilot.goes_on()
        with pilot.serves(): ...

Devices keep what they remember from one to the next; the broker keeps its port.
"""

import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker import continuing, custody
from broker.settings import Settings
from clients import proposal
from clients.identity import Identity
from clients.member_keys import RootKeys
from clients.session import Session
from tests.broker.server import serving
from tests.people import random_of
from tests.pilot import PASSPHRASE, Client, Pilot, free_port
from wire import statements
from wire.bodies import MissionContinue
from wire.continuing import Loss
from wire.entries import MISSION


def told(done: int, size: int) -> None:
    assert 0 <= done <= size


@dataclass
class Falling(Pilot):
    """A pilot that is served, falls back, and is served again. `followed` is an officer's device
    that has seen the mission being founded.
    """

    followed: Session = field(init=False)

    @classmethod
    def back(cls, *nations: str, folder: Path, doors: int = 0) -> "Falling":
        laid = Pilot.laid_out(*nations, folder=folder, doors=doors)
        return cls(laid.folder, free_port(), doors=laid.doors)

    async def begins(self) -> None:
        """Let a device follow the founding."""
        self.followed = self.officer("KEN")
        async with self.followed:
            await self.followed.follower.sync()

    @contextmanager
    def serves(self) -> Iterator[None]:
        with serving(self.broker, port=self.port):
            yield

    @property
    def broker(self) -> Path:
        return self.folder / "broker"

    @property
    def settings(self) -> Settings:
        return Settings.load(self.broker)

    # -- the operator

    async def saves(self, name: str = "vault") -> Path:
        target = self.folder.parent / name
        await custody.backup(self.settings, target, told)
        return target

    async def loses(self, vault: Path) -> None:
        shutil.rmtree(self.broker / "data")
        await custody.restore(vault, self.settings, told)

    async def loss(self, origin: str | None = None) -> Loss:
        return await continuing.loss(self.settings, origin, told)

    async def moves(self, raw: bytes, again: Sequence[Path] = ()) -> continuing.Gone:
        return await continuing.go_on(self.settings, raw, again, told, time.time)

    async def goes_on(self, origin: str | None = None, again: Sequence[Path] = ()) -> bytes:
        """All of it, agreed by all; gives the statement."""
        raw = self.agrees(await self.loss(origin))
        await self.moves(raw, again)
        return raw

    # -- the nations

    def root(self, nation: str) -> Identity:
        return Identity.load(self.folder / nation / "root", PASSPHRASE)

    def agrees(self, loss: Loss, nations: Collection[str] = ()) -> bytes:
        """What the nations sign, all of them if none is named, one after the other."""
        folders = sorted(p.parent.name for p in self.folder.glob("*/root"))
        first, *others = nations or folders
        session = self.followed
        made = proposal.continuation(
            session.follower,
            loss,
            "the disk was lost",
            [self.root(first)],
            now=int(time.time()),
            random=random_of("agreeing", loss.origin, loss.size),
        )
        return proposal.sign(session.directory, made.raw, [self.root(code) for code in others])

    def claims(self, loss: Loss) -> bytes:
        """What an operator makes up: it bears a signature, of nobody who has a say."""
        fields = {**loss.model_dump(), "salt": "ab" * 16, "reason": "trust me"}
        body = MissionContinue.model_validate({n: fields[n] for n in MissionContinue.model_fields})
        head = {"mission": loss.mission, "nation": MISSION, "seq": loss.seq, "prev": loss.prev}
        head |= {"type": "mission.continue", "scope": "mission", "issued": int(time.time())}
        (key, *_) = RootKeys.generate(1, random_of("nobody")).keys
        return statements.draft(head, body).signed_by(statements.signer(key))

    def again(self, session: Client) -> Client:
        """The same device in its next run."""
        return type(session)(Identity.load(session.identity.folder, PASSPHRASE))
