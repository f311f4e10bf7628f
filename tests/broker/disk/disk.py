"""A recorded disk: what it holds after a kill, and what it can hold after a power cut.

A kill leaves all that was written so far. A power cut leaves all that was synced; of what was not,
each 512-byte sector, each truncation and each change of a name may have reached the disk or not, in
any order. A sector itself is old or new.
"""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.broker.disk.run import SAID

ROOT: Final = Path(__file__).parents[3]
SECTOR: Final = 512
_HEAD: Final = struct.Struct("<cHqI")

Cut = Literal["none", "all", "some", "torn"]
CUTS: Final[tuple[Cut, ...]] = ("none", "all", "some", "torn")
"""Of what was not synced is there: nothing, all, any part, all up to a point that is torn."""


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call: see `recorder.c`."""

    op: str
    path: str
    offset: int
    data: bytes


def compiled(folder: Path) -> Path:
    """The recorder, as a library."""
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def recorded(
    library: Path, folder: Path, operations: int, level: str, kill_at: int = 0
) -> list[Call]:
    """What a life of a journal does to its folder, whole or killed at a call."""
    folder.mkdir()
    log = folder.with_name(folder.name + ".log")
    watched = {
        "LD_PRELOAD": library,
        "DISK_FOLDER": folder,
        "DISK_LOG": log,
        "DISK_KILL_AT": kill_at,
    }
    environment = {**os.environ, **{name: str(value) for name, value in watched.items()}}
    command = [sys.executable, "-m", "tests.broker.disk.run", str(folder), str(operations), level]
    subprocess.run(command, env=environment, cwd=ROOT, check=not kill_at)
    return list(_calls(log.read_bytes()))


def session(library: Path, folder: Path, kills: int) -> dict[str, int]:
    """What a whole broker shows that is killed so many times: see `session.py`."""
    folder.mkdir()
    environment = {**os.environ, "LD_PRELOAD": str(library), "DISK_FOLDER": str(folder)}
    command = [sys.executable, "-m", "tests.broker.disk.session", str(folder), str(kills)]
    ran = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, int] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _calls(log: bytes) -> Iterator[Call]:
    at = 0
    while at < len(log):
        op, named, offset, length = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        path, data = log[at : at + named].decode(), log[at + named : at + named + length]
        at += named + length
        yield Call(op.decode(), path, offset, data)


@dataclass
class Disk:
    """Files by name. What is written is there at once; `pending` is what a power cut may undo."""

    files: dict[str, bytearray] = field(default_factory=dict)
    safe: dict[str, bytearray] = field(default_factory=dict)
    pending: list[Call] = field(default_factory=list)

    def take(self, call: Call) -> None:
        """The next call."""
        if call.op != "s":
            apply(self.files, call)
            self.pending.append(call)
            return
        for one in self.pending:
            if _synced_by(one, call.path):
                apply(self.safe, one)
        self.pending = [one for one in self.pending if not _synced_by(one, call.path)]

    def after_cut(self, chance: random.Random, cut: Cut) -> dict[str, bytearray]:
        """What may be there when the power comes back."""
        files = {name: bytearray(data) for name, data in self.safe.items()}
        torn = chance.randrange(len(self.pending) + 1)
        for number, call in enumerate(self.pending):
            if cut == "none" or (cut == "torn" and number > torn):
                break
            whole = cut == "all" or (cut == "torn" and number < torn)
            for part in [call] if call.op != "w" else _sectors(call):
                if whole or chance.random() < 0.5:
                    apply(files, part)
        return files


def apply(files: dict[str, bytearray], call: Call) -> None:
    """Carry out a call."""
    match call.op:
        case "c":
            files.setdefault(call.path, bytearray())
        case "u":
            files.pop(call.path, None)
        case "r":
            files[call.data.decode()] = files.pop(call.path, bytearray())
        case "t":
            data = files.setdefault(call.path, bytearray())
            del data[call.offset :]
            data.extend(bytes(call.offset - len(data)))
        case "w":
            data = files.setdefault(call.path, bytearray())
            data.extend(bytes(max(0, call.offset - len(data))))
            data[call.offset : call.offset + len(call.data)] = call.data


def _synced_by(call: Call, path: str) -> bool:
    """Whether syncing a path makes a call safe: a folder its names, a file its bytes."""
    if call.op in "cru":
        return path in {str(Path(call.path).parent), call.path}
    return path == call.path


def _sectors(call: Call) -> Iterator[Call]:
    at = 0
    while at < len(call.data):
        step = SECTOR - (call.offset + at) % SECTOR
        yield Call("w", call.path, call.offset + at, call.data[at : at + step])
        at += step


def write(files: dict[str, bytearray], folder: Path) -> None:
    """Make a folder that holds these files; what was said is no file of the broker's."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        if name != SAID:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


def said(calls: Sequence[Call]) -> list[str]:
    """What was said up to here, a line each."""
    return [call.data.decode().strip() for call in calls if call.path == SAID and call.op == "w"]
