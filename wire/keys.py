"""Public encryption keys: their size and their names. Private ones live with the clients."""

import hashlib
from typing import Final

SUITE: Final = 2  # HPKE MLKEM1024-P384 / HKDF-SHA384 / AES-256-GCM, and what goes with it
SEAL_KEY: Final = 1_665  # bytes: ML-KEM-1024 key (1,568) and P-384 point (97)
WRAP: Final = 1_713  # bytes: KEM ciphertext (1,568 + 97), 32-byte content key, 16-byte tag


def seal_kid(public: bytes) -> str:
    """The name of an encryption key: 16 bytes of SHA-256, 32 hex digits."""
    return hashlib.sha256(b"tearline/seal-kid\0" + public).hexdigest()[:32]
