"""Random histories with erasures: exactly what was to go is gone, and all else is proven."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker import retention
from broker.answers import Receipt
from tests.broker.house import House
from tests.broker.test_retention import DAY, FLOOR, erased, order, sweeps, verified
from tests.refusal import refused
from wire.entries import MISSION

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@dataclass
class Story:
    """One history, and what should be gone by what the orders mean in words."""

    house: House
    chance: random.Random
    said: dict[str, list[tuple[int, int | None, int | None]]] = field(
        default_factory=lambda: {nation: [] for nation in NATIONS}
    )
    """Of each nation's orders: when, and for how many days views and payloads are kept."""
    gone: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NATIONS, 0))
    """Up to which second views are erased."""
    reports: list[tuple[str, Receipt, int]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    @property
    def now(self) -> int:
        return self.house.world.clock.now

    def kept(self, nation: str, what: int) -> int | None:
        """Days for which something is kept now: the longest ordered in the last thirty days."""
        start = self.now - FLOOR * DAY
        standing = [one for one in self.said[nation] if one[0] > start]
        before = [one for one in self.said[nation] if one[0] <= start]
        if not before:
            return None
        days = [one[what] for one in (before[-1], *standing)]
        return None if None in days else max(days)  # type: ignore[type-var]

    def expect(self) -> None:
        """What the broker does now."""
        for nation in NATIONS:
            views, payloads = self.kept(nation, 1), self.kept(nation, 2)
            if views is not None:
                self.gone[nation] = max(self.gone[nation], (self.now // DAY - views) * DAY)
            for owner, receipt, accepted in self.reports:
                limit = None if payloads is None else (self.now // DAY - payloads) * DAY
                if owner == nation and limit is not None and accepted < limit:
                    self.dead.add(receipt.report)

    # -- what happens

    async def share(self) -> None:
        author, reader = self.chance.sample(NATIONS, 2)
        receipt = await self.house.submits(self.house[author].seals(release_to=reader))
        self.reports.append((author, receipt, self.now))
        if self.chance.random() < 0.7:
            await self.house.fetches(self.house[reader].analyst, receipt.report)

    async def look(self) -> None:
        nation = self.chance.choice(NATIONS)
        auditor = self.house.member(self.house[nation].auditor)
        await self.house.broker.views(auditor, 0, 0, 5)

    async def order(self) -> None:
        nation = self.chance.choice(NATIONS)
        views = self.chance.choice([None, FLOOR, FLOOR, 45, 90])
        payloads = self.chance.choice([None, 1, 20, 60])
        await order(self.house, nation, views=views, payloads=payloads)
        self.said[nation].append((self.now, views, payloads))

    async def wait(self) -> None:
        self.house.world.clock.forward(days=self.chance.choice([0.3, 1, 4, 4, 20, 31]))
        await self.house.broker.expire()
        self.expect()
        for nation in self.house.world.nations:
            await self.house.files(nation.opens_epoch())

    async def restart(self) -> None:
        await self.house.restarts()
        self.expect()

    async def scrub(self) -> None:
        await self.house.broker.journal.scrub()

    # -- what must hold

    async def check(self) -> None:
        for nation in NATIONS:
            entries = await verified(self.house, nation)
            wanted = [
                entry.count
                for entry in entries
                if entry.time < self.gone[nation] * 1000 and entry.type != "view.erased"
            ]
            assert await erased(self.house, nation) == wanted
            told = [view for view in await sweeps_of(self.house, MISSION) if view == nation]
            days = {e.time // 1000 // DAY for e in entries if e.type == "view.erased"}
            assert len(told) == len(days)
        await verified(self.house, MISSION)
        for _, receipt, _ in self.reports:
            held = self.house.broker._state.holdings.by_identity(receipt.report)
            assert held is not None
            assert bool(held.erased) == (receipt.report in self.dead)


async def sweeps_of(house: House, channel: str) -> list[str]:
    return [str(view["nation"]) for view in await sweeps(house, channel)]


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 20))]
)
async def test_exactly_what_was_to_go_is_gone(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(retention, "AT_ONCE", chance.choice([2, 5, 1_000]))
    async with House.of(*NATIONS, folder=tmp_path) as house:
        story = Story(house, chance)
        acts: list[Callable[[], Awaitable[None]]] = [
            *(story.share, story.share, story.look, story.order),
            *(story.wait, story.wait, story.restart, story.scrub),
        ]
        for _ in range(30):
            await chance.choice(acts)()
        await story.wait()
        await story.check()
        await story.restart()
        await story.check()
        for author, receipt, _ in story.reports:
            if receipt.report in story.dead:
                with refused("not-found"):
                    await house.fetches(house[author].analyst, receipt.report)
            else:
                await house.fetches(house[author].analyst, receipt.report)
