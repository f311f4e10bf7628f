"""`tearline member ledger`, `tearline nation ledger`: what a leaver takes along."""

import datetime as dt
from typing import Annotated, Any

import typer

from clients import kit
from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json
from clients.identity import Identity
from clients.ledger import Ledger, Taken

Leaver = Annotated[str, typer.Argument(help="The member's kid, or its identity folder.")]
Code = Annotated[str, typer.Argument(help="The nation's code, such as FRA.")]


def member_ledger(who: Leaver, identity: As, json: Json = False) -> None:
    """What a member holds or may hold, and the proof that it was sent nothing since it left.

    Computed here from your nation's proven history; for officers and auditors.
    Example: tearline member ledger 021e…c8 --as kit/KEN/officer
    """
    show(member_leaves(load(identity), kit.kid_of(who)), json=json)


def nation_ledger(code: Code, identity: As, json: Json = False) -> None:
    """What a nation holds of yours, and the proof that it was sent nothing since it left.

    Computed here from your nation's proven history; for officers and auditors.
    Example: tearline nation ledger FRA --as kit/KEN/officer
    """
    show(nation_leaves(load(identity), code), json=json)


# -- asking


def member_leaves(identity: Identity, kid: str) -> Ledger:
    """The ledger of a member of one's own nation."""

    async def work(auditor: Auditor) -> Ledger:
        return await auditor.member_ledger(kid)

    return using(Auditor, identity, work)


def nation_leaves(identity: Identity, code: str) -> Ledger:
    """The ledger of another nation."""

    async def work(auditor: Auditor) -> Ledger:
        return await auditor.nation_ledger(code)

    return using(Auditor, identity, work)


# -- showing


def fields(ledger: Ledger) -> dict[str, Any]:
    """A ledger as `--json` shows it."""
    return {
        "nation": ledger.nation,
        "leaver": ledger.leaver,
        "left": ledger.left,
        "closed": ledger.closed,
        "after": list(ledger.after),
        "unreadable": ledger.unreadable,
        "size": ledger.size,
        "root": ledger.root,
        "taken": [
            {
                "report": one.report,
                "originator": one.originator,
                "index": one.index,
                "time": one.time,
                "use": one.use,
                "portions": list(one.portions),
                "recalled": one.recalled,
                "asked": one.asked,
                "marked": [
                    {
                        "banner": marked.banner,
                        "precedence": marked.precedence,
                        "obligations": list(marked.obligations),
                    }
                    for marked in one.marked
                ],
            }
            for one in ledger.taken
        ],
    }


def show(ledger: Ledger, *, json: bool) -> None:
    """A ledger, for programs or for people."""
    if json:
        output.line({"ledger": fields(ledger)})
        return
    title = f"What {ledger.leaver} takes along, as far as {ledger.nation} knows"
    columns = ("report", "from", "marked", "owes", "released", "at")
    output.table(title, columns, [_row(one) for one in ledger.taken])
    where = f"journal of {ledger.size}, root {ledger.root[:16]}"
    if ledger.left is None:
        output.say(f"[yellow]it has not left[/yellow]; [dim]{where}[/dim]")
    elif ledger.closed:
        output.say(
            f"[green]nothing was released to it after {ledger.left}[/green]; [dim]{where}[/dim]"
        )
    else:
        late = ", ".join(map(str, ledger.after)) or f"{ledger.unreadable} entries cannot be read"
        output.say(f"[red]not proven that nothing was released after {ledger.left}[/red]: {late}")


def _row(one: Taken) -> tuple[str, ...]:
    moment = dt.datetime.fromtimestamp(one.time / 1000, dt.UTC)
    banners = "; ".join(dict.fromkeys(marked.banner for marked in one.marked))
    owed = {word for marked in one.marked for word in marked.obligations}
    owes = sorted(owed | ({"display only"} if one.use == "display" else set()))
    recalled = " (recalled)" if one.recalled else ""
    return (
        f"{one.report[:16]}{recalled}",
        one.originator,
        output.clean_line(banners),
        output.clean_line(", ".join(owes)),
        f"{moment:%Y-%m-%d %H:%MZ}",
        str(one.index),
    )
