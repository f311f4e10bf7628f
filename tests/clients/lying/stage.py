"""A broker that lies: every answer is changed on its way, and what it says is not believed.

The clients, the broker, the keys and the proofs are real; between them stands `tests.clients.liar`.
Some lies only a broker with the log's own key can tell: there the broker itself journals what is
not true. After each lie nothing false was stored or shown, and when the broker is honest again the
same client goes on and comes to the truth; after a fork it never does. Here is the stage for it:
what happened in the mission before anybody lied.
"""

import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from clients.auditor import Auditor
from clients.draft import AttachmentFile, Draft, Portion
from clients.identity import Identity
from clients.received import Received
from clients.subscriber import Subscriber
from tests.clients.liar import Doc, Liar
from tests.pilot import Pilot, draft
from wire import report
from wire.labels import DISPLAY

NATIONS = ("KEN", "GBR", "FRA")
HEARTBEAT = 0.2  # seconds
PATIENCE = 8  # seconds after which nothing will come any more
PHOTO = bytes(range(256)) * 300
KEEPS = {DISPLAY}  # duties that the readers declare to keep


@dataclass(repr=False)
class Stage:
    """A mission with some reports, what its British analyst may see, and a device that knows only
    how it began.
    """

    pilot: Pilot
    early: dict[str, Path]
    backup: Path
    reports: dict[str, bytes]
    truth: dict[str, Any]
    evidence: dict[str, Doc]

    def device(self, nation: str, kind: str, *, early: bool = True) -> Identity:
        """Somebody's device, which reaches the broker through the liar."""
        device = self.pilot.device(nation, kind, port=self.pilot.doors[0].getsockname()[1])
        if early and kind == "analyst":
            shutil.copytree(self.early[nation], device.state, dirs_exist_ok=True)
        return device

    def identity(self, title: str) -> str:
        return report.parse(self.reports[title]).identity


async def beginning(pilot: Pilot) -> dict[str, Path]:
    """The first report is there, and two analysts have followed the mission up to here."""
    async with pilot.publisher("KEN") as publisher:
        await publisher.publish(draft("First"))
    folders = {}
    for nation in ("GBR", "FRA"):
        async with pilot.subscriber(nation) as analyst:
            await analyst.follower.sync()
            folders[nation] = analyst.identity.state
    return folders


async def later(stage: Stage) -> None:
    """Everything else that happens."""
    pilot = stage.pilot
    guest = pilot.joins("GBR", "guest", "analyst")
    async with pilot.officer("GBR") as officer:
        await officer.add(guest.keys.card, "analyst", clearance="SECRET")
        await officer.revoke(guest.kid, "left")
    async with pilot.publisher("KEN") as publisher:
        for one in (
            tear_line(),
            draft("Convoy"),
            draft("Look", {"FRA"}, display_to={"GBR"}),
            draft("Photo", attachments=[AttachmentFile.of_bytes("photo.jpg", PHOTO)]),
        ):
            stage.reports[one.title] = (await publisher.publish(one)).raw
    async with pilot.subscriber("GBR", keeps=KEEPS) as analyst:
        stage.truth = {r.identity: seen(r) async for r in analyst.fetch()}
    for nation in ("GBR", "KEN"):
        stage.evidence |= await evidence(stage, nation)


def tear_line() -> Draft:
    """Two portions for Britain, one that is for France alone."""
    main, below, french = (draft(t, to) for t, to in TEAR_LINE.items())
    others = [Portion(label=d.label, title=d.title, body=d.body) for d in (below, french)]
    return replace(main, portions=others)


TEAR_LINE = {"Ambush": {"GBR"}, "Below": {"GBR", "FRA"}, "French": {"FRA"}}


async def evidence(stage: Stage, nation: str) -> dict[str, Doc]:
    """Evidence of entries of a nation's channel, each with its checkpoint: by what it is."""
    found: dict[str, Doc] = {}
    titles = {stage.identity(title): title for title in stage.reports}
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar:
        async with Auditor(stage.device(nation, "auditor")) as auditor:
            entries = await auditor.entries()
        pages = liar.heard("/v1/log/views")
    by_index = {
        e["index"]: {**e, "checkpoint": page["segment"]["checkpoint"]}
        for page in pages
        for e in page["segment"]["entries"]
    }
    for entry in entries:
        about = titles.get(str((entry.view or {}).get("report")), "")
        to = (entry.view or {}).get("to", "")
        found[f"{nation} {entry.type} {about} {to}".strip()] = by_index[entry.index]
    found[f"{nation} head"] = pages[-1]["segment"]["head"]
    return found


def seen(received: Received) -> Any:
    """What a reader sees of a report."""
    texts = tuple((p.index, p.banner, p.title, p.body) for p in received.report.portions)
    return received.originator, received.banner, texts, received.proof.accepted, received.proof.use


# -- a scene


@dataclass(repr=False)
class Scene:
    """The British analyst, who hears the broker through the liar."""

    stage: Stage
    liar: Liar
    reader: Subscriber

    async def shown(self, reports: AsyncGenerator[Received, None]) -> list[Received]:
        """Everything that is shown, and all of it is true."""
        found = []
        with anyio.fail_after(PATIENCE):
            async with aclosing(reports):
                async for received in reports:
                    assert seen(received) == self.stage.truth[received.identity]
                    found.append(received)
        return found

    async def unharmed(self) -> None:
        """Nothing false was stored; told the truth, the same client comes to it."""
        self.nothing_false_is_stored()
        self.liar.honest()
        shown = await self.shown(self.reader.fetch(again=True))
        assert {r.identity for r in shown} == self.stage.truth.keys()
        self.nothing_false_is_stored()

    def nothing_false_is_stored(self) -> None:
        for identity, told in self.stage.truth.items():
            stored = self.reader.store.get(f"report:{identity}")
            if stored is not None:
                assert told[-1] == "release"
                frame, portions = report.parse(stored), told[2]
                assert frame.identity == identity
                assert {p.index for p in frame.portions} == {index for index, *_ in portions}


@asynccontextmanager
async def scene_of(stage: Stage, *, early: bool = True) -> AsyncIterator[Scene]:
    door, port = stage.pilot.doors[0], stage.pilot.port
    device = stage.device("GBR", "analyst", early=early)
    async with Liar.at(door, port) as liar, Subscriber(device, keeps=KEEPS) as reader:
        yield Scene(stage, liar, reader)
