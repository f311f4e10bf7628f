"""Who follows a log is led on after a loss by the nations, and by nobody else."""

import base64
import json
from pathlib import Path

import pytest

from clients.session import Session
from tests.falling_back import Falling
from tests.pilot import draft
from tests.refusal import refused

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
async def pilot(tmp_path: Path) -> Falling:
    found = Falling.back(*NATIONS, folder=tmp_path)
    with found.serves():
        await found.begins()
    return found


async def follows(session: Session) -> Session:
    async with session:
        await session.follower.sync()
    return session


async def reports(pilot: Falling, number: int = 1) -> list[str]:
    async with pilot.publisher("KEN") as publisher:
        return [(await publisher.publish(draft())).report for _ in range(number)]


async def test_everybody_goes_on_once_the_nations_have_agreed(pilot: Falling) -> None:
    with pilot.serves():
        kept = await reports(pilot, 2)
        early = await follows(pilot.subscriber("GBR"))
    vault = await pilot.saves()
    with pilot.serves():
        gone = await reports(pilot, 2)
        late = pilot.subscriber("GBR")
        async with late:
            assert {r.identity async for r in late.fetch()} == {*kept, *gone}
        seen = late.follower.seen
    await pilot.loses(vault)
    statement = await pilot.goes_on()
    with pilot.serves():
        loss = await pilot_size(pilot)
        missing = seen.size - loss
        async with pilot.again(early) as first:
            await first.follower.sync()  # nothing that it saw is gone
            assert first.follower.log.origin == "tearline/minusx/2"
        async with pilot.again(late) as second:
            with refused("log-continued", f"from size {loss}: {missing} entries that you saw"):
                await second.follower.sync()
            await second.follower.sync()
            assert second.directory == first.directory
        fresh = await reports(pilot)
        async with pilot.again(late) as third:
            assert {r.identity async for r in third.fetch(again=True)} == {*kept, *fresh}
    proof = json.loads((late.identity.state / f"continued-{loss}.json").read_text())
    assert base64.b64decode(proof["statement"]) == statement
    assert proof["seen"] == seen.note


async def pilot_size(pilot: Falling) -> int:
    """From where the log goes on."""
    (path,) = (pilot.broker / "genesis").glob("continued-*")
    return int(path.name.split("-")[1])
