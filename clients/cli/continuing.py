"""`tearline nation continue | lost`: after a loss, the nations let the log go on.

The broker is not served while they agree, so nothing here asks it anything.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from clients import proposal
from clients.cli import output
from clients.cli.common import load, roots_of
from clients.cli.options import As, Json, Yes
from clients.files import read, write_new
from clients.identity import Identity
from clients.session import Session
from wire import statements, strict_json
from wire.bodies import MissionContinue
from wire.continuing import Loss
from wire.statements import STATEMENT_MAX

Roots = Annotated[list[Path], typer.Option("--root", help="Root folder of a nation that signs.")]
LOSS_MAX = 65_536  # bytes: what the operator writes is a kilobyte


def nation_continue(
    loss: Annotated[Path, typer.Argument(help="What `tearline journal loss` wrote.")],
    identity: As,
    root: Roots,
    reason: Annotated[str, typer.Option("--reason", help="Stands in the journal.")],
    out: Annotated[Path, typer.Option("--out", help="A new file, for other nations' roots.")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Agree that the log goes on from an older copy, because there is no newer one.

    What the operator says is left is compared with what this device saw. More than half of the
    nations sign, one after the other; the operator gets the file then.
    Example: tearline nation continue loss.json --as kit/KEN/officer --root kit/KEN/root
    --reason "the disk was lost" --out continue.tlst
    """
    session = Session(load(identity))
    roots = roots_of(session.identity.nation, root)
    found = strict_json.load(read(loss, LOSS_MAX), Loss)
    _tell(session, proposal.lost(session.follower, found), json=json)
    output.confirm(f"Let the log go on as {found.origin}?", yes=yes or json)
    made = proposal.continuation(
        session.follower, found, reason, roots, now=int(time.time()), random=os.urandom
    )
    write_new(out, made.raw)
    if not json:
        output.say("next, by another nation: tearline nation sign FILE --as OFFICER --root ROOT")


def nation_lost(
    file: Annotated[Path, typer.Argument(help="What the nations sign, or have signed.")],
    identity: As,
    out: Annotated[Path, typer.Option("--out", help="A new folder, for the operator.")],
    json: Json = False,
) -> None:
    """Write down the statements that this device knows and that are lost, to be said again.

    They bear their signatures: nobody signs anew. Each nation hands in its own, for who is not of
    it knows the heads of some only.
    Example: tearline nation lost continue.tlst --as kit/KEN/officer --out lost/KEN
    """
    session = Session(load(identity))
    body = statements.parse(read(file, STATEMENT_MAX)).body(MissionContinue)
    gone = proposal.lost(session.follower, body)
    out.mkdir(parents=True, mode=0o700)
    for name, raw in gone.files:
        write_new(out / name, raw)
    _tell(session, gone, json=json)


def sign(raw: bytes, identity: Identity, roots: list[Identity], *, yes: bool, json: bool) -> bytes:
    """Add roots' signatures to what another nation drafted, once it is compared and agreed to."""
    session = Session(identity)
    body = statements.parse(raw).body(MissionContinue)
    gone = proposal.lost(session.follower, body)
    _tell(session, gone, json=json)
    output.confirm(f"Let the log go on as {body.origin}, for {identity.nation}?", yes=yes)
    return proposal.sign(session.directory, raw, roots)


def _tell(session: Session, gone: proposal.Lost, *, json: bool) -> None:
    seen, left = session.follower.seen.size, gone.size
    if json:
        about = {"type": "mission.continue", "continues": gone.continues, "origin": gone.origin}
        number = {"statements": len(gone.files), "together": gone.together}
        output.line({**about, "size": left, "seen": seen, **number})
        return
    output.say(f"{gone.continues} goes on as {gone.origin}, from the first {left} entries")
    entries = max(0, seen - left)
    output.say(f"this device saw {entries} more, {len(gone.files)} statements among them")
    if gone.together:
        output.say(f"[yellow]{gone.together} of those nations signed together: sign anew[/yellow]")
