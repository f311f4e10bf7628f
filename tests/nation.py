"""A nation of the test world: its people, its root, its epochs and its policies."""

from typing import Any

from clients.keys import grant
from tests.author import Author
from tests.people import Person, epoch_public, epoch_seed, root_keys
from tests.speaker import Words, words
from wire import bodies
from wire.base64_strict import encode
from wire.composite import SigningKey
from wire.statements import Statement

DAY = 86_400
ROLES = ("member", "epoch", "release")
"""What one officer does alone. Policies stay with the root, two of whose keys sign."""


class Nation(Author):
    """One nation."""

    def _signers(self, signed_by: str) -> list[SigningKey]:
        delegation = self.state.roles.get(signed_by)
        if signed_by == "self" or delegation is not None:
            return [self.officer.sign]
        return list(self.world.root_signers([self.code]))

    # -- its people

    def __getattr__(self, name: str) -> Person:
        """`kenya.officer`, `kenya.analyst`: its people by name."""
        try:
            return self.world.people[self.code, name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def officer(self) -> Person:
        """The officer who holds all roles."""
        return self.world.people[self.code, "officer"]

    def settles(self) -> None:
        """Enlist the usual people, delegate the roles, open an epoch, adopt a policy."""
        self.enlists("officer")
        for role in ROLES:
            self.delegates(role, self.officer)
        for name in ("system", "analyst", "auditor"):
            self.enlists(name)
        self.opens_epoch()
        for name in ("officer", "system", "analyst", "auditor"):
            self.grants(getattr(self, name))
        self.adopts()

    def enlists(
        self,
        name: str,
        kind: bodies.Kind | None = None,
        *,
        clearance: str | None = None,
        communities: Words = (),
        days: int = 365,
        **how: Any,
    ) -> Person:
        """Add a member; its kind is its name unless it is said, its clearance its nation's."""
        person, body = self.candidate(name, kind, clearance, communities, days)
        self.says("member.add", body, **how)
        self.world.people[self.code, name] = person
        return person

    def candidate(
        self,
        name: str,
        kind: bodies.Kind | None = None,
        clearance: str | None = None,
        communities: Words = (),
        days: int = 365,
    ) -> tuple[Person, dict[str, Any]]:
        """Somebody who could be enlisted, and the body that would do it."""
        levels = self.world.directory.founded.levels
        clearance = clearance or levels[self.state.clearance].token
        person = Person(self.code, name, kind or name, clearance)  # type: ignore[arg-type]
        card = person.keys.card
        return person, {
            "kid": card.kid,
            "kind": person.kind,
            "clearance": clearance,
            "communities": words(communities),
            "sign_key": encode(card.sign_key),
            "seal_key": encode(card.seal_key),
            "request_key": encode(card.request_key),
            "expires": self.world.clock.now + days * DAY,
        }

    def revokes(self, person: Person, reason: str = "lost", **how: Any) -> Statement:
        """Revoke a member."""
        return self.says("member.revoke", {"kid": person.kid, "reason": reason}, **how)

    def delegates(self, role: str, *people: Person, threshold: int = 1, **how: Any) -> Statement:
        """Give a role to officers."""
        body = {"role": role, "kids": sorted(p.kid for p in people), "threshold": threshold}
        return self.says("role.set", body, **how)

    # -- its root, epochs and policies

    def drafts_root(
        self, version: int = 1, count: int = 3, threshold: int = 2, days: int = 365, **how: Any
    ) -> Statement:
        """A root statement, signed by the old threshold and the new."""
        keys = root_keys(self.code, version, count)
        signers = {k.public.kid: k for k in keys[:threshold]}
        if self.code in self.world.roots:
            signers |= {k.public.kid: k for k in self.world.root_signers([self.code])}
        self.world.roots.setdefault(self.code, (version, count, threshold))
        body = {
            "version": version,
            "keys": {k.public.kid: encode(k.public.raw) for k in keys},
            "threshold": threshold,
            "expires": self.world.clock.now + days * DAY,
        }
        return self.drafts("root.publish", body, **{"by": signers.values(), **how})

    def publishes_root(
        self, version: int = 1, count: int = 3, threshold: int = 2, **how: Any
    ) -> Statement:
        """Publish the first root, or the next."""
        statement = self.world.applies(self.drafts_root(version, count, threshold, **how))
        self.world.roots[self.code] = (version, count, threshold)
        return statement

    def opens_epoch(self, *, days: int = 7, **how: Any) -> Statement:
        """Open the next encryption epoch, from now on."""
        return self.says("epoch.open", self.epoch_body(days=days), **how)

    def epoch_body(self, *, days: int = 7, opens: int | None = None) -> dict[str, Any]:
        """What opens the next epoch."""
        epoch, opens = self.state.newest_epoch + 1, opens or self.world.clock.now
        keys = [epoch_public(self.code, epoch, lv) for lv in range(self.state.clearance + 1)]
        body = {"epoch": epoch, "keys": [encode(key) for key in keys]}
        return {**body, "opens": opens, "expires": opens + days * DAY}

    def grants(self, person: Person, epoch: int | None = None, **how: Any) -> Statement:
        """Give a member the seed of an epoch, up to its clearance."""
        return self.says("epoch.grant", self.grant_body(person, epoch), **how)

    def grant_body(
        self, person: Person, epoch: int | None = None, level: str | None = None
    ) -> dict[str, Any]:
        """What grants an epoch to a member."""
        epoch, level = epoch or self.state.newest_epoch, level or person.clearance
        seed = epoch_seed(self.code, epoch, self.world.directory.terms.level(level))
        wrap = encode(grant(seed, person.kid, person.keys.card.seal_key))
        return {"epoch": epoch, "member": person.kid, "level": level, "wrap": wrap}

    def adopts(
        self, release: str | None = None, accept: str | None = None, **how: Any
    ) -> Statement:
        """Publish the next policy; unless it is said, one that permits all that labels permit."""
        return self.says("policy.publish", self.policy_body(release, accept), **how)

    def policy_body(self, release: str | None = None, accept: str | None = None) -> dict[str, Any]:
        """What publishes the next policy."""
        policy = self.state.policy
        return {
            "version": policy.version + 1 if policy else 1,
            "release": (release or _permit(self.code, "release")).splitlines(),
            "accept": (accept or _permit(self.code, "accept")).splitlines(),
            "registry": self.world.directory.terms.digest,
            "expires": self.world.clock.now + 365 * DAY,
        }


def _permit(code: str, action: str) -> str:
    whom = f'principal in Nation::"{code}"' if action == "accept" else "principal"
    return "\n".join(
        (
            f'@id("{code}/{action}-all")',
            '@says("What the label permits.")',
            f'permit ({whom}, action == Action::"{action}", resource);',
        )
    )
