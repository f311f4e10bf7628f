"""The last checkpoint, kept outside the database because a database cannot see its own rollback.

Who can change this file can stop the broker from starting. Only who changes it *and* the database
*and* every witness can hide a rollback.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path


class Anchor:
    """The anchor file, written by a thread of its own: an fsync must not hold up the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="anchor")

    async def write(self, note: str) -> None:
        """Replace the anchor durably. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, write_anchor, self._path, note)

    def read(self) -> str | None:
        """The checkpoint note in the anchor, unchecked, or None if there is no anchor."""
        with suppress(FileNotFoundError):
            return self._path.read_bytes().decode("utf-8", "replace")
        return None

    def close(self) -> None:
        """Wait for a write under way, so that it cannot land on a successor's anchor."""
        self._thread.shutdown()


def write_anchor(path: Path, note: str) -> None:
    """Replace the anchor: see `write_durably`."""
    write_durably(path, note.encode())


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file durably: a crash leaves the old one or the new one, never a torn one.

    An fsync that failed is not tried again, because the kernel may have dropped the bytes and
    would call the second one a success. Raises `OSError`.
    """
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
