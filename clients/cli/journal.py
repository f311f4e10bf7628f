"""`tearline journal …`, `tearline backup`, `tearline restore`: the operator's own journal.

The work is the broker's program's, in a process that takes the place of this one: no client code
runs in it, and none of it runs here.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.options import Json
from wire.errors import Malformed

Broker = Annotated[Path, typer.Argument(help="The broker's folder, such as KIT/broker.")]


def fsck(folder: Broker, json: Json = False) -> None:
    """Verify every entry of a stopped broker's journal; changes nothing.

    Leaves, links, heads, checkpoints, the rows it serves from, attachments and the anchor. Says
    the first entry that disagrees, and in what.
    Example: tearline journal fsck kit/broker
    """
    _become("fsck", str(folder), json=json)


def resume(
    folder: Broker,
    heads: Annotated[
        list[Path],
        typer.Option("--head", help="The newest checkpoint that a nation saw; one for each."),
    ],
    json: Json = False,
) -> None:
    """Go on from a restored copy whose anchor is lost; the journal then has an entry that says so.

    Refused if any nation saw more than the copy has: going on would be a second history. An auditor
    finds the newest checkpoint of his nation with `tearline audit ask complete`.
    Example: tearline journal resume kit/broker --head KEN.head --head GBR.head
    """
    _become(
        "resume",
        str(folder),
        *(part for head in heads for part in ("--head", str(head))),
        json=json,
    )


def loss(
    folder: Broker,
    out: Annotated[Path, typer.Option("--out", help="A new file, for the nations.")],
    origin: Annotated[
        str | None, typer.Option("--origin", help="The log's next name; usually its number.")
    ] = None,
    json: Json = False,
) -> None:
    """Write down what is left of a log, for the nations to sign that it goes on.

    For a restored copy that is older than what was acknowledged, when there is no newer one. Each
    nation compares the file with what it saw, and signs: tearline nation continue FILE.
    Example: tearline journal loss kit/broker --out loss.json
    """
    name = ["--origin", origin] if origin is not None else []
    _become("loss", str(folder), "--out", str(out), *name, json=json)


def go_on(
    folder: Broker,
    statement: Annotated[Path, typer.Argument(help="What the nations have signed.")],
    again: Annotated[
        list[Path] | None,
        typer.Option("--again", help="A folder of lost statements, from `nation lost`."),
    ] = None,
    json: Json = False,
) -> None:
    """Go on from a restored copy under the name that more than half of the nations have signed.

    What nations hand in of their lost statements is said again before anything is served, so that
    who was revoked stays revoked. Keep `genesis` with the keys from then on, and make a backup.
    Example: tearline journal continue kit/broker continue.tlst --again lost/KEN --again lost/GBR
    """
    folders = (part for path in again or () for part in ("--again", str(path)))
    _become("continue", str(folder), "--statement", str(statement), *folders, json=json)


def backup(
    folder: Broker,
    to: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    json: Json = False,
) -> None:
    """Copy a broker's journal and attachments, while it serves, and verify the copy.

    The keys beside broker.toml are not in it: keep those apart. What is erased later stays in a
    copy: keep copies no longer than the mission's retention allows.
    Example: tearline backup kit/broker /mnt/vault/monday
    """
    _become("backup", str(folder), str(to), json=json)


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `tearline backup` made.")],
    folder: Broker,
    json: Json = False,
) -> None:
    """Put a copy where a broker looks for its journal, and verify it there.

    Says whether the broker will serve it. A copy older than what was acknowledged is refused.
    Example: tearline restore /mnt/vault/monday kit/broker
    """
    _become("restore", str(source), str(folder), json=json)


def _become(*arguments: str, json: bool) -> None:
    """Replace this process by the broker's program for it."""
    if find_spec("aiosqlite") is None:
        raise Malformed("bad-settings", "no broker is installed: pip install tearline[broker]")
    command = [sys.executable, "-m", "broker.operate", *arguments, *(["--json"] if json else [])]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell, our own interpreter
