"""The command line warns in good time of what ends by itself, and says how to renew it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.cli import session
from tests.cli.terminal import here
from tests.pilot import Pilot, open_policy

CLI = Path(session.__file__).parent
OPENS = re.compile(r"async with (Officer|Auditor|Publisher|Subscriber|Session)\(")
POLICIES = {code: open_policy(code) for code in ("KEN", "GBR")}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    """Founded so that roots and members have twenty days left."""
    plan: dict[str, Any] = {"policies": POLICIES, "root_days": 20, "member_days": 20}
    with Pilot.of("KEN", "GBR", folder=tmp_path_factory.mktemp("ending"), **plan) as found:
        yield found


@pytest.mark.slow
def test_an_officer_is_warned_beside_every_command(pilot: Pilot) -> None:
    said = here("member", "list", "--as", pilot.device("KEN", "officer").folder, "--json").done()
    assert re.search("warning: root 1 of KEN ends in (19|20) days", said.err)
    assert "tearline member add" in said.err
    assert "GBR" not in said.err, "its own nation's alone"
    assert all(re.search("ends in (19|20) days", row["key"]) for row in said.rows)


def test_an_analyst_is_not(pilot: Pilot) -> None:
    said = here("fetch", "--as", pilot.device("KEN", "analyst").folder, "--json").done()
    assert said.err == ""


def test_no_command_opens_a_session_of_its_own_and_forgets_the_warning() -> None:
    """All of them use `session.using`."""
    found = {path.name for path in CLI.glob("*.py") if OPENS.search(path.read_text())}
    assert found == set()


@pytest.mark.slow
def test_the_state_of_the_policy_can_be_asked(pilot: Pilot) -> None:
    folder = pilot.device("KEN", "officer").folder
    row = here("policy", "status", "--as", folder, "--json").done().row
    assert (row["version"], row["state"], row["current"]) == (1, "fresh", True)
    assert "policy 1 of KEN ends in" in here("policy", "status", "--as", folder).done().out
