"""`tearline mission prepare | draft | sign | found`, `tearline nation join | officers`: a mission
founded by nations that each keep their root on a machine of their own.
"""

import os
import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from clients import files, kit
from clients import mission as founders
from clients.ceremony import ROLES, Ceremony
from clients.cli import output
from clients.cli.common import passphrase, split
from clients.cli.options import Json, Yes
from clients.cli.retention import days
from clients.founding import LOG_SEED, RETENTION_FLOOR, USUAL_LEVEL, origin_of
from clients.mission import Founding, Root, Terms
from clients.speaker import signers
from wire.bodies import RootPublish
from wire.errors import Malformed
from wire.note_keys import Ed25519Signer
from wire.statements import STATEMENT_MAX, Statement

LOG_KEY = "log-key.pub"
CA_FILE = "ca.pem"
FIRST = "first-{}-{:02}.tlst"
FIRSTS = "first-*-*.tlst"

Folder = Annotated[Path, typer.Argument(help="The folder that goes from nation to nation.")]
RootFolder = Annotated[Path, typer.Option("--root", help="What `tearline nation init` made.")]


def prepare(
    broker: Annotated[Path, typer.Argument(help="A new folder for the broker.")],
    mission: Annotated[str, typer.Option("--mission", help="The mission's code.")],
    json: Json = False,
) -> None:
    """The operator's first step: make the broker's secrets, and print the log's public key.

    Example: tearline mission prepare broker --mission MINUSX
    """
    if broker.exists():
        raise Malformed("bad-input", f"{broker.name} exists already; name a new folder")
    seed = os.urandom(LOG_SEED)
    key = str(Ed25519Signer(origin_of(mission), seed).vkey)
    kit.write_secrets(broker, seed, os.urandom)
    files.write_new(broker / LOG_KEY, key.encode() + b"\n")
    if json:
        output.line({"folder": str(broker), "log_key": key})
        return
    output.plain(key)
    output.note(f"next, by one nation: tearline mission draft FOLDER --log-key '{key}' …")


def draft(
    folder: Folder,
    root: RootFolder,
    founder: Annotated[
        list[Path], typer.Option("--founder", help="root.tlst of each nation, yours as well.")
    ],
    log_key: Annotated[str, typer.Option("--log-key", help="As `mission prepare` printed it.")],
    name: Annotated[str, typer.Option("--name", help="The mission's name, in words.")] = "",
    exercise: Annotated[bool, typer.Option("--exercise", help="An exercise, not live.")] = False,
    clearance: Annotated[
        list[str], typer.Option("--clearance", help="FRA=CONFIDENTIAL; SECRET if not said.")
    ] = [],
    witness: Annotated[
        list[str], typer.Option("--witness", help="A key as `tearline witness init` prints it.")
    ] = [],
    retention_floor: Annotated[
        str, typer.Option(help="Days before which no order erases records; or for-ever.")
    ] = str(RETENTION_FLOOR),
    json: Json = False,
) -> None:
    """Draft the charter and sign it for your nation; the folder then goes to the others.

    Example: tearline mission draft founding --root roots/KEN --founder KEN.tlst
    --founder GBR.tlst --log-key 'tearline/minusx+…'
    """
    if folder.exists():
        raise Malformed("bad-input", f"{folder.name} exists already; name a new folder")
    levels = [word.partition("=") for word in split(clearance)]
    terms = Terms(
        log_key=log_key,
        name=name,
        exercise=exercise,
        clearances={code: level for code, _, level in levels},
        usual=USUAL_LEVEL,
        witnesses=witness,
        retention_floor=days("--retention-floor", retention_floor),
    )
    said = [founders.read(path, "root.publish") for path in founder]
    mine = Root.load(root, passphrase())
    founding = founders.draft(said, terms, mine, now=int(time.time()), random=os.urandom)
    founders.save(founding, folder)
    _show(founding, json=json)


def sign(folder: Folder, root: RootFolder, yes: Yes = False, json: Json = False) -> None:
    """Read what the charter says, and sign it for your nation.

    Compare the identities of the roots with the other nations, by voice.
    Example: tearline mission sign founding --root roots/GBR
    """
    founding = founders.load(folder)
    mine = Root.load(root, passphrase())
    founders.check_founder(founding, mine)
    if not json:
        _show(founding, json=False)
    output.confirm(f"Sign this charter for {mine.nation}?", yes=yes or json)
    signed = founders.sign(founding, mine)
    founders.save(signed, folder)
    if json:
        _show(signed, json=True)
        return
    output.say(f"signed for {mine.nation}; {_lacks(signed)}")


def found(
    broker: Annotated[Path, typer.Argument(help="What `mission prepare` made.")],
    folder: Folder,
    port: Annotated[int, typer.Option("--port", help="Of the broker.")] = kit.PORT,
    json: Json = False,
) -> None:
    """The operator's last step: lay what all have signed into the broker's folder.

    Example: tearline mission found broker founding
    """
    founding, now = founders.load(folder), int(time.time())
    if founding.missing:
        raise Malformed("bad-input", f"{_lacks(founding)}; tearline mission sign")
    directory = founding.directory(now)
    key = files.read(broker / LOG_KEY, 1_000).decode("ascii", "replace").strip()
    if key not in founding.said.log_keys:
        raise Malformed("bad-input", "the charter names another log than this broker's")
    paths = sorted(folder.glob(FIRSTS))
    first = [files.read(path, STATEMENT_MAX) for path in paths]
    founders.stand(directory, first, now)
    charter, mission = founding.charter.identity, founding.charter.head.mission
    kit.begin(broker, (*founding.statements, *first), mission, charter, port)
    without = [one.head.nation for one in founding.roots if not _has_officers(one, paths)]
    if json:
        output.line({"charter": charter, "without_officers": without})
        return
    output.say(f"[green]mission {mission} founded[/green], charter {charter}")
    if without:
        words = f"no officers yet of {', '.join(without)}: tearline nation officers, and lay"
        output.say(f"  {words} its files into {broker / 'genesis'}")
    output.say(f"next: set host, authorities and TLS in {broker / 'broker.toml'}, and serve it")


def join(
    root: Annotated[Path, typer.Argument(help="What `tearline nation init` made.")],
    folder: Folder,
    broker: Annotated[str, typer.Option("--broker", help="https://broker.example:8440")],
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="Who vouches for its certificate.")
    ] = None,
    json: Json = False,
) -> None:
    """Pin the mission whose charter all have signed: your devices are made like this folder.

    Its identity.json holds no secret; a device needs it for `member create --like`.
    Example: tearline nation join roots/KEN founding --broker https://broker.example:8440
    """
    founding = founders.load(folder)
    founding.directory(int(time.time()))
    mine = Root.load(root, passphrase())
    founders.check_founder(founding, mine)
    if ca_file is not None:
        shutil.copyfile(ca_file, root / CA_FILE)
    named = None if ca_file is None else CA_FILE
    kit.pin(root, founding.identity(mine.nation, mine.keys.kid, broker, named))
    if json:
        output.line({"nation": mine.nation, "charter": founding.charter.identity})
        return
    output.say(f"{mine.nation} pins charter {founding.charter.identity}")
    output.say(f"next, on each officer's device: tearline member create officer --like {root}")


def officers(
    root: Annotated[Path, typer.Argument(help="What `tearline nation init` made.")],
    folder: Folder,
    officer: Annotated[
        list[Path], typer.Option("--officer", help="card.json; a second one for policies.")
    ],
    clearance: Annotated[str, typer.Option("--clearance", help="Of these officers.")] = USUAL_LEVEL,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Vouch for your nation's first officers, by its root. Compare their names by voice first.

    The first holds every role, the others that of policies. They add everybody else.
    Example: tearline nation officers roots/KEN founding --officer a/card.json
    --officer b/card.json
    """
    founding, now = founders.load(folder), int(time.time())
    mine = Root.load(root, passphrase())
    founders.check_founder(founding, mine)
    cards = [kit.read_card(path) for path in officer]
    if wrong := next((kind for kind, _ in cards if kind != "officer"), None):
        raise Malformed("bad-input", f"a card of an officer is asked for, not of kind {wrong}")
    names = [card.kid for _, card in cards]
    for name in names:
        output.note(f"officer {name}")
    output.confirm(f"Add these officers of {mine.nation}?", yes=yes or json)
    threshold = mine.statement.body(RootPublish).threshold
    by = signers(*mine.keys.keys[:threshold])
    ceremony = Ceremony(founding.directory(now), now=now, random=os.urandom)
    for _, card in cards:
        ceremony.add_member(mine.nation, card, "officer", by, clearance=clearance)
    for role in ROLES:
        ceremony.delegate(mine.nation, role, names if role == "policy" else names[:1], by)
    for number, raw in enumerate(ceremony.statements):
        files.write_new(folder / FIRST.format(mine.nation, number), raw)
    if json:
        output.line({"nation": mine.nation, "officers": names})
        return
    output.say(f"{len(names)} officers of {mine.nation} added in {folder}; it goes to the operator")


def _show(founding: Founding, *, json: bool) -> None:
    said = founding.said
    if json:
        nations = {nation.code: nation.root for nation in said.nations}
        missing = list(founding.missing)
        output.line({"charter": founding.charter.identity, "nations": nations, "missing": missing})
        return
    kind = "an exercise" if said.exercise else "live"
    output.say(f"charter [bold]{founding.charter.identity}[/bold]: {said.name}, {kind}")
    rows = [(nation.code, nation.clearance, nation.root) for nation in said.nations]
    output.table("Founded by", ("nation", "up to", "root"), rows)
    output.say(f"  log {said.log_keys[0]}")
    output.say(f"  {said.witness_quorum} witnesses confirm; {said.admission_quorum} nations admit")
    output.say(f"  {_lacks(founding)}")


def _lacks(founding: Founding) -> str:
    if founding.missing:
        return f"not signed yet by {', '.join(founding.missing)}"
    return "all have signed"


def _has_officers(root: Statement, paths: list[Path]) -> bool:
    return any(path.name.startswith(f"first-{root.head.nation}-") for path in paths)
