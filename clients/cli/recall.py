"""`tearline recall …`: take a report back, see who has it, answer for what others took back."""

from typing import Annotated, Any, get_args

import typer

from clients.auditor import Auditor
from clients.certificate import Answer, Certificate, Holder
from clients.cli import output
from clients.cli.common import load, using, whole_identity
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.officer import Officer
from wire.bodies import RecallConfirm
from wire.errors import Malformed

OUTCOMES = get_args(RecallConfirm.model_fields["outcome"].annotation)
TAKE = "take"

Report = Annotated[
    str, typer.Argument(help="The report's identity, 64 hex digits.", callback=whole_identity)
]


def take(
    report: Report,
    identity: As,
    reason: Annotated[str, typer.Option("--reason", help="Told to those who have it.")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take a report back: from this moment nobody is served it, and the broker deletes it.

    Who was sent it before is told, and answers: see `tearline recall status`.
    Example: tearline recall 3f…e1 --as kit/KEN/officer --reason "source at risk"
    """
    output.confirm(f"Recall {report[:16]}…?", yes=yes or json)
    loaded = load(identity)

    show_spoken(using(Officer, loaded, lambda officer: officer.recall(report, reason)), json=json)


def status(report: Report, identity: As, json: Json = False) -> None:
    """The recall certificate: who was sent the report, and what each says became of it.

    Computed here from your nation's proven history; for officers and auditors.
    Example: tearline recall status 3f…e1 --as kit/KEN/officer
    """
    loaded = load(identity)

    certificate = using(Auditor, loaded, lambda auditor: auditor.certificate(report))
    if json:
        output.line(fields(certificate))
    else:
        show(certificate)


def confirm(
    report: Report,
    identity: As,
    outcome: Annotated[str, typer.Option("--outcome", help=", ".join(OUTCOMES) + ".")],
    basis: Annotated[
        str | None, typer.Option("--basis", help="The law by which it is retained.")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Answer for your nation what became of a report that another took back.

    The newest answer counts. It is your nation's word for all of its readers.
    Example: tearline recall confirm 3f…e1 --as kit/GBR/officer --outcome destroyed
    """
    if outcome not in OUTCOMES:
        raise Malformed("bad-input", f"the outcome is one of {', '.join(OUTCOMES)}")
    output.confirm(f"Answer that {report[:16]}… is {outcome}?", yes=yes or json)
    loaded = load(identity)

    show_spoken(
        using(Officer, loaded, lambda officer: officer.confirm(report, outcome, basis=basis)),
        json=json,
    )


# -- showing


def fields(certificate: Certificate) -> dict[str, Any]:
    """A certificate as `--json` shows it."""
    return {
        "report": certificate.report,
        "nation": certificate.nation,
        "complete": certificate.complete,
        "destroyed": certificate.destroyed,
        "missing": list(certificate.missing),
        "recall": certificate.recall,
        "recalled_at": certificate.recalled,
        "reason": certificate.reason,
        "size": certificate.size,
        "root": certificate.root,
        "unreadable": certificate.unreadable,
        "late": list(certificate.late),
        "holders": [_holder(holder) for holder in certificate.holders],
        "derived": [
            {"report": one.report, "originator": one.originator, "to": sorted(one.to)}
            for one in certificate.derived
        ],
    }


def _holder(holder: Holder) -> dict[str, Any]:
    answer = holder.answer
    told = None
    if answer is not None:
        told = {
            "outcome": answer.outcome,
            "basis": answer.basis,
            "by": answer.kid,
            "statement": answer.statement,
            "index": answer.index,
        }
    return {
        "nation": holder.nation,
        "releases": list(holder.releases),
        "portions": sorted(holder.portions),
        "uses": sorted(holder.uses),
        "answer": told,
    }


def show(certificate: Certificate) -> None:
    """A certificate as people read it."""
    state = "[green]complete[/green]"
    if certificate.missing:
        state = f"[red]not complete[/red]: no answer from {', '.join(certificate.missing)}"
    elif certificate.unreadable:
        state = "[red]not complete[/red]: erased entries could name others"
    output.say(f"recall of {certificate.report[:16]} at {certificate.recalled}: {state}")
    output.say(
        f"  [dim]journal of {certificate.size}, root {certificate.root[:16]}; "
        f"reason: {output.clean_line(certificate.reason)}[/dim]"
    )
    rows = [
        (
            holder.nation,
            ", ".join(sorted(holder.uses)),
            ", ".join(map(str, holder.releases)),
            *_told(holder.answer),
        )
        for holder in certificate.holders
    ]
    output.table("Who was sent it", ("nation", "use", "released at", "says", "at"), rows)
    for late in certificate.late:
        output.say(f"[red]entry {late} released it after its recall[/red]")
    derived = [
        (one.report, one.originator, ", ".join(sorted(one.to))) for one in certificate.derived
    ]
    if derived:
        output.table("Made from it", ("report", "originator", "went to"), derived)


def _told(answer: Answer | None) -> tuple[str, str]:
    if answer is None:
        return "[red]nothing yet[/red]", ""
    basis = f": {output.clean_line(answer.basis)}" if answer.basis else ""
    return f"{answer.outcome}{basis}", str(answer.index)
