"""`tearline witness init | renew | trust | follow | compare`: a nation's witness of one history."""

import os
from pathlib import Path
from typing import Annotated

import anyio
import typer

from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json
from clients.witness import attend, bring
from clients.witness import folder as home
from clients.witness.bring import Brought
from clients.witness.folder import SEED, WitnessKeys
from clients.witness.remote import RemoteWitness
from wire.errors import Malformed, NotAllowed, TearlineError

Folder = Annotated[Path, typer.Argument(help="The witness's folder.")]
Urls = Annotated[list[str] | None, typer.Option("--witness", help="URL of another witness.")]


def init(
    folder: Folder,
    name: Annotated[str, typer.Option("--name", help="Such as ken.example/witness.")],
    log: Annotated[
        list[str] | None, typer.Option("--log", help="Verification key of a log to watch.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a witness, and print the two keys by which a charter names it.

    Its private key is not behind a passphrase: a witness answers by night too.
    Example: tearline witness init witness --name ken.example/witness
    """
    keys = WitnessKeys(name, os.urandom(SEED))
    home.create(folder, keys, log or ())
    if json:
        output.line({"folder": str(folder), "name": name, "vkeys": list(keys.vkeys)})
        return
    for key in keys.vkeys:
        output.plain(key)


def renew(folder: Folder, json: Json = False) -> None:
    """Give a witness new keys, and print the two.

    They count once your nation's root says so: `tearline nation witness`. Until
    then the old ones do; the witness cosigns with both.
    Example: tearline witness renew kit/KEN/auditor/witness
    """
    keys = home.renew(folder, os.urandom(SEED)).keys
    if json:
        output.line({"folder": str(folder), "name": keys.name, "vkeys": list(keys.vkeys)})
        return
    for key in keys.vkeys:
        output.plain(key)


def trust(
    folder: Folder,
    log: Annotated[list[str], typer.Argument(help="Verification keys of a log.")],
    json: Json = False,
) -> None:
    """Let a witness watch one more log; every key given for a log must sign.

    Example: tearline witness trust witness
    tearline/minusx+c5bf…+AT…
    """
    logs = home.watch(folder, *log).logs
    if json:
        output.line({"folder": str(folder), "logs": sorted(logs)})
        return
    output.say(f"watches {output.clean_line(', '.join(sorted(logs)))}")


def follow(
    identity: As,
    witness: Urls = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Seconds between looks.")] = 10,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    json: Json = False,
) -> None:
    """Check what the log wants cosigned, have it cosigned, and bring that back.

    By the witness in the identity's own folder, or by those at --witness. A
    fork stops it, and leaves the proof in the identity's folder.
    Example: tearline witness follow --as kit/KEN/auditor
    """
    loaded = load(identity)
    if not witness and attend.home_of(loaded) is None:
        raise Malformed("bad-input", "no witness in this folder; name one with --witness")

    async def work(auditor: Auditor) -> None:
        while True:
            if not witness:
                _show(await attend.once(auditor), json=json)
            for url in witness or ():
                await _at(auditor, url, json=json)
            await auditor.confirmed()
            if once:
                return
            await anyio.sleep(every)

    using(Auditor, loaded, work)


def compare(
    identity: As,
    witness: Annotated[list[str], typer.Argument(help="URLs of witnesses.")],
    json: Json = False,
) -> None:
    """Check that what witnesses cosigned last is of the history that you see.

    Example: tearline witness compare https://witness.example --as kit/KEN/auditor
    """
    loaded = load(identity)

    async def work(auditor: Auditor) -> None:
        await auditor.follower.sync()
        for url in witness:
            async with RemoteWitness(url) as there:
                tree = await bring.compare_with(auditor, there)
            if tree is None:
                raise NotAllowed("not-found", f"{url} has cosigned nothing of this log")
            if json:
                output.line({"witness": url, "size": tree.size, "root": tree.root.hex()})
            else:
                output.say(f"[green]one history[/green]  {url} at {tree.size} entries")

    using(Auditor, loaded, work)


async def _at(auditor: Auditor, url: str, *, json: bool) -> None:
    """Ask one witness; one that is not there keeps nobody from asking the next."""
    async with RemoteWitness(url) as there:
        try:
            await bring.compare_with(auditor, there)
            _show(await bring.bring(auditor, there.add_checkpoint), json=json)
        except TearlineError as error:
            if error.slug not in {*attend.LATER, "unreachable"}:
                raise
            output.note(f"[yellow]{output.clean_line(f'{url}: {error}')}[/yellow]")


def _show(brought: Brought | None, *, json: bool) -> None:
    if brought is None:
        return
    if json:
        output.line({**vars(brought), "confirmed": brought.confirmed})
        return
    told = f"cosigned by {brought.witnesses}, {brought.quorum} are needed"
    word = "[green]confirmed[/green]" if brought.confirmed else "[yellow]waits[/yellow]"
    output.say(f"{word}  {brought.size} entries: {told}")
