"""What others can learn from an erasure, or do with one. Expect the same, or refusal."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from broker import audit, retention
from tests.attacks.test_non_interference import a_look_into_another_channel, a_report_of_others
from tests.attacks.twins import LeakError, Side, Twins

pytestmark = pytest.mark.anyio

FLOOR = 30
SECRET: tuple[Callable[[Twins, Side], Awaitable[None]], ...] = (
    a_report_of_others,
    a_look_into_another_channel,
)


async def erasing(twins: Twins) -> None:
    """Kenya and France order erasure in both worlds, and have far more to erase in one of them."""
    for nation in ("KEN", "FRA"):
        keeps: dict[str, Any] = {"views": FLOOR, "payloads": FLOOR}
        await twins.say(nation, "retention.set", lambda _, body=keeps: body)  # type: ignore[misc]
    for number in range(12):
        await SECRET[number % 2](twins, twins.sides[0])
    for days in (FLOOR + 1, 1):
        for side in twins.sides:
            side.house.world.clock.forward(days=days)
            await side.house.broker.expire()


async def britain_asks(twins: Twins) -> None:
    await twins.britain("GET /v1/statements?limit=500")
    await twins.britain("GET /v1/log/views?limit=500", who="auditor")
    await twins.britain("GET /v1/reports?limit=50")


@pytest.mark.slow
async def test_how_much_was_erased_of_one_nation_is_not_to_be_seen_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    async with Twins.of("erased", tmp_path) as twins:
        await erasing(twins)
        left, right = [await sweeps(side) for side in twins.sides]
        assert left > right > 2, "the worlds are to differ in what was erased"
        await britain_asks(twins)


async def sweeps(side: Side) -> int:
    """The erasures of Kenya's channel."""
    kinds = [kind for kind, _ in await side.house.channel("KEN")]
    return kinds.count("view.erased")


@pytest.mark.slow
async def test_an_entry_for_all_of_every_erasure_would_be_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above sees it."""
    swept = audit.swept

    def told_to_all(*said: Any, opens_day: bool) -> Any:
        del opens_day
        return swept(*said, opens_day=True)

    monkeypatch.setattr(audit, "swept", told_to_all)
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    async with Twins.of("erased", tmp_path) as twins:
        await erasing(twins)
        with pytest.raises(LeakError, match="GET /v1/statements"):
            await britain_asks(twins)


@pytest.mark.slow
async def test_an_entry_only_where_something_was_erased_would_be_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nation with nothing old that day would be known to have done nothing."""
    swept = audit.swept

    def told_if_any(*said: Any, opens_day: bool) -> Any:
        _, _, _, first, until = said
        return swept(*said, opens_day=opens_day and until > first)

    monkeypatch.setattr(audit, "swept", told_if_any)
    async with Twins.of("erased", tmp_path) as twins:
        await twins.say("KEN", "retention.set", lambda _: {"views": FLOOR, "payloads": None})
        for days, erases in ((FLOOR, True), (2, True), (2, False), (29, True), (2, True)):
            for side in twins.sides:
                side.house.world.clock.forward(days=days)
                if erases:
                    await side.house.broker.expire()
                elif side is twins.sides[0]:  # a reading that one world has, and is to erase
                    auditor = side.house.member(side.member("KEN", "auditor"))
                    await side.house.broker.views(auditor, 0, 0, 9)
        with pytest.raises(LeakError, match="GET /v1/statements"):
            await britain_asks(twins)
