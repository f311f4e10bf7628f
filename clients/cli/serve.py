"""`tearline serve`: run the broker.

It is a program of its own, which takes the place of this process: no client code runs in it, and
none of it runs here.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from wire.errors import Malformed


def serve(
    folder: Annotated[Path, typer.Argument(help="The broker's folder, such as KIT/broker.")],
    port: Annotated[
        int | None, typer.Option("--port", help="Instead of the settings' port.")
    ] = None,
) -> None:
    """Run the broker; ready when GET /readyz answers 200. Ctrl-C drains the streams and stops.

    Needs the extra `broker`. Loopback unless the settings say otherwise.
    Example: tearline serve kit/broker --port 8440
    """
    if not folder.is_dir():
        raise Malformed("bad-settings", f"no folder {folder.name}")
    if find_spec("uvicorn") is None:
        raise Malformed("bad-settings", "no broker is installed: pip install tearline[broker]")
    command = [sys.executable, "-m", "broker.serve", str(folder)]
    if port is not None:
        command += ["--port", str(port)]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell, our own interpreter
