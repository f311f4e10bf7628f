r"""Keys that open what is sealed: the only home of HPKE, and the keys of a nation's epochs.

A nation's reports are sealed to the keys of an epoch, one a level. All of them come from one seed:

    seed[top]      48 random bytes
    seed[level-1]  = HKDF-Expand-SHA384(seed[level], "tearline/level\\0" ‖ nation ‖ epoch ‖ level-1)
    key[level]     = HKDF-Expand-SHA384(seed[level], "tearline/epoch-key\\0" ‖ suite), 120 bytes:
                     ML-KEM-1024 seed (64) ‖ P-384 scalar (56, reduced as FIPS 186-5 A.2.1)

The steps go one way. Who was granted SECRET derives everything below it, and nothing above.
`random` is always an argument: give `os.urandom`.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM1024P384PrivateKey,
    MLKEM1024P384PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire import base64_strict, composite
from wire.bodies import EpochGrant
from wire.errors import Malformed, NotAllowed
from wire.keys import SEAL_KEY, SUITE, seal_kid
from wire.vocabulary import Vocabulary

Random = Callable[[int], bytes]

ML_KEM_SEED: Final = 64
ML_KEM_KEY: Final = 1_568
UNIFORM_SCALAR: Final = 56
SEAL_MATERIAL: Final = ML_KEM_SEED + UNIFORM_SCALAR
LEVEL_SEED: Final = 48
OVERHEAD: Final = ML_KEM_KEY + 97 + 16  # what HPKE adds: KEM ciphertext, point, tag

_HPKE: Final = Suite(KEM.MLKEM1024_P384, KDF.HKDF_SHA384, AEAD.AES_256_GCM)


# -- sealing to a key, and the key that opens


def seal_to(public: bytes, secret: bytes, info: bytes) -> bytes:
    """`secret` wrapped so that only the holder of the key behind `public` opens it, with `info`.

    Raises `Malformed` ("bad-statement") if `public` is no key.
    """
    return _HPKE.encrypt(secret, _parsed(public), info=info)


class SealKey:
    """A private HPKE key (ML-KEM-1024 with P-384) from 120 uniform bytes."""

    def __init__(self, material: bytes) -> None:
        if len(material) != SEAL_MATERIAL:
            raise Malformed("bad-identity", "a seal key has the wrong length")
        scalar = composite.p384_scalar(material[ML_KEM_SEED:])
        self._post_quantum = mlkem.MLKEM1024PrivateKey.from_seed_bytes(material[:ML_KEM_SEED])
        self._classical = ec.derive_private_key(scalar, ec.SECP384R1())
        self._key = MLKEM1024P384PrivateKey(self._post_quantum, self._classical)

    @cached_property
    def public(self) -> bytes:
        """The public key, 1,665 bytes: ML-KEM key, then the uncompressed point."""
        point = self._classical.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return self._post_quantum.public_key().public_bytes_raw() + point

    @cached_property
    def kid(self) -> str:
        """The key's name, 32 hex digits."""
        return seal_kid(self.public)

    def open(self, wrap: bytes, info: bytes) -> bytes:
        """What was sealed to this key with this `info`.

        Raises `Malformed` ("undecryptable") for anything else.
        """
        try:
            return _HPKE.decrypt(wrap, self._key, info=info)
        except (InvalidTag, ValueError) as error:
            raise Malformed("undecryptable", "a key wrap does not open") from error


@lru_cache(maxsize=1_024)
def _parsed(public: bytes) -> MLKEM1024P384PublicKey:
    """A sender seals to the same few nations again and again."""
    post_quantum, point = public[:ML_KEM_KEY], public[ML_KEM_KEY:SEAL_KEY]
    if len(public) != SEAL_KEY:
        raise Malformed("bad-statement", "a recipient's key has the wrong length")
    try:
        return MLKEM1024P384PublicKey(
            mlkem.MLKEM1024PublicKey.from_public_bytes(post_quantum),
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), point),
        )
    except ValueError as error:
        raise Malformed("bad-statement", "a recipient's key is not a key") from error


# -- epochs


@dataclass(frozen=True)
class EpochSeed:
    """The seed of one epoch of one nation at one level; everything below follows from it."""

    nation: str
    epoch: int
    level: int
    seed: bytes

    def __repr__(self) -> str:
        return f"EpochSeed({self.nation}, epoch {self.epoch}, level {self.level})"

    def at(self, level: int) -> "EpochSeed":
        """The seed at this or a lower level. Raises `NotAllowed` ("no-key") upward."""
        if not 0 <= level <= self.level:
            raise NotAllowed("no-key", f"epoch {self.epoch} was granted up to level {self.level}")
        seed = self.seed
        for step in range(self.level - 1, level - 1, -1):
            place = self.nation.encode() + struct.pack(">IB", self.epoch, step)
            seed = HKDFExpand(SHA384(), LEVEL_SEED, b"tearline/level\0" + place).derive(seed)
        return EpochSeed(self.nation, self.epoch, level, seed)

    def key(self) -> SealKey:
        """The key pair of this level."""
        info = b"tearline/epoch-key\0" + bytes([SUITE])
        return SealKey(HKDFExpand(SHA384(), SEAL_MATERIAL, info).derive(self.seed))


def grant_info(nation: str, epoch: int, level: int, member: str, seal: str) -> bytes:
    """HPKE info of a grant: it opens for this member, at this level of this epoch, only."""
    place = struct.pack(">IB", epoch, level) + bytes.fromhex(member) + bytes.fromhex(seal)
    return b"tearline/grant\0" + bytes([SUITE]) + nation.encode() + place


def grant(seed: EpochSeed, member: str, seal_public: bytes) -> bytes:
    """The seed wrapped to one member's seal key."""
    info = grant_info(seed.nation, seed.epoch, seed.level, member, seal_kid(seal_public))
    return seal_to(seal_public, seed.seed, info)


class Holder(Protocol):
    """A member as far as grants concern it: its name, and the key they are wrapped to."""

    seal: SealKey

    @property
    def kid(self) -> str:
        """The member's name."""


class EpochKeyring:
    """What a member can open: the seeds it was granted, and every key that follows from them.

    Grants are opened, and keys derived, when they are first needed (milliseconds), then kept.
    """

    def __init__(self, keys: Holder, nation: str) -> None:
        self._keys, self._nation = keys, nation
        self._grants: dict[int, tuple[int, str]] = {}
        self._seeds: dict[int, EpochSeed] = {}
        self._derived: dict[tuple[int, int], SealKey] = {}

    @classmethod
    def from_grants(
        cls, keys: Holder, nation: str, grants: Iterable[EpochGrant], vocabulary: Vocabulary
    ) -> "EpochKeyring":
        """A keyring from the nation's grants; those to other members are passed over."""
        ring = cls(keys, nation)
        for body in grants:
            if body.member == keys.kid:
                ring.add(body.epoch, vocabulary.level(body.level), body.wrap)
        return ring

    def add(self, epoch: int, level: int, wrap: str) -> None:
        """Take one more grant; the highest of an epoch counts."""
        if level > self._grants.get(epoch, (-1, ""))[0]:
            self._grants[epoch] = (level, wrap)
            self._seeds.pop(epoch, None)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs it holds a grant of."""
        return tuple(sorted(self._grants))

    def seed(self, epoch: int) -> EpochSeed:
        """The highest seed granted of an epoch.

        Raises `NotAllowed` ("no-key") without a grant, `Malformed` ("undecryptable") if the grant
        does not open.
        """
        if epoch not in self._seeds:
            if epoch not in self._grants:
                raise NotAllowed("no-key", f"nothing was granted of epoch {epoch}")
            level, wrap = self._grants[epoch]
            info = grant_info(self._nation, epoch, level, self._keys.kid, self._keys.seal.kid)
            raw = self._keys.seal.open(base64_strict.decode(wrap, "undecryptable"), info)
            if len(raw) != LEVEL_SEED:
                raise Malformed("undecryptable", f"the grant of epoch {epoch} holds no seed")
            self._seeds[epoch] = EpochSeed(self._nation, epoch, level, raw)
        return self._seeds[epoch]

    def key(self, epoch: int, level: int, kid: str) -> SealKey:
        """The key of this epoch and level, which must have this name.

        Raises `NotAllowed` ("no-key") if it was not granted or is another key, `Malformed`
        ("undecryptable") if the grant does not open.
        """
        at = (epoch, level)
        if at not in self._derived:
            self._derived[at] = self.seed(epoch).at(level).key()
        key = self._derived[at]
        if key.kid != kid:
            raise NotAllowed("no-key", f"the seed granted of epoch {epoch} leads to other keys")
        return key

    def __repr__(self) -> str:
        return f"EpochKeyring({self._nation}, epochs {list(self.epochs)})"
