"""`tearline audit ask|prove|report|reconcile|export`: what the auditor's evidence is for."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load
from clients.cli.evidence import moment, now_ms, opened, show_file, words
from clients.cli.options import As, Json
from clients.evidence import answers, disclosure, erased, files
from clients.evidence.answers import Answer, Asked
from clients.evidence.disclosure import Account
from clients.evidence.questions import QUESTIONS
from clients.evidence.reconcile import reconcile
from clients.export.lines import lines as export_to
from wire.errors import Malformed, quoted

ROWS = 1_000  # of an answer, unless more are asked for
PAPER = find_spec("reportlab") is not None
"""Whether this installation can write PDF: who wants to has the extra."""
if PAPER:
    from clients.evidence import disclosure_pdf

Report = Annotated[str | None, typer.Option(help="A report, by the start of its identity.")]
To = Annotated[str | None, typer.Option(help="A nation.")]
Out = Annotated[Path, typer.Option("--out", help="File to write.")]


# -- ask


def ask(
    question: Annotated[str | None, typer.Argument(help="Number or name; none lists them.")] = None,
    identity: Annotated[Path | None, typer.Option("--as", help="Identity folder.")] = None,
    report: Report = None,
    to: To = None,
    who: Annotated[str | None, typer.Option(help="A member, by the start of its key.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Type of entry.")] = None,
    policy: Annotated[str | None, typer.Option(help="A version, or a statement.")] = None,
    entry: Annotated[int | None, typer.Option(help="Index of an entry.")] = None,
    since: Annotated[str | None, typer.Option(help="From this date (UTC) on.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this date (UTC).")] = None,
    days: Annotated[int, typer.Option(min=0, help="A silence of so many days.")] = 25,
    hours: Annotated[int, typer.Option(min=0, help="So many hours around.")] = 1,
    partner: Annotated[Path | None, typer.Option("--with", help="A partner's history.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many rows; 0 is all.")] = ROWS,
    json: Json = False,
) -> None:
    """Ask your evidence one of the auditor's questions, or filter its entries.

    Example: tearline audit ask received --report 5863b09f --as kit/KEN/auditor
    """
    asked = Asked(
        report=report,
        who=who,
        to=to,
        policy=policy,
        type=kind,
        index=entry,
        since=_day(since),
        until=_day(until),
        days=days,
        hours=hours,
        file=partner,
        limit=limit or None,
    )
    if question is None and asked == Asked(limit=asked.limit):
        show_questions(json=json)
        return
    known = None if question is None else answers.find(question)
    if identity is None:
        raise Malformed("bad-input", "say whose evidence with --as")
    if known is not None and known.name == "differences" and partner is not None:
        compare(partner, identity, json=json)
        return
    loaded = load(identity)
    with opened(loaded) as store:
        answer = answers.ask(store, loaded.nation, known, asked)
    show_answer(answer, json=json)


def show_questions(*, json: bool) -> None:
    """The questions there are."""
    if json:
        for q in QUESTIONS:
            row = {"number": q.number, "name": q.name, "asks": q.asks}
            output.line({**row, "needs": list(q.needs), "limits": q.limits})
        return
    rows = [(str(q.number), q.name, q.asks) for q in QUESTIONS]
    output.table("Questions", ("", "name", "what it asks"), rows)


def show_answer(answer: Answer, *, json: bool) -> None:
    """The rows of an answer; programs get the numbers, people the dates."""
    if json:
        for row in answer.rows:
            output.line({"question": answer.number, **row})
        if answer.more:
            output.line({"question": answer.number, "more": True})
        return
    if answer.rows:
        columns = [name.removesuffix("_time") for name in answer.rows[0]]
        rows = [[_cell(name, value) for name, value in row.items()] for row in answer.rows]
        output.table(answer.asks or "Entries", columns, rows)
    else:
        output.say(f"{answer.asks} Nothing.")
    if answer.more:
        output.say(f"  [yellow]the first {len(answer.rows)}[/yellow]; narrow it, or ask --limit 0")
    if answer.limits:
        output.say(f"  [dim]{output.clean_line(answer.limits)}[/dim]")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "time" or name.endswith("_time"):
        return moment(value)
    return words(value)


def _day(text: str | None) -> int | None:
    """A date, or a date and time, as Unix milliseconds."""
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("bad-input", f"{quoted(text)} is no date like 2026-11-28") from None
    return int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000)


# -- prove


def prove(
    entry: Annotated[int, typer.Argument(help="Index of the entry.")],
    identity: As,
    out: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None,
    json: Json = False,
) -> None:
    """Write a small file that proves one entry, with the acceptance and the policies behind it.

    Example: tearline audit prove 57 --as kit/KEN/auditor
    """
    loaded = load(identity)
    path = out or Path(f"{loaded.nation}-{entry}.tlev")
    with opened(loaded) as store:
        lines = files.receipt(store, loaded.mission, loaded.nation, loaded.charter, entry)
        proven = files.write(path, lines, store.pinned, now_ms=now_ms())
    if json:
        output.line({**_written(path), "entries": [e.index for e in proven.entries]})
        return
    show_file(proven)
    show_written(path, store.pinned)


def _written(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"file": str(path), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def show_written(path: Path, pinned: str) -> None:
    """Where it is, and how others verify it."""
    told = _written(path)
    output.say(f"  {output.clean_line(str(path))}: {told['bytes']} bytes, SHA-256 {told['sha256']}")
    output.say(f"  verify it with: tearline audit verify {path.name} --charter {pinned}")


# -- report


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
    asked = Asked(to=to, since=_day(since), until=_day(until))
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
        digest=_written(proof)["sha256"],
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
        output.line({"reports": count, "erased": account.erased, **told, **_written(proof)})
        return
    reports = "1 report" if count == 1 else f"{count} reports"
    output.say(f"{reports} of {account.nation} went to {output.clean_line(account.to)}")
    if account.gone:
        output.say(f"  [yellow]{output.clean_line(account.gone)}[/yellow]")
    for path in pages:
        output.say(f"  {output.clean_line(str(path))}")
    show_written(proof, account.charter)


# -- reconcile


def compare(
    partner: Annotated[Path, typer.Option("--with", help="Another nation's history (.tlev).")],
    identity: As,
    json: Json = False,
) -> None:
    """Compare your history with another nation's: each must have what the other has of both.

    Example: tearline audit reconcile --with GBR.tlev --as kit/KEN/auditor
    """
    loaded = load(identity)
    with opened(loaded) as store:
        theirs = files.read(partner, store.pinned, now_ms=now_ms())
        found = reconcile(store, loaded.nation, theirs)
    if json:
        told = [{"index": d.index, "what": d.what} for d in found.differences]
        output.line({**vars(found), "differences": told})
    elif found.differences:
        output.say(f"[bold red]{found.nation} and {found.partner} differ[/bold red]")
        for difference in found.differences:
            output.say(f"  {output.clean_line(str(difference))}")
    else:
        output.say(
            f"[green]the same[/green]: {found.common} releases between {found.nation} and "
            f"{found.partner}, up to entry {found.up_to}"
        )
    if found.differences:
        raise typer.Exit(1)


# -- export


def export_lines(
    identity: As,
    as_ocsf: Annotated[bool, typer.Option("--ocsf", help="OCSF events.")] = False,
    as_ecs: Annotated[bool, typer.Option("--ecs", help="Elastic Common Schema.")] = False,
    as_cef: Annotated[bool, typer.Option("--cef", help="CEF in RFC 5424 lines.")] = False,
    as_file: Annotated[Path | None, typer.Option("--tlev", help="An evidence file.")] = None,
    integrity: Annotated[
        bool, typer.Option("--record-integrity", help="OCSF 1.9.0, its events chained.")
    ] = False,
    json: Json = False,
) -> None:
    """Write verified entries as lines for other systems, or all evidence as one file.

    Each line carries the entry's index and leaf hash. `--json` changes nothing: lines are JSON
    already, but for CEF. Example: tearline audit export --ocsf --as kit/KEN/auditor
    """
    forms = [name for name, on in (("ocsf", as_ocsf), ("ecs", as_ecs), ("cef", as_cef)) if on]
    if len(forms) + (as_file is not None) != 1:
        raise Malformed("bad-input", "say one of --ocsf, --ecs, --cef or --tlev FILE")
    loaded = load(identity)
    auditor = Auditor(loaded)
    with opened(loaded, auditor) as store:
        if as_file is None:
            origin = auditor.follower.log.origin
            for text in export_to(store, loaded.nation, origin, forms[0], integrity=integrity):
                output.plain(text)
            return
        lines = files.history(store, loaded.mission, loaded.nation, loaded.charter)
        proven = files.write(as_file, lines, store.pinned, now_ms=now_ms())
    if json:
        output.line({**_written(as_file), "entries": len(proven.entries)})
        return
    show_file(proven)
    show_written(as_file, store.pinned)
