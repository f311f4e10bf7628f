"""What the journal says, in memory: changed by settled acts alone, never ahead of the disk."""

from dataclasses import dataclass
from typing import Final

from broker.holdings import Holdings
from broker.matching import Filter
from broker.policybook import Policies
from broker.sequencer import BatchClock
from broker.standing import Standing
from wire.errors import Conflict
from wire.members import Member

Subscription = tuple[str, str]
"""A member's kid, and the name it gave."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How far a nation's views are erased: those of entries numbered below `until` in its channel,
    which stand below `below` in the journal; up to which second, and whether that was all of them.
    """

    until: int = 0
    below: int = 0
    before: int = 0
    done: bool = False


class State:
    """The standing, the reports, the subscriptions. `version` grows with every change that can
    alter who may read what.
    """

    def __init__(self, standing: Standing, clock: BatchClock) -> None:
        self.standing = standing
        self.holdings: Final = Holdings()
        self.statements: Final[dict[str, int]] = {}
        """Journal index of every statement, by identity."""
        self.valid: Final = set[bytes]()
        """The digests of their signatures (`broker.valid`)."""
        self.subscriptions: Final[dict[Subscription, Filter]] = {}
        self.cursors: Final[dict[Subscription, int]] = {}
        self.swept: Final[dict[str, Swept]] = {}
        """By nation; none of those whose views are all there."""
        self.version = 0
        self._clock = clock

    def now(self) -> int:
        """Unix seconds, never before the newest entry."""
        return self._clock.now()

    def proves(self, nation: str, index: int) -> bool:
        """Whether the nation's view of this entry is still there, to be shown to its readers."""
        swept = self.swept.get(nation)
        return swept is None or index >= swept.below

    @property
    def policies(self) -> Policies:
        """The policies in force now. Raises `Conflict` if the mission has none yet."""
        policies, now = self.standing.policies, self.now()
        if policies is None:
            raise Conflict("statement-conflict", "the mission has no registry yet")
        if policies.until <= now:
            self.adopt(self.standing.settled(now))
        assert self.standing.policies is not None
        return self.standing.policies

    def adopt(self, standing: Standing) -> None:
        """A new standing holds, from now on."""
        self.standing = standing
        self.version += 1

    def member(self, kid: str, position: int) -> Member:
        """The member that stands now. Raises `NotAllowed` ("unknown-signer")."""
        return self.standing.directory.member(kid, position, self.now())
