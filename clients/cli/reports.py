"""`tearline preview | publish | fetch | watch | open`: reports, out and in."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from clients.cli import output
from clients.cli.common import As, Json, load, run_async, split
from clients.cli.draft_options import takes_draft
from clients.draft import Draft
from clients.explained import Preview
from clients.offline import open_file
from clients.publisher import Publisher
from clients.subscriber import Received, Subscriber

app = typer.Typer()

Many = list[str]
Region = Annotated[Many, typer.Option("--region", help="Place code: KE, 014, mission:north.")]
Threat = Annotated[Many, typer.Option("--threat", help="Threat type: explosive.ied_emplaced.")]


@app.command()
@takes_draft
def preview(identity: As, draft: Draft, json: Json = False) -> None:
    """Who would be able to read this, who not and why. Nothing is sent but the labels.

    Example: tearline preview --as kit/KEN/system --title "Road closed" --text "…"
    --classification RESTRICTED --release-to GBR,FRA --region KE --threat infrastructure.transport
    """
    loaded = load(identity)

    async def work() -> Preview:
        async with Publisher(loaded) as publisher:
            return await publisher.preview(draft)

    found = run_async(work)
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


@app.command()
@takes_draft
def publish(
    identity: As,
    draft: Draft,
    save: Annotated[Path | None, typer.Option("--save", help="Keep the sealed .tlr here.")] = None,
    json: Json = False,
) -> None:
    """Seal a report, post it, and print the receipt that the journal proves.

    Example: tearline publish --as kit/KEN/system --title "IED found" --file report.txt
    --classification SECRET --release-to GBR --region KE --threat explosive.ied_emplaced
    --precedence FLASH --attach photo.jpg --portion source.toml
    """
    loaded = load(identity)

    async def work() -> dict[str, Any]:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=output.errors, transient=True, disable=json) as bars:
            tasks: dict[str, Any] = {}

            def progress(name: str, sent: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(output.clean(name), total=total)
                bars.update(tasks[name], completed=sent)

            async with Publisher(loaded) as publisher:
                receipt = await publisher.publish(draft, progress)
        if save is not None:
            await anyio.Path(save).write_bytes(receipt.raw)
        return {
            "report": receipt.report,
            "index": receipt.index,
            "size": receipt.size,
            "duplicate": receipt.duplicate,
            "recipients": dict(receipt.recipients),
            "proof": receipt.evidence.model_dump(mode="json"),
        }

    receipt = run_async(work)
    if json:
        output.line(receipt)
        return
    output.say(f"[green]accepted[/green] report [bold]{receipt['report']}[/bold]")
    output.say(f"proven in the journal at {receipt['index']}, tree of {receipt['size']} entries")
    for nation, outcome in sorted(receipt["recipients"].items()):
        output.say(f"  {nation}  [{output.OUTCOMES.get(outcome, 'white')}]{outcome}[/]")


@app.command()
def fetch(
    identity: As,
    region: Region = [],
    threat: Threat = [],
    precedence: Annotated[Many, typer.Option("--precedence")] = [],
    again: Annotated[bool, typer.Option("--again", help="Also what was shown before.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Save .tlr files and attachments here.")
    ] = None,
    json: Json = False,
) -> None:
    """Every matching report that you may have and have not been shown yet, FLASH first.

    Example: tearline fetch --as kit/GBR/analyst --region 014 --threat explosive
    """
    loaded = load(identity)

    async def work() -> int:
        count = 0
        async with Subscriber(loaded) as subscriber:
            async for received in subscriber.fetch(
                regions=split(region),
                threats=split(threat),
                precedence=split(precedence),
                again=again,
            ):
                _show(received, json=json)
                if save is not None:
                    await _save(subscriber, received, save)
                count += 1
        return count

    count = run_async(work)
    if not json:
        output.say(f"[dim]{count} reports[/dim]")


@app.command()
def watch(
    identity: As,
    region: Region = [],
    threat: Threat = [],
    precedence: Annotated[Many, typer.Option("--precedence")] = [],
    name: Annotated[str | None, typer.Option("--name", help="Of the subscription.")] = None,
    json: Json = False,
) -> None:
    """Reports as they come; goes on where it stopped, whatever broke in between.

    Example: tearline watch --as kit/GBR/analyst --region 014 --threat explosive
    """
    loaded = load(identity)

    async def work() -> None:
        async with Subscriber(loaded) as subscriber:
            async for received in subscriber.watch(
                regions=split(region),
                threats=split(threat),
                precedence=split(precedence),
                name=name,
            ):
                _show(received, json=json)

    if not json:
        output.say("[dim]watching; Ctrl-C ends it, the place is kept[/dim]")
    with suppress(KeyboardInterrupt):
        run_async(work)


@app.command(name="open")
def open_(
    path: Annotated[Path, typer.Argument(help="A .tlr file.")],
    identity: As,
    json: Json = False,
) -> None:
    """Open a sealed report from a file, without any network.

    The keys that were known when this identity last followed the mission are used.
    Example: tearline open report.tlr --as kit/GBR/analyst
    """
    report = open_file(load(identity), path.read_bytes() if path.is_file() else b"")
    proof = {"offline": True}
    if json:
        output.line(output.report_fields(report, proof))
    else:
        output.show_report(report, proof)


def _show(received: Received, *, json: bool) -> None:
    if json:
        output.line(output.report_fields(received.report, asdict(received.proof)))
    else:
        output.show_report(received.report, asdict(received.proof))


async def _save(subscriber: Subscriber, received: Received, folder: Path) -> None:
    """Save the sealed report and its attachments; nothing appears before it verifies."""
    if received.proof.use != "release":
        output.say("[yellow]for display only: nothing is saved[/yellow]")
        return
    await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
    await anyio.Path(folder / f"{received.identity[:16]}.tlr").write_bytes(received.raw)
    for portion in received.report.portions:
        for attachment in portion.attachments:
            target = folder / received.identity[:16] / attachment.name
            await anyio.Path(target.parent).mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(target.name + ".new")
            with fresh.open("w+b") as into:
                await subscriber.attachment(received, attachment, into)
            fresh.replace(target)
