"""Who acts in the test world, with keys that are the same in every run and made only once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from clients.keys import EpochSeed
from clients.member_keys import MemberKeys, RootKeys
from wire.bodies import Kind
from wire.composite import SigningKey

Random = Callable[[int], bytes]


def random_of(*name: object) -> Random:
    """A source of bytes that depends on its name only; each call continues the stream."""
    seed = "\0".join(map(str, name)).encode()
    calls = 0

    def take(count: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(b"tearline test world\0%d\0%s" % (calls, seed)).digest(count)

    return take


@cache
def member_keys(nation: str, name: str) -> MemberKeys:
    """The keys of a member of the test world."""
    return MemberKeys.generate(random_of("member", nation, name))


@cache
def root_keys(nation: str, version: int, count: int) -> tuple[SigningKey, ...]:
    """The keys of one version of a nation's root."""
    return root_material(nation, version, count).keys


@cache
def root_material(nation: str, version: int, count: int) -> RootKeys:
    """The same, as clients keep them."""
    return RootKeys.generate(count, random_of("root", nation, version))


@cache
def epoch_seed(nation: str, epoch: int, level: int) -> EpochSeed:
    """The seed of an epoch at this level: random at the top, derived below."""
    top = EpochSeed(nation, epoch, 7, random_of("epoch", nation, epoch)(48))
    return top if level == top.level else top.at(level)


@cache
def epoch_public(nation: str, epoch: int, level: int) -> bytes:
    """The public key of one level of an epoch."""
    return epoch_seed(nation, epoch, level).key().public


@dataclass(frozen=True)
class Person:
    """A member of a nation: a device or a system, with its keys."""

    nation: str
    name: str
    kind: Kind
    clearance: str

    @property
    def keys(self) -> MemberKeys:
        """Its private keys."""
        return member_keys(self.nation, self.name)

    @property
    def sign(self) -> SigningKey:
        """The key with which it signs reports and statements."""
        return self.keys.sign

    @property
    def kid(self) -> str:
        """Its name in the directory."""
        return self.keys.kid
