"""`tearline open`: a report from a file."""

import time
from pathlib import Path
from typing import Annotated

import typer

from clients.cli import display as screen
from clients.cli import output, shown
from clients.cli.common import load, run_async
from clients.cli.options import As, Json, Shown
from clients.offline import open_file
from wire.errors import Malformed


def open_(
    path: Annotated[Path, typer.Argument(help="A .tlr file.")],
    identity: As,
    display: Shown = False,
    json: Json = False,
) -> None:
    """Open a sealed report from a file, without any network.

    The keys that were known when this identity last followed the mission count.
    Example: tearline open report.tlr --as kit/GBR/analyst
    """
    if not path.is_file():
        raise Malformed("bad-input", f"no file {path.name}")
    if display:
        screen.check_screen(elsewhere=json)
    loaded = load(identity)
    report = open_file(loaded, path.read_bytes(), keeps=screen.KEEPS if display else ())
    proof = {"offline": True}
    if display:
        run_async(lambda: screen.show(report, loaded, time.time()))
    elif json:
        output.line(shown.report_fields(report, proof))
    else:
        shown.show_report(report, proof)
