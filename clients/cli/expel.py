"""`tearline nation expel | sign | publish`: the roots of a quorum of nations show one the door."""

from pathlib import Path
from typing import Annotated

import typer

from clients import proposal
from clients.cli import continuing, ledger, output
from clients.cli.common import load, roots_of, using
from clients.cli.ledger import Code
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.files import meant, read, replace, write_new
from clients.officer import Officer, Spoken
from wire import statements
from wire.bodies import NationExpel
from wire.directory import Directory
from wire.statements import STATEMENT_MAX

Roots = Annotated[list[Path], typer.Option("--root", help="Root folder of a nation that signs.")]
Proposal = Annotated[Path, typer.Argument(help="A file that `nation expel --out` wrote.")]


def nation_expel(
    code: Code,
    identity: As,
    root: Roots,
    reason: Annotated[str, typer.Option("--reason", help="Stands in the journal.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Sign into this file, for other nations' roots.")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Expel a nation, signed by the roots of as many others as the charter asks for.

    From that entry on it is sent nothing, and nobody can seal to it. Prints its ledger. Roots that
    are kept in different places sign one after the other: with --out, then `tearline nation sign`.
    Example: tearline nation expel FRA --as kit/KEN/officer --root kit/KEN/root --root kit/GBR/root
    --reason "left the mission"
    """
    output.confirm(f"Expel {code}?", yes=yes or json)
    loaded, roots = load(identity), [load(folder) for folder in root]
    if out is None:
        keys = [signer.root for signer in roots]
        spoken = using(Officer, loaded, lambda officer: officer.expel(code, reason, keys))
        show_spoken(spoken, json=json)
        ledger.show(ledger.nation_leaves(loaded, code), json=json)
        return

    async def work(officer: Officer) -> None:
        directory, now = await officer.follower.sync(), officer.transport.now()
        made = proposal.expulsion(directory, code, reason, roots, now=now, random=officer.random)
        write_new(out, made.raw)

    using(Officer, loaded, work)
    _tell(code, reason, json=json)
    if not json:
        output.say("next, by another nation: tearline nation sign FILE --as OFFICER --root ROOT")


def nation_sign(
    file: Proposal, identity: As, root: Roots, yes: Yes = False, json: Json = False
) -> None:
    """Add your root's signatures to an expulsion, or a log's continuation, that another drafted.

    Example: tearline nation sign expel.tlst --as kit/GBR/officer --root kit/GBR/root
    """
    loaded, raw = load(identity), read(file, STATEMENT_MAX)
    roots = roots_of(loaded.nation, root)
    with meant(file, "a statement that waits for signatures"):
        kind = statements.parse(raw).head.type
    if kind == "mission.continue":
        replace(file, continuing.sign(raw, loaded, roots, yes=yes or json, json=json))
        return
    said = _expelled(file, raw)
    _tell(said.code, said.reason, json=json)
    output.confirm(f"Sign this for {loaded.nation}?", yes=yes or json)

    async def work(officer: Officer) -> Directory:
        return await officer.follower.sync()

    replace(file, proposal.sign(using(Officer, loaded, work), raw, roots))
    if not json:
        output.say(f"signed for {loaded.nation}")


def nation_publish(file: Proposal, identity: As, yes: Yes = False, json: Json = False) -> None:
    """Post an expulsion that enough nations have signed, and print the leaver's ledger.

    Example: tearline nation publish expel.tlst --as kit/KEN/officer
    """
    loaded, raw = load(identity), read(file, STATEMENT_MAX)
    said = _expelled(file, raw)

    async def work(officer: Officer) -> Spoken:
        directory = await officer.follower.sync()
        proposal.check(directory, raw, officer.transport.now())
        output.confirm(f"Expel {said.code}?", yes=yes or json)
        return await officer.post(raw)

    show_spoken([using(Officer, loaded, work)], json=json)
    ledger.show(ledger.nation_leaves(loaded, said.code), json=json)


def _expelled(file: Path, raw: bytes) -> NationExpel:
    with meant(file, "a proposal to expel a nation"):
        return proposal.expelled(raw)


def _tell(code: str, reason: str, *, json: bool) -> None:
    if json:
        output.line({"type": "nation.expel", "code": code, "reason": reason})
    else:
        output.say(f"expels {code}: {output.clean_line(reason)}")
