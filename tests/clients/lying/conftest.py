"""One stage for all kinds of lies, and a scene on it for each test."""

import shutil
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from tests.broker.server import serving
from tests.clients.lying.stage import HEARTBEAT, NATIONS, Scene, Stage, beginning, later, scene_of
from tests.pilot import Pilot, open_policy


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("lying")
    policies = {nation: open_policy(nation) for nation in NATIONS}
    pilot = Pilot.laid_out(*NATIONS, folder=folder, doors=1, policies=policies, witnesses=())
    home = pilot.folder / "broker"
    with serving(home, heartbeat_seconds=HEARTBEAT) as server:
        pilot.port = server.port
        early = anyio.run(beginning, pilot)
    shutil.copytree(home, folder / "backup")
    with serving(home, heartbeat_seconds=HEARTBEAT) as server:
        pilot.port = server.port
        stage = Stage(pilot, early, folder / "backup", {}, {}, {})
        anyio.run(later, stage)
        yield stage
        for door in pilot.doors:
            door.close()


@pytest.fixture
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with scene_of(stage) as made:
        yield made
