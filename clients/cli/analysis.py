"""`tearline policy matrix|preview`: what policies do, for every report that there can be."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clients import past, policy_folder
from clients.cli import output
from clients.cli.common import split
from clients.cli.options import Json
from clients.cli.policy_options import Folder, Mission, Others, Registry
from clients.cli.refusal import REFUSED
from policies.analyse import adoption, page, said
from policies.analyse.matrix import Cell
from policies.analyse.matrix import matrix as release_matrix
from policies.analyse.mission import Mission as Analysed
from policies.analyse.preview import Preview
from policies.analyse.preview import preview as analysed
from policies.analyse.replay import replay
from policies.decide import PolicyBook
from wire.errors import Malformed

Html = Annotated[Path | None, typer.Option("--html", help="Also write a page to this file.")]


def matrix(
    folder: Folder,
    others: Others = [],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """Show the highest level that can go from each nation to each other one.

    What nations named with --with would take in is not known here: they take in everything, and
    send nothing. Example: tearline policy matrix policies/examples --html matrix.html
    """
    known = split(others)
    read = policy_folder.World.read(folder, mission, registry, known)
    world = Analysed.of(read.book(taking=known))
    found = release_matrix(world)
    if html is not None:
        html.write_text(page.matrix_page(world, found), encoding="utf-8")
    if json:
        for originator, recipient in found.cells:
            alone, aided = said.cell(found, originator, recipient)
            output.line({"from": originator, "to": recipient, "alone": alone, "officers": aided})
        return
    table = [
        [source, *(_marks(world, found.cells.get((source, to))) for to in found.nations)]
        for source in found.nations
    ]
    output.table("Highest level, from row to column", ["from", *found.nations], table)
    output.say("[dim]after an arrow: what officers can release by signing; - is nothing[/dim]")


def preview(
    folder: Folder,
    nation: Annotated[str, typer.Option("--nation", help="Whose policy changes.")],
    against: Annotated[
        Path | None, typer.Option("--against", help="The folder as it was; nothing otherwise.")
    ] = None,
    others: Others = [],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    registry_before: Annotated[
        Path | None, typer.Option("--registry-before", help="registry.json as it was.")
    ] = None,
    sent: Annotated[
        Path | None, typer.Option("--sent", help="Folder of .tlr files to replay.")
    ] = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """Show who would gain and who would lose what, and which guarantees would break.

    Exact: every report that there can be is covered. Ends with 1 if a guarantee breaks.
    Example: tearline policy preview policies/new --nation KEN --against policies/examples
    """
    known = split(others)
    now = policy_folder.World.read(folder, mission, registry, known)
    book = now.book()
    if nation not in now.guarantees:
        raise Malformed("bad-input", f"no folder {nation} in {folder.name}")
    texts: dict[str, str] = {}
    then = None
    if against is not None:
        old = policy_folder.World.read(against, mission, registry_before or registry, known)
        texts = {layer.kind: layer.text for layer in old.layers if layer.owner == nation}
        then = old.vocabulary if registry_before is not None else None
    before = adoption.standing(texts, nation, book, then)
    world = Analysed.of(book, then)
    kept = adoption.guarantees(book, nation, now.guarantees[nation])
    found = analysed(world, book, nation, before, kept)
    if html is not None:
        html.write_text(page.preview_page(world, found), encoding="utf-8")
    show(world, found, json=json)
    if sent is not None:
        _replayed(_as_it_was(book, nation, texts), book, sent, json=json)
    if found.broken:
        raise typer.Exit(REFUSED)


def _replayed(old: PolicyBook, new: PolicyBook, sent: Path, *, json: bool) -> None:
    for moved in replay(old, new, past.read(sent, new.vocabulary)):
        was, will = moved.before.name, moved.after.name
        if json:
            output.line(
                {
                    "nation": moved.nation,
                    "was": was,
                    "would_be": will,
                    "count": moved.count,
                    "reports": list(moved.examples),
                }
            )
        else:
            output.say(
                f"of what was sent, {moved.count} to {moved.nation}: {was} → {will},"
                f" such as {output.clean_line(', '.join(moved.examples))}"
            )


def _as_it_was(book: PolicyBook, nation: str, texts: Mapping[str, str]) -> PolicyBook:
    for kind in adoption.LAYERS:
        book = book.without(kind, nation)
        if kind in texts:
            book = book.with_layer(kind, nation, texts[kind])
    return book


def show(world: Analysed, found: Preview, *, json: bool) -> None:
    """A preview, printed."""
    if json:
        for row in rows(world, found):
            output.line(row)
        return
    for broken in found.broken:
        output.say(f"[bold red]guarantee broken:[/] {output.clean(said.guarantee(world, broken))}")
    for heading, changes in said.ordered(found.changes):
        output.say(f"[bold]{heading}[/bold]")
        for change in changes:
            colour = "yellow" if change.grows else "cyan"
            output.say(f"  [{colour}]{output.clean(said.direction(change))}[/]")
            for line in said.classes(world, change):
                output.say(f"    • {output.clean(line)}")
    if not found.changes:
        output.say("nothing changes")
    for rule in found.dead:
        output.say(f"[yellow]{output.clean(rule)} never decides[/]: other rules say the same")
    if found.grows:
        output.say("[bold]Release grows: a second officer must sign.[/bold]")


def rows(world: Analysed, found: Preview) -> Iterator[dict[str, Any]]:
    """The same for programs: every change, then one line of conclusions."""
    for change in found.changes:
        yield {
            "layer": "/".join(change.layer),
            "part": change.part,
            "nations": list(change.nations),
            "before": said.stage(change.before),
            "after": said.stage(change.after),
            "grows": change.grows,
            "classes": list(said.classes(world, change)),
            "example": said.request(world, change.example),
        }
    yield {
        "nation": found.owner,
        "grows": found.grows,
        "broken": [said.guarantee(world, broken) for broken in found.broken],
        "dead": list(found.dead),
    }


def _marks(world: Analysed, cell: Cell | None) -> str:
    if cell is None:
        return ""
    levels = world.vocabulary.levels
    alone, aided = ("-" if level is None else levels[level].mark for level in cell)
    return alone if alone == aided else f"{alone}→{aided}"
