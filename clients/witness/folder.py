"""A witness's folder: its name, its keys, the logs it watches and what it cosigned last.

    witness.json    public: its name, and the keys of every log that it watches
    witness-key     two seeds, Ed25519 and ML-DSA-44, 128 hex digits
    witness-key-before   the same, of the keys that these replace: both cosign, and for each tree
                    those count that the journal says. It may be removed once the new ones do
    heads.sqlite    the newest tree that it cosigned, of each log
    fork-N.json     proof that a log signed two trees of N entries

Whoever reads `witness-key` can cosign in its name: two histories then, which is one of the
colluding witnesses that a quorum bears. Whoever changes heads.sqlite can make it cosign a second
history, which is the same. No content is gained by either. The key is not behind a passphrase,
because a witness answers by night too.
"""

import json
import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from wire import strict_json
from wire.errors import Malformed, TearlineError, quoted
from wire.model import Strict
from wire.note_keys import (
    ED25519,
    ED25519_COSIGNATURE,
    Ed25519Signer,
    MLDSA44Signer,
    NoteSigner,
    VKey,
)

PUBLIC_FILE: Final = "witness.json"
KEY_FILE: Final = "witness-key"
BEFORE_FILE: Final = "witness-key-before"
HEADS_FILE: Final = "heads.sqlite"
SEED: Final = 64  # bytes: one seed for each of its two keys
FILE_MAX: Final = 1 << 20  # bytes of witness.json: far more logs than a nation has missions

_SEED: Final = re.compile(r"[0-9a-f]{128}\n?")

LogKey = Annotated[str, StringConstraints(max_length=4_000)]


class WitnessFile(Strict):
    """What stands in witness.json."""

    v: Literal[1]
    name: Annotated[str, StringConstraints(max_length=200)]
    logs: Annotated[tuple[LogKey, ...], Field(max_length=1_000)]


@dataclass(frozen=True)
class WitnessKeys:
    """A witness's name and its two keys; `before` is the seed of those that they replace."""

    name: str
    seed: bytes = field(repr=False)
    before: bytes | None = field(repr=False, default=None)

    @property
    def signers(self) -> tuple[NoteSigner, ...]:
        """What cosigns: a checkpoint counts where every key that the mission names has signed."""
        seeds = [self.seed] if self.before in {None, self.seed} else [self.seed, self.before]
        return tuple(signer for seed in seeds if seed for signer in self._pair(seed))

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The public keys, as a charter names them: Ed25519, then ML-DSA-44."""
        return tuple(str(signer.vkey) for signer in self._pair(self.seed))

    def _pair(self, seed: bytes) -> tuple[NoteSigner, NoteSigner]:
        half = SEED // 2
        return (
            Ed25519Signer(self.name, seed[:half], ED25519_COSIGNATURE),
            MLDSA44Signer(self.name, seed[half:]),
        )


@dataclass(frozen=True)
class WitnessFolder:
    """An opened folder. `logs` are the keys of each log by its origin; all of them must sign."""

    folder: Path
    keys: WitnessKeys
    logs: Mapping[str, tuple[VKey, ...]]

    @classmethod
    def load(cls, folder: str | Path) -> "WitnessFolder":
        """Open it. Raises `Malformed` ("bad-identity")."""
        folder = Path(folder)
        public, seed = _public(folder), _seed(folder / KEY_FILE)
        before = folder / BEFORE_FILE
        keys = WitnessKeys(public.name, seed, _seed(before) if before.exists() else None)
        return cls(folder, keys, _by_origin(public.logs))


def create(folder: str | Path, keys: WitnessKeys, logs: Sequence[str] = ()) -> None:
    """Write a new witness's folder.

    Raises `Malformed`: "bad-input" if there is one already, "bad-checkpoint" for a name or a key
    of a log that is none.
    """
    folder = Path(folder)
    keys.vkeys  # noqa: B018 - a name that no key can bear is refused before anything is written
    _by_origin(logs)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / KEY_FILE, keys.seed.hex().encode() + b"\n", new=True)
    _write_public(folder, WitnessFile(v=1, name=keys.name, logs=tuple(logs)))


def renew(folder: str | Path, seed: bytes) -> WitnessFolder:
    """Give a witness new keys. It cosigns with those that it had as well, so that it is counted
    until the journal says that the new ones count, and from then on. Raises `Malformed`.
    """
    folder = Path(folder)
    known = WitnessFolder.load(folder).keys
    for name, keep in ((BEFORE_FILE, known.seed), (KEY_FILE, seed)):
        _replace(folder / name, keep.hex().encode() + b"\n")
    return WitnessFolder.load(folder)


def watch(folder: str | Path, *logs: str, left: Collection[str] = ()) -> WitnessFolder:
    """Let a witness watch more logs: `logs` are their keys. Those that were `left` by their nations
    it cosigns no more. Raises `Malformed`.
    """
    folder = Path(folder)
    known = _public(folder)
    stay = (key for key in known.logs if VKey.parse(key).name not in left)
    every = tuple(dict.fromkeys((*stay, *logs)))
    _by_origin(every)
    _write_public(folder, WitnessFile(v=1, name=known.name, logs=every))
    return WitnessFolder.load(folder)


def _by_origin(logs: Sequence[str]) -> dict[str, tuple[VKey, ...]]:
    found: dict[str, tuple[VKey, ...]] = {}
    for text in logs:
        key = VKey.parse(text)
        if key.kind != ED25519:
            raise Malformed("bad-checkpoint", f"{quoted(key.name)} is no key of a log")
        found[key.name] = (*found.get(key.name, ()), key)
    return found


def _public(folder: Path) -> WitnessFile:
    try:
        with (folder / PUBLIC_FILE).open("rb") as file:
            return strict_json.load(file.read(FILE_MAX), WitnessFile, limit=FILE_MAX)
    except OSError as error:
        raise Malformed("bad-identity", "no witness's folder; make one first") from error
    except TearlineError as error:
        raise Malformed("bad-identity", f"{PUBLIC_FILE}: {error.detail}") from error


def _seed(path: Path) -> bytes:
    try:
        text, mode = path.read_text("ascii"), path.stat().st_mode
    except (OSError, ValueError) as error:
        raise Malformed("bad-identity", f"{path.name} cannot be read") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Malformed("bad-identity", f"{path.name} must be readable by its owner alone")
    if not _SEED.fullmatch(text):
        raise Malformed("bad-identity", f"{path.name} must hold 128 hex digits")
    return bytes.fromhex(text)


def _write_public(folder: Path, public: WitnessFile) -> None:
    data = json.dumps(public.model_dump(mode="json"), indent=1).encode() + b"\n"
    _replace(folder / PUBLIC_FILE, data)


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    _write(fresh, data, new=False)
    fresh.replace(path)


def _write(path: Path, data: bytes, *, new: bool) -> None:
    """A file that only its owner reads."""
    flags = os.O_EXCL if new else os.O_TRUNC
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    except FileExistsError as error:
        raise Malformed("bad-input", "there is a witness already") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
