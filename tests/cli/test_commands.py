"""The table of commands says what the commands say themselves, and importing it costs little."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import clients
import clients.cli
from clients.cli import main
from clients.cli.commands import COMMANDS
from tests.pilot import ROOT

HEAVY = (
    *("anyio", "cryptography", "httpx", "msgspec", "sqlite3", "ssl"),
    *("cedarpy", "fastapi", "reportlab", "uvicorn", "z3"),
    *("broker", "policies", "wire.model", "clients.identity", "clients.cli.reports"),
)
"""What is not needed to say which commands there are."""
ONLY_OF_OTHERS = (
    *("cedarpy", "fastapi", "reportlab", "sqlite3", "uvicorn", "z3"),
    *("broker", "policies", "clients.evidence", "clients.push", "clients.witness"),
)
"""What those who read reports do not need."""


def imported(*words: str) -> set[str]:
    """The modules that the command line has imported when it has answered this."""
    script = (
        "import atexit, sys; from clients.cli.main import run\n"
        "atexit.register(lambda: print('|', *sys.modules))\n"
        f"sys.argv = ['tearline', *{words!r}]; run()"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("|")[2].split())


def of(words: str) -> Any:
    """The entry of the tree that these words name."""
    found: Any = main.app
    for word in words.split():
        found = found.commands[word]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS)
def test_the_table_says_of_a_command_what_it_says_itself(words: str) -> None:
    where, summary = COMMANDS[words]
    if not where:
        assert of(words).commands
        return
    own = of(words).imported().help.partition("\n\n")[0]
    assert own
    assert summary in {own, ""}
    assert of(words).hidden == (not summary)


@pytest.mark.slow
def test_every_command_that_is_written_is_in_the_table() -> None:
    """What shows how to call it is one. Two names may not share it, nor it have none."""
    written = set()
    for path in Path(clients.cli.__file__).parent.glob("*.py"):
        module = import_module(f"clients.cli.{path.stem}")
        for name, thing in inspect.getmembers(module, inspect.isfunction):
            if thing.__module__ == module.__name__ and "Example: " in (thing.__doc__ or ""):
                written.add(f"{path.stem}:{name}")
    assert sorted(written) == sorted(where for where, _ in COMMANDS.values() if where)


@pytest.mark.slow
def test_help_imports_nothing_that_only_commands_need() -> None:
    assert not imported("--help") & {*HEAVY, "pydantic"}


@pytest.mark.slow
@pytest.mark.parametrize("group", ["audit", "journal", "policy", "recall"])
def test_help_of_a_group_imports_nothing_that_only_its_commands_need(group: str) -> None:
    """But pydantic: typer itself has it look at options."""
    assert not imported(group, "--help") & {*HEAVY}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fetch", "open", "publish", "watch"])
def test_a_command_imports_nothing_that_only_others_need(name: str) -> None:
    found = imported(name, "--help")
    assert "clients.cli.reports" in found  # its own is there
    assert not found & {*ONLY_OF_OTHERS}


def test_every_name_of_the_library_is_there() -> None:
    for name in clients.__all__:
        assert getattr(clients, name).__name__ == name
    with pytest.raises(AttributeError):
        clients.nothing  # type: ignore[attr-defined]  # noqa: B018 - it is to be refused
