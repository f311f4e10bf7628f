"""Padding, so that the size of a ciphertext says little about what is inside.

    padded := length u64 big-endian | data | zeros        of `padded_size` bytes in all

The size follows Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
Communication with PURBs", PETS 2019): at most 12 % longer, and only O(log log n) bits of the length
remain visible. Below `FLOOR` all sizes are one.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from wire.errors import Malformed

PREFIX: Final = 8
PIECE: Final = 1 << 20  # bytes of a file in memory at a time
FLOOR: Final = 256  # bytes: a line of text and a short paragraph look the same


def padded_size(length: int) -> int:
    """How many bytes `length` bytes of data take once padded."""
    size = max(FLOOR, PREFIX + length)
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def pad(data: bytes) -> bytes:
    """`data` with its length before it and zeros after it."""
    return _prefix(len(data)) + data + bytes(_zeros(len(data)))


def unpad(padded: bytes) -> bytes:
    """The data inside.

    Raises `Malformed` ("bad-content") for anything that `pad` would not have made.
    """
    length = _length(padded)
    _check(length, len(padded))
    end = PREFIX + length
    if any(padded[end:]):
        raise Malformed("bad-content", "the padding is not zeros")
    return padded[PREFIX:end]


# -- the same for files, a piece at a time


def padded_pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """What `pad` would give for the `size` bytes of a file.

    Raises `Malformed` ("bad-input") if the file does not hold just as many.
    """
    yield _prefix(size)
    left = size
    while piece := file.read(PIECE):
        left -= len(piece)
        yield piece
    if left:
        raise Malformed("bad-input", "a file changed while it was read")
    left = _zeros(size)
    while left:
        yield bytes(min(left, PIECE))
        left -= min(left, PIECE)


class Unpadding:
    """Writes the data inside a padded stream to a file, and checks what stands around it."""

    def __init__(self, into: BinaryIO) -> None:
        self._into, self._start = into, b""
        self._length, self._left, self._seen = -1, 0, 0

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises `Malformed` ("bad-content")."""
        self._seen += len(piece)
        if self._length < 0:
            self._start += piece
            if len(self._start) < PREFIX:
                return
            self._length = self._left = _length(self._start)
            piece, self._start = self._start[PREFIX:], b""
        data, rest = piece[: self._left], piece[self._left :]
        self._left -= len(data)
        self._into.write(data)
        if any(rest):
            raise Malformed("bad-content", "the padding is not zeros")

    def finish(self) -> int:
        """The length of the data. Raises `Malformed` ("bad-content") unless it is all there."""
        _check(self._length, self._seen)
        return self._length


def _prefix(length: int) -> bytes:
    return struct.pack(">Q", length)


def _zeros(length: int) -> int:
    return padded_size(length) - PREFIX - length


def _length(start: bytes) -> int:
    """The length that stands in the first bytes. Raises `Malformed` ("bad-content")."""
    if len(start) < PREFIX:
        raise Malformed("bad-content", "too short to be padded")
    length: int = struct.unpack_from(">Q", start)[0]
    return length


def _check(length: int, total: int) -> None:
    """Check that `length` bytes of data are padded to `total`.

    Raises `Malformed` ("bad-content").
    """
    if not 0 <= length <= total or padded_size(length) != total:
        raise Malformed("bad-content", "padded to another size than its length asks for")
