"""Every command says what it does, and shows how."""

import re
import subprocess
import sys
from typing import Any

import pytest

from clients.cli import main
from tests.cli.terminal import here
from tests.pilot import ROOT


def commands() -> set[str]:
    """Every command by its words; of groups those that do something without a further word."""
    found, waiting = set(), dict[str, Any]({"": main.app})
    while waiting:
        name, command = waiting.popitem()
        inner = getattr(command, "commands", None)
        if inner is None:
            found.add(name)
        else:
            waiting |= {
                name if each.hidden else f"{name} {word}".strip(): each
                for word, each in inner.items()
            }
    return found


def test_the_commands_that_others_rely_on_are_there() -> None:
    promised = {
        *("kit create", "serve", "preview", "publish", "fetch", "watch", "open", "recall", "demo"),
        *("recall status", "recall confirm"),
        *("member create", "member add", "member revoke", "member list", "epoch rotate"),
        *("nation init", "policy lint", "policy format", "policy test", "policy why"),
        *("policy adopt", "audit verify", "officer denials", "policy status"),
        *("audit pull", "audit status", "audit ask", "audit prove", "audit report"),
        *("audit reconcile", "audit export", "audit console", "audit push"),
        *("exercise run", "exercise list", "exercise check"),
        *("registry show", "registry draft", "registry sign", "registry publish"),
    }
    assert promised <= commands()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(commands()))
def test_its_help_shows_an_example(name: str) -> None:
    said = here(*name.split(), "--help").done()
    assert said.err == ""
    text = re.sub(r"\s+", " ", said.out)
    assert f"Usage: tearline {name} " in text
    assert f"Example: tearline {name} " in text


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(commands()))
def test_its_help_is_not_broken_on_a_narrow_terminal(name: str) -> None:
    """Whatever the source's lines are: typer breaks none that is too long where it should."""
    command: Any = main.app
    for word in name.split():
        command = command.commands[word]
    if isinstance(command, main.Deferred):
        command = command.imported()
    _, _, rest = command.help.partition("\n\n")
    assert [line for line in rest.splitlines() if len(line) > 78] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["", "kit", "member", "policy", "audit", "nation", "epoch", "officer", "recall", "registry"],
)
def test_a_group_alone_shows_its_commands(name: str) -> None:
    said = here(*name.split())
    assert said.code == 2
    assert "Commands" in said.out + said.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("frobnicate",), "No such command 'frobnicate'; see tearline --help"),
        (("fetch",), "Missing option '--as'; see tearline fetch --help"),
        (("fetch", "--limit", "3"), "No such option: --limit"),
        (("epoch", "rotate", "--as", "x", "--days", "15"), "less than or equal to 14"),
        (("audit", "pull", "--as", "x", "y"), "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: tuple[str, ...], says: str) -> None:
    said = here(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("refused: ")
    assert said.err.count("\n") == 1
    assert says.lower() in said.err.lower()
    programs = here(*words, "--json")
    assert (programs.code, programs.err) == (2, "")
    assert programs.row["error"] == "bad-input"


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["cedarpy", "z3"])
def test_without_a_part_of_the_extra_a_line_says_what_to_install(missing: str) -> None:
    """Whichever it is; what an analyst needs goes on."""
    start = (
        f"import sys; sys.modules[{missing!r}] = None; "
        "from clients.cli.main import run; sys.argv = ['tearline', *sys.argv[1:]]; run()"
    )

    def said(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", start, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    refused = said("policy", "lint", "policies/examples")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("refused: ")
    assert "install tearline[policy]" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert said("fetch", "--help").returncode == 0
