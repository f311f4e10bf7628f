"""The last checkpoint, kept outside the database because a database cannot see its own rollback.

Who can change this file can stop the broker from starting. Only who changes it *and* the database
*and* every witness can hide a rollback.
"""

import os
from contextlib import suppress
from pathlib import Path


def write_anchor(path: Path, note: str) -> None:
    """Replace the anchor durably: a crash leaves the old one or the new one, never a torn one.

    Raises `OSError`; an fsync that failed is not tried again, because the kernel may have dropped
    the bytes and would call the second one a success.
    """
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(note.encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def read_anchor(path: Path) -> str | None:
    """The checkpoint note in the anchor, unchecked, or None if there is no anchor."""
    with suppress(FileNotFoundError):
        return path.read_bytes().decode("utf-8", "replace")
    return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
