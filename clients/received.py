"""What a subscriber is given: opened reports with their proof, and what did not open."""

from collections.abc import Callable
from dataclasses import dataclass, field

from clients import amended
from clients.delivery import Unsupported
from clients.open import OpenedReport
from wire import labels
from wire.errors import TearlineError


@dataclass(frozen=True)
class ReleaseProof:
    """Where the journal proves the release: entry `index` of a signed tree of `size` entries."""

    index: int
    size: int
    root: str
    accepted: int
    accepted_time: int
    use: str


@dataclass(frozen=True)
class Received:
    """An opened report together with the proof that it was released to this nation.

    What `may_keep` does not name is for the eyes of now: show it, and leave no copy of it.
    """

    report: OpenedReport
    proof: ReleaseProof
    raw: bytes = field(repr=False)
    """The sealed bytes of the portions that may be kept, empty if none may: a `.tlr` file."""
    may_keep: frozenset[int] = frozenset()
    """The places of those portions."""
    superseded_by: str | None = None
    """The newest report that its originator put in its place, if one was read here."""

    @property
    def identity(self) -> str:
        """SHA-256 of the report's signed head, hex."""
        return self.report.identity

    @property
    def originator(self) -> str:
        """The nation that says it."""
        return self.report.originator

    @property
    def supersedes(self) -> frozenset[str]:
        """The reports in whose place it stands."""
        return amended.replaces(self.report)

    @property
    def banner(self) -> str:
        """The marking of all its opened portions together."""
        return self.report.banner

    @property
    def title(self) -> str:
        """The title of the most highly classified portion."""
        return self.report.title

    @property
    def body(self) -> str:
        """The text of the most highly classified portion."""
        return self.report.body

    @property
    def precedence(self) -> labels.Precedence:
        """The most urgent precedence of its portions."""
        urgent = min(labels.PRECEDENCES.index(p.label.precedence) for p in self.report.portions)
        return labels.PRECEDENCES[urgent]

    @property
    def portions(self) -> tuple[int, ...]:
        """The places of all portions that were delivered, also of those that did not open."""
        opened = (p.index for p in self.report.portions)
        return tuple(sorted((*opened, *(c.index for c in self.report.closed))))


@dataclass(frozen=True)
class Unopened:
    """A report that is proven and genuine, and of which nothing opens here: why, in words.

    Its originator may have sealed it badly, or this member holds no key of that epoch. It stops
    nothing else: no partner can silence the others by one bad report.
    """

    identity: str
    originator: str
    reason: TearlineError


Notable = Unopened | Unsupported | TearlineError

Notice = Callable[[Notable], None]
"""Called with what did not open, with what was held back because this client keeps too few duties,
and with each fault of a link that is tried again."""


def unnoticed(_what: Notable) -> None:
    """For callers who do not want to know."""
