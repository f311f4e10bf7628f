"""`tearline officer`, as a disclosure officer meets it: a case, its answer, and a consent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.founding import Policies
from tests.cli.terminal import Said, here
from tests.clients.test_officer import OFFICER_FIRST
from tests.pilot import Pilot, draft, open_policy, permit_all

RELEASE = f"{permit_all('KEN', 'release')}\n{OFFICER_FIRST}"
POLICIES = {
    "KEN": Policies(RELEASE, permit_all("KEN", "accept")),
    **{nation: open_policy(nation) for nation in ("GBR", "FRA")},
}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("desk")
    with Pilot.of("KEN", "GBR", "FRA", folder=folder, policies=POLICIES) as found:
        yield found


@pytest.fixture(scope="module")
def officer(pilot: Pilot) -> Path:
    return pilot.device("KEN", "officer").folder


def desk(officer: Path, *words: str) -> Said:
    return here("officer", *words, "--as", officer)


def publishes(pilot: Pilot, **how: Any) -> str:
    async def work() -> str:
        async with pilot.publisher("KEN") as publisher:
            return (await publisher.publish(draft(**how))).report

    return anyio.run(work)


def readable(pilot: Pilot, nation: str) -> set[str]:
    async def work() -> set[str]:
        async with pilot.subscriber(nation) as subscriber:
            return {received.identity async for received in subscriber.fetch()}

    return anyio.run(work)


@pytest.mark.slow
def test_a_case_is_listed_approved_and_taken_back(pilot: Pilot, officer: Path) -> None:
    report = publishes(pilot, caveats={"SOURCE SENSITIVE"})
    row = desk(officer, "queue", "--json").done().row
    assert (row["report"], row["to"], row["layer"]) == (report, "GBR", "release")
    assert {rule["id"] for rule in row["rules"]} == {"KEN/release-all", "KEN/sources"}
    shown = desk(officer, "queue").done().out
    assert row["case"] in shown
    assert "What could lead to a source goes through an officer." in shown
    assert report not in readable(pilot, "GBR")
    said = desk(officer, "approve", row["case"], "--hours", "2", "--json").done().row
    assert said["type"] == "approval"
    assert report in readable(pilot, "GBR")
    assert desk(officer, "queue", "--json").done().rows == []
    gone = desk(officer, "approve", row["case"], "--json")
    assert (gone.code, gone.row["error"]) == (1, "bad-input")


@pytest.mark.slow
def test_a_rejected_case_leaves_the_queue_and_releases_nothing(pilot: Pilot, officer: Path) -> None:
    report = publishes(pilot, caveats={"SOURCE SENSITIVE"})
    case = desk(officer, "queue", "--json").done().row["case"]
    desk(officer, "reject", case, "--reason", "source at risk", "--json").done()
    assert desk(officer, "queue", "--json").done().rows == []
    assert desk(officer, "queue").done().out == "nothing waits for your officers\n"
    assert report not in readable(pilot, "GBR")


@pytest.mark.slow
def test_an_emergency_is_listed_for_review(pilot: Pilot, officer: Path) -> None:
    report = publishes(pilot, caveats={"SOURCE SENSITIVE"})
    case = desk(officer, "queue", "--json").done().row["case"]
    bare = desk(officer, "approve", case, "--emergency", "--json")
    assert (bare.code, bare.row["error"]) == (1, "bad-input")
    words = ("--emergency", "--reason", "a convoy is on its way", "--json")
    desk(officer, "approve", case, *words).done()
    assert report not in readable(pilot, "GBR"), "a second officer has to agree"
    (row,) = desk(officer, "queue", "--review", "--json").done().rows
    assert (row["report"], row["reason"]) == (report, "a convoy is on its way")
    shown = desk(officer, "queue", "--review").done().out
    assert report[:16] in shown
    assert "a convoy is on its way" in shown


@pytest.mark.slow
def test_a_consent_is_given_and_taken_back(pilot: Pilot, officer: Path) -> None:
    report = publishes(pilot)
    said = desk(officer, "consent", report, "--to", "FRA", "--json").done().row
    assert said["type"] == "report.release"
    assert report in readable(pilot, "FRA")
    words = ("--reason", "given in error", "--json")
    desk(officer, "withdraw", said["identity"], *words).done()
    assert report not in readable(pilot, "FRA")
