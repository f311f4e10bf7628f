"""`tearline lost`: what this device sent, was told was safe, and has to send again after a loss."""

from clients import sent
from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json
from clients.publisher import Publisher
from clients.sent import Unkept
from wire.errors import Conflict


def lost(identity: As, json: Json = False) -> None:
    """Reports of this device that were accepted and then lost with the broker's disk.

    Each was proven to be in a log that the nations have since left. They have to be sent again.
    Example: tearline lost --as kit/KEN/system
    """

    async def work(publisher: Publisher) -> list[Unkept]:
        try:
            await publisher.follower.sync()
        except Conflict as error:
            if error.slug != "log-continued":
                raise
        return sent.lost(publisher.store, publisher.follower.log)

    found = using(Publisher, load(identity), work)
    if json:
        for one in found:
            output.line(vars(one))
        return
    for one in found:
        output.say(f"[yellow]lost[/yellow] {one.report} [dim]was {one.index} of {one.log}[/dim]")
    if not found:
        output.say("nothing that this device sent was lost")
