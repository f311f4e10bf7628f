"""The command `tearline`: one tree of many commands, and the one edge where errors become words."""

import inspect
import re
import sys
from collections.abc import Callable
from pkgutil import resolve_name
from textwrap import fill
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_install_completion_arguments

from clients.cli.commands import COMMANDS, FULL
from clients.cli.output import note, show_any_text
from clients.cli.refusal import from_machine, refuse
from wire.errors import Malformed, TearlineError

INTERRUPTED = 130
USAGE = 2
"""Exit code of a command line that nobody could follow."""
TAKE = "take"


class Deferred(TyperCommand):
    """A command that is imported when somebody uses it: runs, completes, or asks for its help.

    Everything of the kind begins with a context, and that is the command's own.
    """

    def __init__(self, name: str, where: str, summary: str) -> None:
        super().__init__(name, help=summary, hidden=not summary)
        self._where = where

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """The context of the command itself."""
        return self.imported().make_context(*args, **extra)

    def imported(self) -> Any:
        """The command itself."""
        function = resolve_name(f"clients.cli.{self._where}")
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, help=_fitted(function))(function)
        return get_command(alone)


class RecallGroup(TyperGroup):
    """`tearline recall REPORT …` takes it back; the other words are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in that goes without saying."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [TAKE, *args]
        return super().parse_args(ctx, args)


def _fitted(command: Callable[..., None]) -> str:
    """Its help, wrapped to a terminal of 80 columns, with the example on a line of its own: typer
    would show the lines as they stand in the source.
    """
    first, _, rest = (inspect.getdoc(command) or "").partition("\n\n")
    parts = re.split(r"\n\n|\s+(?=Example: )", rest)
    wrapped = [fill(part, 78, break_on_hyphens=False) for part in parts]
    return "\n\n".join([" ".join(first.split()), "\n".join(wrapped)])


def _tree() -> TyperGroup:
    """All commands in their groups."""
    extra = " For kits, members, policies, the demo and exercises: install tearline[policy]."
    root = TyperGroup(
        name="tearline",
        params=[*get_install_completion_arguments()],
        no_args_is_help=True,
        help="Share intelligence without losing control of it." + ("" if FULL else extra),
    )
    groups = {"": root}
    for words, (where, summary) in COMMANDS.items():
        group, _, name = words.rpartition(" ")
        if where:
            groups[group].add_command(Deferred(name, where, summary))
        else:
            kind = RecallGroup if name == "recall" else TyperGroup
            groups[name] = kind(name=name, no_args_is_help=True, help=summary.strip())
            root.add_command(groups[name])
    return root


app = _tree()


def run() -> None:
    """Run the command line; every refusal is one line, what to do next, and an exit code."""
    json = "--json" in sys.argv
    show_any_text()
    try:
        code = app(prog_name="tearline", standalone_mode=False)
        if code == INTERRUPTED:
            note("interrupted")
        sys.exit(code)
    except typer.Abort:
        refuse(Malformed("bad-input", "no answer, so nothing was done"), json=json)
    except typer.TyperException as error:
        _misused(error, json=json)
    except TearlineError as error:
        refuse(error, json=json)
    except OSError as error:
        refuse(from_machine(error), json=json)
    except ValueError as error:
        errors = getattr(error, "errors", None)  # of pydantic, which `--help` does not need
        if errors is None:
            raise
        first = errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        refuse(Malformed("bad-fields", f"{where}: {first['msg']}"), json=json)


def _misused(error: Any, *, json: bool) -> None:
    """One line for a wrong command line too; without any command the help has been shown."""
    context = getattr(error, "ctx", None)
    words = error.format_message() if hasattr(error, "format_message") else str(error)
    if not words.strip():
        sys.exit(USAGE)
    where = "" if context is None else f"; see {context.command_path} --help"
    if not FULL and words.startswith("No such command"):
        where = ", or the extra is missing: install tearline[policy]"
    refuse(Malformed("bad-input", words.rstrip(".") + where), json=json, code=USAGE)


if __name__ == "__main__":
    run()
