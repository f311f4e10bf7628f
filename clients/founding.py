"""A whole mission made on one machine: for pilots, exercises and tests.

In real use every nation makes its own root, the nations sign one charter (`clients.mission`), and
devices make their own keys and hand in cards. Here one hand does all of it, so
whoever holds that machine holds every nation's keys; `docs/` says so too.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Final

from clients import standard
from clients.ceremony import DAY, ROLES, Ceremony
from clients.keys import EpochSeed, Random
from clients.member_keys import MemberKeys, RootKeys
from clients.speaker import Signer, signers
from policies import bundle
from wire.bodies import Kind
from wire.directory import Directory
from wire.errors import Malformed, quoted
from wire.note_keys import Ed25519Signer
from wire.vocabulary import Level, RegistryBody

SECOND: Final = "officer2"
MEMBERS: Final[Mapping[str, Kind]] = {
    "officer": "officer",
    SECOND: "officer",
    "system": "system",
    "analyst": "analyst",
    "auditor": "auditor",
}
"""A nation's first members, by name. The second officer has one role, that of policies: those which
release more take two. Guarantees stay with the root, so that no officer writes what binds him."""
USUAL_LEVEL: Final = "SECRET"
LOG_SEED: Final = 32
RETENTION_FLOOR: Final = 30
"""Days in which auditors who look once a month miss nothing, and partners can compare."""
NATIONS_MAX: Final = 64

_MISSION: Final = re.compile(r"[A-Z][A-Z0-9]*(?:[ _-][A-Z0-9]+)*", re.ASCII)
_NATION: Final = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True)
class Policies:
    """The texts of a nation's two layers."""

    release: str
    accept: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be founded. Everything but mission and nations has a usual value.

    `clearances` and `communities` are by nation ("KEN") or by member ("KEN/analyst"); a nation
    without one is accredited to SECRET, a member is cleared as its nation is. `witnesses` are
    verification keys; where none are named, a kit makes one for each nation, `()` is a mission
    without any. `run_by` has, by nation, the name of the witness whose keys it may replace, with
    the key that its root holds for that.
    """

    mission: str
    nations: tuple[str, ...]
    name: str = ""
    exercise: bool = False
    levels: tuple[Level, ...] = field(default_factory=standard.levels)
    registry: RegistryBody = field(default_factory=standard.registry)
    clearances: Mapping[str, str] = field(default_factory=dict)
    communities: Mapping[str, Collection[str]] = field(default_factory=dict)
    policies: Mapping[str, Policies] = field(default_factory=dict)
    floor: str | None = None
    carry: str | None = None
    retention_floor: int | None = RETENTION_FLOOR
    witnesses: tuple[str, ...] | None = None
    witness_quorum: int = 0
    run_by: Mapping[str, str] = field(default_factory=dict)
    root_keys: int = 3
    root_threshold: int = 2
    root_days: int = 365
    member_days: int = 365
    epoch_days: int = 7

    def __post_init__(self) -> None:
        """Refuse at once what could only fail later. Raises `Malformed` ("bad-input")."""
        if not _MISSION.fullmatch(self.mission) or len(self.mission) > NATIONS_MAX:
            raise Malformed("bad-input", f"the mission's code {quoted(self.mission)}: capitals")
        wrong = [n for n in self.nations if not _NATION.fullmatch(n)]
        if wrong:
            raise Malformed("bad-input", f"the nation {quoted(wrong[0])}: three capital letters")
        if not 1 <= len(set(self.nations)) == len(self.nations) <= NATIONS_MAX:
            raise Malformed("bad-input", f"1 to {NATIONS_MAX} nations, each once")
        if not 1 <= self.root_threshold <= self.root_keys <= 16:
            raise Malformed("bad-input", "a root has 1 to 16 keys, and a threshold it can meet")
        for names in (self.clearances, self.communities, self.policies):
            for name in names:
                self._check_name(name)

    def _check_name(self, name: str) -> None:
        nation, _, kind = name.partition("/")
        if nation not in self.nations or (kind and kind not in MEMBERS):
            raise Malformed("bad-input", f"{quoted(name)} is no nation or member of the plan")

    def clearance(self, nation: str, kind: str = "") -> str:
        """The level a nation is accredited to, or a member is cleared to."""
        tokens = [level.token for level in self.levels]
        usual = USUAL_LEVEL if USUAL_LEVEL in tokens else tokens[-1]
        level = self.clearances.get(nation, usual)
        return self.clearances.get(f"{nation}/{kind}", level)

    def member_communities(self, nation: str, kind: str) -> Collection[str]:
        """The communities a member is read into."""
        return self.communities.get(f"{nation}/{kind}", self.communities.get(nation, ()))

    @property
    def origin(self) -> str:
        """The log's name."""
        return origin_of(self.mission)


def origin_of(mission: str) -> str:
    """What a mission's log is called."""
    return f"tearline/{re.sub('[^a-z0-9]', '-', mission.lower())}"


@dataclass(frozen=True)
class Founded:
    """A mission with all its keys: `genesis` are the statements a broker starts from."""

    plan: Plan
    genesis: tuple[bytes, ...]
    directory: Directory
    charter: str
    log_seed: bytes = field(repr=False)
    log_keys: tuple[str, ...]
    roots: Mapping[str, RootKeys]
    members: Mapping[tuple[str, str], MemberKeys]
    """By nation and name."""
    seeds: Mapping[str, EpochSeed]

    def keys(self, nation: str, kind: str) -> MemberKeys | RootKeys:
        """The keys of one folder; `kind` may be "root"."""
        return self.roots[nation] if kind == "root" else self.members[nation, kind]


def found(plan: Plan, *, now: int, random: Random) -> Founded:
    """Make all keys and statements of a mission.

    Raises `Malformed` for a plan that cannot be, as the fold does.
    """
    log_seed = random(LOG_SEED)
    log_keys = (str(Ed25519Signer(plan.origin, log_seed).vkey),)
    roots = {code: RootKeys.generate(plan.root_keys, random) for code in plan.nations}
    ceremony = Ceremony(Directory(plan.mission, ""), now=now, random=random)
    _charter(ceremony, plan, roots, log_keys)
    members: dict[tuple[str, str], MemberKeys] = {}
    seeds = {}
    for code in plan.nations:
        keys = {name: MemberKeys.generate(random) for name in MEMBERS}
        members |= {(code, name): k for name, k in keys.items()}
        seeds[code] = _settle(ceremony, plan, code, _quorum(plan, roots[code]), keys)
    directory = ceremony.directory
    return Founded(
        plan=plan,
        genesis=ceremony.statements,
        directory=directory,
        charter=directory.pinned_charter,
        log_seed=log_seed,
        log_keys=log_keys,
        roots=roots,
        members=members,
        seeds=seeds,
    )


def _charter(
    ceremony: Ceremony, plan: Plan, roots: Mapping[str, RootKeys], log_keys: tuple[str, ...]
) -> None:
    """Roots, charter and registry: what every nation signs."""
    life = plan.root_days * DAY
    nations = []
    for code, keys in roots.items():
        root = ceremony.publish_root(code, keys, threshold=plan.root_threshold, life=life)
        clearance = plan.clearance(code)
        named = {"code": code, "name": code, "root": root.identity, "clearance": clearance}
        nations.append({**named, "witness": _run_witness(plan, code, keys)})
    quorum = len(nations) // 2 + 1
    charter = {
        "name": plan.name or plan.mission,
        "exercise": plan.exercise,
        "levels": [level.model_dump() for level in plan.levels],
        "nations": nations,
        "origin": plan.origin,
        "log_keys": log_keys,
        "witnesses": plan.witnesses or (),
        "witness_quorum": plan.witness_quorum,
        "admission_quorum": quorum,
        "floor": (plan.floor or library("coalition-baseline")).splitlines(),
        "carry": (plan.carry or library("mission-carry", mission=plan.mission)).splitlines(),
        "retention_floor": plan.retention_floor,
    }
    by = [signer for keys in roots.values() for signer in _quorum(plan, keys)]
    ceremony.found(charter, by)
    ceremony.publish_registry(plan.registry, by[: quorum * plan.root_threshold])


def _run_witness(plan: Plan, code: str, keys: RootKeys) -> dict[str, str] | None:
    if code not in plan.run_by or keys.appointer is None:
        return None
    public = keys.appointer.public_key().public_bytes_raw()
    return {"name": plan.run_by[code], "appointer": sha256(public).hexdigest()}


def _settle(
    ceremony: Ceremony,
    plan: Plan,
    code: str,
    root: tuple[Signer, ...],
    keys: Mapping[str, MemberKeys],
) -> EpochSeed:
    """One nation's officers, roles, members, epoch with grants, and policy."""
    officer = signers(keys["officer"].sign)
    for name, member in keys.items():
        ceremony.add_member(
            code,
            member.card,
            MEMBERS[name],
            root if MEMBERS[name] == "officer" else officer,
            clearance=plan.clearance(code, name),
            communities=plan.member_communities(code, name),
            life=plan.member_days * DAY,
        )
        if name == SECOND:
            holders = [keys["officer"].card.kid]
            for role in ROLES:
                both = [member.card.kid] if role == "policy" else []
                ceremony.delegate(code, role, holders + both, root)
    seed = ceremony.rotate_epoch(code, officer, life=plan.epoch_days * DAY)
    texts = plan.policies.get(code) or starter(code, plan.nations)
    ceremony.publish_policy(code, texts.release, texts.accept, officer)
    return seed


def starter(nation: str, nations: Collection[str]) -> Policies:
    """The policies a nation starts with: release to partners what is labelled for them."""
    return Policies(*bundle.starter(nation, [n for n in nations if n != nation]))


def library(name: str, *, nation: str = "", mission: str = "") -> str:
    """A ready text of the policy library, its places filled in."""
    text = files("policies").joinpath("library", f"{name}.cedar").read_text("utf-8")
    return bundle.fill(text, nation=nation, mission=mission)


def _quorum(plan: Plan, roots: RootKeys) -> tuple[Signer, ...]:
    return signers(*roots.keys[: plan.root_threshold])
