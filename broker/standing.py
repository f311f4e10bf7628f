"""What the statements up to now say, folded: who is who, the policies in force, what was agreed.

A standing never changes; `after` gives the next one. It follows from the statements in the journal
alone, so a restart comes to the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from broker import policybook
from broker.policybook import Policies
from policies.adopting import Adoption
from policies.schema import FLOOR_OWNER
from wire import bodies, fold
from wire.directory import Directory
from wire.entries import MISSION
from wire.statements import Statement
from wire.vocabulary import Vocabulary

NO_APPROVALS: Final[Mapping[tuple[str, str], int]] = {}

Case = tuple[str, str, str]
"""What officers approve: report, commitment of the portion, recipient nation."""

MOVES_POLICIES: Final = frozenset(
    {"mission.charter", "registry.publish", "nation.admit", "nation.expel", "policy.publish"}
)
"""Statements after which the policies in force are folded anew."""


@dataclass(frozen=True, slots=True)
class Approved:
    """One signed approval: which layer's officers of which nation, until when (seconds)."""

    layer: Literal["handle", "release", "carry", "accept"]
    nation: str
    officers: frozenset[str]
    expires: int


@dataclass(frozen=True)
class Standing:
    """The fold of all statements up to one journal position.

    `vocabularies` are all reference data there ever were, by digest; `consents` the
    `report.release` statements by identity. `policies` is None until there is a registry.
    """

    directory: Directory
    policies: Policies | None = None
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    approvals: Mapping[Case, tuple[Approved, ...]] = field(default_factory=dict)
    consents: Mapping[str, bodies.ReportRelease] = field(default_factory=dict)

    def after(self, statement: Statement, position: int, time: int) -> "Standing":
        """The standing after this statement at this position and time (seconds).

        Policies are not folded yet: see `settled`. Raises what `wire.fold.apply` raises.
        """
        directory = fold.apply(self.directory, statement, position, time, viewer=MISSION)
        next_one = replace(self, directory=directory)
        terms = directory.vocabulary
        match statement.head.type:
            case "registry.publish" if terms is not None:
                known = {**self.vocabularies, terms.digest: terms}
                return replace(next_one, vocabularies=known)
            case "approval":
                return replace(next_one, approvals=self._approved(statement))
            case "report.release":
                consent = statement.body(bodies.ReportRelease)
                return replace(next_one, consents={**self.consents, statement.identity: consent})
            case _:
                return next_one

    def check_adoptable(self, nation: str) -> None:
        """Refuse a nation's newest policy if it could not be put in force.

        Raises `Malformed` ("policy-refused").
        """
        policybook.check_adoptable(self.directory, self.vocabularies, nation)

    def adoption(self, after: "Standing", nation: str, now: int) -> Adoption:
        """What must be proved before a nation's policy or guarantees of `after` come into force."""
        return policybook.adoption(self.directory, after.directory, self.vocabularies, nation, now)

    def settled(self, now: int) -> "Standing":
        """The same, with the policies that are in force now (seconds)."""
        if self.directory.vocabulary is None:
            return self
        policies = policybook.fold(self.directory, self.vocabularies, now, self.policies)
        return replace(self, policies=policies)

    def _approved(self, statement: Statement) -> Mapping[Case, tuple[Approved, ...]]:
        body = statement.body(bodies.Approval)
        officers = frozenset(statement.signatures)
        approved = Approved(body.layer, statement.head.nation, officers, body.expires)
        case = (body.report, body.portion, body.to)
        return {**self.approvals, case: (*self.approvals.get(case, ()), approved)}

    def approvals_of(self, case: Case, now: int) -> Mapping[tuple[str, str], int]:
        """How many signed approvals each layer has for this case now.

        A nation's officers count in their own nation's layers alone. The floor and the mission
        belong to all, so there it is nations that count, each once, however many officers signed.
        """
        found = self.approvals.get(case)
        if not found:
            return NO_APPROVALS
        signed: dict[tuple[str, str], set[str]] = {}
        for approved in found:
            if now < approved.expires:
                owner = self._owner(approved)
                ours = owner == approved.nation
                who = self._standing(approved.officers, now) if ours else {approved.nation}
                signed.setdefault((approved.layer, owner), set()).update(who)
        return {name: len(who) for name, who in signed.items()}

    def _owner(self, approved: Approved) -> str:
        owners = {"handle": FLOOR_OWNER, "carry": self.directory.mission}
        return owners.get(approved.layer, approved.nation)

    def _standing(self, officers: frozenset[str], now: int) -> set[str]:
        """Those whose keys were not revoked and have not expired since; a root's keys count too."""
        members, position = self.directory.members, self.directory.position + 1
        return {
            kid for kid in officers if kid not in members or members[kid].valid_at(position, now)
        }
