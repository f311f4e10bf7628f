"""Random histories: what is remembered, with what came after it, is what the journal alone says."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker import memory
from tests.broker.house import House
from tests.broker.remembering import dies, same
from tests.broker.test_protected import FREE, drawn
from tests.broker.test_retention import FLOOR, order
from tests.coalition import Portion
from wire import report
from wire.errors import TearlineError
from wire.labels import PRECEDENCES
from wire.statements import Statement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA", "SEN")
LEVELS = ("RESTRICTED", "SECRET")


@dataclass
class History:
    """What happens in one house."""

    house: House
    chance: random.Random
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    consents: list[tuple[str, Statement]] = field(default_factory=list)
    recalled: set[bytes] = field(default_factory=set)
    comparisons: int = 0
    later: int = 0
    """Comparisons in which something came after what was remembered."""

    def some(self, most: int) -> list[str]:
        return self.chance.sample(NATIONS, self.chance.randint(1, most))

    def label(self) -> dict[str, Any]:
        """What differs from portion to portion."""
        life = self.chance.choice([None, None, 3_600, 86_400, 20 * 86_400])
        return {
            "precedence": self.chance.choice(PRECEDENCES),
            "expires": None if life is None else self.house.world.clock.now + life,
        }

    # -- what happens

    async def shares(self) -> None:
        author, shown = self.chance.choice(NATIONS), self.some(2)
        others = [
            Portion(f"{n}", self.chance.choice(LEVELS), self.some(3), label=self.label())
            for n in range(self.chance.choice([0, 0, 1, 2]))
        ]
        to = self.some(3)
        raw = self.house[author].seals(
            release_to=to,
            display_to=sorted({*shown} - {*to, author}),
            portions=others,
            **{**FREE, **self.label()},
        )
        await self.submits(author, raw)

    async def derives(self) -> None:
        """From what the author has got, openly or in secret."""
        author = self.chance.choice(NATIONS)
        await self.house.pulls(self.house[author].analyst, keeps={"DISPLAY"})
        raws = [raw for _, raw in self.sent[-6:]]
        sources = self.chance.sample(raws, min(len(raws), self.chance.randint(1, 2)))
        lineage: dict[str, Any] = {"protected": drawn(*sources)}
        if self.chance.random() < 0.5:
            lineage = {"derived_from": drawn(*sources)["derived_from"]}
        raw = self.house[author].seals(
            release_to=self.some(1), **lineage, **{**FREE, **self.label()}
        )
        await self.submits(author, raw)

    async def amends(self) -> None:
        if self.sent:
            author, old = self.chance.choice(self.sent)
            identity = report.parse(old).identity
            raw = self.house[author].seals(release_to=self.some(2), supersedes=identity)
            await self.submits(author, raw)

    async def submits(self, author: str, raw: bytes) -> None:
        try:
            await self.house.submits(raw)
        except TearlineError:  # it draws on what it may not
            return
        self.sent.append((author, raw))

    async def gets(self) -> None:
        reader = self.house[self.chance.choice(NATIONS)].analyst
        await self.house.pulls(reader, keeps=self.chance.choice([set(), {"DISPLAY"}]))

    async def consents_to(self) -> None:
        if self.sent:
            author, raw = self.chance.choice(self.sent)
            listed = {record.nation for record in report.parse(raw).portions[0].records}
            for to in sorted({*NATIONS} - listed)[:1]:
                said = self.house[author].consents(raw, to)
                await self.house.files(said)
                self.consents.append((author, said))

    async def withdraws(self) -> None:
        if self.consents:
            author, said = self.consents.pop(self.chance.randrange(len(self.consents)))
            await self.house.files(self.house[author].takes_back(said))

    async def approves(self) -> None:
        if self.sent:
            author, raw = self.chance.choice(self.sent)
            listed = {record.nation for record in report.parse(raw).portions[0].records}
            for to in sorted(listed - {author})[:1]:
                if raw not in self.recalled:
                    await self.house.files(self.house[author].approves(raw, to, f"{author}/x"))

    async def recalls(self) -> None:
        if self.sent:
            author, raw = self.chance.choice(self.sent)
            body = {"report": report.parse(raw).identity, "reason": "source at risk"}
            await self.house.files(self.house[author].says("report.recall", body))
            self.recalled.add(raw)

    async def orders(self) -> None:
        views, payloads = self.chance.choice([None, FLOOR]), self.chance.choice([None, 1, 20])
        await order(self.house, self.chance.choice(NATIONS), views=views, payloads=payloads)

    async def waits(self) -> None:
        self.house.world.clock.forward(days=self.chance.choice([0.1, 0.3, 1, 4, 31]))
        await self.house.broker.expire()
        for nation in self.house.world.nations:
            await self.house.files(nation.opens_epoch())

    async def subscribes(self) -> None:
        reader = self.house[self.chance.choice(NATIONS)].analyst
        following = await self.house.follows(reader, "some")
        await following.rest()
        await following.closes()

    async def remembers(self) -> None:
        await self.house.broker._memory.keep()

    async def restarts(self) -> None:
        await self.house.broker.close()
        await self.compares()

    async def is_killed(self) -> None:
        await dies(self.house)
        await self.compares()

    async def compares(self) -> None:
        size = await same(self.house)
        self.comparisons += 1
        self.later += 0 < size < self.house.broker.journal.size
        await self.house.opens()


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 40))]
)
async def test_what_is_remembered_is_what_the_journal_says(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(memory, "REPORTS", chance.choice([1, 2, 5]))
    monkeypatch.setattr(memory, "BEHIND", chance.choice([1, 50, 8_192]))
    async with House.of(*NATIONS, folder=tmp_path) as house:
        history = History(house, chance)
        acts: list[Callable[[], Awaitable[None]]] = [
            *(history.shares, history.shares, history.derives, history.derives, history.amends),
            *(history.gets, history.gets, history.consents_to, history.withdraws),
            *(history.approves, history.recalls, history.orders, history.waits, history.subscribes),
            *(history.remembers, history.restarts, history.is_killed),
        ]
        for _ in range(60):
            await chance.choice(acts)()
        await history.remembers()
        await history.shares()
        await history.is_killed()
        assert history.later
        await history.restarts()
