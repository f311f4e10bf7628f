"""A nation's root orders how long its views and payloads are kept; the broker carries it out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker.house import House
from wire.entries import MISSION
from wire.statements import Statement

pytestmark = pytest.mark.anyio

FLOOR = 30
DAY = 86_400


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


async def order(
    house: House, nation: str = "KEN", *, views: int | None = FLOOR, payloads: int | None = None
) -> Statement:
    """The nation's root orders."""
    said = house[nation].says("retention.set", {"views": views, "payloads": payloads})
    await house.files(said)
    return said


async def days_pass(house: House, days: float) -> None:
    """Time passes, and the broker does what is due."""
    house.world.clock.forward(days=days)
    await house.broker.expire()


async def erased(house: House, nation: str) -> list[int]:
    """The numbers of the entries of a channel whose views are gone."""
    found, after = [], 0
    while entries := (await house.broker.journal.segment(nation, after)).entries:
        found += [after + i for i, entry in enumerate(entries) if entry.view is None]
        after += len(entries)
    return found


async def sweeps(house: House, channel: str) -> list[dict[str, Any]]:
    return [view for kind, view in await house.channel(channel) if kind == "view.erased"]


# -- what is erased, and when


async def test_nothing_is_erased_by_default(house: House) -> None:
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await days_pass(house, 5_000)
    assert await erased(house, "KEN") == []
    assert await sweeps(house, "KEN") == await sweeps(house, MISSION) == []


async def test_views_go_once_they_and_the_order_are_old_enough(house: House) -> None:
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    said = await order(house)
    await days_pass(house, FLOOR - 1)
    assert await erased(house, "KEN") == []
    await days_pass(house, 2)
    gone = await erased(house, "KEN")
    assert gone == list(range(len(gone)))
    kinds = [kind for kind, _ in await house.channel("KEN")]
    assert kinds[len(gone) :] == ["view.erased"]
    (view,) = await sweeps(house, "KEN")
    midnight = house.world.clock.now // DAY * DAY
    assert view == {
        "nation": "KEN",
        "order": said.identity,
        "before": midnight - FLOOR * DAY,
        "first": 0,
        "until": len(gone),
    }
    assert receipt.index in [e.index for e in (await house.broker.journal.segment("KEN")).entries]


async def test_the_mission_is_told_what_is_public_and_no_more(house: House) -> None:
    said = await order(house)
    await days_pass(house, FLOOR + 1)
    told = await sweeps(house, MISSION)
    (own,) = await sweeps(house, "KEN")
    assert told == [{k: own[k] for k in ("nation", "order", "before")}]
    assert told[0]["order"] == said.identity
    assert await sweeps(house, "GBR") == []
    assert await erased(house, MISSION) == await erased(house, "GBR") == []
