"""The test world: a mission, its nations, people and clock, spoken to in the domain's words.

    world = Coalition.of("KEN", "GBR", "FRA")
    kenya, britain = world["KEN"], world["GBR"]
    report = kenya.seals("Ambush", "SECRET", release_to="GBR")
    world.accepts(report)
    britain.opens(world.deliver(report, to="GBR"))

Real cryptography, no broker: statements are folded, and reports verified, at the next position of a
journal that is only counted. `world.broker_folder(path)` writes the files from which a real broker
starts. A founding is made once for each set of nations, and every test gets its own copy of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from tests import appointing, charter_words, kit_folder
from tests.author import Portion
from tests.nation import Nation
from tests.people import Person, random_of, root_keys
from tests.speaker import Mission, Words, words
from wire import fold, report, statements, verify
from wire.directory import Directory
from wire.entries import MISSION
from wire.notes import Ed25519Signer
from wire.statements import Statement
from wire.verify import VerifiedReport

START = 1_780_000_000  # 28 May 2026
DAY = 86_400
ORIGIN = "tearline.example/minusx/1"


@dataclass
class Clock:
    """The time of the test world, in Unix seconds. It moves only when it is told to."""

    now: int = START

    def __call__(self) -> float:
        return float(self.now)

    def forward(self, *, days: float = 0, hours: float = 0, seconds: int = 0) -> None:
        """Let time pass."""
        self.now += int(days * DAY + hours * 3_600) + seconds


@dataclass(frozen=True)
class Filed:
    """A statement where it stands in the journal, and when it was put there."""

    statement: Statement
    position: int
    time: int


@dataclass
class Coalition:
    """A mission and its nations at one moment."""

    mission: str
    directory: Directory
    clock: Clock = field(default_factory=Clock)
    history: list[Filed] = field(default_factory=list)
    people: dict[tuple[str, str], Person] = field(default_factory=dict)
    accepted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Position and time at which each report, by identity, was accepted."""
    roots: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Of each nation: version, number and threshold of its root keys."""
    views: dict[str, tuple[Directory, int]] = field(default_factory=dict, repr=False)
    """What clients of each nation have folded, from how many statements."""

    def __post_init__(self) -> None:
        self.random = random_of("world", self.mission, *self.directory.order)
        self.log_seed = random_of("log", self.mission)(32)

    @classmethod
    def of(
        cls,
        *nations: str,
        mission: str = "MINUSX",
        clearance: Mapping[str, str] | None = None,
        exercise: bool = False,
        people: bool = True,
        **charter: Any,
    ) -> "Coalition":
        """A founded mission: for each nation a root (2 of 3 keys), an officer who holds all roles,
        a system, an analyst and an auditor, a policy that permits what labels permit, and an open
        epoch granted to all of them. `clearance` of a nation is SECRET unless it is said;
        `people=False` founds the nations only; further words change the charter.
        """
        levels = tuple(sorted((clearance or {}).items()))
        extra = tuple(sorted(charter.items()))
        model = _founded(mission, nations, levels, exercise=exercise, people=people, charter=extra)
        return model.copy()

    def copy(self) -> "Coalition":
        """The same world, to go another way from here."""
        return Coalition(
            self.mission,
            self.directory,
            Clock(self.clock.now),
            list(self.history),
            dict(self.people),
            dict(self.accepted),
            dict(self.roots),
            dict(self.views),
        )

    def __getitem__(self, code: str) -> Nation:
        return Nation(self, code)

    @property
    def together(self) -> Mission:
        """The mission itself, when its nations speak with one voice."""
        return Mission(self, MISSION)

    @property
    def nations(self) -> list[Nation]:
        """The nations that stand, in order of admission."""
        return [self[c] for c in self.directory.order if not self.directory.nations[c].expelled]

    @property
    def position(self) -> int:
        """Where the next journal entry will stand."""
        return max([self.directory.position, *(p for p, _ in self.accepted.values())]) + 1

    # -- statements

    def applies(self, statement: Statement) -> Statement:
        """File a statement as the next journal entry. Raises what the fold raises."""
        position, now = self.position, self.clock.now
        self.directory = fold.apply(self.directory, statement, position, now, viewer=MISSION)
        self.history.append(Filed(statement, position, now))
        return statement

    def blank(self) -> Directory:
        """What a client knows before the first statement: the mission and its pinned charter."""
        return Directory(self.mission, self.directory.pinned_charter)

    def as_seen_by(self, nation: str) -> Directory:
        """The directory that a client of this nation folds from what the broker shows it."""
        directory, done = self.views.get(nation, (self.blank(), 0))
        for filed in self.history[done:]:
            shown, head = filed.statement, filed.statement.head
            if head.scope != "mission" and head.nation != nation:
                shown = statements.parse(statements.without_body(shown))
            directory = fold.apply(directory, shown, filed.position, filed.time, viewer=nation)
        self.views[nation] = (directory, len(self.history))
        return directory

    def founds(
        self, codes: Sequence[str], clearances: Mapping[str, str], /, **charter: Any
    ) -> None:
        """Let the nations publish their roots, sign the charter, and publish the registry.

        `run_by` says, by nation, which of the charter's witnesses it runs.
        """
        run_by = dict(charter.pop("run_by", ()))
        roots = {code: self[code].publishes_root().identity for code in codes}
        vkey = str(Ed25519Signer(ORIGIN, self.log_seed).vkey)
        body = {**charter_words.body(self.mission, ORIGIN, vkey, roots, clearances), **charter}
        for code, name in run_by.items():
            (nation,) = [one for one in body["nations"] if one["code"] == code]
            nation["witness"] = appointing.runs(code, name)
        draft = self.together.drafts("mission.charter", body, by=self.root_signers(codes))
        self.directory = replace(self.directory, pinned_charter=draft.identity)
        self.applies(draft)
        self.together.says("registry.publish", {"registry": charter_words.registry()})

    def root_signers(self, nations: Iterable[str]) -> list[Any]:
        """As many root keys of each nation as its threshold asks for."""
        return [
            key
            for code in nations
            for key in root_keys(code, *self.roots[code][:2])[: self.roots[code][2]]
        ]

    def admits(self, code: str, clearance: str = "SECRET") -> Nation:
        """Let a nation join: the others admit the root that it has prepared, then it publishes."""
        newcomer = self[code]
        root = newcomer.drafts_root()
        nation = {"code": code, "name": f"Nation {code}", "root": root.identity}
        self.together.says("nation.admit", {"nation": {**nation, "clearance": clearance}})
        self.applies(root)
        newcomer.settles()
        return newcomer

    def expels(self, code: str) -> Statement:
        """Let a nation be expelled by the others."""
        others = [n.code for n in self.nations if n.code != code]
        body = {"code": code, "reason": "by decision of the others"}
        return self.together.says("nation.expel", body, by=self.root_signers(others))

    # -- reports

    def accepts(self, raw: bytes) -> VerifiedReport:
        """Verify a submission as the broker does and count it as the next journal entry."""
        position, now = self.position, self.clock.now
        verified = verify.verify_submission(raw, self.directory, position, now)
        verify.check_fresh(verified, self.directory, now)
        self.accepted.setdefault(verified.identity, (position, now))
        return verified

    def deliver(self, raw: bytes, to: Words, portions: Iterable[int] | None = None) -> bytes:
        """What the broker sends to a reader of this nation: the portions it holds a key to.

        `portions` names others instead. A report that was not accepted yet is accepted first.
        """
        (nation,) = words(to)
        frame = report.parse(raw)
        if frame.identity not in self.accepted:
            self.accepts(raw)
        readable = [p.index for p in frame.portions if nation in {r.nation for r in p.records}]
        return frame.redacted(readable if portions is None else portions, nation)

    def reads(self, raw: bytes, nation: str) -> VerifiedReport:
        """Verify a delivery as a reader of this nation does, with what it can know."""
        at = self.accepted.get(report.parse(raw).identity, (self.position, self.clock.now))
        return verify.verify_delivery(raw, self.as_seen_by(nation), *at, nation)

    # -- a real broker

    def broker_folder(self, path: Path, **settings: object) -> Path:
        """The files of a broker whose genesis is this world's history; gives its folder."""
        genesis = [filed.statement.raw for filed in self.history]
        return kit_folder.write_broker(
            path,
            genesis,
            log_seed=self.log_seed,
            settings={
                "mission": self.mission,
                "charter": self.directory.pinned_charter,
                "origin": ORIGIN,
                **settings,
            },
        )


@cache
def _founded(
    mission: str,
    nations: tuple[str, ...],
    clearances: tuple[tuple[str, str], ...],
    *,
    exercise: bool,
    people: bool,
    charter: tuple[tuple[str, Any], ...],
) -> Coalition:
    world = Coalition(mission, Directory(mission, "0" * 64))
    world.founds(nations, dict(clearances), **{"exercise": exercise, **dict(charter)})
    for code in nations if people else ():
        world[code].settles()
    return world


__all__ = ["Clock", "Coalition", "Filed", "Mission", "Nation", "Person", "Portion"]
