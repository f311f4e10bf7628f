"""The bodies of statements, one model a type, and the table of who must sign what.

Every body carries a random salt: its digest stands in the signed head for everybody to see, and
must say nothing about a body that is withheld.
"""

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, StringConstraints

from wire.model import Hex16B, Hex32B, NationCode, Seconds, SortedSet, Strict, Token
from wire.vocabulary import Level, RegistryBody

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}\z", max_length=65_536)]
Lines = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=400)], ...], Field(max_length=2_000)
]
"""Policy text, one string a line: the JSON gate lets no line breaks into strings."""
Words = Annotated[str, StringConstraints(max_length=200)]
WitnessKey = Annotated[str, StringConstraints(max_length=4_000)]
Count = Annotated[int, Field(ge=1, le=64)]
Days = Annotated[int, Field(ge=1, le=36_500)]
RuleName = Annotated[
    str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{1,31}/[a-z0-9][a-z0-9/._-]{0,63}\z")
]
"""The `@id` of a policy rule: its owner, then its own name."""
Origin = Annotated[str, StringConstraints(pattern=r"^[a-z0-9./-]{1,128}\z")]
"""The name of a log."""
LogKeys = Annotated[tuple[Words, ...], Field(min_length=1, max_length=4)]
TreeSize = Annotated[int, Field(ge=0, lt=1 << 53)]

Kind = Literal["system", "analyst", "officer", "auditor", "gateway"]
SIGNING_KINDS: Final = frozenset({"system", "officer"})
"""Members who sign for others to verify: everybody must see their keys."""
Role = Literal["member", "epoch", "policy", "guarantee", "release"]
APART: Final = frozenset({"policy", "guarantee"})
"""Roles of which nobody holds both: who writes the rules does not say what they must keep."""


class Salted(Strict):
    """A body; its salt is 16 random bytes."""

    salt: Hex16B


class RunWitness(Strict):
    """The witness that a nation runs: its name among the charter's, and the SHA-256 of the public
    key (ML-DSA-44) by which the nation appoints the witness's later keys.
    """

    name: Words
    appointer: Hex32B


class CharterNation(Strict):
    """A founding nation: its first root statement and up to what level it is accredited.

    `witness` is the charter's witness that it runs, and whose keys it may replace.
    """

    code: NationCode
    name: Words
    root: Hex32B
    clearance: Token
    witness: RunWitness | None = None


class MissionCharter(Salted):
    """What every client pins: who founds the mission, its words, its log and its floor.

    `retention_floor` is how long every nation's views are kept at least, in days; without one,
    nothing is erased in this mission.
    """

    name: Words
    exercise: bool
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=8)]
    nations: Annotated[tuple[CharterNation, ...], Field(min_length=1, max_length=64)]
    origin: Origin
    log_keys: LogKeys
    witnesses: Annotated[tuple[WitnessKey, ...], Field(max_length=64)]
    witness_quorum: Annotated[int, Field(ge=0, le=64)]
    admission_quorum: Count
    floor: Lines
    carry: Lines
    retention_floor: Days | None = None


class RegistryPublish(Salted):
    """A version of the reference data: regions, threats, caveats, communities, coalitions."""

    registry: RegistryBody


class NationAdmit(Salted):
    """A nation joins; its first root statement has this identity."""

    nation: CharterNation


class NationExpel(Salted):
    """A nation leaves; from this entry on it posts, reads and signs nothing."""

    code: NationCode
    reason: Words


class MissionContinue(Salted):
    """After a loss, the log goes on under another name from the tree of `size` entries with `root`,
    the last of the log `continues` that is left. At least `seen` entries of that one were seen:
    those from `size` on are gone. `charter` is what the mission was founded by.
    """

    charter: Hex32B
    continues: Origin
    size: Annotated[int, Field(ge=1, lt=1 << 53)]
    root: Hex32B
    seen: TreeSize
    origin: Origin
    log_keys: LogKeys
    reason: Words


class RootPublish(Salted):
    """A nation's root keys: `threshold` of them act for the nation."""

    version: Annotated[int, Field(ge=1)]
    keys: Annotated[dict[Hex16B, Base64], Field(min_length=1, max_length=16)]
    threshold: Count
    expires: Seconds


class RoleSet(Salted):
    """Delegates a role to members: `threshold` of them act."""

    role: Role
    kids: Annotated[tuple[Hex16B, ...], Field(min_length=1, max_length=32), SortedSet]
    threshold: Count


class MemberAdd(Salted):
    """A device or system of the nation, with three keys for three uses."""

    kid: Hex16B
    kind: Kind
    clearance: Token
    communities: Annotated[tuple[Token, ...], SortedSet]
    sign_key: Base64
    seal_key: Base64
    request_key: Base64
    expires: Seconds


class MemberRevoke(Salted):
    """From this entry on the member signs, reads and receives nothing."""

    kid: Hex16B
    reason: Words
    compromised_since: Seconds | None = None


class EpochOpen(Salted):
    """A nation's encryption keys for one epoch, one a level, lowest level first."""

    epoch: Annotated[int, Field(ge=1, lt=1 << 32)]
    keys: Annotated[tuple[Base64, ...], Field(min_length=1, max_length=8)]
    opens: Seconds
    expires: Seconds


class EpochGrant(Salted):
    """The seed of one epoch at one level, wrapped to one member's device."""

    epoch: Annotated[int, Field(ge=1, lt=1 << 32)]
    member: Hex16B
    level: Token
    wrap: Base64


class PolicyPublish(Salted):
    """A nation's release and intake rules, pinned to the reference data they were signed under."""

    version: Annotated[int, Field(ge=1)]
    release: Lines
    accept: Lines
    registry: Hex32B
    expires: Seconds


class GuaranteePublish(Salted):
    """What a nation's release rules must keep, whoever writes them; an empty text ends it."""

    version: Annotated[int, Field(ge=1)]
    guarantees: Lines


class RetentionSet(Salted):
    """How long the broker keeps what is a nation's own, in days; null is for ever: the views of its
    channel of the journal, and the payloads, wraps and attachments of its reports.
    """

    views: Days | None
    payloads: Days | None


class WitnessSet(Salted):
    """The keys of the nation's witness from this entry on, in place of all that it had.

    `appointment` is the signature of `appointer` over them: it shows to those who have no root
    keys, such as an examiner with a file, that not the log made this up.
    """

    keys: Annotated[tuple[WitnessKey, ...], Field(min_length=1, max_length=2)]
    appointer: Base64
    appointment: Base64


class ReportRelease(Salted):
    """The originator's consent to one more nation, with that nation's key wrap.

    It lasts until `expires`, or until it is taken back. `author` is the nation that may lean on it
    in what it derives from the portion, and sees this body too; if none is named, any reader may.
    """

    report: Hex32B
    portion: Hex32B
    to: NationCode
    level: Token
    epoch: Annotated[int, Field(ge=1, lt=1 << 32)]
    kid: Hex16B
    wrap: Base64
    author: NationCode | None = None
    expires: Seconds


class ReportWithdraw(Salted):
    """The originator takes a consent back: from this entry on it opens nothing."""

    report: Hex32B
    portion: Hex32B
    to: NationCode
    release: Hex32B
    reason: Words


class ReportRecall(Salted):
    """The originator takes a report back."""

    report: Hex32B
    reason: Words


class RecallConfirm(Salted):
    """What became of a recalled report in a nation that was sent it: that nation's word, for all
    its readers. `recall` is the identity of the recall; `basis` the law by which it is retained.
    """

    report: Hex32B
    recall: Hex32B
    outcome: Literal["destroyed", "retained", "never-opened"]
    basis: Words | None = None


class ReportComplaint(Salted):
    """A recipient says what is wrong with a report."""

    report: Hex32B
    code: Literal["undecryptable", "mislabelled", "duplicate"]


class Approval(Salted):
    """An officer's word on one referred case, for his own layer only: yes or no.

    A yes is for the rules that it names, as they stand in the layer's text with this SHA-256: when
    another rule or another text refers the case, the officers are asked again. An emergency is for
    whatever the layer refers, and needs two officers. A no takes back every yes before it.
    """

    verdict: Literal["approve", "reject"]
    layer: Literal["handle", "release", "carry", "accept"]
    report: Hex32B
    portion: Hex32B
    to: NationCode
    text: Hex32B
    rules: Annotated[tuple[RuleName, ...], Field(max_length=300), SortedSet]
    emergency: bool
    reason: Words
    expires: Seconds


class HeadSeen(Salted):
    """The log as this nation sees it: gossip against forks."""

    size: TreeSize
    root: Hex32B


class Rule(NamedTuple):
    """Who signs a type, what its body looks like, and which scopes its body may have."""

    signed_by: Literal[
        "quorum", "root", "member", "epoch", "policy", "guarantee", "release", "self"
    ]
    body: type[Salted]
    scopes: tuple[str, ...]


RULES: Final[dict[str, Rule]] = {
    "mission.charter": Rule("quorum", MissionCharter, ("mission",)),
    "registry.publish": Rule("quorum", RegistryPublish, ("mission",)),
    "nation.admit": Rule("quorum", NationAdmit, ("mission",)),
    "nation.expel": Rule("quorum", NationExpel, ("mission",)),
    "mission.continue": Rule("quorum", MissionContinue, ("mission",)),
    "root.publish": Rule("root", RootPublish, ("mission",)),
    "role.set": Rule("root", RoleSet, ("mission",)),
    "member.add": Rule("member", MemberAdd, ("mission", "nation")),
    "member.revoke": Rule("member", MemberRevoke, ("mission", "nation")),
    "epoch.open": Rule("epoch", EpochOpen, ("mission",)),
    "epoch.grant": Rule("epoch", EpochGrant, ("nation",)),
    "policy.publish": Rule("policy", PolicyPublish, ("nation",)),
    "guarantee.publish": Rule("guarantee", GuaranteePublish, ("nation",)),
    "retention.set": Rule("root", RetentionSet, ("mission",)),
    "witness.set": Rule("root", WitnessSet, ("mission",)),
    "report.release": Rule("release", ReportRelease, ("parties",)),
    "report.withdraw": Rule("release", ReportWithdraw, ("parties",)),
    "report.recall": Rule("release", ReportRecall, ("parties",)),
    "recall.confirm": Rule("self", RecallConfirm, ("parties",)),
    "report.complaint": Rule("self", ReportComplaint, ("parties",)),
    "approval": Rule("release", Approval, ("nation",)),
    "head.seen": Rule("self", HeadSeen, ("mission",)),
}
"""No row, no statement."""
