"""Folders with keys: a whole mission's for a pilot, or one member's on its own device.

    DIR/broker/             settings, genesis statements, the broker's secrets
    DIR/<NATION>/root/      the nation's root keys: take them offline
    DIR/<NATION>/<NAME>/    officer, officer2, system, analyst, auditor: one folder, one member
    DIR/<NATION>/auditor/witness/   the nation's witness, which the charter names

A kit is made in memory, written beside DIR, and moved into place at the end: there is a whole one
or none. In real use a device makes its own keys (`create_member`) and hands its card to an officer,
who compares the card's name by voice before signing it; a nation makes its own root
(`create_root`). Private keys never leave the folder they were made in. Files with secrets are
readable by their owner only.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from clients import files, keystore
from clients.ceremony import Ceremony
from clients.founding import MEMBERS, Founded, Plan, found, origin_of
from clients.identity import IDENTITY_FILE, KEYS_FILE, STATE_FOLDER, IdentityFile, read_public
from clients.keys import Random
from clients.keystore import STANDARD, Cost
from clients.member_keys import MemberCard, MemberKeys, RootKeys
from clients.witness import folder as witness
from clients.witness.folder import SEED, WitnessKeys
from wire import strict_json
from wire.bodies import Kind
from wire.directory import Directory
from wire.errors import Malformed, quoted
from wire.statements import Statement
from wire.witness import quorum, tolerated

PORT: Final = 8440
SECRET: Final = 32
ROOT_FILE: Final = "root.tlst"
PRIVATE: Final = 0o600  # only its owner reads it
WITNESS_FOLDER: Final = "witness"
WITNESSES_MAX: Final = 60  # with the log's own line, what a note has room for
BOTH_KEYS_MAX: Final = 20  # witnesses whose ML-DSA-44 keys, 1.8 kB each, a charter has room for
ADDRESS_FILE: Final = "../../broker/address"  # of the broker on this machine, while it runs


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

    One machine holds the keys of all nations, for a pilot or an exercise; any passphrase will do
    but an empty one. Raises `Malformed` ("bad-input") if there is something at `folder` already,
    `NotAllowed` ("bad-passphrase").
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Malformed("bad-input", f"{quoted(folder.name)} exists and is not empty")
    witnesses = _witnesses(plan, random) if plan.witnesses is None else {}
    made = found(_witnessed(plan, witnesses), now=now, random=random)
    lock = partial(
        keystore.lock, passphrase=passphrase, random=random, cost=cost, any_passphrase=True
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise Malformed("bad-input", f"{quoted(folder.name)} cannot be made") from error
    try:
        _write_broker(beside / "broker", made, random, port)
        for nation, kind in [*((n, "root") for n in made.roots), *made.members]:
            home = beside / nation / kind
            _write_keys(home, lock(made.keys(nation, kind).private()))
            _write_identity(home, public(made, nation, kind, port))
        for nation, keys in witnesses.items():
            witness.create(beside / nation / "auditor" / WITNESS_FOLDER, keys, made.log_keys)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return made


def _witnesses(plan: Plan, random: Random) -> dict[str, WitnessKeys]:
    """A witness for every nation, as far as a note has room for their signatures."""
    return {
        nation: WitnessKeys(f"{nation.lower()}.{plan.origin}", random(SEED))
        for nation in plan.nations[:WITNESSES_MAX]
    }


def _witnessed(plan: Plan, witnesses: Mapping[str, WitnessKeys]) -> Plan:
    """The plan with these witnesses, and the quorum of them that no two histories can both have.

    Both keys of each are named while the charter has room for them, then only the first.
    """
    if not witnesses:
        return plan
    count = len(witnesses)
    named = 2 if count <= BOTH_KEYS_MAX else 1
    keys = tuple(key for one in witnesses.values() for key in one.vkeys[:named])
    run_by = {nation: one.name for nation, one in witnesses.items()}
    needed = quorum(count, tolerated(count))
    return replace(plan, witnesses=keys, witness_quorum=needed, run_by=run_by)


def public(made: Founded, nation: str, kind: str, port: int = PORT) -> IdentityFile:
    """identity.json of one member, or root, of a founded mission."""
    fields = {
        "v": 1,
        "mission": made.plan.mission,
        "nation": nation,
        "kind": MEMBERS.get(kind, kind),
        "kid": made.keys(nation, kind).kid,
        "charter": made.charter,
        "origin": made.plan.origin,
        "log_keys": made.log_keys,
        "broker": f"http://127.0.0.1:{port}",
        "address_file": ADDRESS_FILE,
    }
    return strict_json.load(strict_json.dump(fields), IdentityFile)


def create_member(
    folder: str | Path,
    like: str | Path,
    kind: Kind,
    passphrase: str,
    *,
    random: Random = os.urandom,
    cost: Cost = STANDARD,
) -> MemberCard:
    """Make a member's keys in its own folder; the mission and broker are those of `like`, an
    identity folder of the same nation. Gives the card that an officer signs into the directory.

    Raises `Malformed` ("bad-input") if there are keys at `folder` already.
    """
    folder, mission = Path(folder), read_public(Path(like))
    keys = MemberKeys.generate(random)
    told = {**mission.model_dump(mode="json"), "kind": kind, "kid": keys.kid}
    for name in ("address_file", "ca_file"):  # relative to the folder they stand in
        if told[name] is not None:
            told[name] = os.path.relpath(Path(like, told[name]), folder)
    public = strict_json.load(strict_json.dump(told), IdentityFile)
    _write_keys(folder, keystore.lock(keys.private(), passphrase, random=random, cost=cost))
    _write_identity(folder, public)
    return keys.card


def create_root(
    folder: str | Path,
    mission: str,
    nation: str,
    passphrase: str,
    *,
    now: int,
    random: Random = os.urandom,
    cost: Cost = STANDARD,
    count: int = 3,
    threshold: int = 2,
) -> Statement:
    """Make a nation's root keys, and its first statement: what a charter or an admission names.

    There is no identity.json yet: a mission can be pinned only once it has a charter (`pin`).
    """
    keys = RootKeys.generate(count, random)
    ceremony = Ceremony(Directory(mission, ""), now=now, random=random)
    statement = ceremony.publish_root(nation, keys, threshold=threshold)
    _write_keys(Path(folder), keystore.lock(keys.private(), passphrase, random=random, cost=cost))
    files.write_new(Path(folder, ROOT_FILE), statement.raw, PRIVATE)
    return statement


def pin(folder: str | Path, identity: IdentityFile) -> None:
    """Write identity.json beside keys that were made before the mission had a charter."""
    _write_identity(Path(folder), identity)


def read_card(path: str | Path) -> tuple[Kind, MemberCard]:
    """Kind and card of a new member, from card.json. Raises `Malformed` ("bad-input")."""
    return MemberCard.parse(files.read(Path(path), keystore.FILE_MAX))


def kid_of(who: str | Path) -> str:
    """A member's name: as it is given, or as it stands in an identity folder or a card.

    Raises `Malformed` ("bad-identity", "bad-input").
    """
    path = Path(who)
    if path.is_dir():
        return read_public(path).kid
    if path.is_file():
        return read_card(path)[1].kid
    if not re.fullmatch("[0-9a-f]{32}", str(who)):
        raise Malformed("bad-input", f"{quoted(str(who))} is no member's name, folder or card")
    return str(who)


def _write_keys(folder: Path, locked: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / STATE_FOLDER).mkdir(mode=0o700, exist_ok=True)
    files.write_new(folder / KEYS_FILE, locked, PRIVATE)


def _write_identity(folder: Path, identity: IdentityFile) -> None:
    fields = identity.model_dump(mode="json", exclude_none=True)
    files.write_new(folder / IDENTITY_FILE, json.dumps(fields, indent=1).encode() + b"\n", PRIVATE)


def _write_broker(folder: Path, made: Founded, random: Random, port: int) -> None:
    write_secrets(folder, made.log_seed, random)
    begin(folder, made.genesis, made.plan.mission, made.charter, port)


def write_secrets(folder: Path, log_seed: bytes, random: Random) -> None:
    """A broker's folder with its secrets, before it has a mission."""
    (folder / "genesis").mkdir(parents=True, mode=0o700)
    for name in ("data", "anchor"):
        (folder / name).mkdir(mode=0o700)
    secrets = {
        "log-key": log_seed,
        "journal-secret": random(SECRET),
        "cursor-key": random(SECRET),
        "metrics-token": random(SECRET),
    }
    for name, secret in secrets.items():
        files.write_new(folder / name, secret.hex().encode() + b"\n", PRIVATE)


def begin(folder: Path, genesis: Iterable[bytes], mission: str, charter: str, port: int) -> None:
    """Lay in a broker's folder what its mission begins with, and its settings."""
    for i, raw in enumerate(genesis):
        files.write_new(folder / "genesis" / f"{i:03}.tlst", raw, PRIVATE)
    text = _settings(mission, charter, port)
    files.write_new(folder / "broker.toml", text.encode(), PRIVATE)


def _settings(mission: str, charter: str, port: int) -> str:
    names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
    fields = {
        "mission": mission,
        "charter": charter,
        "origin": origin_of(mission),
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
