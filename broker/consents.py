"""Originators' consents to further nations: which there are, and which of them are in force.

A consent (`report.release`) lets one portion go to one more nation, and lets others lean on that in
what they derive from it. It ends when it expires or is taken back (`report.withdraw`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wire import bodies
from wire.errors import NotAllowed
from wire.labels import Source
from wire.statements import Statement


@dataclass(frozen=True)
class Consents:
    """All consents up to one journal position, by identity, and by portion and nation."""

    known: Mapping[str, bodies.ReportRelease] = field(default_factory=dict)
    to: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """The identities of those that let a portion, by its commitment, go to a nation."""

    def after(self, statement: Statement) -> "Consents":
        """With one more given, or one taken back. Raises `NotAllowed` ("not-found")."""
        if statement.head.type == "report.withdraw":
            taken = statement.body(bodies.ReportWithdraw)
            given = self.known.get(taken.release)
            if given is None or _about(given) != _about(taken):
                raise NotAllowed("not-found")
            rest = {i: body for i, body in self.known.items() if i != taken.release}
            return replace(self, known=rest)
        identity, body = statement.identity, statement.body(bodies.ReportRelease)
        to = (body.portion, body.to)
        return Consents(
            {**self.known, identity: body}, {**self.to, to: (*self.to.get(to, ()), identity)}
        )

    @property
    def is_empty(self) -> bool:
        """Whether there are none at all, as in most missions most of the time."""
        return not self.known

    def in_force(self, identity: str, now: int) -> bodies.ReportRelease | None:
        """The consent with this identity, unless it ended by `now` (seconds)."""
        body = self.known.get(identity)
        return body if body is not None and now < body.expires else None

    def opens(self, portion: str, nation: str, now: int) -> bool:
        """Whether the portion itself may go to this further nation now."""
        found = self.to.get((portion, nation), ())
        return any(self.in_force(identity, now) for identity in found)

    def allows(self, source: Source, nation: str, author: str, now: int) -> bool:
        """Whether `author` may let a further nation read what it derived from this source."""
        for identity in self.to.get((source.portion, nation), ()):
            body = self.in_force(identity, now)
            if body is not None and body.author in (None, author):
                return True
        return False


def _about(body: bodies.ReportRelease | bodies.ReportWithdraw) -> tuple[str, str, str]:
    return body.report, body.portion, body.to
