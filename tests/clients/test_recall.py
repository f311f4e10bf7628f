"""A recall reaches who has the report: it is destroyed there, and the originator knows who has not
answered yet.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from clients import subscriber, transport
from clients.auditor import Auditor
from clients.received import Notable, Unopened
from clients.subscriber import Subscriber
from tests.clients.liar import Event, Liar
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused
from wire import statements
from wire.errors import TearlineError

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}
DAY = 86_400
Said = list[Notable]


class Clock:
    """The time of the broker and all clients; it can jump."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("recall")
    with Pilot.of(*NATIONS, folder=folder, doors=1, policies=POLICIES, clock=clock) as found:
        yield found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(subscriber, "PAUSES", (0.01,))
    monkeypatch.setattr(transport, "PAUSES", (0.01,) * 8)


async def certificate(pilot: Pilot, report: str, clock: Clock) -> Any:
    async with pilot.auditor("KEN", clock=clock) as auditor:
        return await auditor.certificate(report)


def reasons(said: Said) -> list[str]:
    return [one.reason.slug for one in said if isinstance(one, Unopened)]


@pytest.mark.slow
async def test_a_system_that_listens_destroys_it_and_answers_by_itself(
    pilot: Pilot, clock: Clock
) -> None:
    said: Said = []
    identity = pilot.device("GBR", "system")
    async with (
        pilot.publisher("KEN", clock=clock) as publisher,
        pilot.officer("KEN", clock=clock) as officer,
        Subscriber(identity, clock=clock) as reader,
        aclosing(reader.watch(regions={"TD"}, notice=said.append)) as reports,
    ):
        wrong = await publisher.publish(draft("wrong", regions={"TD"}))
        assert (await anext(reports)).identity == wrong.report
        name = f"report:{wrong.report}"
        waiting = anyio.Event()

        async def next_one() -> None:
            assert (await anext(reports)).title == "right"
            waiting.set()

        async with anyio.create_task_group() as group:
            group.start_soon(next_one)
            await officer.recall(wrong.report, "source at risk")
            assert not (await certificate(pilot, wrong.report, clock)).destroyed or said
            await publisher.publish(draft("right", regions={"TD"}))
        assert waiting.is_set()
        assert name not in reader.store
        assert reasons(said) == ["recalled"]
        found = await certificate(pilot, wrong.report, clock)
        (holder,) = found.holders
        assert (holder.nation, holder.answer.outcome) == ("GBR", "destroyed")
        assert holder.answer.kid == identity.kid
        assert found.complete
        assert found.destroyed


@pytest.mark.slow
async def test_a_nation_that_is_offline_for_a_day_is_missing_for_a_day(
    pilot: Pilot, clock: Clock
) -> None:
    both = {"release_to": {"GBR", "FRA"}}
    away, here = pilot.device("FRA", "system"), pilot.device("GBR", "system")
    async with pilot.publisher("KEN", clock=clock) as publisher:
        report = (await publisher.publish(draft("wrong", regions={"NE"}, **both))).report
    for identity in (away, here):
        async with Subscriber(identity, clock=clock) as reader:
            await reader.fetch_one(report)
    async with pilot.officer("KEN", clock=clock) as officer:
        await officer.recall(report, "source at risk")
    async with Subscriber(here, clock=clock) as reader:
        assert [r async for r in reader.fetch(regions={"NE"})] == []
    assert (await certificate(pilot, report, clock)).missing == ("FRA",)
    clock.ahead += DAY
    for kind in NATIONS:  # nobody's keys are too old to be asked
        async with pilot.officer(kind, clock=clock) as officer:
            await officer.rotate()
    found = await certificate(pilot, report, clock)
    assert (found.missing, found.complete) == (("FRA",), False)
    said: Said = []
    async with Subscriber(away, clock=clock) as reader:
        assert f"report:{report}" in reader.store
        assert [r async for r in reader.fetch(regions={"NE"}, notice=said.append)] == []
        assert f"report:{report}" not in reader.store
    assert reasons(said) == ["recalled"]
    found = await certificate(pilot, report, clock)
    assert (found.missing, found.complete, found.destroyed) == ((), True, True)


@pytest.mark.slow
async def test_an_analyst_destroys_it_and_an_officer_answers(pilot: Pilot, clock: Clock) -> None:
    identity = pilot.device("GBR", "analyst")
    async with pilot.publisher("KEN", clock=clock) as publisher:
        report = (await publisher.publish(draft("wrong", regions={"ML"}))).report
    async with Subscriber(identity, clock=clock) as reader:
        await reader.fetch_one(report)
        async with pilot.officer("KEN", clock=clock) as officer:
            await officer.recall(report, "wrong")
        await reader.follower.sync()
        await reader.take_back(lambda _: None)
        assert f"report:{report}" not in reader.store
    assert (await certificate(pilot, report, clock)).missing == ("GBR",)
    async with pilot.officer("GBR", clock=clock) as officer:
        for outcome, basis in (("retained", None), ("destroyed", "Archives Act")):
            with refused("bad-statement"):
                await officer.confirm(report, outcome, basis=basis)
        await officer.confirm(report, "retained", basis="Archives Act")
    found = await certificate(pilot, report, clock)
    assert (found.complete, found.destroyed) == (True, False)
    assert found.holders[0].answer.basis == "Archives Act"
    async with pilot.officer("GBR", clock=clock) as officer:
        await officer.confirm(report, "destroyed")
    assert (await certificate(pilot, report, clock)).destroyed


@pytest.mark.slow
async def test_a_system_never_takes_back_what_an_officer_has_answered(
    pilot: Pilot, clock: Clock
) -> None:
    identity = pilot.device("GBR", "system")
    async with pilot.publisher("KEN", clock=clock) as publisher:
        report = (await publisher.publish(draft("wrong", regions={"BF"}))).report
    async with Subscriber(identity, clock=clock) as reader:
        await reader.fetch_one(report)
    async with pilot.officer("KEN", clock=clock) as officer:
        await officer.recall(report, "wrong")
    async with pilot.officer("GBR", clock=clock) as officer:
        await officer.confirm(report, "retained", basis="Archives Act")
    async with Subscriber(identity, clock=clock) as reader:
        assert [r async for r in reader.fetch(regions={"BF"})] == []
        assert f"report:{report}" not in reader.store
    assert (await certificate(pilot, report, clock)).holders[0].answer.outcome == "retained"


# -- a broker that lies


@pytest.mark.slow
async def test_a_release_from_before_the_recall_is_not_kept_again(
    pilot: Pilot, clock: Clock
) -> None:
    """A broker that kept the bytes sends them once more, proof and all. Expect refusal."""
    (door,) = pilot.doors
    async with Liar.at(door, pilot.port) as liar, pilot.publisher("KEN", clock=clock) as publisher:
        identity = pilot.device("GBR", "analyst", port=door.getsockname()[1])
        report = (await publisher.publish(draft("wrong", regions={"CM"}))).report
        async with Subscriber(identity, clock=clock) as reader:
            await reader.fetch_one(report)
            (kept,) = liar.heard(f"/v1/reports/{report}")
            async with pilot.officer("KEN", clock=clock) as officer:
                await officer.recall(report, "wrong")
            liar.answers(r"/v1/reports\?", lambda page: {**page, "releases": [kept]})
            said: Said = []
            got = [r async for r in reader.fetch(again=True, notice=said.append)]
            assert got == []
            assert f"report:{report}" not in reader.store
            assert "recalled" in reasons(said)


@pytest.mark.slow
async def test_a_recall_that_does_not_stand_in_the_journal_destroys_nothing(
    pilot: Pilot, clock: Clock
) -> None:
    """A stream says so and shows a statement that was never published. Expect refusal."""
    (door,) = pilot.doors
    async with Liar.at(door, pilot.port) as liar, pilot.publisher("KEN", clock=clock) as publisher:
        identity = pilot.device("GBR", "analyst", port=door.getsockname()[1])
        report = (await publisher.publish(draft("right", regions={"TG"}))).report
        genesis = sorted((pilot.folder / "broker/genesis").glob("*.tlst"))
        other = next(
            raw
            for raw in (path.read_bytes() for path in genesis)
            if statements.parse(raw).head.type == "policy.publish"
        )
        forged = {"statement": b64encode(other).decode(), "index": 1}

        def lie(event: Event) -> list[Event]:
            recall = Event("recall", event.id, json.dumps(forged).encode())
            return [event, recall] if event.kind == "report" else [event]

        liar.events(lie)
        async with (
            Subscriber(identity, clock=clock) as reader,
            aclosing(reader.watch(regions={"TG"})) as reports,
        ):
            assert (await anext(reports)).identity == report
            with refused("bad-proof"):
                await anext(reports)
            assert f"report:{report}" in reader.store


@pytest.mark.slow
@pytest.mark.parametrize("hidden", ["release", "answer"])
async def test_a_hidden_holder_or_answer_gives_no_certificate(
    pilot: Pilot, clock: Clock, hidden: str
) -> None:
    """Expect refusal."""
    (door,) = pilot.doors
    async with pilot.publisher("KEN", clock=clock) as publisher:
        report = (await publisher.publish(draft("wrong", regions={"BJ"}))).report
    async with Subscriber(pilot.device("GBR", "system"), clock=clock) as reader:
        await reader.fetch_one(report)
    async with pilot.officer("KEN", clock=clock) as officer:
        await officer.recall(report, "wrong")
    async with pilot.officer("GBR", clock=clock) as officer:
        await officer.confirm(report, "destroyed")
    async with Liar.at(door, pilot.port) as liar:
        identity = pilot.device("KEN", "auditor", port=door.getsockname()[1])

        def without(page: dict[str, Any]) -> dict[str, Any]:
            entries = page["segment"]["entries"]
            kept = entries[:-6] + entries[-5:] if hidden == "release" else entries[:-1]
            return {**page, "segment": {**page["segment"], "entries": kept}}

        liar.answers("/v1/log/views" if hidden == "release" else "/v1/statements", without)
        async with Auditor(identity, clock=clock) as auditor:
            with pytest.raises(TearlineError):
                await auditor.certificate(report)
            liar.honest()
        async with Auditor(identity, clock=clock) as auditor:
            assert (await auditor.certificate(report)).complete
