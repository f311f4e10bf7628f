"""`kit create`: a whole mission as folders, ready to hand out.

    DIR/broker/                     settings, genesis statements, the broker's secrets
    DIR/<NATION>/root/              the nation's root keys: take them offline
    DIR/<NATION>/<KIND>/            officer, system, analyst, auditor: one folder, one member

Everything is made in memory, written beside DIR, and moved into place at the end: there is a whole
kit or none. Files with secrets are readable by their owner only.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients import keystore
from clients.founding import Founded, Plan, found
from clients.identity import IDENTITY_FILE, KEYS_FILE, STATE_FOLDER, IdentityFile
from clients.keys import Random
from clients.keystore import STANDARD, Cost
from clients.member_keys import MemberKeys, RootKeys
from wire import strict_json
from wire.errors import Malformed, NotAllowed, quoted

PORT: Final = 8440
SECRET: Final = 32
ADDRESS_FILE: Final = "../../broker/address"  # of the broker on this machine, while it runs


@dataclass(frozen=True)
class Lock:
    """How private keys are locked: one passphrase for all folders of a kit."""

    passphrase: str
    random: Random
    cost: Cost = STANDARD


def create(
    folder: str | Path,
    plan: Plan,
    passphrase: str,
    *,
    now: int,
    random: Random = os.urandom,
    cost: Cost = STANDARD,
    port: int = PORT,
) -> Founded:
    """Found a mission and write its folders.

    Raises `Malformed` ("bad-input") if there is something at `folder` already.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Malformed("bad-input", f"{quoted(folder.name)} exists and is not empty")
    if not passphrase:
        raise NotAllowed("bad-passphrase", "it is empty")
    made = found(plan, now=now, random=random)
    lock = Lock(passphrase, random, cost)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise Malformed("bad-input", f"{quoted(folder.name)} cannot be made") from error
    try:
        _write_broker(beside / "broker", made, random, port)
        for nation, roots in made.roots.items():
            write_identity(
                beside / nation / "root", public(made, nation, "root", port), roots, lock
            )
        for (nation, kind), keys in made.members.items():
            write_identity(beside / nation / kind, public(made, nation, kind, port), keys, lock)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return made


def public(made: Founded, nation: str, kind: str, port: int = PORT) -> IdentityFile:
    """identity.json of one member, or root, of a founded mission."""
    keys = made.roots[nation] if kind == "root" else made.members[nation, kind]
    fields = {
        "v": 1,
        "mission": made.plan.mission,
        "nation": nation,
        "kind": kind,
        "kid": keys.kid,
        "charter": made.charter,
        "origin": made.plan.origin,
        "log_keys": made.log_keys,
        "broker": f"http://127.0.0.1:{port}",
        "address_file": ADDRESS_FILE,
    }
    return strict_json.load(strict_json.dump(fields), IdentityFile)


def write_identity(
    folder: Path, identity: IdentityFile, keys: MemberKeys | RootKeys, lock: Lock
) -> None:
    """Write an identity folder. Raises `Malformed` ("bad-input") if one is there already."""
    if (folder / IDENTITY_FILE).exists():
        raise Malformed("bad-input", f"{quoted(folder.name)} is an identity folder already")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / STATE_FOLDER).mkdir(mode=0o700)
    locked = keystore.lock(keys.private(), lock.passphrase, random=lock.random, cost=lock.cost)
    _write(folder / KEYS_FILE, locked)
    fields = identity.model_dump(mode="json", exclude_none=True)
    _write(folder / IDENTITY_FILE, json.dumps(fields, indent=1).encode() + b"\n")


def _write_broker(folder: Path, made: Founded, random: Random, port: int) -> None:
    (folder / "genesis").mkdir(parents=True, mode=0o700)
    for name in ("data", "anchor"):
        (folder / name).mkdir(mode=0o700)
    for i, raw in enumerate(made.genesis):
        _write(folder / "genesis" / f"{i:03}.tlst", raw)
    secrets = {
        "log-key": made.log_seed,
        "journal-secret": random(SECRET),
        "cursor-key": random(SECRET),
        "metrics-token": random(SECRET),
    }
    for name, secret in secrets.items():
        _write(folder / name, secret.hex().encode() + b"\n")
    _write(folder / "broker.toml", _settings(made, port).encode())


def _settings(made: Founded, port: int) -> str:
    names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
    fields = {
        "mission": made.plan.mission,
        "charter": made.charter,
        "origin": made.plan.origin,
        "host": "127.0.0.1",
        "port": port,
        "authorities": names,
        "data": "data",
        "anchor": "anchor",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return _SETTINGS_HEAD + "\n".join(lines) + "\n" + _SETTINGS_TAIL


_SETTINGS_HEAD: Final = """\
# Settings of the mission's broker. Who can change this file can stop the broker or point it at
# other folders; nobody gains a report's content by it, for the broker has no key to any.
"""
_SETTINGS_TAIL: Final = """\
# Another address than loopback needs TLS:
# host = "192.0.2.1"
# tls_certificate = "tls/chain.pem"
# tls_key = "tls/key.pem"
# The anchor is best kept on another disk: it reveals a journal that was rolled back.
"""


def _write(path: Path, data: bytes) -> None:
    """A new file that only its owner reads."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Malformed("bad-input", f"{quoted(path.name)} cannot be written") from error
