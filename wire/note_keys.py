"""Keys that sign checkpoints: their written form (C2SP signed-note), and signers that hold one."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from wire import base64_strict
from wire.errors import Malformed

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
MLDSA44_COSIGNATURE: Final = 0x06

PUBLIC_BYTES: Final = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
NAME_BYTES: Final = 255
"""The length of a name is one byte in what an ML-DSA-44 cosigner signs."""

_NAME: Final = re.compile("[^\\s+\x00-\x1f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class VKey:
    """A public key with its name and kind, written ``name+id+base64(kind ‖ key)``.

    Raises `Malformed` ``bad-checkpoint`` for a kind, name or length that we do not use.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name.encode()) > NAME_BYTES:
            raise _bad("the name of a key is empty, too long, or has spaces or plus signs")
        if len(self.public) != PUBLIC_BYTES.get(self.kind):
            raise _bad("not a kind of key that signs checkpoints here")

    @classmethod
    def parse(cls, text: str) -> "VKey":
        """Read the written form; its key id must be the right one."""
        name, _, rest = text.partition("+")
        key_id, _, material = rest.partition("+")
        raw = base64_strict.decode(material, "bad-checkpoint")
        key = cls(name, raw[0] if raw else 0, raw[1:])
        if key.id.hex() != key_id:
            raise _bad("the id of a verification key is not its own")
        return key

    @property
    def id(self) -> bytes:
        """Four bytes that name the key in signature lines; an identifier, not a strong hash."""
        material = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(material).digest()[:4]

    def __str__(self) -> str:
        material = base64_strict.encode(bytes([self.kind]) + self.public)
        return f"{self.name}+{self.id.hex()}+{material}"


class NoteSigner(Protocol):
    """What signs checkpoints: a key here, or a device that holds one."""

    @property
    def vkey(self) -> VKey:
        """Its public key, name and kind."""

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the message."""


class Ed25519Signer:
    """A log's own key (`ED25519`), or a witness's (`ED25519_COSIGNATURE`), from a 32-byte seed."""

    def __init__(self, name: str, seed: bytes, kind: int = ED25519) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.vkey = VKey(name, kind, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(message)


class MLDSA44Signer:
    """A cosigner that quantum computers do not break, from a 32-byte seed."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.vkey = VKey(name, MLDSA44_COSIGNATURE, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature, 2,420 bytes."""
        return self._key.sign(message)


def _bad(detail: str) -> Malformed:
    return Malformed("bad-checkpoint", detail)
