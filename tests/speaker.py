"""Those who have a chain of statements in the test world: how a statement is drafted and filed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests import sealing
from wire import bodies, statements
from wire.composite import SigningKey
from wire.entries import MISSION
from wire.members import NationState
from wire.statements import GENESIS, Statement

if TYPE_CHECKING:
    from tests.coalition import Coalition

Words = str | Collection[str]


def words(text: Words) -> list[str]:
    """`"GBR FRA"`, or any collection, as a sorted list."""
    return sorted(text.split() if isinstance(text, str) else text)


@dataclass(frozen=True)
class Speaker:
    """Somebody with a chain of statements."""

    world: "Coalition"
    code: str

    @property
    def state(self) -> NationState:
        """Its chain, as the world's directory has it."""
        if self.code == MISSION:
            return self.world.directory.chain
        return self.world.directory.nations.get(self.code) or NationState(self.code)

    def drafts(
        self,
        type_: str,
        body: Mapping[str, Any] | bodies.Salted,
        *,
        by: Iterable[SigningKey] | None = None,
        scope: str | None = None,
        **head: Any,
    ) -> Statement:
        """A signed statement that is not filed; everything honest unless it is said otherwise."""
        rule = bodies.RULES[type_]
        if not isinstance(body, bodies.Salted):
            salted = {"salt": self.world.random(16).hex(), **body}
            body = rule.body.model_validate_json(sealing.text(salted))
        state = self.state
        fields = {
            "mission": self.world.mission,
            "nation": self.code,
            "seq": state.seq + 1,
            "prev": state.prev if state.seq >= 0 else GENESIS,
            "type": type_,
            "scope": scope or self._scope(type_, body),
            "issued": self.world.clock.now,
            **head,
        }
        keys = self._signers(rule.signed_by) if by is None else by
        signers = [statements.signer(key) for key in keys]
        return statements.parse(statements.draft(fields, body).signed_by(*signers))

    def says(self, type_: str, body: Mapping[str, Any] | bodies.Salted, **how: Any) -> Statement:
        """Sign a statement and file it. Raises what the fold raises."""
        return self.world.applies(self.drafts(type_, body, **how))

    def _scope(self, type_: str, body: bodies.Salted) -> str:
        scopes = bodies.RULES[type_].scopes
        if isinstance(body, bodies.MemberAdd):
            return "mission" if body.kind in bodies.SIGNING_KINDS else "nation"
        if isinstance(body, bodies.MemberRevoke):
            member = self.world.directory.members.get(body.kid)
            return "mission" if member is None or member.signs else "nation"
        return scopes[0]

    def _signers(self, signed_by: str) -> list[SigningKey]:
        raise NotImplementedError


class Mission(Speaker):
    """The mission's own chain, in which the nations' roots speak together."""

    def _signers(self, signed_by: str) -> list[SigningKey]:
        return list(self.world.root_signers(n.code for n in self.world.nations))
