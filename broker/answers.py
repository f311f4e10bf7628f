"""What the broker core gives back: plain values, for the HTTP shell and for tests.

Nothing here reaches a caller before the journal entry that allows it is durable.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from policies.explain import Line, OutcomeWord
from wire.base64_strict import encode
from wire.errors import NotAllowed
from wire.evidence import Evidence
from wire.model import Hex32B, NationCode, Strict, Token
from wire.pages import MadePage

Use = Literal["release", "display"]
"""Whether a reader may keep what it gets, or only look at it."""

EventKind = Literal["report", "recall", "unsupported", "heartbeat", "end"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a report is in the journal; `evidence` is of its originator's channel."""

    report: str
    index: int
    duplicate: bool
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class StatementReceipt:
    """That a statement is in the journal; `evidence` is of the mission's channel."""

    identity: str
    index: int
    duplicate: bool
    evidence: Evidence


@dataclass(frozen=True)
class Release:
    """What one reader gets of one report, and the proof that it was journalled for his nation."""

    report: bytes
    use: Use
    evidence: Evidence

    @cached_property
    def json(self) -> bytes:
        """The JSON in which it travels; made once for all readers of one nation."""
        # The long part is put in as bytes: a text with one dash beyond ASCII is slow to encode.
        report, proof = encode(self.report).encode("ascii"), self.evidence.model_dump_json()
        use = self.use.encode("ascii")
        return b'{"report":"%b","use":"%b","evidence":%b}' % (report, use, proof.encode())

    @property
    def size(self) -> int:
        """Roughly the bytes it holds in memory: the report, and its JSON in base64."""
        return len(self.report) * 3


class Unsupported(Strict):
    """A report of which the reader may have more than its client can be given, and the duties that
    the client would have to keep.
    """

    report: Hex32B
    lacks: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull. `more` says whether a next page has anything for this reader."""

    releases: tuple[Release, ...]
    unsupported: tuple[Unsupported, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a live stream; `id` is the cursor from which a reader can go on."""

    kind: EventKind
    id: str | None
    data: bytes


class NationPreview(Strict):
    """What one nation would get, explained as far as the asking nation may know."""

    outcome: OutcomeWord
    lines: tuple[Line, ...]


class PortionPreview(Strict):
    """What each recipient nation of one portion would get."""

    nations: dict[NationCode, NationPreview]


class Preview(Strict):
    """Who would be able to read a report with these labels, who not, and why."""

    portions: tuple[PortionPreview, ...]


class Withheld(NotAllowed):
    """A report was refused because a policy withholds it from a nation on its own list.

    The slug is "policy-expired" if it is the sender's own that has ended, else "withheld".
    """

    def __init__(self, slug: str, detail: str, explanation: Preview) -> None:
        super().__init__(slug, detail)
        self.explanation: Mapping[str, object] = explanation.model_dump(mode="json")


class RuleSays(Strict):
    """A rule by name, and what its author says about it."""

    id: str
    says: str


class Referral(Strict):
    """One case that waits for officers: which layer of whom asks, about what, and because of what.

    `text` is the SHA-256 of the layer's text; `accepted` in seconds. Of the `needed` officers, or
    nations in a layer of the mission's, `signed` have agreed.
    """

    layer: str
    owner: str
    report: Hex32B
    portion: Hex32B
    banner: str
    originator: NationCode
    to: NationCode
    accepted: int
    text: Hex32B
    rules: tuple[RuleSays, ...]
    needed: int
    signed: int


@dataclass(frozen=True, slots=True)
class ReferralPage:
    """A page of the queue. `more` says whether there are further cases behind `cursor`."""

    referrals: tuple[Referral, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class StatementPage:
    """A page of the mission's channel, with the statements that it names.

    `statements` is by identity; bodies that the viewer may not see are withheld.
    """

    segment: MadePage
    consistency: tuple[bytes, ...]
    statements: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ViewPage:
    """A page of the channel of the viewer's own nation."""

    segment: MadePage
    consistency: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of an attachment is stored, in bytes."""

    received: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes `start` up to `end` of an attachment's ciphertext of `total` bytes.

    Who iterates asks the policies again for every chunk; the iteration then ends with the refusal.
    """

    total: int
    start: int
    end: int
    chunks: AsyncIterator[bytes]
