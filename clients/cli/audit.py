"""`tearline audit …`: what the journal proves to a nation's auditor."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditor import Auditor, Verdict
from clients.cli import evidence, output
from clients.cli.common import load, using
from clients.cli.evidence import Charter, MaybeAs
from clients.cli.options import Json
from wire.errors import Malformed


def verify(
    file: Annotated[Path | None, typer.Argument(help="An evidence file.")] = None,
    identity: MaybeAs = None,
    charter: Charter = None,
    json: Json = False,
) -> None:
    """Walk your nation's whole chain: complete, unaltered, in the tree that everybody sees.

    Ends with 1 if it contradicts itself: a release that is not as you sent it.
    With a FILE, verify that instead; it needs no network and no keys.
    Example: tearline audit verify --as kit/KEN/auditor
    """
    if file is not None:
        evidence.verify_file(file, identity, charter, json=json)
        return
    if identity is None:
        raise Malformed("bad-input", "say who asks with --as, or name an evidence file")
    loaded = load(identity)

    async def work(auditor: Auditor) -> Verdict:
        with output.errors.status("verifying", spinner="dots") as status:
            return await auditor.verify(lambda n: status.update(f"{n} entries verified"))

    verdict = using(Auditor, loaded, work)
    if json:
        output.line(fields(verdict))
    else:
        show(verdict)
    if verdict.findings:
        raise typer.Exit(1)


def fields(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `--json` shows it."""
    return {
        "nation": verdict.nation,
        "complete": verdict.complete,
        "entries": verdict.entries,
        "erased": verdict.erased,
        "size": verdict.size,
        "root": verdict.root,
        "newest": verdict.newest_ms,
        "by_type": dict(verdict.by_type),
        "shared": [
            {"originator": a, "to": b, "reports": n, "shown": verdict.shown.get((a, b), 0)}
            for (a, b), n in sorted(verdict.shared.items())
        ],
        "findings": list(verdict.findings),
    }


def show(verdict: Verdict) -> None:
    """A verdict as people read it."""
    output.say(
        f"[green]complete and unaltered[/green]: {verdict.entries} entries concern "
        f"{verdict.nation}, in a journal of {verdict.size}"
    )
    for finding in verdict.findings:
        output.say(f"  [red]finding: {output.clean_line(finding)}[/red]")
    if verdict.newest_ms is not None:
        moment = dt.datetime.fromtimestamp(verdict.newest_ms / 1000, dt.UTC)
        output.say(f"  newest entry {moment:%Y-%m-%d %H:%M:%SZ}, root {verdict.root[:16]}")
    if verdict.erased:
        output.say(f"  {verdict.erased} views were erased; their proofs hold")
    rows = [(kind, str(count)) for kind, count in sorted(verdict.by_type.items())]
    output.table("What happened", ("entry", "count"), rows)
    shown = verdict.shown
    shared = [
        (a, b, str(n), str(shown.get((a, b), ""))) for (a, b), n in sorted(verdict.shared.items())
    ]
    if shared:
        columns = ("originator", "recipient", "reports", "with a part only shown")
        output.table("Who shared what with whom", columns, shared)
