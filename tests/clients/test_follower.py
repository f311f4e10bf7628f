"""Who is who, as a client proves it: from the pinned charter on, never backwards, once."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from clients.follower import Follower
from clients.identity import Identity
from clients.session import Session
from clients.transport import Transport
from tests.pilot import PASSPHRASE, Pilot, draft
from tests.refusal import refused
from wire.errors import Malformed

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with Pilot.of(*NATIONS, folder=tmp_path_factory.mktemp("follower")) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all requests, in order."""
    paths: list[str] = []
    once = Transport._once

    async def counted(self: Transport, method: str, path: str, *more: object) -> object:
        paths.append(path)
        return await once(self, method, path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Transport, "_once", counted)
    return paths


def again(session: Session) -> Session:
    """The same device in its next run."""
    return Session(Identity.load(session.identity.folder, PASSPHRASE))


@pytest.mark.slow
def test_what_was_followed_is_known_without_any_network(pilot: Pilot) -> None:
    async def follow(session: Session) -> None:
        async with session:
            await session.follower.sync()

    session = Session(pilot.device("KEN", "analyst"))
    assert session.directory.charter is None
    anyio.run(follow, session)
    later = again(session)
    assert later.directory == session.directory
    assert later.directory.channels == ("MISSION", "KEN", "GBR")
    assert later.follower.seen == session.follower.seen
    assert later.follower.keyring().epochs == (1,)


@pytest.mark.slow
async def test_every_nation_and_kind_of_member_comes_to_the_same_directory(pilot: Pilot) -> None:
    found = []
    for nation in NATIONS:
        for kind in ("system", "auditor"):
            async with Session(pilot.device(nation, kind)) as session:
                found.append(await session.follower.sync())
    assert {frozenset(d.nations) for d in found} == {frozenset(NATIONS)}
    assert len({d.position for d in found}) == 1
    # Who never signs for others is known to its own nation only.
    kinds = [{(m.nation, m.kind) for m in d.members.values()} for d in found]
    assert ("KEN", "analyst") in kinds[0]
    assert ("GBR", "analyst") not in kinds[0]
    assert {("GBR", "system"), ("GBR", "officer")} <= kinds[0]


@pytest.mark.slow
async def test_only_what_is_new_is_asked_for(pilot: Pilot, asked: list[str]) -> None:
    async with Session(pilot.device("KEN", "analyst")) as session:
        await session.follower.sync()
        first = len(asked)
        await session.follower.sync(within=60)
        await session.follower.sync(at_least=session.directory.position)
        assert len(asked) == first, "nothing to ask"
        await session.follower.sync()
        assert asked[first:] == ["/v1/statements"]
        kept = (session.identity.state, session.follower.directory)
        async with pilot.officer("GBR") as officer:
            await officer.rotate()
        await session.follower.sync()
        assert session.directory.nation("GBR").newest_epoch > 1
        assert kept[1].nation("GBR").newest_epoch < session.directory.nation("GBR").newest_epoch
    async with again(session) as later:
        assert later.directory == session.directory


@pytest.mark.slow
async def test_many_tasks_follow_as_one(pilot: Pilot, asked: list[str]) -> None:
    """Two that follow at once must not fold the same statements twice."""
    async with (
        Session(pilot.device("KEN", "analyst")) as session,
        pilot.publisher("KEN") as publisher,
        pilot.officer("GBR") as officer,
    ):
        await publisher.publish(draft())
        begun = len(asked)
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(session.follower.sync)
        assert len(asked) - begun <= 4, "they wait for each other, and then know"

        async def speak() -> None:
            for _ in range(3):
                await officer.rotate()

        async def follow() -> None:
            for _ in range(10):
                await session.follower.sync()

        async with anyio.create_task_group() as group:
            group.start_soon(speak)
            for _ in range(5):
                group.start_soon(follow)
        directory = await session.follower.sync()
    assert again(session).directory == directory
    assert directory == (await fresh(pilot)).directory


async def fresh(pilot: Pilot) -> Session:
    async with Session(pilot.device("KEN", "analyst")) as session:
        await session.follower.sync()
    return session


@pytest.mark.slow
async def test_one_proof_is_asked_for_each_tree(pilot: Pilot, asked: list[str]) -> None:
    async with pilot.publisher("KEN") as publisher, Session(pilot.device("KEN", "analyst")) as one:
        receipts = [await publisher.publish(draft(str(number))) for number in range(3)]
        await one.follower.sync()
        begun = len(asked)
        for _ in range(5):
            for receipt in receipts:
                assert receipt.evidence.checkpoint is not None
                await one.follower.observe(receipt.evidence.checkpoint)
        newest = receipts[-1].size == one.follower.seen.size
        assert len(asked) - begun == len(receipts) - newest


@pytest.mark.slow
async def test_the_newest_tree_that_any_process_saw_is_kept(pilot: Pilot) -> None:
    """Two processes of one member: the one that ends last may have seen less."""
    device = pilot.device("KEN", "analyst")
    async with Session(device) as slow:
        await slow.follower.sync()
        async with pilot.publisher("KEN") as publisher:
            receipt = await publisher.publish(draft())
        async with Session(device) as quick:
            await quick.follower.sync()
        assert quick.follower.seen.size > slow.follower.seen.size
    assert again(slow).follower.seen == quick.follower.seen
    assert quick.follower.seen.size >= receipt.size


@pytest.mark.slow
async def test_another_missions_broker_is_not_followed(pilot: Pilot, tmp_path: Path) -> None:
    """Expect refusal: all its keys and proofs are in order, but it is not what was pinned."""
    ours = pilot.device("KEN", "analyst").public
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path) as other:
        known_there = other.device("KEN", "analyst")
        for pinned, slug in (
            ({"log_keys": ours.log_keys, "origin": ours.origin}, "bad-checkpoint"),
            ({"charter": ours.charter}, "statement-conflict"),
        ):
            public = known_there.public.model_copy(update=pinned)
            async with Session(replace(known_there, public=public)) as session:
                with refused(slug):
                    await session.follower.sync()
                assert session.directory.charter is None
        async with Session(pilot.device("KEN", "analyst", port=other.port)) as session:
            with refused("unsigned-request"):
                await session.follower.sync()


async def test_a_log_key_that_the_charter_does_not_name_is_refused(pilot: Pilot) -> None:
    """Who could change identity.json must change the charter as well, and that is pinned."""
    device = pilot.device("KEN", "analyst")
    public = device.public.model_copy(update={"origin": "another/log"})
    async with Session(replace(device, public=public)) as session:
        with refused("bad-identity", "not the one that the charter names"):
            await session.follower.sync()
        assert session.directory.charter is None


async def test_what_another_version_kept_is_refused_with_what_to_do(pilot: Pilot) -> None:
    session = Session(pilot.device("KEN", "analyst"))
    session.store.put("history", json.dumps({"v": 9}).encode())
    with refused("bad-identity", "remove it"):
        again(session)


@pytest.mark.slow
async def test_whose_time_has_ended_is_told_so(tmp_path: Path) -> None:
    """The broker says the same to all it does not know; the client knows its own time."""
    ahead = 0
    how = {"age": 12 * 3_600, "member_days": 1}
    with Pilot.of("KEN", folder=tmp_path, clock=lambda: time.time() + ahead, **how) as pilot:  # type: ignore[arg-type]
        async with Session(pilot.device("KEN", "analyst")) as session:
            await session.follower.sync()
            ahead = 13 * 3_600
            with refused("unsigned-request", r"this member's time ended on \d{4}-\d\d-\d\d$"):
                await session.follower.sync()
        async with Session(pilot.device("KEN", "analyst")) as session:
            with refused("unsigned-request", "unknown there, or stands no more"):
                await session.follower.sync()


@pytest.mark.slow
async def test_what_does_not_verify_leaves_no_trace(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session(pilot.device("KEN", "analyst")) as session:
        await session.follower.sync()
        before = session.directory
        async with pilot.officer("KEN") as officer:
            await officer.rotate()

        def refusing(*_: object) -> None:
            raise Malformed("bad-statement", "as a test")

        with monkeypatch.context() as patch:
            patch.setattr(Follower, "_folded", refusing)
            with refused("bad-statement"):
                await session.follower.sync()
        assert session.directory is before
        await session.follower.sync()
        assert session.directory.position > before.position
    assert again(session).directory == session.directory
