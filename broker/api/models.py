"""The JSON forms of requests and answers, for the description and for reading bodies."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from broker.answers import Referral, Unsupported
from broker.api.common import Cursor
from wire.bodies import Base64
from wire.evidence import Evidence, Segment
from wire.labels import Label
from wire.model import Hex32B, NationCode, Strict
from wire.report import PORTIONS

HashText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=\z")]


class ReceiptModel(Strict):
    """That a report is in the journal, with the proof for its originator."""

    report: Hex32B
    index: int
    duplicate: bool
    evidence: Evidence


class ReleaseModel(Strict):
    """What one reader gets of a report: sealed bytes (base64), and the proof of the release."""

    report: str
    use: Literal["release", "display"]
    evidence: Evidence


class ReleasePage(Strict):
    """A page of releases. `cursor` goes on after it; `more` says whether to ask again at once.
    `unsupported` names reports of which the caller may have more, with a client that keeps more.
    """

    releases: tuple[ReleaseModel, ...]
    unsupported: tuple[Unsupported, ...]
    cursor: str
    more: bool


class SubscriptionNames(Strict):
    """The caller's subscriptions by name."""

    subscriptions: dict[str, object]


class CursorBody(Strict):
    """How far the reader has come with a subscription."""

    cursor: Cursor


class PreviewBody(Strict):
    """The labels of a report that is not sealed yet, portion by portion."""

    labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=PORTIONS[-1])]


class NationPreviewModel(Strict):
    """What one nation would get, and what stands against it as far as the caller may know."""

    outcome: Literal["RELEASE", "REFER", "WITHHOLD"]
    lines: tuple[str, ...]


class PortionPreviewModel(Strict):
    """What each nation of one portion's lists would get."""

    nations: dict[NationCode, NationPreviewModel]


class PreviewModel(Strict):
    """Who would be able to read it, who not, and why."""

    portions: tuple[PortionPreviewModel, ...]


class StatementReceiptModel(Strict):
    """That a statement is in the journal, with the proof for everybody."""

    identity: Hex32B
    index: int
    duplicate: bool
    evidence: Evidence


class StatementPageModel(Strict):
    """A page of the mission's channel and the statements it names; some without their body."""

    segment: Segment
    consistency: tuple[HashText, ...]
    statements: dict[Hex32B, Base64]


class ViewPageModel(Strict):
    """A page of the channel of the caller's nation."""

    segment: Segment
    consistency: tuple[HashText, ...]


class ReferralPageModel(Strict):
    """A page of the queue. `cursor` goes on after it; `more` says whether to ask again at once."""

    referrals: tuple[Referral, ...]
    cursor: str
    more: bool


class Proof(Strict):
    """A Merkle proof: hashes in base64, in the order RFC 9162 verifies them."""

    proof: tuple[HashText, ...]


class Gathered(Strict):
    """How many witnesses have cosigned the tree of `size` entries, and how many publish it."""

    size: int
    witnesses: int
    quorum: int


class AttachmentProgress(Strict):
    """Bytes stored of an attachment, and whether that is all and the digest is right."""

    received: int
    complete: bool


class Health(Strict):
    """That the process answers."""

    status: Literal["ok"]


class Stale(Strict):
    """Something of a nation that has ended by itself, or is about to; Unix seconds."""

    nation: NationCode
    what: Literal["root", "policy", "epoch", "member"]
    name: str
    state: Literal["soon", "urgent", "expired"]
    expires: int


class Readiness(Strict):
    """That reports are accepted and released; to the operator also what is stale."""

    status: Literal["ok"]
    stale: tuple[Stale, ...] | None = None
