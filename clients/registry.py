"""The mission's reference data: what it is now, what a proposal changes, and who signed it.

A version of the registry is signed by a quorum of nations' roots, so it goes from hand to hand as
a file: one nation drafts it, others read what it changes and add their signatures, and anybody
posts it once there are enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from clients import proposal
from clients.ceremony import Ceremony
from clients.follower import Follower
from clients.identity import Identity
from clients.keys import Random
from wire import statements, strict_json
from wire.bodies import RegistryPublish
from wire.directory import Directory
from wire.errors import Malformed
from wire.statements import Statement
from wire.vocabulary import RegistryBody

PARTS: Final = ("caveats", "communities", "regions", "threats", "groups")
"""The tables of a registry; purposes are a list."""


def current(follower: Follower) -> RegistryBody:
    """The version in force, from the proven chain. Raises `Malformed` if there is none yet."""
    statement = follower.newest("registry.publish")
    if statement is None:
        raise Malformed("bad-statement", "the mission has no registry yet")
    return statement.body(RegistryPublish).registry


def parse(data: bytes) -> RegistryBody:
    """A registry from its JSON. Raises `Malformed`."""
    return strict_json.load(data, RegistryBody)


def changes(old: RegistryBody, new: RegistryBody) -> Iterator[str]:
    """What is otherwise in the new version, one line each, in the words of the registry."""
    for part in PARTS:
        before: Mapping[str, object] = getattr(old, part)
        after: Mapping[str, object] = getattr(new, part)
        for code in sorted(before.keys() | after.keys()):
            if code not in after:
                yield f"{part}: {code} is gone"
            elif code not in before:
                yield f"{part}: {code} is new{_members(after[code])}"
            elif before[code] != after[code]:
                yield f"{part}: {code} is another{_members(after[code])}"
    if set(old.purposes) != set(new.purposes):
        yield f"purposes: {', '.join(new.purposes)}"


def _members(value: object) -> str:
    return f": {', '.join(map(str, value))}" if isinstance(value, tuple) else ""


def draft(
    directory: Directory,
    body: RegistryBody,
    roots: Sequence[Identity],
    *,
    now: int,
    random: Random,
) -> Statement:
    """The next version, signed by these roots; others may have to sign it too.

    Raises what the fold raises for a version that cannot follow.
    """
    ceremony = Ceremony(directory, now=now, random=random, whole=False)
    return ceremony.publish_registry(body, proposal.by(directory, roots))


def body_of(raw: bytes) -> RegistryBody:
    """What a proposal would put in force. Raises `Malformed` ("bad-statement") for another one."""
    statement = statements.parse(raw)
    if statement.head.type != "registry.publish":
        raise Malformed("bad-statement", "it is no version of the registry")
    return statement.body(RegistryPublish).registry
