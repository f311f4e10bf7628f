"""Five days of a mission, lived in seconds on a clock of their own: something to make pictures of.

Five nations share the demonstration's reports under its policies. Kenya recalls one, tightens its
policy, gives its witness other keys, and Britain draws on one of its reports; France asks in vain;
every auditor looks now and then, and their witnesses cosign.
"""

import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from clients.auditor import Auditor
from clients.demo import scenario
from clients.demo.scenario import Sent
from clients.evidence import pull
from clients.evidence.store import EvidenceStore
from clients.founding import Policies
from clients.identity import Identity
from clients.policy_folder import nation_texts
from clients.publisher import Publisher
from clients.subscriber import Subscriber
from clients.witness import attend, folder
from tests.pilot import PASSPHRASE, Pilot, draft
from wire.errors import NotAllowed
from wire.labels import Source
from wire.report import parse

NATIONS = ("KEN", "GBR", "FRA", "SEN", "BGD")
DAYS = 5
DAY = 86_400
REPORTS = 30
CLEARANCES = {"SEN": "CONFIDENTIAL", "BGD": "CONFIDENTIAL"}
TIGHTER = """
@id("KEN/somalia-hold")
@says("Until further notice, what touches Somalia stays with the United Kingdom.")
forbid (principal, action == Action::"release", resource in Touching::"SO")
unless { principal in Nation::"GBR" };
"""


@dataclass
class Clock:
    """What time it is for everybody, in Unix seconds."""

    now: float = field(default_factory=lambda: time.time() - DAYS * DAY)

    def __call__(self) -> float:
        return self.now


@dataclass
class Lived:
    """What there is at the end, and what a test wants to find again."""

    pilot: Pilot
    clock: Clock
    auditors: dict[str, Identity] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)
    """What Kenya sent, by identity."""
    recalled: str = ""
    source: str = ""
    derived: str = ""
    apart: str = ""
    """A report from Britain to France that does not concern Kenya."""

    def labels(self, folder: Path) -> Path:
        """Kenya's own reports as `.tlr` files."""
        folder.mkdir(exist_ok=True)
        for identity, raw in self.sealed.items():
            (folder / f"{identity[:16]}.tlr").write_bytes(raw)
        return folder


@contextmanager
def piloted(folder: Path, clock: Clock) -> Iterator[Pilot]:
    """A broker whose clock is ours, and kits that were founded before it starts."""
    with as_file(files("policies").joinpath("examples")) as texts:
        said = {nation: nation_texts(texts / nation) for nation in NATIONS}
    policies = {n: Policies(t["release"], t["accept"]) for n, t in said.items()}
    with Pilot.of(
        *NATIONS,
        folder=folder,
        clock=clock,
        age=DAYS * DAY + 60,
        policies=policies,
        clearances=CLEARANCES,
        exercise=True,
    ) as pilot:
        yield pilot


async def lived(pilot: Pilot, clock: Clock) -> Lived:
    """Live through it."""
    week, chance = Lived(pilot, clock), random.Random(7)
    sent = scenario.written()[:REPORTS]
    for nation in NATIONS:
        week.auditors[nation] = pilot.device(nation, "auditor")
    step = (DAYS * DAY - 7_200) / len(sent)
    async with AsyncExitStack() as stack:
        readers = {n: Subscriber(pilot.device(n, "analyst"), clock=clock) for n in NATIONS}
        writers: dict[str, Publisher] = {}
        for reader in readers.values():
            await stack.enter_async_context(reader)
        for number, one in enumerate(sent):
            clock.now += step * chance.uniform(0.3, 1.5)
            clock.now = min(clock.now, time.time() - 3_600)
            if one.nation not in writers:
                writer = Publisher(pilot.device(one.nation, "system"), clock=clock)
                writers[one.nation] = await stack.enter_async_context(writer)
            await _published(week, writers[one.nation], one)
            if number % 4 == 3:
                await _read(readers, clock)
            if number % 10 == 9:
                await _audited(week, ["KEN", chance.choice(NATIONS[1:4])])
            if number == REPORTS // 2:
                await _tightened(week, readers)
                await _renewed(week)
        await _drawn_on(week, writers["GBR"], readers)
    await _recalled(week)
    for _ in range(2):  # a denial is told by one reading, and found by the next
        clock.now += 300
        await _audited(week, ["KEN"])
    clock.now = time.time()
    await _audited(week, NATIONS[:4])  # four of five witnesses are the quorum
    await _audited(week, ["KEN"])
    return week


async def _published(week: Lived, writer: Publisher, one: Sent) -> None:
    sealed = await writer.seal(one.draft)
    for attachment in sealed.attachments:
        attachment.ciphertext.close()
    with suppress(NotAllowed):
        await writer.submit(sealed)
        if one.nation == "KEN":
            week.sealed[sealed.identity] = sealed.raw
            to = one.draft.label.release_to
            if "GBR" in to and "KE" in one.draft.label.regions:
                week.source = week.source or sealed.identity
                if sealed.identity != week.source and "SEN" in to:
                    week.recalled = week.recalled or sealed.identity


async def _read(readers: dict[str, Subscriber], clock: Clock) -> None:
    for reader in readers.values():
        clock.now += 240
        async for _ in reader.fetch():
            pass


async def _tightened(week: Lived, readers: dict[str, Subscriber]) -> None:
    """Kenya's second policy, and France asks again for what it may not have any more."""
    clock = week.clock
    async with week.pilot.officer("KEN", clock=clock) as officer:
        policy = (await officer.follower.sync()).nation("KEN").policy
        assert policy is not None
        release = "\n".join(policy.release) + TIGHTER
        await officer.adopt(release, "\n".join(policy.accept))
    clock.now += 600
    for identity in week.sealed:
        for nation in ("FRA", "SEN"):
            with suppress(NotAllowed):
                await readers[nation].fetch_one(identity)
    async with week.pilot.publisher("KEN", clock=clock) as writer:
        with suppress(NotAllowed):
            refused = draft("Crossing", ("FRA",), regions={"SO"}, classification="RESTRICTED")
            await writer.publish(refused)


async def _renewed(week: Lived) -> None:
    """Kenya gives its witness other keys."""
    home = attend.home_of(week.auditors["KEN"])
    assert home is not None
    keys = folder.renew(home, random.Random(5).randbytes(folder.SEED)).keys
    root = Identity.load(week.pilot.folder / "KEN/root", PASSPHRASE).root
    async with week.pilot.officer("KEN", clock=week.clock) as officer:
        await officer.set_witness(keys.vkeys, [root])


async def _drawn_on(week: Lived, britain: Publisher, readers: dict[str, Subscriber]) -> None:
    """Britain writes a report that draws on one of Kenya's, and one that Kenya never hears of."""
    frame = parse(week.sealed[week.source])
    source = Source(report=week.source, portion=frame.portions[0].commitment)
    how = {"regions": {"KE"}, "threats": {"explosive.ied_emplaced"}}
    label = {"classification": "CONFIDENTIAL", "derived_from": {source}, **how}
    written = draft("Pattern of devices on the Mandera road", ("KEN",), **label)
    week.derived = (await britain.publish(written)).report
    apart = draft("Between two", ("FRA",), regions={"TD"}, classification="RESTRICTED")
    week.apart = (await britain.publish(apart)).report
    await _read(readers, week.clock)


async def _recalled(week: Lived) -> None:
    clock = week.clock
    async with week.pilot.officer("KEN", clock=clock) as officer:
        await officer.recall(week.recalled, "the source is at risk")
    clock.now += 900
    async with week.pilot.officer("GBR", clock=clock) as partner:
        await partner.confirm(week.recalled, "destroyed")
    for nation in ("SEN", "SEN", "FRA"):
        async with week.pilot.subscriber(nation, clock=clock) as reader:
            with suppress(NotAllowed):
                await reader.fetch_one(week.recalled)


async def _audited(week: Lived, nations: tuple[str, ...] | list[str]) -> None:
    """Auditors pull, as `tearline audit pull` does, with their witnesses."""
    for nation in nations:
        week.clock.now += 1
        async with Auditor(week.auditors[nation], clock=week.clock) as auditor:
            whose = pull.whose(auditor)
            with EvidenceStore.open(auditor.identity.state, whose, new=True) as store:
                await pull.pull(auditor, store)
            await attend.once(auditor, week.clock)
            await auditor.confirmed()
