"""`tearline lost`: what this device sent, was told was safe, and has to send again after a loss."""

import typer

from clients import sent
from clients.cli import output
from clients.cli.common import As, Json, load
from clients.publisher import Publisher

app = typer.Typer()


@app.command()
def lost(identity: As, json: Json = False) -> None:
    """Reports of this device that were accepted and then lost with the broker's disk.

    Each was proven to be in a log that the nations have since left. Send them again: the same saved
    file, or the report anew. Asks nobody. Example: tearline lost --as kit/KEN/system
    """
    publisher = Publisher(load(identity))
    found = sent.lost(publisher.store, publisher.follower.log)
    if json:
        for one in found:
            output.line(vars(one))
        return
    for one in found:
        output.say(f"[yellow]lost[/yellow] {one.report} [dim]was {one.index} of {one.log}[/dim]")
    if not found:
        output.say("nothing that this device sent was lost")
