"""The forms in which releases come, and the words in which they are asked for (protocol 18)."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field

from wire import strict_json
from wire.errors import SLUGS, BrokerFault, NotAllowed, TearlineError
from wire.evidence import Evidence
from wire.model import Hex32B, Strict, Token
from wire.report import REPORT_MAX
from wire.statements import STATEMENT_MAX

RELEASE_MAX: Final = 2 * REPORT_MAX  # bytes of one release in JSON: a report in base64 and a proof
PAGE_MAX: Final = 24 * 1024 * 1024  # bytes of one page


class Release(Strict):
    """A report as it is released to this nation, with the journal's proof of it."""

    report: Annotated[str, Field(max_length=RELEASE_MAX)]
    use: Literal["release", "display"]
    evidence: Evidence

    @classmethod
    def read(cls, data: bytes) -> "Release":
        """From JSON. Raises `Malformed`."""
        return strict_json.load(data, cls, limit=RELEASE_MAX, prose=True)


class Unsupported(Strict):
    """That the broker holds back some of a report, for this client declares too few duties.

    Nothing proves it, and nothing depends on it: it is told to the reader.
    """

    report: Hex32B
    lacks: tuple[Token, ...]

    @classmethod
    def read(cls, data: bytes) -> "Unsupported":
        """From JSON. Raises `Malformed`."""
        return strict_json.load(data, cls)


class Page(Strict):
    """What `GET /v1/reports` answers."""

    releases: tuple[Release, ...]
    unsupported: tuple[Unsupported, ...]
    cursor: str
    more: bool

    @classmethod
    def read(cls, data: bytes) -> "Page":
        """From JSON. Raises `Malformed`."""
        return strict_json.load(data, cls, limit=PAGE_MAX, prose=True)


class Heartbeat(Strict):
    """The signed checkpoint that comes while nothing else does."""

    checkpoint: str
    time: int

    @classmethod
    def read(cls, data: bytes) -> "Heartbeat":
        """From JSON. Raises `Malformed`."""
        return strict_json.load(data, cls, prose=True)


class Recall(Strict):
    """That a report was taken back: the originator's statement, in base64, and its entry."""

    statement: Annotated[str, Field(max_length=2 * STATEMENT_MAX)]
    index: int

    @classmethod
    def read(cls, data: bytes) -> "Recall":
        """From JSON. Raises `Malformed`."""
        return strict_json.load(data, cls, limit=3 * STATEMENT_MAX, prose=True)


class End(Strict):
    """The last event of a stream: why it ends."""

    reason: str

    @classmethod
    def why(cls, data: bytes) -> TearlineError:
        """The refusal that it means: a `BrokerFault` if it is worth coming back."""
        reason = strict_json.load(data, cls).reason
        if reason not in SLUGS:
            return BrokerFault("unreachable", "the stream ended for an unknown reason")
        passing = SLUGS[reason].status >= 500 or reason == "too-slow"
        return BrokerFault(reason) if passing else NotAllowed(reason)


class Wanted(Strict):
    """What a subscription asks for; empty means any."""

    regions: tuple[str, ...]
    threats: tuple[str, ...]
    precedence: tuple[str, ...]
    purpose: str | None

    @classmethod
    def of(
        cls,
        regions: Iterable[str],
        threats: Iterable[str],
        precedence: Iterable[str],
        purpose: str | None = None,
    ) -> "Wanted":
        """From an analyst's words."""
        return cls(
            regions=tuple(sorted(set(regions))),
            threats=tuple(sorted(set(threats))),
            precedence=tuple(sorted(set(precedence))),
            purpose=purpose,
        )

    def encode(self) -> bytes:
        """Its JSON."""
        return strict_json.dump(self.model_dump(mode="json"))
