"""`tearline witness …`, and what publish, fetch and audit say of confirmation."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.witness.folder import WitnessFolder
from tests.cli.terminal import TEARLINE, here
from tests.clients.witness.serving import laid_out, listening, says
from tests.pilot import PASSPHRASE, ROOT, Pilot, environment, free_port, open_policy, wait_until
from tests.wire.trees import ORIGIN, grown

NATIONS = ("KEN", "GBR")
REPORT = ("--classification", "RESTRICTED", "--release-to", "GBR", "--region", "KE")
LOG = grown(3)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    policies = {nation: open_policy(nation) for nation in NATIONS}
    folder = tmp_path_factory.mktemp("witness")
    with Pilot.of(*NATIONS, folder=folder, policies=policies) as running:
        yield running


def home(pilot: Pilot, nation: str, kind: str = "auditor") -> Path:
    return pilot.folder / nation / kind


def publishes(pilot: Pilot) -> dict[str, Any]:
    words = ("--title", "Clash", "--text", "Two vehicles.", "--threat", "conflict.clash", *REPORT)
    return here("publish", "--json", *words, "--as", home(pilot, "KEN", "system")).done().row


def fetched(pilot: Pilot) -> list[bool]:
    rows = here("fetch", "--json", "--again", "--as", home(pilot, "GBR", "analyst")).done().rows
    return [row["proof"]["confirmed"] for row in rows]


def follow(pilot: Pilot, nation: str, *words: str) -> dict[str, Any]:
    as_ = home(pilot, nation)
    return here("witness", "follow", "--once", "--json", "--as", as_, *words).done().row


@pytest.mark.slow
def test_a_release_is_confirmed_once_both_have_cosigned(pilot: Pilot) -> None:
    assert publishes(pilot)["confirmed"] is False
    assert fetched(pilot) == [False]
    assert follow(pilot, "KEN")["confirmed"] is False
    assert fetched(pilot) == [False], "one of two is no quorum"
    assert follow(pilot, "GBR")["confirmed"] is True
    assert fetched(pilot) == [True]
    assert publishes(pilot)["confirmed"] is False
    assert fetched(pilot) == [True, False]


@pytest.mark.slow
def test_a_status_says_what_no_quorum_stands_behind(pilot: Pilot) -> None:
    fresh = pilot.device("GBR", "auditor").folder
    told = here("audit", "pull", "--json", "--as", fresh).done().row
    assert told["cosigned"], "its witness comes along"
    status = here("audit", "status", "--json", "--as", fresh).done().row
    assert (status["confirmed"], status["good"]) == (False, True), "nothing waits for it"


@pytest.mark.slow
def test_witnesses_elsewhere_are_asked_and_compared(pilot: Pilot, tmp_path: Path) -> None:
    (key,) = pilot.device("KEN", "auditor").log_keys
    other = laid_out(tmp_path / "w", key, name="nobody.example/witness")
    gone = f"http://127.0.0.1:{free_port()}"
    with listening(other) as port:
        url = f"http://127.0.0.1:{port}"
        empty = here("witness", "compare", url, "--as", home(pilot, "KEN"))
        assert (empty.code, "cosigned nothing" in empty.err) == (1, True)
        row = follow(pilot, "KEN", "--witness", gone, "--witness", url)
        assert row["witnesses"] in {0, 1, 2}, "it is not of the charter, and takes nothing away"
        same = here("witness", "compare", url, "--json", "--as", home(pilot, "KEN")).done().row
        assert same["size"] == row["size"]


def test_follow_says_what_is_missing(pilot: Pilot) -> None:
    said = here("witness", "follow", "--once", "--as", home(pilot, "KEN", "analyst"))
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "--witness" in said.err


def test_init_prints_the_keys_that_a_charter_names_and_trust_adds_a_log(tmp_path: Path) -> None:
    made = here("witness", "init", tmp_path / "w", "--name", "ken.example/w").done()
    assert tuple(made.out.split()) == WitnessFolder.load(tmp_path / "w").keys.vkeys
    told = here("witness", "trust", tmp_path / "w", str(LOG.vkey), "--json").done().row
    assert told["logs"] == [ORIGIN]
    again = here("witness", "init", tmp_path / "w", "--name", "ken.example/w", "--json")
    assert (again.code, again.row["error"]) == (1, "bad-input")
    bad = here("witness", "init", tmp_path / "v", "--name", "with spaces", "--json")
    assert (bad.code, bad.row["error"]) == (1, "bad-checkpoint")
    assert not (tmp_path / "v").exists()


@pytest.mark.slow
def test_serve_answers_until_it_is_told_to_stop(tmp_path: Path) -> None:
    laid_out(tmp_path / "w", str(LOG.vkey))
    port = free_port()
    words = [*TEARLINE, "witness", "serve", str(tmp_path / "w"), "--port", str(port), "--json"]
    how = {"env": environment(PASSPHRASE), "cwd": ROOT, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **how) as process:  # type: ignore[call-overload]
        try:
            assert json.loads(process.stdout.readline())["port"] == port
            wait_until(lambda: answers(port))
        finally:
            process.terminate()
            process.wait(20)


def answers(port: int) -> bool:
    try:
        return says(port, LOG.asks(0).body()).status == 200
    except ConnectionRefusedError:
        return False
