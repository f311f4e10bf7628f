"""Who is who: members, epochs and nations as the fold of statements left them. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire.bodies import SIGNING_KINDS, GuaranteePublish, Kind, PolicyPublish
from wire.composite import VerifyKey
from wire.made import OnlyByMaker
from wire.retention import Order


@dataclass(frozen=True)
class Member(metaclass=OnlyByMaker):
    """A device or system whose keys its nation vouched for. Made only by the directory."""

    kid: str
    nation: str
    kind: Kind
    clearance: int
    communities: frozenset[str]
    verify_key: VerifyKey
    seal_key: bytes
    request_key: bytes
    expires: int
    added: int
    revoked: int | None = None

    @cached_property
    def request_verifier(self) -> Ed25519PublicKey:
        """The key that signs this member's requests."""
        return Ed25519PublicKey.from_public_bytes(self.request_key)

    @property
    def signs(self) -> bool:
        """Whether others rely on what this member signs."""
        return self.kind in SIGNING_KINDS

    def valid_at(self, position: int, time: int) -> bool:
        """Whether the member stood at this journal position, and had not expired at that time."""
        still = self.revoked is None or position < self.revoked
        return self.added < position and still and time < self.expires

    def ended(self, position: int) -> "Member":
        """The same member, revoked by the journal entry at this position."""
        now = {f.name: getattr(self, f.name) for f in fields(self)}
        return Member._make(**{**now, "revoked": position})


@dataclass(frozen=True)
class Epoch:
    """A nation's public encryption keys, one a level, lowest first."""

    epoch: int
    keys: tuple[bytes, ...]
    kids: tuple[str, ...]
    opens: int
    expires: int
    position: int


@dataclass(frozen=True)
class EpochKey:
    """The key to which reports of one level for one nation are sealed."""

    nation: str
    level: int
    epoch: int
    kid: str
    public: bytes


@dataclass(frozen=True)
class Delegation:
    """How many of which members act in a role."""

    kids: frozenset[str]
    threshold: int


@dataclass(frozen=True)
class NationState:
    """One nation's chain, folded."""

    code: str
    seq: int = -1
    prev: str = "0" * 64
    clearance: int = -1
    root_version: int = 0
    root_keys: Mapping[str, VerifyKey] = field(default_factory=dict)
    root_threshold: int = 0
    root_expires: int = 0
    roles: Mapping[str, Delegation] = field(default_factory=dict)
    epochs: dict[int, Epoch] = field(default_factory=dict)  # in order; like all here, never changed
    policy: PolicyPublish | None = None
    policy_identity: str | None = None
    guarantees: GuaranteePublish | None = None
    retention: tuple[Order, ...] = ()
    admitted_root: str | None = None
    expelled: int | None = None

    @property
    def newest_epoch(self) -> int:
        """The number of the last epoch that the nation announced; 0 if none."""
        return next(reversed(self.epochs), 0)

    def epoch_at(self, time: int) -> Epoch | None:
        """The newest epoch that has begun by this time (seconds), if there is one.

        One announced for later does not interrupt the one before it.
        """
        newest_first = reversed(self.epochs.values())  # `with_epoch` adds them in order
        return next((epoch for epoch in newest_first if epoch.opens <= time), None)

    def with_epoch(self, epoch: Epoch) -> "NationState":
        """The same nation with one more epoch."""
        return replace(self, epochs={**self.epochs, epoch.epoch: epoch})

    def with_role(self, role: str, delegation: Delegation) -> "NationState":
        """The same nation with a role delegated anew."""
        return replace(self, roles={**self.roles, role: delegation})
