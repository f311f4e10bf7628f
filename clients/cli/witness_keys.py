"""`tearline nation witness`: whose keys cosign for whom, and new keys for your nation's witness."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.officer import Officer
from clients.witness.folder import WitnessFolder
from wire.directory import Directory
from wire.errors import Malformed
from wire.notes import MLDSA44_COSIGNATURE, VKey

Keys = Annotated[list[str], typer.Option("--key", help="A key of your witness; one or two.")]
Home = Annotated[
    Path | None, typer.Option("--from", help="Your witness's folder, instead of --key.")
]
Roots = Annotated[list[Path], typer.Option("--root", help="Folder of your root keys; several may.")]


def nation_witness(
    identity: As,
    key: Keys = [],
    home: Home = None,
    root: Roots = [],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """The keys of the mission's witnesses; with --root, replace those of your own.

    Make new ones first with `tearline witness renew`, or `init` where the old
    ones are lost. The old ones count for no tree that has the statement in it.
    Example: tearline nation witness --as kit/KEN/officer
    --from kit/KEN/auditor/witness --root kit/KEN/root
    """
    loaded, new = load(identity), (*key, *(_of(home) if home else ()))
    if not new:
        directory = using(Officer, loaded, lambda officer: officer.follower.sync())
        show(directory, json=json)
        return
    if not root:
        raise Malformed("bad-input", "name your root keys with --root: they sign it")
    roots = [load(folder).root for folder in root]
    for vkey in map(VKey.parse, new):
        if not json:
            output.say(f"{_kind(vkey)} {vkey.id.hex()} for {output.clean_line(vkey.name)}")
    output.confirm(f"Let these alone cosign for {loaded.nation} from now on?", yes=yes or json)
    show_spoken(using(Officer, loaded, lambda officer: officer.set_witness(new, roots)), json=json)


def _of(home: Path) -> tuple[str, ...]:
    return WitnessFolder.load(home).keys.vkeys


def show(directory: Directory, *, json: bool) -> None:
    """Every key that counts or counted, for programs or for people."""
    if json:
        for row in _rows(directory):
            output.line(row)
        return
    rows = [
        [
            output.clean_line(row["witness"]),
            row["nation"] or "nobody",
            row["kind"],
            row["id"],
            _span(row),
        ]
        for row in _rows(directory)
    ]
    quorum = directory.witnesses.quorum
    output.say(f"{len(directory.witnesses.sets)} witnesses; {quorum} make a quorum")
    output.table("Witnesses", ("witness", "run by", "key", "id", "counts"), rows)


def _rows(directory: Directory) -> Iterator[dict[str, Any]]:
    whose = directory.witnesses
    run_by = {run.name: nation for nation, run in whose.run_by.items()}
    for name, sets in sorted(whose.sets.items()):
        ends = [*(one.position for one in sets[1:]), None]
        for one, until in zip(sets, ends, strict=True):
            for key in one.keys:
                yield {
                    "witness": name,
                    "nation": run_by.get(name),
                    "kind": _kind(key),
                    "id": key.id.hex(),
                    "since": None if one.position < 0 else one.position,
                    "until": until,
                    "key": str(key),
                }


def _kind(key: VKey) -> str:
    return "ML-DSA-44" if key.kind == MLDSA44_COSIGNATURE else "Ed25519"


def _span(row: dict[str, Any]) -> str:
    since = "the charter" if row["since"] is None else f"entry {row['since']}"
    return f"from {since} on" if row["until"] is None else f"from {since} to {row['until']}"
