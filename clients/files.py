"""Small files: read within a bound, written only where there was none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wire.errors import Malformed, quoted


def read(path: Path, limit: int, slug: str = "bad-input") -> bytes:
    """A file of at most `limit` bytes. Raises `Malformed` with this slug."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Malformed(slug, f"no readable file {quoted(path.name)}") from error
    if len(data) > limit:
        raise Malformed(slug, f"the file {quoted(path.name)} is too large")
    return data


@contextmanager
def meant(path: Path, what: str) -> Iterator[None]:
    """Say of a file that is not what it was given as which one it is, and what it should be.

    Raises `Malformed` ("bad-input") for any other in the block.
    """
    try:
        yield
    except Malformed as error:
        detail = f"{quoted(path.name)} is not {what}: {error.detail}"
        raise Malformed("bad-input", detail) from error


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """A new file; none is written over. Raises `Malformed` ("bad-input")."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Malformed("bad-input", f"{quoted(path.name)} cannot be written") from error


def replace(path: Path, data: bytes) -> None:
    """Other bytes in a file's place, whole or not at all. Raises `Malformed` ("bad-input")."""
    beside = path.with_name(path.name + ".new")
    write_new(beside, data)
    beside.replace(path)
