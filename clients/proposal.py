"""What a quorum of nations' roots signs: a file that goes from hand to hand until enough have.

One nation drafts it, others read what it says and add their signatures, each where its root is
kept, and anybody posts it. No two roots need ever be in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clients.ceremony import Ceremony
from clients.follower import Follower
from clients.identity import Identity
from clients.keys import Random
from clients.speaker import Signer, cosign, signers
from wire import fold, statements
from wire.bodies import MissionContinue, NationExpel
from wire.continuing import Loss
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import Conflict, Malformed, NotAllowed
from wire.statements import Statement


def expulsion(
    directory: Directory,
    code: str,
    reason: str,
    roots: Sequence[Identity],
    *,
    now: int,
    random: Random,
) -> Statement:
    """That a nation is expelled, signed by these roots; others may have to sign it too.

    Raises what the fold raises for one that cannot follow.
    """
    ceremony = Ceremony(directory, now=now, random=random, whole=False)
    return ceremony.expel(code, reason, by(directory, roots))


def expelled(raw: bytes) -> NationExpel:
    """Whom a proposal would expel, and why. Raises `Malformed` ("bad-statement") for another."""
    statement = statements.parse(raw)
    if statement.head.type != "nation.expel":
        raise Malformed("bad-statement", "it expels no nation")
    return statement.body(NationExpel)


def sign(directory: Directory, raw: bytes, roots: Sequence[Identity]) -> bytes:
    """A proposal with the signatures of these roots added."""
    for signer in by(directory, roots):
        raw = cosign(raw, signer)
    return raw


def check(directory: Directory, raw: bytes, now: int) -> None:
    """Refuse a proposal that could not be published now, for want of signatures too."""
    fold.apply(directory, statements.parse(raw), directory.position + 1, now)


# -- after a loss


@dataclass(frozen=True)
class Lost:
    """What a client knows that is lost if the log goes on from its first `size` entries.

    `files` are the statements among it, by names whose order is that of the log.
    """

    continues: str
    origin: str
    size: int
    files: tuple[tuple[str, bytes], ...]
    together: int
    """How many of them nations signed together: those cannot be said again, and are signed anew."""


def lost(follower: Follower, said: Loss | MissionContinue) -> Lost:
    """Compare what is said to be left with what was seen here.

    Raises `Conflict` if that was something else, `Malformed` for another mission's log.
    """
    if (said.charter, said.continues) != (follower.directory.pinned_charter, follower.log.origin):
        raise Malformed("bad-input", "it is about another mission, or another log of it")
    seen = follower.seen
    if seen.size == said.size and seen.root.hex() != said.root:
        raise Conflict("fork-detected", f"this device saw another tree of {said.size} entries")
    gone = [(at, statement) for at, _, statement in follower.places if at >= said.size]
    files = tuple((f"{at:012}-{one.identity[:16]}.tlst", one.raw) for at, one in gone)
    together = sum(one.head.nation == MISSION for _, one in gone)
    return Lost(said.continues, said.origin, said.size, files, together)


def continuation(
    follower: Follower,
    loss: Loss,
    reason: str,
    roots: Sequence[Identity],
    *,
    now: int,
    random: Random,
) -> Statement:
    """That the log goes on, signed by these roots; others have to sign it too.

    Raises like `lost`, and `Conflict` if the mission's own statements went otherwise.
    """
    lost(follower, loss)
    own = [(at, said) for at, _, said in follower.places if said.head.nation == MISSION]
    before = {said.head.seq: said.identity for at, said in own if at < loss.size}
    if before.get(loss.seq - 1, loss.prev) != loss.prev or max(before, default=-1) >= loss.seq:
        raise Conflict("fork-detected", "the mission's statements that are left are others")
    head = {"mission": loss.mission, "nation": MISSION, "seq": loss.seq, "prev": loss.prev}
    head |= {"type": "mission.continue", "scope": "mission", "issued": now}
    body = MissionContinue(
        salt=random(16).hex(),
        charter=loss.charter,
        continues=loss.continues,
        size=loss.size,
        root=loss.root,
        seen=max(loss.seen, follower.seen.size),
        origin=loss.origin,
        log_keys=loss.log_keys,
        reason=reason,
    )
    unsigned = statements.draft(head, body)
    return statements.parse(unsigned.signed_by(*by(follower.directory, roots)))


# -- roots


def by(directory: Directory, roots: Sequence[Identity]) -> tuple[Signer, ...]:
    """Of each root as many keys as its nation's threshold asks for, of those in its folder.

    Raises `NotAllowed` ("unknown-signer") for a root that its nation has no more.
    """
    found: list[Signer] = []
    for root in roots:
        state = directory.nation(root.nation)
        keys = [key for key in root.root.keys if key.public.kid in state.root_keys]
        if not keys:
            raise NotAllowed("unknown-signer", f"no key of the root that {root.nation} has now")
        found += signers(*keys[: state.root_threshold])
    return tuple(found)
