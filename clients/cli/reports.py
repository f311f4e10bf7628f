"""`tearline preview | publish`: reports, out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from clients.cli import output
from clients.cli.common import load
from clients.cli.draft_options import takes_draft
from clients.cli.options import As, Json
from clients.cli.session import using
from clients.draft import Draft
from clients.publisher import UNSENT, Publisher, Receipt
from wire.errors import Malformed


@takes_draft
def preview(identity: As, draft: Draft, json: Json = False) -> None:
    """Who would be able to read this, who not and why. Nothing is sent but the labels.

    Example: tearline preview --as kit/KEN/system --title "Road closed"
    --text "…" --classification RESTRICTED --release-to GBR,FRA --region KE
    --threat infrastructure.transport
    """
    loaded = load(identity)

    found = using(Publisher, loaded, lambda publisher: publisher.preview(draft))
    if json:
        for number, part in enumerate(found.portions):
            output.line({"portion": number, **part.model_dump(mode="json")})
        return
    rows = [
        (
            str(number),
            nation,
            f"[{output.OUTCOMES.get(outcome, 'white')}]{outcome}[/]",
            output.clean("\n".join(why)),
        )
        for number, nation, outcome, why in found.rows()
    ]
    output.table("What today's policies would do", ("portion", "nation", "outcome", "why"), rows)


@takes_draft
def publish(
    identity: As,
    draft: Draft,
    save: Annotated[Path | None, typer.Option("--save", help="Keep the sealed .tlr here.")] = None,
    json: Json = False,
) -> None:
    """Seal a report, post it, and print the receipt that the journal proves.

    Example: tearline publish --as kit/KEN/system --title "IED found"
    --file report.txt --classification SECRET --release-to GBR --region KE
    --threat explosive.ied_emplaced --precedence FLASH --attach photo.jpg
    --portion source.toml
    """
    if save is not None and (save.is_dir() or not save.parent.is_dir()):
        raise Malformed("bad-input", f"{save.name} cannot be saved there; nothing was sent")
    loaded = load(identity)

    stands: list[Receipt] = []

    async def work(publisher: Publisher) -> None:
        async def told(receipt: Receipt) -> None:
            stands.append(receipt)
            confirmed = await publisher.confirmed()
            covered = confirmed is not None and confirmed.covers(receipt.index)
            _show_receipt(receipt, confirmed=covered, json=json)
            if draft.label.supersedes is not None and not json:
                output.note("the old report is still served; recall it if not to be")
            if save is not None:  # the report stands, whatever becomes of the copy
                save.write_bytes(receipt.raw)

        with _bars(seen=not json and output.errors.is_terminal) as progress:
            await publisher.publish(draft, progress, told)

    try:
        using(Publisher, loaded, work)
    except KeyboardInterrupt:
        if stands and not json:
            output.note(f"the report stands, but {UNSENT}")
        raise


@contextmanager
def _bars(*, seen: bool) -> Iterator[Callable[[str, int, int], None]]:
    """How far each attachment has come, beside the results, where somebody sees it."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=output.errors, transient=True, disable=not seen) as bars:
        tasks: dict[str, Any] = {}

        def progress(name: str, sent: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(output.clean(name), total=total)
            bars.update(tasks[name], completed=sent)

        yield progress


def _show_receipt(receipt: Receipt, *, confirmed: bool, json: bool) -> None:
    if json:
        output.line(
            {
                "report": receipt.report,
                "index": receipt.index,
                "size": receipt.size,
                "duplicate": receipt.duplicate,
                "confirmed": confirmed,
                "recipients": receipt.recipients,
                "portions": [dict(nations) for nations in receipt.portions],
                "proof": receipt.evidence.model_dump(mode="json"),
            }
        )
        return
    output.say(f"[green]accepted[/green] report [bold]{receipt.report}[/bold]")
    output.say(f"proven in the journal at {receipt.index}, tree of {receipt.size} entries")
    for number, nations in enumerate(receipt.portions, 1):
        portion = f"portion {number}  " if len(receipt.portions) > 1 else ""
        for nation, outcome in sorted(nations.items()):
            waits = "  an officer decides first" if outcome == "REFER" else ""
            output.say(f"  {portion}{nation}  [{output.OUTCOMES[outcome]}]{outcome}[/]{waits}")
