"""Statements in the making: one after the other, each checked before the next.

A speaker starts from a directory. Every statement is put through the same fold that the broker and
all clients run, so what comes out stands, or making it stops where something is wrong. With
`whole=False` signatures may still be missing: the statements are proposals, which other officers
complete with `cosign`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from clients.keys import Random
from wire import fold, statements, strict_json
from wire.bodies import RULES, Salted
from wire.composite import SigningKey
from wire.directory import Directory
from wire.effects import EFFECTS
from wire.entries import MISSION
from wire.errors import Malformed
from wire.founding import Step
from wire.members import NationState
from wire.statements import Statement, Unsigned

Signer = Callable[[bytes], tuple[str, bytes]]
"""Takes the bytes to be signed, gives (kid, signature): a key in software or on a device."""


def signers(*keys: SigningKey) -> tuple[Signer, ...]:
    """Signers that hold their keys in software."""
    return tuple(statements.signer(key) for key in keys)


def cosign(raw: bytes, signer: Signer) -> bytes:
    """A statement with one more signature. Raises `Malformed` if it is none."""
    statement = statements.parse(raw)
    if statement.body_bytes is None:
        raise Malformed("bad-statement", "nobody signs what is withheld")
    unsigned = Unsigned(statement.head_bytes, statement.body_bytes)
    return statements.merged(statement, statements.parse(unsigned.signed_by(signer)))


class Speaker:
    """Statements made one after the other, on top of what `directory` holds at `now` (seconds)."""

    def __init__(
        self, directory: Directory, *, now: int, random: Random, whole: bool = True
    ) -> None:
        self.directory = directory
        self._made: list[Statement] = []
        self._now, self._random, self._whole = now, random, whole

    @property
    def statements(self) -> tuple[bytes, ...]:
        """What was made, in the order in which it must be published."""
        return tuple(statement.raw for statement in self._made)

    def found(self, charter: Mapping[str, Any], by: Iterable[Signer]) -> Statement:
        """The charter, signed by every founding nation's root; the directory pins it."""
        unsigned = self._unsigned(MISSION, "mission.charter", charter)
        statement = statements.parse(unsigned.signed_by(*by))
        self.directory = replace(self.directory, pinned_charter=statement.identity)
        return self._stand(statement)

    def say(
        self,
        nation: str,
        kind: str,
        body: Mapping[str, Any],
        by: Iterable[Signer],
        *,
        scope: str | None = None,
    ) -> Statement:
        """One statement of any type, next in its nation's chain.

        Raises what the fold raises, and `Malformed` ("bad-fields") for a body of the wrong form.
        """
        unsigned = self._unsigned(nation, kind, body, scope)
        return self._stand(statements.parse(unsigned.signed_by(*by)))

    def _unsigned(
        self, nation: str, kind: str, body: Mapping[str, Any], scope: str | None = None
    ) -> Unsigned:
        chain = self.directory.chain if nation == MISSION else self.state(nation)
        head = {
            "mission": self.directory.mission,
            "nation": nation,
            "seq": chain.seq + 1,
            "prev": chain.prev,
            "type": kind,
            "scope": scope or RULES[kind].scopes[0],
            "issued": self._now,
        }
        return statements.draft(head, _body(kind, {"salt": self._random(16).hex(), **body}))

    def _stand(self, statement: Statement) -> Statement:
        directory, position = self.directory, self.directory.position + 1
        head = statement.head
        if self._whole or head.type not in EFFECTS:
            directory = fold.apply(directory, statement, position, self._now)
        else:
            directory = EFFECTS[head.type](Step(directory, statement, position, self._now))
            directory = directory.with_step(head.nation, head.seq, statement.identity, position)
        self.directory = directory
        self._made.append(statement)
        return statement

    def state(self, code: str) -> NationState:
        """A nation's chain as it stands; an empty one before its first root."""
        return self.directory.nations.get(code, NationState(code))


def _body(kind: str, fields: Mapping[str, Any]) -> Salted:
    return strict_json.load(strict_json.dump(fields), RULES[kind].body)
