"""`tearline recall`: taken back, answered, and the certificate that says so."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.cli.terminal import here
from tests.pilot import PASSPHRASE, Pilot, draft, open_policy

POLICIES = {code: open_policy(code) for code in ("KEN", "GBR")}


@pytest.fixture
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("recall")
    with Pilot.of("KEN", "GBR", folder=folder, policies=POLICIES) as found:
        yield found


async def read(pilot: Pilot) -> str:
    """A report of Kenya that Britain has."""
    async with pilot.publisher("KEN") as publisher, pilot.subscriber("GBR") as reader:
        report = (await publisher.publish(draft())).report
        await reader.fetch_one(report)
        return report


@pytest.mark.slow
def test_from_the_recall_to_the_complete_certificate(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEARLINE_PASSPHRASE", PASSPHRASE)
    report = anyio.run(read, pilot)
    kenya: tuple[str | Path, ...] = ("--as", pilot.device("KEN", "officer").folder)
    britain: tuple[str | Path, ...] = ("--as", pilot.device("GBR", "officer").folder)
    assert here("recall", "status", report, *kenya, "--json").row["error"] == "not-found"
    said = here("recall", report, *kenya, "--reason", "source at risk", "--json").done().row
    assert said["type"] == "report.recall"
    waiting = here("recall", "status", report, *kenya).done().out
    assert "not complete: no answer from GBR" in waiting
    wrong = here("recall", "confirm", report, *britain, "--outcome", "burnt", "--json")
    assert (wrong.code, wrong.row["error"]) == (1, "bad-input")
    words = ("--outcome", "retained", "--basis", "Archives Act")
    here("recall", "confirm", report, *britain, *words, "--yes").done()
    found = here("recall", "status", report, *kenya, "--json").done().row
    assert (found["complete"], found["destroyed"], found["missing"]) == (True, False, [])
    assert found["holders"][0]["answer"]["basis"] == "Archives Act"
    shown = here("recall", "status", report, *kenya).done().out
    assert "retained: Archives Act" in shown
    fetched = here("fetch", "--as", pilot.device("GBR", "analyst").folder, "--again", "--json")
    assert fetched.done().rows == []
