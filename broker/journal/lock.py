"""One process at a time: SQLite allows several writers to a file, a transparency log does not.

The lock belongs to the open file, so the kernel drops it when the process ends in any way.
"""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from wire.errors import BrokerFault

LOCK_FILE: Final = "journal.lock"


class FolderLock:
    """The right to use a journal folder, held until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Raises `BrokerFault` "locked" if anybody holds it, this process included."""
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise BrokerFault("locked") from None
        return cls(descriptor)

    def release(self) -> None:
        """Let the next process in. The file stays: removing it would let two hold "the" lock."""
        os.close(self._descriptor)
