"""A client's small encrypted store: one file a name, written whole or not at all.

Whoever can change these files can make the client forget what it saw (it then follows the journal
from its pinned charter again) but cannot make it believe anything: everything is verified before
it is stored, and AES-256-GCM with the name as associated data ties each file to its place.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire.errors import Malformed

NONCE: Final = 12


class Store:
    """Named pieces of bytes below one folder. `key` is 32 bytes."""

    def __init__(self, folder: Path, key: bytes, random: Callable[[int], bytes]) -> None:
        self._folder, self._cipher, self._random = folder, AESGCM(key), random

    def put(self, name: str, data: bytes) -> None:
        """Store it durably: when this returns, a power cut leaves the old bytes or these."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        nonce = self._random(NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, data, name.encode())
        path = self._path(name)
        fresh = path.with_suffix(f".{self._random(4).hex()}.new")
        with fresh.open("xb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, name: str) -> bytes | None:
        """The bytes under this name, None if there are none. Raises `Malformed` if altered."""
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise Malformed("bad-identity", f"the local store was altered at {name}") from error

    def __contains__(self, name: str) -> bool:
        return self._path(name).exists()

    def _path(self, name: str) -> Path:
        """The file of a name: hashed, so that the folder's listing says nothing."""
        return self._folder / hashlib.sha256(b"tearline/store\0" + name.encode()).hexdigest()[:40]
