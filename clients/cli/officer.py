"""`tearline officer queue|approve|reject|consent|withdraw`: cases that wait, and consents."""

import time
from typing import Annotated, Any

import typer

from clients.cli import output
from clients.cli.common import load, whole_identity
from clients.cli.options import As, Json, Yes
from clients.cli.session import using
from clients.cli.spoken import show_spoken
from clients.officer import Officer, Spoken
from clients.referral import Referral
from wire.bodies import Approval
from wire.errors import Malformed

HOUR = 3_600  # seconds

CaseName = Annotated[str, typer.Argument(help="The case, as `officer queue` names it.")]
Reason = Annotated[str, typer.Option("--reason", help="Stands in your nation's journal.")]
Hours = Annotated[int, typer.Option("--hours", help="How long it holds.", min=1, max=720)]


def queue(
    identity: As,
    review: Annotated[
        bool, typer.Option("--review", help="Instead, every emergency release to be reviewed.")
    ] = False,
    json: Json = False,
) -> None:
    """What waits for your nation's officers: which report, to whom, and which rule asks.

    Example: tearline officer queue --as kit/KEN/officer
    """
    loaded = load(identity)
    if review:
        _show_review(using(Officer, loaded, _emergencies), json=json)
        return

    _show_queue(using(Officer, loaded, lambda officer: officer.queue()), json=json)


def approve(
    case: CaseName,
    identity: As,
    hours: Hours = 24,
    emergency: Annotated[
        bool,
        typer.Option("--emergency", help="Lives are at stake: needs two officers and a reason."),
    ] = False,
    reason: Reason = "",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Sign that a case may go; it counts in your own nation's layer alone, until it ends.

    Example: tearline officer approve 3f09c2a1b45d --as kit/KEN/officer --hours 48
    """
    if emergency and not reason:
        raise Malformed("bad-input", "say with --reason whose life is at stake")
    if emergency and hours > 24:
        raise Malformed("bad-input", "an emergency lasts at most 24 hours")
    loaded = load(identity)

    async def work(officer: Officer) -> tuple[Spoken, ...]:
        found = await _case(officer, case)
        _ask("Release", found, yes=yes or json)
        life = hours * HOUR
        return await officer.approve(found, life=life, reason=reason, emergency=emergency)

    show_spoken(using(Officer, loaded, work), json=json)


def reject(
    case: CaseName,
    identity: As,
    reason: Reason,
    hours: Hours = 720,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Say no to a case: it leaves the queue, and what was approved of it before is taken back.

    Example: tearline officer reject 3f09c2a1b45d --as kit/KEN/officer --reason "source at risk"
    """
    if not reason:
        raise Malformed("bad-input", "say with --reason why")
    loaded = load(identity)

    async def work(officer: Officer) -> tuple[Spoken, ...]:
        found = await _case(officer, case)
        _ask("Reject", found, yes=yes or json)
        return await officer.reject(found, reason, life=hours * HOUR)

    show_spoken(using(Officer, loaded, work), json=json)


def consent(
    report: Annotated[
        str,
        typer.Argument(help="Your own report's identity, 64 hex digits.", callback=whole_identity),
    ],
    identity: As,
    to: Annotated[str, typer.Option("--to", help="One more nation that may have it.")],
    author: Annotated[
        str | None, typer.Option("--author", help="Only this nation may derive on it for them.")
    ] = None,
    hours: Hours = 720,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Release an own report to one more nation: its key is wrapped for it, the bytes stay.

    Name the statement's identity in `--consent` of a report that is derived from it.
    Example: tearline officer consent 3f…e1 --to SEN --as kit/KEN/officer
    """
    loaded = load(identity)
    output.confirm(f"Release {report[:16]}… to {to}?", yes=yes or json)

    life = hours * HOUR
    spoken = using(Officer, loaded, lambda who: who.consent(report, to, life=life, author=author))
    show_spoken(spoken, json=json)


def withdraw(
    consent: Annotated[str, typer.Argument(help="The consent's identity, 64 hex digits.")],
    identity: As,
    reason: Reason,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take a consent back: it opens nothing any more, and nothing derived may lean on it.

    Example: tearline officer withdraw 9a…07 --as kit/KEN/officer --reason "given in error"
    """
    loaded = load(identity)
    output.confirm(f"Take back {consent[:16]}…?", yes=yes or json)

    spoken = using(Officer, loaded, lambda officer: officer.withdraw(consent, reason))
    show_spoken(spoken, json=json)


async def _case(officer: Officer, name: str) -> Referral:
    """The case of this name, or the beginning of it, as it waits now."""
    found = [case for case in await officer.queue() if case.case.startswith(name)]
    if len(found) != 1:
        what = "no case" if not found else "more than one case"
        raise Malformed("bad-input", f"{what} of this name waits; see `tearline officer queue`")
    return found[0]


def _ask(verb: str, case: Referral, *, yes: bool) -> None:
    output.confirm(f"{verb} {case.banner} to {case.to}?", yes=yes)


def _show_queue(cases: tuple[Referral, ...], *, json: bool) -> None:
    now = int(time.time())
    if json:
        for case in cases:
            output.line({"case": case.case, **case.model_dump(mode="json")})
        return
    for case in cases:
        whose = "the mission" if case.layer in ("handle", "carry") else case.owner
        missing = case.needed - case.signed
        officers = f"{missing} more {'officer' if missing == 1 else 'officers'}"
        output.say(
            f"[bold]{case.case}[/bold]  to [bold]{case.to}[/bold], asks {whose} ({case.layer})  "
            f"[yellow]{officers}[/yellow]  [dim]for {_age(now - case.accepted)}[/dim]"
        )
        output.say(f"  {output.clean_line(case.banner)}  [dim]report {case.report}[/dim]")
        for rule in case.rules:
            output.say(f"  {rule.id}: {output.clean_line(rule.says)}")
    if not cases:
        output.say("nothing waits for your officers")


def _age(seconds: int) -> str:
    hours, minutes = divmod(max(0, seconds) // 60, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes} min"


async def _emergencies(officer: Officer) -> list[dict[str, Any]]:
    """The nation's own emergency approvals, from the statements that the journal proves."""
    await officer.follower.sync()
    rows = []
    for position, at, statement in officer.follower.said("approval"):
        if statement.body_bytes is None or statement.head.nation != officer.identity.nation:
            continue
        body = statement.body(Approval)
        if body.emergency:
            rows.append(
                {
                    "statement": statement.identity,
                    "index": position,
                    "time": at,
                    "officers": sorted(statement.signatures),
                    "layer": body.layer,
                    "report": body.report,
                    "to": body.to,
                    "reason": body.reason,
                    "expires": body.expires,
                }
            )
    return rows


def _show_review(rows: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        for row in rows:
            output.line(row)
        return
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(row["time"]))
        officers = ", ".join(kid[:12] for kid in row["officers"])
        output.say(
            f"[bold]{when}[/bold]  to [bold]{row['to']}[/bold] ({row['layer']})  "
            f"[dim]report {row['report'][:16]}, signed by {officers}, entry {row['index']}[/dim]"
        )
        output.say(f"  {output.clean_line(row['reason'])}")
    if not rows:
        output.say("nothing was approved as an emergency")
