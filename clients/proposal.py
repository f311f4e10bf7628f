"""What a quorum of nations' roots signs: a file that goes from hand to hand until enough have.

One nation drafts it, others read what it says and add their signatures, each where its root is
kept, and anybody posts it. No two roots need ever be in one place.
"""

from collections.abc import Sequence

from clients.ceremony import Ceremony
from clients.identity import Identity
from clients.keys import Random
from clients.speaker import Signer, cosign, signers
from wire import fold, statements
from wire.bodies import NationExpel
from wire.directory import Directory
from wire.errors import Malformed, NotAllowed
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
