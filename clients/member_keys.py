"""The private keys of a member and of a nation's root.

A member has three keys for three uses: it signs (composite), it opens what is sealed to it (HPKE),
it signs its requests (Ed25519); and one more that never leaves it, for its own store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from clients.keys import SEAL_MATERIAL, UNIFORM_SCALAR, Random, SealKey
from wire import base64_strict, composite, strict_json
from wire.bodies import Base64, Kind
from wire.composite import SigningKey
from wire.errors import Malformed
from wire.model import Hex16B, Strict

REQUEST_SEED: Final = 32
STORE_KEY: Final = 32
APPOINTING_SEED: Final = 32


@dataclass(frozen=True)
class MemberCard:
    """The public halves of a member's keys: what an officer signs into the directory."""

    kid: str
    sign_key: bytes
    seal_key: bytes
    request_key: bytes

    def fields(self) -> dict[str, str]:
        """Name and keys (base64), as they stand in `member.add` and in a card file."""
        keys = {name: getattr(self, name) for name in ("sign_key", "seal_key", "request_key")}
        return {"kid": self.kid, **{name: base64_strict.encode(k) for name, k in keys.items()}}

    @classmethod
    def parse(cls, data: bytes) -> "tuple[Kind, MemberCard]":
        """Kind and card, from the JSON of a card file. Raises `Malformed` ("bad-input")."""
        try:
            card = strict_json.load(data, _Card)
            sign, seal, request = (
                base64_strict.decode(key)
                for key in (card.sign_key, card.seal_key, card.request_key)
            )
            name = composite.VerifyKey(sign).kid
        except Malformed as error:
            raise Malformed("bad-input", f"not a member's card: {error.detail}") from error
        if name != card.kid:
            raise Malformed("bad-input", "the card's name is not that of its key")
        return card.kind, cls(card.kid, sign, seal, request)


class _Card(Strict):
    kind: Kind
    kid: Hex16B
    sign_key: Base64
    seal_key: Base64
    request_key: Base64


class MemberKeys:
    """The private keys of one member. They are never shown, not even by `repr`."""

    def __init__(self, sign: bytes, seal: bytes, request: bytes, store: bytes) -> None:
        if len(request) != REQUEST_SEED or len(store) != STORE_KEY:
            raise Malformed("bad-identity", "a key has the wrong length")
        self._private = (sign, seal, request, store)
        self.sign = SigningKey(sign)
        self.seal = SealKey(seal)
        self.request = Ed25519PrivateKey.from_private_bytes(request)
        self.store = store

    @classmethod
    def generate(cls, random: Random) -> "MemberKeys":
        """New keys."""
        return cls(
            _signing_private(random), random(SEAL_MATERIAL), random(REQUEST_SEED), random(STORE_KEY)
        )

    @classmethod
    def from_private(cls, fields: Mapping[str, str]) -> "MemberKeys":
        """From what `private` gave. Raises `Malformed` ("bad-identity")."""
        return cls(*(_private_field(fields, name) for name in _MEMBER_FIELDS))

    def private(self) -> dict[str, str]:
        """The private bytes as base64, for the key store alone."""
        pairs = zip(_MEMBER_FIELDS, self._private, strict=True)
        return {name: base64_strict.encode(raw) for name, raw in pairs}

    @property
    def kid(self) -> str:
        """The member's name: that of its signing key."""
        return self.sign.public.kid

    @property
    def card(self) -> MemberCard:
        """The public halves."""
        request = self.request.public_key().public_bytes_raw()
        return MemberCard(self.kid, self.sign.public.raw, self.seal.public, request)

    def __repr__(self) -> str:
        return f"MemberKeys({self.kid})"


_APPOINTING: Final = "appointing"
_MEMBER_FIELDS: Final = ("sign", "seal", "request", "store")


class RootKeys:
    """The root signing keys of a nation that are held in one place.

    A pilot keeps all in one folder; in real use each officer holds one.
    """

    def __init__(self, *private: bytes, appointing: bytes | None = None) -> None:
        self._private, self._appointing = private, appointing
        self.keys = tuple(SigningKey(p) for p in private)
        self.appointer = (
            None if appointing is None else MLDSA44PrivateKey.from_seed_bytes(appointing)
        )
        """What appoints the keys of the nation's witness, if it is held here."""

    @classmethod
    def generate(cls, count: int, random: Random) -> "RootKeys":
        """`count` new keys, and the one that appoints a witness's."""
        private = [_signing_private(random) for _ in range(count)]
        return cls(*private, appointing=random(APPOINTING_SEED))

    @classmethod
    def from_private(cls, fields: Mapping[str, str]) -> "RootKeys":
        """From what `private` gave. Raises `Malformed` ("bad-identity")."""
        roots = (_private_field(fields, name) for name in sorted(fields) if name != _APPOINTING)
        seed = _private_field(fields, _APPOINTING) if _APPOINTING in fields else None
        return cls(*roots, appointing=seed)

    def private(self) -> dict[str, str]:
        """The private bytes as base64, for the key store alone."""
        held = {f"root-{i:02}": raw for i, raw in enumerate(self._private)}
        if self._appointing is not None:
            held[_APPOINTING] = self._appointing
        return {name: base64_strict.encode(raw) for name, raw in held.items()}

    @property
    def kid(self) -> str:
        """What the folder is called: the lowest of its keys' names."""
        return min(key.public.kid for key in self.keys)

    def __repr__(self) -> str:
        return f"RootKeys({len(self.keys)} keys)"


def _signing_private(random: Random) -> bytes:
    return composite.private_key(random(composite.SEED), random(UNIFORM_SCALAR))


def _private_field(fields: Mapping[str, str], name: str) -> bytes:
    if name not in fields:
        raise Malformed("bad-identity", f"the key `{name}` is missing")
    return base64_strict.decode(fields[name], "bad-identity")
