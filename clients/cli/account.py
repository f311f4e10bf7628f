"""`tearline audit report`: an account of disclosures, as a page and on paper."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from clients.cli import output
from clients.cli.asking import day, show_written, written
from clients.cli.common import load
from clients.cli.evidence import now_ms, opened
from clients.cli.options import As, Json
from clients.evidence import answers, disclosure, erased, files
from clients.evidence.answers import Asked
from clients.evidence.disclosure import Account
from wire.errors import Malformed

PAPER = find_spec("reportlab") is not None
"""Whether this installation can write PDF: who wants to has the extra."""
if PAPER:
    from clients.evidence import disclosure_pdf


def report(
    identity: As,
    to: Annotated[str, typer.Option("--disclosure", help="The nation that received.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path(),
    pdf: Annotated[Path | None, typer.Option("--pdf", help="A PDF file to write as well.")] = None,
    since: Annotated[str | None, typer.Option(help="From this date (UTC) on.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this date (UTC).")] = None,
    json: Json = False,
) -> None:
    """Write an account of disclosures to one nation, and the evidence file that proves it.

    The page is HTML; with --pdf it is written for paper as well.
    Example: tearline audit report --disclosure GBR --as kit/KEN/auditor
    """
    if pdf is not None and not PAPER:
        raise Malformed("bad-input", "a PDF takes an extra: pip install 'tearline[report]'")
    loaded, now = load(identity), now_ms()
    name = f"disclosures-{loaded.nation}-{to}"
    page, proof = out / f"{name}.html", out / f"{name}.tlev"
    asked = Asked(to=to, since=day(since), until=day(until))
    with opened(loaded) as store:
        answer = answers.ask(store, loaded.nation, answers.find("disclosures"), asked)
        gone = erased.releases(store, loaded.nation)
        out.mkdir(parents=True, exist_ok=True)
        lines = files.history(store, loaded.mission, loaded.nation, loaded.charter)
        proven = files.write(proof, lines, store.pinned, now_ms=now)
    tree = proven.newest.checkpoint
    account = Account(
        mission=loaded.mission,
        nation=loaded.nation,
        to=to,
        now_ms=now,
        size=tree.size,
        root=tree.root.hex(),
        charter=store.pinned,
        file=proof.name,
        digest=written(proof)["sha256"],
        lines=disclosure.disclosures(answer.rows),
        erased=gone,
    )
    page.write_text(disclosure.page(account), encoding="utf-8")
    if pdf is not None:
        pdf.write_bytes(disclosure_pdf.document(account))
    _tell(account, [path for path in (page, pdf) if path is not None], proof, json=json)


def _tell(account: Account, pages: Sequence[Path], proof: Path, *, json: bool) -> None:
    """What was written, and what it lacks."""
    count = len(account.lines)
    if json:
        told = dict(zip(("page", "pdf"), [*map(str, pages), None], strict=False))
        output.line({"reports": count, "erased": account.erased, **told, **written(proof)})
        return
    reports = "1 report" if count == 1 else f"{count} reports"
    output.say(f"{reports} of {account.nation} went to {output.clean_line(account.to)}")
    if account.gone:
        output.say(f"  [yellow]{output.clean_line(account.gone)}[/yellow]")
    for path in pages:
        output.say(f"  {output.clean_line(str(path))}")
    show_written(proof, account.charter)
