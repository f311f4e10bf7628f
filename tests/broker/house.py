"""A real broker for the test world: `house.submits(report)`, `house.follows(analyst)`.

    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        receipt = await house.submits(house["KEN"].seals(release_to="GBR"))

Everything is real: keys, policies, SQLite. A world's founding is journalled once, and every test
gets a copy of that broker's folder.
"""

import asyncio
import atexit
import json
import os
import shutil
import tempfile
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from broker.answers import Event, Receipt, Release, StatementReceipt
from broker.core import Broker
from broker.matching import Filter
from broker.settings import Limits, Settings
from tests.coalition import ORIGIN, Coalition
from tests.nation import Nation
from tests.people import Person
from wire.members import Member
from wire.notes import Ed25519Signer, VKey
from wire.prove import VerifiedEntry, verify_entry
from wire.report import parse
from wire.statements import Statement
from wire.verify import VerifiedReport, verify_delivery


@cache
def _template(nations: tuple[str, ...]) -> Path:
    """Where the founded broker of these nations is kept; there is nothing before it has run."""
    folder = Path(tempfile.mkdtemp(prefix="tearline-house-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "-".join(nations)


class House:
    """A world, and the broker that serves it."""

    def __init__(self, world: Coalition, folder: Path, limits: Limits) -> None:
        self.world, self.folder, self.limits = world, folder, limits
        self.broker: Broker

    @classmethod
    @asynccontextmanager
    async def of(cls, *nations: str, folder: Path, **limits: Any) -> AsyncIterator["House"]:
        """A house whose mission is founded by these nations."""
        world, template = Coalition.of(*nations), _template(nations)
        if not template.exists():
            made = world.broker_folder(template.with_name("making"))
            first = cls(world, made, Limits())
            await first.opens()
            await first.broker.close()
            made.parent.rename(template)
        shutil.copytree(template / "broker", folder / "broker")
        # Heartbeats come when a test asks for them; one that waits for the clock would hang.
        quiet: dict[str, Any] = {"heartbeat_seconds": 86_400.0, **limits}
        house = cls(world, folder / "broker", Limits(**quiet))
        await house.opens()
        try:
            yield house
        finally:
            await house.broker.close()

    def __getitem__(self, code: str) -> Nation:
        return self.world[code]

    async def opens(self) -> Broker:
        """Start the broker."""
        settings = Settings.load(self.folder).model_copy(update={"limits": self.limits})
        self.broker = await Broker.open(settings, clock=self.world.clock, random=os.urandom)
        return self.broker

    async def restarts(self) -> Broker:
        """Stop the broker and start it again from what is on the disk."""
        await self.broker.close()
        return await self.opens()

    # -- in

    async def submits(self, raw: bytes) -> Receipt:
        """Post a report."""
        return await self.broker.submit(raw)

    async def files(self, *statements: Statement) -> StatementReceipt:
        """Post statements; gives the last receipt."""
        for statement in statements:
            receipt = await self.broker.publish(statement.raw)
        return receipt

    # -- out

    def member(self, person: Person) -> Member:
        """A person as the broker knows it."""
        return self.broker.member(person.kid)

    async def fetches(self, person: Person, identity: str, keeps: Collection[str] = ()) -> Release:
        """Ask for one report."""
        return await self.broker.fetch(self.member(person), identity, frozenset(keeps))

    async def pulls(self, person: Person, keeps: Collection[str] = (), **wanted: Any) -> list[str]:
        """The identities of everything that this person may pull."""
        found, cursor, more = [], None, True
        while more:
            page = await self.broker.pull(
                self.member(person), Filter(**wanted), cursor, 3, frozenset(keeps)
            )
            found += [parse(release.report).identity for release in page.releases]
            cursor, more = page.cursor, page.more
        return found

    async def follows(
        self,
        person: Person,
        name: str = "all",
        cursor: str | None = None,
        keeps: Collection[str] = (),
        **wanted: Any,
    ) -> "Following":
        """Subscribe and open the stream."""
        reader = self.member(person)
        await self.broker.subscribe(reader, name, Filter(**wanted))
        return Following(self, self.broker.stream(reader, name, cursor, frozenset(keeps)))

    # -- proofs

    @property
    def log_key(self) -> VKey:
        """The key of the log."""
        return Ed25519Signer(ORIGIN, self.world.log_seed).vkey

    def proven(self, release: Release, nation: str) -> tuple[VerifiedReport, VerifiedEntry]:
        """Verify a release as its reader does."""
        entry = verify_entry(release.evidence, [self.log_key], nation)
        view: Any = entry.view
        assert entry.type == "release"
        read = verify_delivery(
            release.report,
            self.broker.directory,
            view["accepted"],
            view["accepted_time"],
            nation,
        )
        assert view["report"] == read.identity
        return read, entry

    async def channel(self, channel: str) -> list[tuple[str, dict[str, Any]]]:
        """Type and view of every entry of a channel."""
        segment = await self.broker.journal.segment(channel)
        found = []
        for evidence in segment.entries:
            link = json.loads(evidence.link)
            found.append((link["type"], json.loads(evidence.view or b"{}")))
        return found


class Following:
    """An open stream."""

    def __init__(self, house: House, events: AsyncGenerator[Event, None]) -> None:
        self.house, self.events = house, events
        self.cursor: str | None = None

    async def next(self) -> Event:
        """The next event."""
        event = await anext(self.events)
        self.cursor = event.id
        return event

    async def report(self) -> str:
        """The identity of the next report, which is the next event."""
        event = await self.next()
        assert event.kind == "report", event
        return parse(b64decode(json.loads(event.data)["report"])).identity

    async def rest(self) -> list[str]:
        """The identities of all reports that there are now, in the order in which they come."""
        found = []
        next_one = asyncio.ensure_future(self.next())
        await asyncio.sleep(0)  # now it is open
        self.house.broker.beat()  # a heartbeat comes when there is nothing else
        while (event := await next_one).kind in {"report", "recall"}:
            if event.kind == "report":
                found.append(parse(b64decode(json.loads(event.data)["report"])).identity)
            next_one = asyncio.ensure_future(self.next())
        return found

    async def end(self) -> str:
        """Why it ends, which is the next event; and nothing comes after it."""
        event = await self.next()
        assert event.kind == "end", event
        assert [other async for other in self.events] == []
        return str(json.loads(event.data)["reason"])

    async def closes(self) -> None:
        """Hang up."""
        await self.events.aclose()
