"""What ends soon or has ended: a warning beside every command of an officer or a system."""

from typing import Final

from clients.cli import output
from clients.session import Session
from wire.freshness import endings

KINDS: Final = frozenset({"officer", "system"})
"""Who is warned: those whose nation stops sharing when nobody acts."""

RENEWALS: Final = {
    "root": "publish the next root",
    "policy": "tearline policy adopt",
    "epoch": "tearline epoch rotate",
    "member": "tearline member add",
}
"""What renews it."""

COLOURS: Final = {"fresh": "green", "soon": "yellow", "urgent": "bold red", "expired": "bold red"}


def warn(session: Session) -> None:
    """Say on standard error what of the nation has ended or is about to."""
    nation, directory = session.identity.nation, session.directory
    member = directory.members.get(session.identity.kid)
    if member is None or member.kind not in KINDS:
        return
    now = int(session.transport.now())
    for ending in endings(directory, nation):
        state = ending.state(now)
        others = ending.what == "member" and ending.name != member.kid and member.kind != "officer"
        if state != "fresh" and not others:
            name = output.clean_line(f"{ending.what} {ending.name[:16]}")
            what = f"[{COLOURS[state]}]warning:[/] {name} of {nation} {ending.words(now)}"
            output.note(f"{what}; {RENEWALS[ending.what]}")
