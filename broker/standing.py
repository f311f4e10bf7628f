"""What the statements up to now say, folded: who is who, the policies in force, what was agreed.

A standing never changes; `after` gives the next one. It follows from the statements in the journal
alone, so a restart comes to the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from broker import policybook
from broker.approvals import Case, Word, counted
from broker.consents import Consents
from broker.policybook import Policies, Ruling
from policies.adopting import Adoption
from wire import fold
from wire.directory import Directory
from wire.entries import MISSION
from wire.statements import Statement
from wire.vocabulary import Vocabulary

MOVES_POLICIES: Final = frozenset(
    {"mission.charter", "registry.publish", "nation.admit", "nation.expel", "policy.publish"}
)
"""Statements after which the policies in force are folded anew."""


@dataclass(frozen=True)
class Standing:
    """The fold of all statements up to one journal position.

    `vocabularies` are all reference data there ever were, by digest; `approvals` what officers said
    about a case, in journal order. `policies` is None until there is a registry.
    """

    directory: Directory
    policies: Policies | None = None
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    approvals: Mapping[Case, tuple[Word, ...]] = field(default_factory=dict)
    consents: Consents = field(default_factory=Consents)

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
            case "report.release" | "report.withdraw":
                return replace(next_one, consents=self.consents.after(statement))
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

    def _approved(self, statement: Statement) -> Mapping[Case, tuple[Word, ...]]:
        case, word = Word.of(statement)
        return {**self.approvals, case: (*self.approvals.get(case, ()), word)}

    def counted(self, case: Case, ruling: Ruling, now: int) -> Mapping[tuple[str, str], int]:
        """How many approvals each layer that refers the case has now (seconds)."""
        words = self.approvals.get(case, ())
        return counted(ruling, words, lambda who: self.officers(who, now), now) if words else {}

    def officers(self, kids: frozenset[str], now: int) -> frozenset[str]:
        """Those whose keys were not revoked and have not expired since; a root's keys count too."""
        members, position = self.directory.members, self.directory.position + 1
        return frozenset(
            kid for kid in kids if kid not in members or members[kid].valid_at(position, now)
        )
