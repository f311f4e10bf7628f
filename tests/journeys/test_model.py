"""The hand-written model, the broker and its clients agree on any label; and sovereignty in large.

The model predicts what five nations' analysts are shown in `test_real_reports`, so it is compared
here with the broker on labels that no real event has. Then brokers stand beside each other, founded
from the same kit. In all but the first, one nation has rewritten both its layers to permit
everything. The same labels, and the same sealed reports, are put to all. What may change is what
that nation itself had refused to take in, and even that no further than the others' rules let it:
exactly as the model says.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.draft import Draft, Portion
from clients.sync import BlockingPublisher
from tests.journeys import rules
from tests.journeys.rules import Facts, Reader
from tests.journeys.traffic import SENDERS, label
from tests.pilot import Pilot, open_policy
from wire.labels import PRECEDENCES

pytestmark = pytest.mark.slow

REBELS = ("GBR", "SEN")
"""Who permits everything: one that sends and reads, and one that takes in little."""

NAMES = ("WITHHOLD", "REFER", "RELEASE")
PLACES = ("001", "002", "014", "017", "145", "142", "SY", "MX", "CF", "KE", "BD", "NE")
THREATS = ("conflict", "conflict.clash", "civilians", "civilians.attack", "crime.extortion")


@st.composite
def facts(draw: st.DrawFn, originator: str) -> Facts:
    """Any label that a nation could honestly sign."""
    named = draw(st.sets(st.sampled_from(rules.NATIONS)))
    display = draw(st.sets(st.sampled_from(rules.NATIONS), max_size=2)) - named - {originator}
    return Facts(
        originator=originator,
        classification=draw(st.sampled_from(rules.LEVELS[:4])),
        release_to=frozenset(named | {originator}),
        regions=frozenset(draw(st.sets(st.sampled_from(PLACES), min_size=1, max_size=3))),
        threats=frozenset(draw(st.sets(st.sampled_from(THREATS), min_size=1, max_size=2))),
        precedence=draw(st.sampled_from(PRECEDENCES)),
        display_to=frozenset(display),
        caveats=frozenset(
            draw(st.sets(st.sampled_from(("SOURCE SENSITIVE", "PERSONAL DATA", "CHILDREN"))))
        ),
        communities=frozenset(draw(st.sets(st.just("PROTECTION OF CIVILIANS")))),
    )


def batches(originators: tuple[str, ...]) -> st.SearchStrategy[list[Facts]]:
    """Labels of one nation, as many as one report can have portions."""
    return st.sampled_from(originators).flatmap(
        lambda nation: st.lists(facts(nation), min_size=1, max_size=16)
    )


def drafted(labels: list[Facts]) -> Draft:
    first, *others = ({"title": "-", "body": "-", "label": label(one, None)} for one in labels)
    return Draft(**first, portions=[Portion(**fields) for fields in others])  # type: ignore[arg-type]


@contextmanager
def mission(folder: Path, rebel: str = "") -> Iterator[Pilot]:
    """The mission as it is, or as it is once this nation permits everything."""
    home = folder / (rebel or "before")
    home.mkdir()
    how: dict[str, Any] = {
        "clearances": rules.CLEARANCES,
        "communities": rules.COMMUNITIES,
        "policies": rules.policies(),
    }
    with Pilot.of(*rules.NATIONS, folder=home, **how) as pilot:
        if rebel:
            anyio.run(permits_everything, pilot, rebel)
        yield pilot


async def permits_everything(pilot: Pilot, nation: str) -> None:
    policy = open_policy(nation)
    await pilot.adopts(nation, policy.release, policy.accept)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with mission(tmp_path_factory.mktemp("model")) as pilot:
        yield pilot


@pytest.fixture(scope="module")
def missions(before: Pilot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pilot]]:
    """By who permits everything; "" for nobody."""
    folder = tmp_path_factory.mktemp("rebels")
    with ExitStack() as stack:
        rebels = {rebel: stack.enter_context(mission(folder, rebel)) for rebel in REBELS}
        yield {"": before, **rebels}


Senders = dict[str, BlockingPublisher]


@contextmanager
def sending(pilot: Pilot) -> Iterator[Senders]:
    """A partner system of every nation that sends."""
    with ExitStack() as stack:
        yield {
            nation: stack.enter_context(BlockingPublisher(pilot.device(nation, "system")))
            for nation in SENDERS
        }


def outcomes(sender: BlockingPublisher, labels: list[Facts]) -> list[dict[str, str]]:
    portions = sender.preview(drafted(labels)).portions
    return [{n: says.outcome for n, says in portion.nations.items()} for portion in portions]


def modelled(one: Facts, rebel: str = "") -> dict[str, str]:
    """What the rules say, if this nation takes in everything."""
    found = {}
    for nation in one.recipients:
        reader = Reader.gateway_of(nation, one)
        found[nation] = NAMES[rules.outcome(one, reader, takes_all=rebel)]
    return found


def test_the_model_and_the_broker_decide_alike(before: Pilot) -> None:
    with sending(before) as senders:

        @settings(max_examples=25)
        @given(labels=batches(SENDERS))
        def holds(labels: list[Facts]) -> None:
            asked = outcomes(senders[labels[0].originator], labels)
            assert asked == [modelled(one) for one in labels]

        holds()


@pytest.mark.long
@pytest.mark.parametrize("rebel", REBELS)
def test_a_nation_that_permits_everything_changes_nothing_that_belongs_to_others(
    missions: dict[str, Pilot], rebel: str
) -> None:
    others = tuple(nation for nation in SENDERS if nation != rebel)
    with sending(missions[""]) as first, sending(missions[rebel]) as second:

        @settings(max_examples=50)
        @given(labels=batches(others))
        def holds(labels: list[Facts]) -> None:
            nation = labels[0].originator
            old, new = outcomes(first[nation], labels), outcomes(second[nation], labels)
            for one, before, after in zip(labels, old, new, strict=True):
                theirs = after.keys() - {rebel}
                assert {n: after[n] for n in theirs} == {n: before[n] for n in theirs}
                assert after == modelled(one, rebel)

        holds()


def some_reports() -> list[Facts]:
    """Reports of every sender about everything that some rule looks at."""
    found = []
    for nation, place, (threat, caveats) in product(
        SENDERS, ("SY", "CF", "MX"), (("conflict.clash", {"PERSONAL DATA"}), ("civilians", ()))
    ):
        one = Facts(
            originator=nation,
            classification="RESTRICTED",
            release_to=frozenset(rules.NATIONS),
            regions=frozenset({place}),
            threats=frozenset({threat}),
            precedence="ROUTINE",
            caveats=frozenset(caveats),
        )
        found.append(replace(one, release_to=one.release_to - rules.withheld_from(one)))
    return found


async def read_by(pilot: Pilot, nation: str) -> set[str]:
    """The titles of everything that a nation's analyst may have."""
    async with pilot.subscriber(nation) as subscriber:
        return {received.title async for received in subscriber.fetch()}


def test_what_analysts_read_of_others_reports_stays_the_same(missions: dict[str, Pilot]) -> None:
    """The same sealed bytes, posted to all; only the rebel's own analyst may read more."""
    reports = dict(enumerate(some_reports()))

    async def post() -> None:
        for nation in SENDERS:
            async with AsyncExitStack() as stack:
                posts = [
                    await stack.enter_async_context(pilot.publisher(nation))
                    for pilot in missions.values()
                ]
                for number, one in reports.items():
                    if one.originator == nation:
                        draft = Draft(title=str(number), body="-", label=label(one, None))
                        sealed = await posts[0].seal(draft)
                        for publisher in posts:
                            await publisher.submit(sealed)

    anyio.run(post)
    for (rebel, pilot), nation in product(missions.items(), rules.NATIONS):
        readable = {
            str(number)
            for number, one in reports.items()
            if rules.outcome(one, Reader.analyst_of(nation), takes_all=rebel) == rules.RELEASE
        }
        others = {str(number) for number, one in reports.items() if one.originator != rebel}
        assert anyio.run(read_by, pilot, nation) & others == readable & others
