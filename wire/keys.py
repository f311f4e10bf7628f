"""Public encryption keys: their form and their names. Private ones live with the clients."""

import hashlib
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, mlkem

from wire.errors import Malformed

SUITE: Final = 2  # HPKE MLKEM1024-P384 / HKDF-SHA384 / AES-256-GCM, and what goes with it
ML_KEM_KEY: Final = 1_568  # bytes of an ML-KEM-1024 encapsulation key
SEAL_KEY: Final = 1_665  # bytes: ML-KEM-1024 key, then the uncompressed P-384 point (97)
GRANT: Final = 1_729  # bytes: KEM ciphertext, 48-byte level seed, 16-byte tag
WRAP: Final = 1_713  # bytes: KEM ciphertext (1,568 + 97), 32-byte content key, 16-byte tag


def check_seal_key(public: bytes) -> None:
    """Refuse bytes to which nobody could seal: FIPS 203 §7.2 and the curve equation.

    One nation that publishes such a key would otherwise stop everybody who writes to it.
    Raises `Malformed` ("bad-statement").
    """
    if len(public) != SEAL_KEY:
        raise Malformed("bad-statement", "an encryption key has the wrong length")
    try:
        mlkem.MLKEM1024PublicKey.from_public_bytes(public[:ML_KEM_KEY])
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), public[ML_KEM_KEY:])
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed("bad-statement", "an encryption key is not valid") from error


def seal_kid(public: bytes) -> str:
    """The name of an encryption key: 16 bytes of SHA-256, 32 hex digits."""
    return hashlib.sha256(b"tearline/seal-kid\0" + public).hexdigest()[:32]
