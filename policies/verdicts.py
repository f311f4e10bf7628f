"""What comes out: outcomes, the verdict of each layer, and the decision that they make together."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from policies.facts import Circumstances, Recipient, ReportFacts
from policies.schema import FLOOR_OWNER
from wire.made import OnlyByMaker


class Outcome(IntEnum):
    """What happens to a report, from strict to open; layers combine by minimum."""

    WITHHOLD = 0
    REFER = 1
    RELEASE = 2


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """One layer's answer: `rules` are the @ids that determined it (none for a default refusal),
    `approvals_needed` how many of the owner's officers would change a REFER into a RELEASE.
    """

    kind: str
    owner: str
    digest: str
    outcome: Outcome
    rules: tuple[str, ...]
    approvals_needed: int
    alarm: str | None
    asks: tuple[str, ...] = ()
    """Of a REFER, every rule that the officers decide about: those that refuse, and those that
    grant once they have signed."""


@dataclass(frozen=True, slots=True)
class Decision(metaclass=OnlyByMaker):
    """Proof that this recipient was decided for this report: it is good for no other pair."""

    outcome: Outcome
    verdicts: tuple[LayerVerdict, ...]
    recipient: Recipient
    report: ReportFacts
    circumstances: Circumstances
    book: str
    """Digest of the book that decided."""

    @property
    def alarms(self) -> tuple[str, ...]:
        """What went wrong in the asking, for the journal and the operator; usually nothing."""
        return tuple(verdict.alarm for verdict in self.verdicts if verdict.alarm)


def missing(kind: str, owner: str) -> LayerVerdict:
    """The verdict of a layer that nobody has adopted."""
    return LayerVerdict(kind, owner, "", Outcome.WITHHOLD, (), 0, "missing-layer")


UNKNOWN_TERM: Final = LayerVerdict(
    "handle", FLOOR_OWNER, "", Outcome.WITHHOLD, (), 0, "unknown-term"
)
"""The verdict on a request with a word that the vocabulary does not have."""
