"""`tearline kit create`: a whole mission in folders, for a pilot or an exercise."""

import time
from pathlib import Path
from typing import Annotated

import typer

from clients import kit
from clients.cli import output
from clients.cli.common import new_passphrase, split
from clients.cli.options import Json
from clients.cli.retention import days
from clients.founding import RETENTION_FLOOR, Plan
from clients.keystore import PASSPHRASE_MIN, is_short


def create(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    mission: Annotated[str, typer.Option("--mission", help="The mission's code, such as MINUSX.")],
    nations: Annotated[list[str], typer.Option("--nations", help="KEN,GBR,FRA")],
    exercise: Annotated[bool, typer.Option("--exercise", help="An exercise, not live.")] = False,
    retention_floor: Annotated[
        str, typer.Option(help="Days before which no order erases records; or for-ever.")
    ] = str(RETENTION_FLOOR),
    port: Annotated[int, typer.Option("--port", help="Of the broker.")] = kit.PORT,
    json: Json = False,
) -> None:
    """Make a mission: every nation's keys, statements, policies, and the broker's folder.

    Writes DIR/broker and DIR/<NATION>/{root,officer,system,analyst,auditor}.
    All keys are sealed with one passphrase, from TEARLINE_PASSPHRASE or typed;
    a warning says so if it is short.
    The charter names the retention floor, so it stands as long as the mission.
    For real use every nation makes its own keys on its own machines: see
    `tearline nation` and `tearline member`.

    Example: tearline kit create pilot --mission MINUSX --nations KEN,GBR,FRA
    """
    passphrase = new_passphrase()
    plan = Plan(
        mission=mission,
        nations=tuple(split(nations)),
        exercise=exercise,
        retention_floor=days("--retention-floor", retention_floor),
    )
    made = kit.create(folder, plan, passphrase, now=int(time.time()), port=port)
    if is_short(passphrase):
        words = f"the passphrase has less than {PASSPHRASE_MIN} characters"
        output.note(f"warning: {words}; keys that matter need a longer one")
    if json:
        output.line(
            {
                "folder": str(folder),
                "mission": mission,
                "nations": list(plan.nations),
                "charter": made.charter,
            }
        )
        return
    output.say(f"[green]mission {mission} founded[/green] by {', '.join(plan.nations)}")
    output.say(f"charter {made.charter}")
    output.say(f"next: tearline serve {folder / 'broker'}")
