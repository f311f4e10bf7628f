"""The command `tearline`: one app of many commands, and the one edge where errors become words."""

import sys
from importlib.util import find_spec
from typing import Any

import typer
from pydantic import ValidationError

from clients.cli import audit, officer, reports
from clients.cli.common import refuse
from clients.cli.output import note
from wire.errors import Malformed, TearlineError

INTERRUPTED = 130
USAGE = 2
"""Exit code of a command line that nobody could follow."""
FULL = find_spec("cedarpy") is not None
"""An analyst installs no policy engine; who writes policies or runs a mission has the extra."""

app = typer.Typer(
    name="tearline",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Share intelligence without losing control of it."
    + ("" if FULL else " For kits, members, policies and the demo: install tearline[policy]."),
)
app.add_typer(reports.app)
app.add_typer(audit.app, name="audit")
app.add_typer(officer.app, name="officer")
if FULL:
    from clients.cli import adopt, analysis, demo, kit, mission, policy

    app.add_typer(kit.app, name="kit")
    app.add_typer(mission.app)
    app.add_typer(mission.nation, name="nation")
    app.add_typer(mission.member, name="member")
    app.add_typer(mission.epoch, name="epoch")
    policy.app.add_typer(analysis.app)
    policy.app.add_typer(adopt.app)
    app.add_typer(policy.app, name="policy")
    app.add_typer(demo.app)


def run() -> None:
    """Run the command line; every refusal is one line, what to do next, and an exit code."""
    json = "--json" in sys.argv
    try:
        sys.exit(app(prog_name="tearline", standalone_mode=False))
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
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(INTERRUPTED)
    except OSError as error:
        what = "" if error.filename is None else f"{error.filename}: "
        refuse(Malformed("bad-input", f"{what}{(error.strerror or 'failed').lower()}"), json=json)


def _misused(error: Any, *, json: bool) -> None:
    """One line for a wrong command line too; without any command the help has been shown."""
    context = getattr(error, "ctx", None)
    words = error.format_message() if hasattr(error, "format_message") else str(error)
    if not words.strip():
        sys.exit(USAGE)
    where = "" if context is None else f"; see {context.command_path} --help"
    refuse(Malformed("bad-input", words.rstrip(".") + where), json=json, code=USAGE)


if __name__ == "__main__":
    run()
