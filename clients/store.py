"""A client's small encrypted store: one file a name, written whole or not at all.

Whoever can change these files can make the client forget what it saw (it then follows the journal
from its pinned charter again) but cannot make it believe anything: everything is verified before
it is stored, and AES-256-GCM with the name as associated data ties each file to its place.
"""

import errno
import fcntl
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire.errors import Malformed

NONCE: Final = 12
TAG: Final = 16


class Store:
    """Named pieces of bytes below one folder. `key` is 32 bytes."""

    def __init__(self, folder: Path, key: bytes, random: Callable[[int], bytes]) -> None:
        self._folder, self._cipher, self._random = folder, AESGCM(key), random

    def put(self, name: str, data: bytes, *, lasting: bool = True) -> None:
        """Store it: whatever happens to this process, the old bytes are there or these.

        `lasting` waits until a power cut cannot change that either. Without, it is much faster, and
        a power cut may take the last seconds of it.
        """
        self._replace(self._path(name), self._sealed(name, data), lasting=lasting)

    def get(self, name: str) -> bytes | None:
        """The bytes under this name, None if there are none. Raises `Malformed` if altered."""
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        data = self._opened(name, sealed)
        if data is None:
            raise Malformed("bad-identity", f"the local store was altered at {name}")
        return data

    def drop(self, name: str) -> None:
        """Forget it."""
        self._path(name).unlink(missing_ok=True)

    def append(self, name: str, record: bytes) -> None:
        """Add a record to a list; all records of one list are of one length.

        The list survives the end of this process; a power cut may take the last seconds of it.
        """
        sealed = self._sealed(name, record)
        with self._list(name, os.O_CREAT | os.O_APPEND) as file:
            end = os.fstat(file.fileno()).st_size
            if torn := end % len(sealed):  # what a full disk cut off was never kept
                file.truncate(end - torn)
            try:
                _write(file, sealed)
            except OSError:
                file.truncate(end - torn)
                raise

    def records(self, name: str, length: int) -> list[bytes]:
        """The records of a list, in order. What does not open was never kept, and is cut off."""
        size, found = NONCE + length + TAG, list[bytes]()
        if name not in self:
            return found
        with self._list(name) as file:
            while sealed := file.read(size):
                record = self._opened(name, sealed)
                if record is None:
                    file.truncate(len(found) * size)
                    break
                found.append(record)
        return found

    @contextmanager
    def _list(self, name: str, flags: int = 0) -> Iterator[io.FileIO]:
        """The file of a list; other processes of the same member wait."""
        with io.FileIO(self._open(self._path(name), os.O_RDWR | flags), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def publish(self, file: str, data: bytes) -> Path:
        """Write a plain file that others are meant to read, durably; gives its place."""
        path = self._folder / file
        self._replace(path, data, lasting=True)
        return path

    def __contains__(self, name: str) -> bool:
        return self._path(name).exists()

    def _sealed(self, name: str, data: bytes) -> bytes:
        nonce = self._random(NONCE)
        return nonce + self._cipher.encrypt(nonce, data, name.encode())

    def _opened(self, name: str, sealed: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
        except (InvalidTag, ValueError):
            return None

    def _replace(self, path: Path, data: bytes, *, lasting: bool) -> None:
        fresh = path.with_suffix(f".{self._random(4).hex()}.new")
        try:
            with io.FileIO(self._open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
                _write(file, data)
                if lasting:
                    os.fsync(file.fileno())
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        fresh.replace(path)
        if lasting:
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _open(self, path: Path, flags: int) -> int:
        """Open a file that only its owner reads; the folder is made with the first one."""
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(path, flags, 0o600)

    def _path(self, name: str) -> Path:
        """The file of a name: hashed, so that the folder's listing says nothing."""
        return self._folder / hashlib.sha256(b"tearline/store\0" + name.encode()).hexdigest()[:40]


def _write(file: io.FileIO, data: bytes) -> None:
    """All of it, in one go: another process may write as well. Raises `OSError`."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
