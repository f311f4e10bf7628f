"""`tearline witness serve`: a witness over HTTP, where the server library is installed."""

import time
from typing import Annotated

import typer

from clients.cli import output
from clients.cli.options import Json
from clients.cli.witness import Folder
from clients.witness.cosigner import Witness
from clients.witness.folder import WitnessFolder
from clients.witness.serve import server

PORT = 8441


def serve(
    folder: Folder,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535)] = PORT,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    json: Json = False,
) -> None:
    """Answer add-checkpoint for the logs that the witness watches (C2SP tlog-witness).

    Plain HTTP: beyond this machine, put it behind something that ends TLS.
    Example: tearline witness serve witness --port 8441
    """
    opened = WitnessFolder.load(folder)
    with Witness(opened, time.time) as witness:
        if json:
            output.line({"name": opened.keys.name, "host": host, "port": port})
        else:
            output.say(f"{output.clean_line(opened.keys.name)} listens on http://{host}:{port}")
        server(witness, host, port).run()
