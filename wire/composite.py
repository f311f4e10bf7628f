"""Composite signatures: ML-DSA-87 and ECDSA P-384 over one message; both must verify.

draft-ietf-lamps-pq-composite-sigs, id-MLDSA87-ECDSA-P384-SHA512 (OID 1.3.6.1.5.5.7.6.49):
``M' = prefix ‖ label ‖ len(ctx) ‖ ctx ‖ SHA-512(M)``, signed by each component.

A composite signature is not strongly unforgeable: the same key can make, and anybody can derive,
another valid signature over the same bytes. Identity is therefore always the hash of the signed
bytes, never of the signature.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.errors import Malformed

PREFIX: Final = b"CompositeAlgorithmSignatures2025"
LABEL: Final = b"COMPSIG-MLDSA87-ECDSA-P384-SHA512"
ML_DSA_KEY: Final = 2592
ML_DSA_SIGNATURE: Final = 4627
POINT: Final = 97
PUBLIC_KEY: Final = ML_DSA_KEY + POINT
ECDSA_SIGNATURE_MAX: Final = 104  # DER of two 48-byte integers
SIGNATURE_MAX: Final = ML_DSA_SIGNATURE + ECDSA_SIGNATURE_MAX
SEED: Final = 32
SCALAR: Final = 48
PRIVATE_KEY: Final = SEED + SCALAR
P384_ORDER: Final = int(  # SEC 2 version 2.0, section 2.5.1
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)

# One key has one use, and its context says which. No two uses share a context.
REPORT: Final = b"tearline/report"
STATEMENT: Final = b"tearline/statement"


def _representative(message: bytes, context: bytes) -> bytes:
    digest = hashlib.sha512(message).digest()
    return PREFIX + LABEL + bytes([len(context)]) + context + digest


@dataclass(frozen=True)
class VerifyKey:
    """A public key, 2,689 bytes: ML-DSA-87 key, then the uncompressed P-384 point."""

    raw: bytes

    def __post_init__(self) -> None:
        """Parse at once: a key that cannot verify anything is not a key.

        Raises `Malformed` ("bad-signature") if the bytes are no such key.
        """
        if len(self.raw) != PUBLIC_KEY:
            raise Malformed("bad-signature", "the public key has the wrong length")
        try:
            _ = self._components
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Malformed("bad-signature", "the public key is not valid") from error

    @cached_property
    def _components(self) -> tuple[mldsa.MLDSA87PublicKey, ec.EllipticCurvePublicKey]:
        return (
            mldsa.MLDSA87PublicKey.from_public_bytes(self.raw[:ML_DSA_KEY]),
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), self.raw[ML_DSA_KEY:]),
        )

    @cached_property
    def kid(self) -> str:
        """The key's name: 16 bytes of SHA-256, 32 hex digits."""
        return hashlib.sha256(b"tearline/kid\0" + self.raw).hexdigest()[:32]

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Return only if both components signed exactly this message in this context.

        Raises `Malformed` ("bad-signature") otherwise.
        """
        post_quantum, classical = self._components
        representative = _representative(message, context)
        try:
            classical.verify(
                signature[ML_DSA_SIGNATURE:], representative, ec.ECDSA(hashes.SHA384())
            )
            post_quantum.verify(signature[:ML_DSA_SIGNATURE], representative, LABEL)
        except InvalidSignature as error:
            raise Malformed("bad-signature") from error


Verify = Callable[[VerifyKey, bytes, bytes, bytes], None]
"""Verifies, or knows what verifying would say: key, signature, message and context."""


def verify_anew(key: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
    """Whatever was verified before. Raises `Malformed` ("bad-signature")."""
    key.verify(signature, message, context)


class SigningKey:
    """A private key, 80 bytes: ML-DSA-87 seed, then the P-384 scalar, big-endian.

    Raises `Malformed` ("bad-signature") if the bytes are no such key.
    """

    def __init__(self, private: bytes) -> None:
        if len(private) != PRIVATE_KEY:
            raise Malformed("bad-signature", "the private key has the wrong length")
        self._post_quantum = mldsa.MLDSA87PrivateKey.from_seed_bytes(private[:SEED])
        scalar = int.from_bytes(private[SEED:], "big")
        if not 0 < scalar < P384_ORDER:
            raise Malformed("bad-signature", "the private key is not valid")
        self._classical = ec.derive_private_key(scalar, ec.SECP384R1())

    @cached_property
    def public(self) -> VerifyKey:
        """The key that verifies what this one signs."""
        point = self._classical.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return VerifyKey(self._post_quantum.public_key().public_bytes_raw() + point)

    def sign(self, message: bytes, context: bytes) -> bytes:
        """The composite signature, at most `SIGNATURE_MAX` bytes. Hedged: no two are equal."""
        representative = _representative(message, context)
        return self._post_quantum.sign(representative, LABEL) + self._classical.sign(
            representative, ec.ECDSA(hashes.SHA384())
        )


def private_key(seed: bytes, uniform: bytes) -> bytes:
    """Private bytes from 32 random bytes and 56 more for an unbiased scalar (FIPS 186-5 A.2.1)."""
    assert len(seed) == SEED
    assert len(uniform) == SCALAR + 8
    return seed + p384_scalar(uniform).to_bytes(SCALAR, "big")


def p384_scalar(uniform: bytes) -> int:
    """A scalar in [1, n-1] from 56 uniform bytes: the extra 64 bits make the bias negligible."""
    return int.from_bytes(uniform, "big") % (P384_ORDER - 1) + 1
