"""An amendment takes the place of a report: readers see it, and the old one says so."""

from collections.abc import Iterator

import pytest

from clients import amended
from clients.received import Received
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused
from wire import strict_json

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("amended")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


async def read_by(pilot: Pilot, nation: str, place: str) -> dict[str, Received]:
    async with pilot.subscriber(nation) as subscriber:
        return {r.title: r async for r in subscriber.fetch(regions={place}, again=True)}


@pytest.mark.slow
async def test_a_reader_sees_what_replaced_what_up_to_the_newest(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        first = await publisher.publish(draft("first", regions={"TD"}))
        how = {"regions": {"TD"}, "supersedes": first.report}
        second = await publisher.publish(draft("second", **how))
        how["supersedes"] = second.report
        third = await publisher.publish(draft("third", **how))
    found = await read_by(pilot, "GBR", "TD")
    assert {title: r.superseded_by for title, r in found.items()} == {
        "first": third.report,
        "second": third.report,
        "third": None,
    }
    assert found["third"].supersedes == {second.report}
    assert found["first"].supersedes == set()


@pytest.mark.slow
async def test_a_report_is_graded_up_and_down_by_an_amendment(pilot: Pilot) -> None:
    """Down: more may read it. Up: who may not read the new one learns nothing of it, and keeps the
    old one until that is recalled.
    """
    async with pilot.publisher("KEN") as publisher, pilot.officer("KEN") as officer:
        narrow = draft("narrow", regions={"NE"}, classification="SECRET")
        wide = {"release_to": {"GBR", "FRA"}, "regions": {"NE"}}
        first = await publisher.publish(narrow)
        assert await read_by(pilot, "FRA", "NE") == {}
        lower = await publisher.publish(draft("wide", supersedes=first.report, **wide))
        assert set(await read_by(pilot, "FRA", "NE")) == {"wide"}
        raised = draft("raised", supersedes=lower.report, regions={"NE"}, classification="SECRET")
        await publisher.publish(raised)
        seen = await read_by(pilot, "FRA", "NE")
        assert {title: r.superseded_by for title, r in seen.items()} == {"wide": None}
        await officer.recall(lower.report, "graded up")
        assert await read_by(pilot, "FRA", "NE") == {}
        assert set(await read_by(pilot, "GBR", "NE")) == {"narrow", "raised"}


async def test_a_mark_of_another_originator_marks_nothing(pilot: Pilot) -> None:
    """A broker that let Britain supersede Kenya's report would make no reader believe it."""
    async with pilot.subscriber("FRA") as reader:
        old, new = "ab" * 32, "cd" * 32
        mark = amended.Mark(by=new, originator="GBR")
        reader.store.put(f"amended:{old}", strict_json.dump(mark.model_dump()))
        assert amended.newest(reader.store, old, "KEN") is None
        assert amended.newest(reader.store, old, "GBR") == new


@pytest.mark.slow
async def test_nobody_replaces_another_nations_report_bad_lineage(pilot: Pilot) -> None:
    """Expect refusal."""
    async with pilot.publisher("KEN") as kenya, pilot.publisher("GBR") as britain:
        report = (await kenya.publish(draft("mine", regions={"ML"}))).report
        with refused("bad-lineage"):
            await britain.publish(draft("theirs", {"KEN"}, regions={"ML"}, supersedes=report))
