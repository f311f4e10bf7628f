"""A real little history: three nations, a broker on loopback, and what auditors pull from it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.auditor import Auditor
from clients.evidence import files, pull
from clients.evidence.pull import Progress, Pulled
from clients.evidence.store import EvidenceStore
from clients.identity import Identity
from clients.subscriber import Subscriber
from tests.pilot import Pilot, draft, open_policy, permit_all
from tests.refusal import refused
from wire.evidence_file import Proven

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}
LATER = 1 << 42  # milliseconds: no clock of these tests is behind it


@contextmanager
def piloted(folder: Path, **how: Any) -> Iterator[Pilot]:
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES, **how) as pilot:
        yield pilot


async def share(pilot: Pilot, originator: str, *to: str, count: int = 1, **how: Any) -> list[str]:
    """Publish reports and let the readers fetch them."""
    async with pilot.publisher(originator) as publisher:
        drafts = [draft(release_to=to, **how) for _ in range(count)]
        reports = [(await publisher.publish(each)).report for each in drafts]
    for nation in to:
        async with pilot.subscriber(nation) as subscriber:
            async for _ in subscriber.fetch():
                pass
    return reports


@dataclass
class Desk:
    """An auditor's device and what it keeps."""

    identity: Identity
    clock: Callable[[], float] = time.time

    async def pull(self, progress: Progress | None = None) -> Pulled:
        async with Auditor(self.identity, clock=self.clock) as auditor:
            with EvidenceStore.open(self.identity.state, pull.whose(auditor), new=True) as store:
                return await pull.pull(auditor, store, progress)

    @contextmanager
    def store(self) -> Iterator[EvidenceStore]:
        """The store, checked as the commands check it."""
        auditor = Auditor(self.identity)
        with EvidenceStore.open(self.identity.state, pull.whose(auditor), new=False) as store:
            pull.check(auditor, store)
            yield store

    def history(self) -> list[bytes]:
        """The lines of a file of everything."""
        me = self.identity
        with self.store() as store:
            return list(files.history(store, me.mission, me.nation, me.charter))

    def receipt(self, index: int) -> list[bytes]:
        """The lines that prove one entry."""
        me = self.identity
        with self.store() as store:
            return files.receipt(store, me.mission, me.nation, me.charter, index)

    def written(self, path: Path, lines: list[bytes]) -> Proven:
        """A file of these lines, verified."""
        return files.write(path, lines, self.identity.charter, now_ms=LATER)


def desk(pilot: Pilot, nation: str, **how: Any) -> Desk:
    return Desk(pilot.device(nation, "auditor", **how), pilot.clock)


@dataclass
class Told:
    """A rich little history, its reports, and the desks of its auditors once they pulled."""

    pilot: Pilot
    shared: list[str]
    given_back: str
    recalled: str
    lost: str
    desks: dict[str, Desk]


async def lived(pilot: Pilot) -> Told:
    """Kenya shares, recalls, tightens its policy and loses a device; Britain gives back."""
    shared = await share(pilot, "KEN", "GBR", "FRA", count=2)
    (given_back,) = await share(pilot, "GBR", "KEN")
    (recalled,) = await share(pilot, "KEN", "GBR")
    analyst = pilot.device("KEN", "analyst")
    async with Subscriber(analyst) as reader, pilot.officer("KEN") as officer:
        watching = reader.watch(regions={"KE"}, threats={"conflict"}, name="ours")
        await anext(watching)
        await watching.aclose()
        await officer.adopt(closed(), open_policy("KEN").accept)
        await officer.recall(recalled, "source at risk")
        async with pilot.officer("GBR") as partner:
            await partner.confirm(recalled, "destroyed")
        async with pilot.subscriber("FRA") as france:
            with refused("not-found"):
                await france.fetch_one(shared[0])
        async with pilot.publisher("KEN") as publisher:
            with refused("withheld"):
                await publisher.publish(draft(release_to={"FRA"}))
        await officer.revoke(analyst.kid, "device lost")
    desks = {nation: desk(pilot, nation) for nation in NATIONS}
    for _ in range(2):  # a denial is told by the next reading, and found by the one after
        for one in desks.values():
            await one.pull()
    return Told(pilot, shared, given_back, recalled, analyst.kid, desks)


def closed() -> str:
    """Kenya's policy without France."""
    return (
        permit_all("KEN", "release")
        + '\n@id("KEN/closed")\n@says("Nothing to France.")\n'
        + 'forbid (principal in Nation::"FRA", action == Action::"release", resource);'
    )
