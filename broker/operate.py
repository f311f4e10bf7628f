"""The operator's commands on a journal, as a process of their own: `python -m broker.operate`.

    fsck DIR    backup DIR TO    restore FROM DIR    resume DIR --head FILE ...
    loss DIR --out FILE          continue DIR --statement FILE --again FOLDER ...

DIR is where `broker.toml` lies. A refusal is one line on standard error and exit code 1.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from broker import continuing, custody
from broker.journal.anchor import write_durably
from broker.journal.outside import Progress as Told
from broker.settings import Settings
from wire.errors import SLUGS, Malformed, TearlineError
from wire.statements import STATEMENT_MAX

RUNBOOK: Final = "docs/runbook.md"

AFTER_RESTORE: Final = {
    "served": "nothing is missing: start the broker",
    "older": "acknowledged entries are not in it: the broker will refuse it; see " + RUNBOOK,
    "no anchor": "its anchor is lost: `tearline journal resume` compares it with what nations saw",
}

_MEMORY: Final = "what the next start makes of the memory beside it:"

Answer = tuple[str, dict[str, Any]]
"""What people read, and what programs read."""


async def _fsck(given: argparse.Namespace, told: Told) -> Answer:
    found = await custody.fsck(Settings.load(given.folder), told)
    text = f"every entry verified: {_words(found)}\n{_MEMORY} {found.memory}"
    return text, {**_fields(found), "memory": found.memory}


async def _backup(given: argparse.Namespace, told: Told) -> Answer:
    found = await custody.backup(Settings.load(given.folder), given.to, told)
    return f"copied and verified: {_words(found)}", _fields(found)


async def _restore(given: argparse.Namespace, told: Told) -> Answer:
    found, said = await custody.restore(given.source, Settings.load(given.folder), told)
    text = f"restored and verified: {_words(found)}\n{AFTER_RESTORE[said]}"
    return text, {**_fields(found), "standing": said}


async def _resume(given: argparse.Namespace, told: Told) -> Answer:
    index = await custody.resume(Settings.load(given.folder), given.head, told, time.time)
    return f"resumed: entry {index} says so; start the broker", {"index": index}


async def _loss(given: argparse.Namespace, told: Told) -> Answer:
    if given.out.exists():
        raise Malformed("bad-input", f"{given.out.name} exists already")
    found = await continuing.loss(Settings.load(given.folder), given.origin, told)
    write_durably(given.out, found.model_dump_json(indent=1).encode() + b"\n")
    gone = f"{found.size} entries of {found.continues} are left; {found.seen} were acknowledged"
    return f"{gone}\nnations sign that it goes on as {found.origin}", found.model_dump()


async def _continue(given: argparse.Namespace, told: Told) -> Answer:
    for missing in (f for f in (given.statement, *given.again) if not f.exists()):
        raise Malformed("bad-input", f"there is no {missing.name}")
    raw = given.statement.read_bytes()[: STATEMENT_MAX + 1]
    again = [path for folder in given.again for path in folder.glob("*.tlst")]
    done = await continuing.go_on(Settings.load(given.folder), raw, again, told, time.time)
    text = f"{done.origin} goes on from {done.size} entries, and {done.again} lost statements"
    return f"{text} are said again; start the broker", asdict(done)


def _words(found: custody.Found) -> str:
    origin, size, root, *_ = found.checkpoint.splitlines()
    gone = f", {found.missing} lost" if found.missing else ""
    return f"{size} entries of {origin}, root {root}, {found.attachments} attachments{gone}"


def _fields(found: custody.Found) -> dict[str, Any]:
    return {
        "entries": found.entries,
        "checkpoint": found.checkpoint,
        "attachments": found.attachments,
        "missing": found.missing,
    }


COMMANDS: Final[dict[str, Callable[[argparse.Namespace, Told], Coroutine[Any, Any, Answer]]]] = {
    "fsck": _fsck,
    "backup": _backup,
    "restore": _restore,
    "resume": _resume,
    "loss": _loss,
    "continue": _continue,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do it; gives the exit code."""
    given = _parser().parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # keys must not land in a core file
    try:
        with _bar(hidden=given.json) as told:
            text, fields = asyncio.run(COMMANDS[given.command](given, told))
    except TearlineError as error:
        _refuse(error, as_json=given.json)
        return 1
    sys.stdout.write((json.dumps(fields) if given.json else text) + "\n")
    return 0


def _refuse(error: TearlineError, *, as_json: bool) -> None:
    meaning = SLUGS[error.slug]
    fields = {"error": error.slug, "title": meaning.title, "detail": error.detail}
    if as_json:
        sys.stdout.write(json.dumps({**fields, "advice": meaning.advice}) + "\n")
    else:
        sys.stderr.write(f"refused: {error}\n")


@contextmanager
def _bar(*, hidden: bool) -> Iterator[Told]:
    """A progress bar on standard error, where somebody looks."""
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    hidden = hidden or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        task = bars.add_task("verifying", total=None)
        yield lambda done, size: bars.update(task, completed=done, total=size)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker.operate")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name)
        command.add_argument("--json", action="store_true")
        if name == "restore":
            command.add_argument("source", type=_path)
        command.add_argument("folder", type=_path)
        if name == "backup":
            command.add_argument("to", type=_path)
        if name == "resume":
            command.add_argument("--head", type=_path, action="append", default=[])
        if name == "loss":
            command.add_argument("--out", type=_path, required=True)
            command.add_argument("--origin")
        if name == "continue":
            command.add_argument("--statement", type=_path, required=True)
            command.add_argument("--again", type=_path, action="append", default=[])
    return parser


def _path(text: str) -> Path:
    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
