"""A mission founded in real use: by nations that each keep their root on a machine of their own.

Nothing but files goes from hand to hand, in one folder:

    charter.tlst, registry.tlst    what all founders' roots sign, one after the other
    root-KEN.tlst …                each founder's first statement, which the charter names

The fold that broker and clients run checks each step, so what comes out is a mission that stands.
Who can change a file on its way can spoil the founding, not bend it: each nation is shown what the
charter says before it signs, and pins the charter that it signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from clients import files, keystore, standard
from clients.founding import RETENTION_FLOOR, library, origin_of
from clients.identity import KEYS_FILE, IdentityFile
from clients.keys import Random
from clients.kit import ROOT_FILE
from clients.member_keys import RootKeys
from clients.speaker import cosign, signers
from wire import fold, statements, strict_json
from wire.bodies import MissionCharter, RegistryPublish
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import Malformed, quoted
from wire.note_keys import VKey
from wire.statements import STATEMENT_MAX, Statement
from wire.witness import quorum, tolerated

CHARTER: Final = "charter.tlst"
REGISTRY: Final = "registry.tlst"
ROOT: Final = "root-{}.tlst"
SALT: Final = 16
ZEROS: Final = "0" * 64


@dataclass(frozen=True)
class Founding:
    """What goes from hand to hand: the founders' first statements, the charter, the registry."""

    roots: tuple[Statement, ...]
    charter: Statement
    registry: Statement

    @property
    def said(self) -> MissionCharter:
        """What the charter says."""
        return self.charter.body(MissionCharter)

    @property
    def statements(self) -> tuple[bytes, ...]:
        """In the order in which a mission begins."""
        return tuple(one.raw for one in (*self.roots, self.charter, self.registry))

    @property
    def missing(self) -> tuple[str, ...]:
        """Nations whose root has not signed."""
        signed = set(self.charter.signatures) & set(self.registry.signatures)
        return tuple(one.head.nation for one in self.roots if not signed & set(_kids(one)))

    def directory(self, now: int) -> Directory:
        """Who is who once all have signed. Raises what the fold raises, also if one has not."""
        directory = _standing(self.roots, now)
        directory = replace(directory, pinned_charter=self.charter.identity)
        for one in (self.charter, self.registry):
            directory = fold.apply(directory, one, directory.position + 1, now)
        return directory

    def identity(self, code: str, kid: str, broker: str, ca_file: str | None) -> IdentityFile:
        """identity.json of a founder's root: what its members are made like."""
        fields = {
            "v": 1,
            "mission": self.charter.head.mission,
            "nation": code,
            "kind": "root",
            "kid": kid,
            "charter": self.charter.identity,
            "origin": self.said.origin,
            "log_keys": list(self.said.log_keys),
            "broker": broker,
            "ca_file": ca_file,
        }
        return strict_json.load(strict_json.dump(fields), IdentityFile)


@dataclass(frozen=True)
class Root:
    """A nation's root before there is a mission: its keys, and its first statement."""

    statement: Statement
    keys: RootKeys = field(repr=False)

    @property
    def nation(self) -> str:
        """The nation it belongs to."""
        return self.statement.head.nation

    @classmethod
    def load(cls, folder: Path, passphrase: str) -> "Root":
        """Open what `tearline nation init` made. Raises `Malformed`, `NotAllowed`."""
        statement = read(folder / ROOT_FILE, "root.publish")
        locked = files.read(folder / KEYS_FILE, keystore.FILE_MAX, "bad-identity")
        return cls(statement, RootKeys.from_private(keystore.unlock(locked, passphrase)))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the founders agree on beforehand; what is not said is as in a kit."""

    log_key: str
    name: str = ""
    exercise: bool = False
    clearances: Mapping[str, str] = field(default_factory=dict)
    usual: str = "SECRET"
    witnesses: Sequence[str] = ()
    retention_floor: int | None = RETENTION_FLOOR


def draft(
    roots: Sequence[Statement], terms: Terms, by: Root, *, now: int, random: Random
) -> Founding:
    """The charter and the registry, signed by one founder; the others have to sign them too.

    Raises `Malformed` ("bad-input", "bad-fields") for what cannot be a mission.
    """
    roots = sorted(roots, key=lambda one: one.head.nation)
    codes = [one.head.nation for one in roots]
    if by.nation not in codes or by.statement.identity not in {one.identity for one in roots}:
        raise Malformed("bad-input", f"the root of {by.nation} is not among the founders'")
    if strange := sorted(set(terms.clearances) - set(codes)):
        raise Malformed("bad-input", f"{quoted(strange[0])} is not among the founders")
    _standing(roots, now)
    said = _charter(roots, terms, random)
    head = {"mission": roots[0].head.mission, "nation": MISSION, "scope": "mission", "issued": now}
    signing = signers(*by.keys.keys)
    founds = {**head, "type": "mission.charter", "seq": 0, "prev": ZEROS}
    charter = statements.parse(statements.draft(founds, said).signed_by(*signing))
    words = {"salt": random(SALT).hex(), "registry": standard.registry().model_dump(mode="json")}
    body = strict_json.load(strict_json.dump(words, limit=STATEMENT_MAX), RegistryPublish)
    follows = {**head, "type": "registry.publish", "seq": 1, "prev": charter.identity}
    registry = statements.parse(statements.draft(follows, body).signed_by(*signing))
    return Founding(tuple(roots), charter, registry)


def _charter(roots: Sequence[Statement], terms: Terms, random: Random) -> MissionCharter:
    mission = roots[0].head.mission
    nations = [
        {
            "code": one.head.nation,
            "name": one.head.nation,
            "root": one.identity,
            "clearance": terms.clearances.get(one.head.nation, terms.usual),
        }
        for one in roots
    ]
    names = {VKey.parse(key).name for key in terms.witnesses}
    body = {
        "salt": random(SALT).hex(),
        "name": terms.name or mission,
        "exercise": terms.exercise,
        "levels": [level.model_dump() for level in standard.levels()],
        "nations": nations,
        "origin": origin_of(mission),
        "log_keys": [terms.log_key],
        "witnesses": list(terms.witnesses),
        "witness_quorum": quorum(len(names), tolerated(len(names))) if names else 0,
        "admission_quorum": len(roots) // 2 + 1,
        "floor": library("coalition-baseline").splitlines(),
        "carry": library("mission-carry", mission=mission).splitlines(),
        "retention_floor": terms.retention_floor,
    }
    return strict_json.load(strict_json.dump(body), MissionCharter)


def sign(founding: Founding, root: Root) -> Founding:
    """The same with the signatures of this root's keys added.

    Raises `Malformed` ("bad-input") if the charter names another root of the nation.
    """
    check_founder(founding, root)
    charter, registry = founding.charter.raw, founding.registry.raw
    for signer in signers(*root.keys.keys):
        charter, registry = cosign(charter, signer), cosign(registry, signer)
    return replace(founding, charter=statements.parse(charter), registry=statements.parse(registry))


def check_founder(founding: Founding, root: Root) -> None:
    """That the charter names this very root. Raises `Malformed` ("bad-input")."""
    named = {nation.code: nation.root for nation in founding.said.nations}
    if named.get(root.nation) != root.statement.identity:
        raise Malformed("bad-input", f"the charter does not name this root of {root.nation}")


def stand(directory: Directory, first: Sequence[bytes], now: int) -> None:
    """Refuse what could not follow a charter. Raises what the fold raises."""
    for raw in first:
        statement = statements.parse(raw)
        directory = fold.apply(directory, statement, directory.position + 1, now)


def read(path: Path, kind: str) -> Statement:
    """A statement of this type from a file. Raises `Malformed` ("bad-input")."""
    with files.meant(path, f"a statement `{kind}`"):
        statement = statements.parse(files.read(path, STATEMENT_MAX))
        if statement.head.type != kind:
            raise Malformed("bad-input", f"it is a `{statement.head.type}`")
    return statement


def load(folder: Path) -> Founding:
    """What lies in the folder, as it belongs together. Raises `Malformed` ("bad-input")."""
    charter = read(folder / CHARTER, "mission.charter")
    registry = read(folder / REGISTRY, "registry.publish")
    named = charter.body(MissionCharter).nations
    roots = tuple(read(folder / ROOT.format(one.code), "root.publish") for one in named)
    if wrong := [
        one.code for one, root in zip(named, roots, strict=True) if root.identity != one.root
    ]:
        raise Malformed("bad-input", f"{ROOT.format(wrong[0])} is not what the charter names")
    if registry.head.prev != charter.identity:
        raise Malformed("bad-input", "this registry is another charter's")
    return Founding(roots, charter, registry)


def save(founding: Founding, folder: Path) -> None:
    """Write the folder; who signed is added to a charter that lies there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in founding.roots:
        path = folder / ROOT.format(one.head.nation)
        if not path.exists():
            files.write_new(path, one.raw)
    for name, one in ((CHARTER, founding.charter), (REGISTRY, founding.registry)):
        files.replace(folder / name, one.raw)


def _standing(roots: Sequence[Statement], now: int) -> Directory:
    directory = Directory(roots[0].head.mission, "")
    for one in roots:
        directory = fold.apply(directory, one, directory.position + 1, now)
    return directory


def _kids(root: Statement) -> tuple[str, ...]:
    return tuple(root.signatures)
