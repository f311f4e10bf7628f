"""The command `tearline`: one app of many commands, and the one edge where errors become words."""

import inspect
import re
import sys
from importlib.util import find_spec
from textwrap import fill
from typing import Any

import typer
from pydantic import ValidationError

from clients.cli import audit, journal, lost, reports, terms, witness
from clients.cli.common import from_machine, refuse
from clients.cli.output import note, show_any_text
from wire.errors import Malformed, TearlineError

INTERRUPTED = 130
USAGE = 2
"""Exit code of a command line that nobody could follow."""
FULL = all(find_spec(name) is not None for name in ("cedarpy", "z3"))
"""An analyst installs no policy engine; who writes policies or runs a mission has all of the
extra."""

app = typer.Typer(
    name="tearline",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Share intelligence without losing control of it."
    + (
        ""
        if FULL
        else " For kits, members, policies, the demo and exercises: install tearline[policy]."
    ),
)
app.add_typer(reports.app)
app.add_typer(lost.app)
app.command()(terms.terms)
app.add_typer(audit.app, name="audit")
app.add_typer(journal.app)
app.add_typer(journal.journal, name="journal")
app.add_typer(witness.app, name="witness")
if find_spec("uvicorn") is not None:
    from clients.cli import console, witness_serve

    audit.app.command("console")(console.console)
    witness.app.command("serve")(witness_serve.serve)
if FULL:
    from clients.cli import (
        adopt,
        analysis,
        demo,
        exercise,
        founding,
        kit,
        mission,
        officer,
        policy,
        recall,
        registry,
        status,
    )

    app.add_typer(kit.app, name="kit")
    app.add_typer(mission.app)
    app.add_typer(founding.app, name="mission")
    app.add_typer(mission.nation, name="nation")
    app.add_typer(mission.member, name="member")
    app.add_typer(mission.epoch, name="epoch")
    app.add_typer(recall.app, name="recall")
    policy.app.add_typer(analysis.app)
    policy.app.command("status")(status.status)
    policy.app.add_typer(adopt.app)
    app.add_typer(policy.app, name="policy")
    app.add_typer(officer.app, name="officer")
    app.add_typer(registry.app, name="registry")
    app.add_typer(demo.app)
    app.add_typer(exercise.app, name="exercise")


def fit(commands: typer.Typer) -> None:
    """Wrap every help to a terminal of 80 columns, with the example on a line of its own: typer
    would show the lines as they stand in the source.
    """
    for info in commands.registered_commands:
        first, _, rest = (inspect.getdoc(info.callback) or "").partition("\n\n")
        parts = re.split(r"\n\n|\s+(?=Example: )", rest)
        wrapped = [fill(part, 78, break_on_hyphens=False) for part in parts]
        info.help = "\n\n".join([" ".join(first.split()), "\n".join(wrapped)])
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            fit(group.typer_instance)


fit(app)


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
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        refuse(Malformed("bad-fields", f"{where}: {first['msg']}"), json=json)
    except OSError as error:
        refuse(from_machine(error), json=json)


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
