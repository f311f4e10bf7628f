"""What officers and roots sign, step by step: roots, members, epochs, grants, policies.

Each step is a method of a `Ceremony`, which checks it against the fold at once. A step that needs
others is followed by them: who is revoked is followed by an epoch that it has no key to, and that
by grants to all who stay. Time and random bytes are arguments; nothing is sent from here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from clients.keys import LEVEL_SEED, EpochSeed, grant
from clients.member_keys import MemberCard, RootKeys
from clients.speaker import Signer, Speaker, signers
from wire import base64_strict
from wire.bodies import SIGNING_KINDS, Kind, Role
from wire.entries import MISSION
from wire.errors import Conflict, quoted
from wire.members import Member
from wire.statements import Statement
from wire.vocabulary import RegistryBody
from wire.witness_keys import appointment

DAY: Final = 86_400
MEMBER_LIFE: Final = 365 * DAY
ROOT_LIFE: Final = 365 * DAY
POLICY_LIFE: Final = 365 * DAY
EPOCH_LIFE: Final = 7 * DAY
CLOCK_SKEW: Final = 300  # seconds: an epoch is open at once also where the clock is behind

READING_KINDS: Final = frozenset({"system", "analyst", "officer", "gateway"})
"""Who is granted epoch seeds. Auditors are not: they verify what happened without reading it."""

ROLES: Final[tuple[Role, ...]] = ("member", "epoch", "policy", "release")


class Ceremony(Speaker):
    """What a mission and its nations say to come into being, to change hands and to renew keys."""

    # -- the mission

    def publish_root(
        self,
        nation: str,
        roots: RootKeys,
        *,
        threshold: int,
        old: Iterable[Signer] = (),
        life: int = ROOT_LIFE,
    ) -> Statement:
        """A nation's first root; or its next one, which the `old` root's threshold signs too."""
        version = self.state(nation).root_version + 1
        keys = {k.public.kid: base64_strict.encode(k.public.raw) for k in roots.keys}
        body = {
            "version": version,
            "keys": keys,
            "threshold": threshold,
            "expires": self._now + life,
        }
        return self.say(nation, "root.publish", body, (*signers(*roots.keys[:threshold]), *old))

    def publish_registry(self, registry: RegistryBody, by: Iterable[Signer]) -> Statement:
        """A version of the reference data, signed by a quorum of nations' roots."""
        return self.say(
            MISSION, "registry.publish", {"registry": registry.model_dump(mode="json")}, by
        )

    def admit(self, nation: Mapping[str, str], by: Iterable[Signer]) -> Statement:
        """A nation joins (code, name, root, clearance), signed by a quorum of nations' roots."""
        return self.say(MISSION, "nation.admit", {"nation": dict(nation)}, by)

    def expel(self, code: str, reason: str, by: Iterable[Signer]) -> Statement:
        """A nation leaves, signed by a quorum of nations' roots."""
        return self.say(MISSION, "nation.expel", {"code": code, "reason": reason}, by)

    # -- a nation's members

    def delegate(
        self,
        nation: str,
        role: Role,
        kids: Collection[str],
        by: Iterable[Signer],
        *,
        threshold: int = 1,
    ) -> Statement:
        """Give a role to officers, signed by the root."""
        body = {"role": role, "kids": sorted(kids), "threshold": threshold}
        return self.say(nation, "role.set", body, by)

    def add_member(
        self,
        nation: str,
        card: MemberCard,
        kind: Kind,
        by: Sequence[Signer],
        *,
        clearance: str,
        communities: Collection[str] = (),
        seed: EpochSeed | None = None,
        life: int = MEMBER_LIFE,
    ) -> Member:
        """Add a member; with `seed`, the current epoch's, also grant it what it may read.

        Older epochs stay closed to it unless `grant` opens one.
        """
        body = {
            **card.fields(),
            "kind": kind,
            "clearance": clearance,
            "communities": sorted(communities),
            "expires": self._now + life,
        }
        self.say(nation, "member.add", body, by, scope=_scope(kind))
        member = self.directory.members[card.kid]
        if seed is not None and kind in READING_KINDS:
            self.grant(member, seed, by)
        return member

    def revoke_member(
        self,
        nation: str,
        kid: str,
        reason: str,
        by: Sequence[Signer],
        *,
        compromised_since: int | None = None,
        epoch_by: Sequence[Signer] | None = None,
        life: int = EPOCH_LIFE,
    ) -> EpochSeed:
        """Revoke a member, and at once open an epoch that it has no key to.

        `epoch_by` signs the epoch where other officers hold that role. Raises `Conflict`
        ("statement-conflict") for a member that is not the nation's.
        """
        member = self.directory.members.get(kid)
        if member is None:
            raise Conflict("statement-conflict", f"there is no member {quoted(kid)}")
        body = {"kid": kid, "reason": reason, "compromised_since": compromised_since}
        self.say(nation, "member.revoke", body, by, scope=_scope(member.kind))
        return self.rotate_epoch(nation, by if epoch_by is None else epoch_by, life=life)

    def set_witness(
        self, nation: str, keys: Sequence[str], by: Iterable[Signer], appointer: MLDSA44PrivateKey
    ) -> Statement:
        """Give the nation's witness other keys, signed by the root and by what appoints them."""
        seq = self.state(nation).seq + 1
        told = appointment(self.directory.mission, nation, seq, keys)
        body = {
            "keys": list(keys),
            "appointer": base64_strict.encode(appointer.public_key().public_bytes_raw()),
            "appointment": base64_strict.encode(appointer.sign(told)),
        }
        return self.say(nation, "witness.set", body, by)

    # -- a nation's epochs and policies

    def rotate_epoch(
        self, nation: str, by: Sequence[Signer], *, life: int = EPOCH_LIFE
    ) -> EpochSeed:
        """Open the next epoch with a fresh seed and grant it to every member that reads.

        Gives the top seed, which need not be kept: a member cleared for all can open its grant.
        """
        state = self.state(nation)
        seed = EpochSeed(nation, state.newest_epoch + 1, state.clearance, self._random(LEVEL_SEED))
        publics = [seed.at(level).key().public for level in range(state.clearance + 1)]
        body = {
            "epoch": seed.epoch,
            "keys": [base64_strict.encode(public) for public in publics],
            "opens": self._now - CLOCK_SKEW,
            "expires": self._now + life,
        }
        self.say(nation, "epoch.open", body, by)
        position = self.directory.position + 1
        for member in list(self.directory.members.values()):
            reads = member.nation == nation and member.kind in READING_KINDS
            if reads and member.valid_at(position, self._now):
                self.grant(member, seed, by)
        return seed

    def grant(self, member: Member, seed: EpochSeed, by: Iterable[Signer]) -> Statement:
        """Grant a member one epoch's seed, at most up to its clearance."""
        down = seed.at(min(seed.level, member.clearance))
        body = {
            "epoch": seed.epoch,
            "member": member.kid,
            "level": self.directory.terms.levels[down.level].token,
            "wrap": base64_strict.encode(grant(down, member.kid, member.seal_key)),
        }
        return self.say(member.nation, "epoch.grant", body, by)

    def publish_guarantees(self, nation: str, text: str, by: Iterable[Signer]) -> Statement:
        """What the nation's release rules must keep from now on; an empty text ends it."""
        kept = self.state(nation).guarantees
        body = {
            "version": 1 if kept is None else kept.version + 1,
            "guarantees": text.splitlines(),
        }
        return self.say(nation, "guarantee.publish", body, by)

    def publish_policy(
        self,
        nation: str,
        release: str,
        accept: str,
        by: Iterable[Signer],
        *,
        life: int = POLICY_LIFE,
    ) -> Statement:
        """The nation's next policy, pinned to the reference data of now."""
        policy = self.state(nation).policy
        body = {
            "version": 1 if policy is None else policy.version + 1,
            "release": release.splitlines(),
            "accept": accept.splitlines(),
            "registry": self.directory.terms.digest,
            "expires": self._now + life,
        }
        return self.say(nation, "policy.publish", body, by)


def _scope(kind: Kind) -> str:
    return "mission" if kind in SIGNING_KINDS else "nation"
