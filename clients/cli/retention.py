"""`tearline nation retention`: how long the broker keeps what is a nation's own."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients import retention
from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load, roots_of, using
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.officer import Officer
from clients.retention import Preview, Standing
from wire.errors import Malformed, quoted
from wire.retention import DAY_S, Order

FOR_EVER: Final = "for-ever"

Days = Annotated[str | None, typer.Option(help="Days, or for-ever.")]
Roots = Annotated[list[Path], typer.Option("--root", help="Folder of your root keys; several may.")]


def nation_retention(
    identity: As,
    views: Days = None,
    payloads: Days = None,
    root: Roots = [],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """How long the broker keeps your nation's views and payloads; with --root, order it anew.

    Shows first what the order would erase. It counts once it has stood for the charter's floor;
    until then a new one can hold it up. Without --root nothing is ordered.
    Example: tearline nation retention --as kit/KEN/officer --views 90 --payloads for-ever
    --root kit/KEN/root
    """
    loaded = load(identity)
    if views is None and payloads is None:
        show(using(Auditor, loaded, retention.standing), json=json)
        return
    wanted = days("--views", views), days("--payloads", payloads)
    found = using(Auditor, loaded, lambda auditor: retention.preview(auditor, *wanted))
    _tell(found, *wanted, json=json)
    if not root:
        return
    roots = [each.root for each in roots_of(loaded.nation, root)]
    output.confirm(f"Order this for {loaded.nation}?", yes=yes or json)

    show_spoken(using(Officer, loaded, lambda officer: officer.retain(*wanted, roots)), json=json)


def days(option: str, text: str | None) -> int | None:
    """A number of days that an option names, or none for ever. Raises `Malformed` ("bad-input")."""
    if text is None:
        raise Malformed("bad-input", f"say {option} as well: days, or {FOR_EVER}")
    if text != FOR_EVER and re.fullmatch("[0-9]{1,5}", text) is None:
        raise Malformed("bad-input", f"{option} {quoted(text)}: a number of days, or {FOR_EVER}")
    return None if text == FOR_EVER else int(text)


# -- showing


def show(found: Standing, *, json: bool) -> None:
    """What is ordered, for programs or for people."""
    if json:
        output.line({"floor": found.floor, "orders": [_fields(found, o) for o in found.orders]})
        return
    if found.floor is None:
        output.say("the charter names no retention floor: nothing is erased in this mission")
    elif not found.orders:
        output.say("nothing was ordered: everything is kept")
    else:
        columns = ("order", "entry", "views", "payloads", "ordered", "counts from")
        output.table("Retention", columns, [list(_row(found, o)) for o in found.orders])


def _tell(found: Preview, views: int | None, payloads: int | None, *, json: bool) -> None:
    if json:
        output.line({"preview": vars(found)})
        return
    output.say(f"views: {_words(views)}; payloads: {_words(payloads)}")
    output.say(f"  it counts from {_date(found.counts_from)}; by today's date it would erase:")
    output.say(
        f"  {found.views} views of your channel, and the payloads of {found.reports} reports"
    )
    if found.releases:
        output.say(
            f"  [yellow]{found.releases} of the views are releases of yours[/yellow]: a recall of "
            "those reports could not be shown to be complete"
        )
    if views is not None or payloads is not None:
        output.say("  [yellow]let your auditors pull before[/yellow]: what they have, they keep")


def _fields(found: Standing, order: Order) -> dict[str, Any]:
    return {
        "order": order.statement,
        "index": order.position,
        "time": order.time,
        "views": order.views,
        "payloads": order.payloads,
        "in_force": order == found.current,
        "counts_from": order.time + (found.floor or 0) * DAY_S,
    }


def _row(found: Standing, order: Order) -> Iterator[str]:
    told = _fields(found, order)
    yield f"{order.statement[:16]}{' (in force)' if told['in_force'] else ''}"
    yield str(order.position)
    yield _words(order.views)
    yield _words(order.payloads)
    yield _date(order.time)
    yield _date(told["counts_from"])


def _words(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _date(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%MZ}"
