"""`tearline registry show | draft | sign | publish`: the mission's reference data."""

from pathlib import Path
from typing import Annotated

import typer

from clients import proposal, registry
from clients.cli import output
from clients.cli.common import load, roots_of, using
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.files import meant, read, replace, write_new
from clients.officer import Officer, Spoken
from wire import strict_json
from wire.directory import Directory
from wire.vocabulary import RegistryBody

FILE_MAX = 1 << 20  # bytes of a registry, or of a proposal of one

Roots = Annotated[
    list[Path], typer.Option("--root", help="Folder of root keys that sign; several may.")
]
Proposal = Annotated[
    Path, typer.Argument(metavar="PROPOSAL", help="A proposal, as `registry draft` wrote it.")
]


def show(
    identity: As,
    out: Annotated[Path | None, typer.Option("--out", help="Write registry.json here.")] = None,
    json: Json = False,
) -> None:
    """The version in force; `--out` writes it as a file, to be changed and drafted anew.

    Example: tearline registry show --as kit/KEN/officer --out registry.json
    """
    loaded = load(identity)

    async def work(officer: Officer) -> tuple[Directory, RegistryBody]:
        return await officer.follower.sync(), registry.current(officer.follower)

    directory, body = using(Officer, loaded, work)
    if out is not None:
        write_new(out, strict_json.dump(body.model_dump(mode="json")) + b"\n")
    counts = {part: len(getattr(body, part)) for part in registry.PARTS}
    digest = directory.terms.digest
    if json:
        groups = {name: list(nations) for name, nations in body.groups.items()}
        output.line({"version": body.version, "digest": digest, **counts, "coalitions": groups})
        return
    output.say(f"registry version [bold]{body.version}[/bold], {digest[:16]}")
    output.say("  " + ", ".join(f"{count} {part}" for part, count in counts.items()))
    for name, nations in sorted(body.groups.items()):
        output.say(f"  {output.clean_line(name)}: {', '.join(nations)}")


def draft(
    file: Annotated[Path, typer.Argument(help="registry.json, with its version raised by one.")],
    identity: As,
    out: Annotated[Path, typer.Option("--out", help="Where the proposal goes.")],
    root: Roots,
    json: Json = False,
) -> None:
    """Propose the next version, signed by your root; other nations' roots sign it after you.

    Example: tearline registry draft registry.json --as kit/KEN/officer
    --root kit/KEN/root --out next.tlst
    """
    loaded, roots = load(identity), [load(folder) for folder in root]
    with meant(file, "a registry in JSON"):
        body = registry.parse(read(file, FILE_MAX))

    async def work(officer: Officer) -> list[str]:
        directory = await officer.follower.sync()
        before = registry.current(officer.follower)
        now = officer.transport.now()
        made = registry.draft(directory, body, roots, now=now, random=officer.random)
        write_new(out, made.raw)
        return list(registry.changes(before, body))

    _tell(using(Officer, loaded, work), body.version, json=json)


def sign(file: Proposal, identity: As, root: Roots, yes: Yes = False, json: Json = False) -> None:
    """Add your root's signatures to a proposal, once you have read what it changes.

    Example: tearline registry sign next.tlst --as kit/GBR/officer --root kit/GBR/root
    """
    loaded, (raw, body) = load(identity), _proposed(file)
    roots = roots_of(loaded.nation, root)

    async def work(officer: Officer) -> tuple[Directory, list[str]]:
        directory = await officer.follower.sync()
        return directory, list(registry.changes(registry.current(officer.follower), body))

    directory, changes = using(Officer, loaded, work)
    _tell(changes, body.version, json=json)
    output.confirm(f"Sign this for {loaded.nation}?", yes=yes or json)
    replace(file, proposal.sign(directory, raw, roots))
    if not json:
        output.say(f"signed for {loaded.nation}")


def publish(file: Proposal, identity: As, yes: Yes = False, json: Json = False) -> None:
    """Post a proposal that enough nations have signed; it holds from its journal entry on.

    Until a nation adopts its policy again, its layers are asked under the old
    version too, and the lower answer counts.
    Example: tearline registry publish next.tlst --as kit/KEN/officer
    """
    loaded, (raw, body) = load(identity), _proposed(file)

    async def work(officer: Officer) -> Spoken:
        directory = await officer.follower.sync()
        proposal.check(directory, raw, officer.transport.now())
        output.confirm(f"Publish version {body.version}?", yes=yes or json)
        spoken = await officer.post(raw)
        await officer.follower.sync()
        return spoken

    spoken = using(Officer, loaded, work)
    show_spoken([spoken], json=json)
    if not json:
        output.say("next, by every nation's officer: tearline policy adopt")


def _proposed(file: Path) -> tuple[bytes, RegistryBody]:
    raw = read(file, FILE_MAX)
    with meant(file, "a proposal of a registry"):
        return raw, registry.body_of(raw)


def _tell(changes: list[str], version: int, *, json: bool) -> None:
    if json:
        output.line({"version": version, "changes": changes})
        return
    output.say(f"version {version} changes:" if changes else f"version {version} changes nothing")
    for change in changes:
        output.say(f"  {output.clean_line(change)}")
