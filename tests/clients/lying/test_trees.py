"""A log with a second history, and trees without proof that they only grew."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from clients.subscriber import Subscriber
from tests.broker.server import serving
from tests.clients.liar import Doc, Event, Liar, encoded
from tests.clients.lying.lies import flipped, larger, named, newest
from tests.clients.lying.stage import HEARTBEAT, Scene, Stage, scene_of
from tests.refusal import refused
from wire.notes import open_checkpoint

pytestmark = pytest.mark.slow


@contextmanager
def another_broker(stage: Stage, folder: Path, *, data: Path | None = None) -> Iterator[int]:
    """A broker with the same log key and another history: anew, or as a backup had it."""
    kept = shutil.ignore_patterns("data", "anchor", "address")
    shutil.copytree(data or stage.pilot.folder / "broker", folder, ignore=None if data else kept)
    with serving(folder, heartbeat_seconds=HEARTBEAT) as server:
        yield server.port


async def is_stopped(scene: Scene) -> list[str]:
    """Whatever the client does now, it says that the log has forked; gives what it wrote down."""
    reader = scene.reader
    with refused("fork-detected"):
        await reader.follower.sync()
    with refused("fork-detected"):
        assert await scene.shown(reader.fetch()) == []
    with refused("fork-detected"):
        await scene.shown(reader.watch())
    return sorted(path.name for path in reader.identity.state.glob("fork-*.json"))


def check_proof(scene: Scene, name: str) -> Doc:
    """Two checkpoints that the log signed, for anybody to see."""
    written: Doc = json.loads((scene.reader.identity.state / name).read_text())
    keys = scene.reader.follower.log_keys
    trees = [open_checkpoint(written[side], keys).checkpoint for side in ("seen", "shown")]
    assert trees[0] != trees[1]
    return written


@pytest.mark.anyio
@pytest.mark.parametrize("backup", [False, True], ids=["forked", "rolled-back"])
async def test_a_client_stops_at_a_second_history(
    scene: Scene, tmp_path: Path, backup: bool
) -> None:
    """A second journal with the same key, or one that is restored from a backup."""
    reader, stage = scene.reader, scene.stage
    await reader.follower.sync()
    reader.follower.trees.keep()
    with another_broker(stage, tmp_path / "b", data=stage.backup if backup else None) as port:
        scene.liar.truth = port
        names = await is_stopped(scene)
        assert names
        for name in names:
            check_proof(scene, name)
        async with Subscriber(reader.identity) as later:  # and so it stays
            with refused("fork-detected", r"see fork-\d+\.json"):
                await later.follower.sync()
    scene.nothing_false_is_stored()


@pytest.mark.anyio
async def test_two_trees_of_one_size_are_two_histories(stage: Stage, tmp_path: Path) -> None:
    """One backup, restored twice: both go on from it, and each signs its own tree."""
    with (
        another_broker(stage, tmp_path / "a", data=stage.backup) as one,
        another_broker(stage, tmp_path / "b", data=stage.backup) as two,
    ):
        async with scene_of(stage) as scene:
            scene.liar.truth = one
            await scene.reader.follower.sync()
            scene.liar.truth = two
            with refused("fork-detected", "two different trees of"):
                await scene.reader.follower.sync()
            (path,) = scene.reader.identity.state.glob("fork-*.json")
            check_proof(scene, path.name)


CONSISTENCY: dict[str, Callable[[Liar], None]] = {
    "a wrong proof": lambda liar: liar.answers(
        "/v1/log/proof", lambda doc: {"proof": [flipped(h) for h in doc["proof"]]}
    ),
    "no proof": lambda liar: liar.answers("/v1/log/proof", lambda _: {"proof": []}),
    "a refusal": lambda liar: liar.refuses("/v1/log/proof", 404, "not-found"),
    "no JSON": lambda liar: liar.answers("/v1/log/proof", lambda _: b"<html>"),
    "a proof that is too long": lambda liar: liar.answers(
        "/v1/log/proof", lambda doc: {"proof": doc["proof"] * 2}
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", CONSISTENCY, ids=named)
async def test_a_tree_without_proof_that_it_grew_is_not_believed(scene: Scene, name: str) -> None:
    """Expect refusal, with both checkpoints written down; a true proof later is taken."""
    CONSISTENCY[name](scene.liar)
    note = await newest(scene)
    seen = scene.reader.follower.seen
    for _ in range(2):
        with refused("fork-detected", "no proof that trees of"):
            await scene.reader.follower.observe(note)
    assert scene.reader.follower.seen == seen
    (path,) = scene.reader.identity.state.glob("fork-*.json")
    assert check_proof(scene, path.name)["shown"] == note
    await scene.unharmed()


@pytest.mark.anyio
async def test_a_heartbeat_is_believed_no_more_than_a_report(scene: Scene) -> None:
    def change(event: Event) -> list[Event]:
        if event.kind != "heartbeat":
            return []
        note = event.doc["checkpoint"]
        return [replace(event, data=encoded({**event.doc, "checkpoint": larger(note)}))]

    scene.liar.events(change)
    with refused("bad-checkpoint", "does not verify"):
        await scene.shown(scene.reader.watch())
    await scene.unharmed()
