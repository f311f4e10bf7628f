"""Padding, so that the size of a ciphertext says little about what is inside.

    padded := length u64 big-endian | data | zeros        of `padded_size` bytes in all

The size follows Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
Communication with PURBs", PETS 2019): at most 12 % longer, and only O(log log n) bits of the length
remain visible. Below `FLOOR` all sizes are one.
"""

import struct
from typing import Final

from wire.errors import Malformed

PREFIX: Final = 8
FLOOR: Final = 256  # bytes: a line of text and a short paragraph look the same


def padded_size(length: int) -> int:
    """How many bytes `length` bytes of data take once padded."""
    size = max(FLOOR, PREFIX + length)
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def prefix(length: int) -> bytes:
    """The length, as it stands before the data."""
    return struct.pack(">Q", length)


def zeros(length: int) -> int:
    """How many zero bytes follow `length` bytes of data."""
    return padded_size(length) - PREFIX - length


def pad(data: bytes) -> bytes:
    """`data` with its length before it and zeros after it."""
    return prefix(len(data)) + data + bytes(zeros(len(data)))


def read_prefix(start: bytes, total: int) -> int:
    """The length of the data in `total` padded bytes that begin with `start`.

    Raises `Malformed` ("bad-content") unless `total` is just the size that such data is padded to.
    """
    if len(start) < PREFIX:
        raise Malformed("bad-content", "too short to be padded")
    length: int = struct.unpack_from(">Q", start)[0]
    if length > total or padded_size(length) != total:
        raise Malformed("bad-content", "padded to another size than its length asks for")
    return length


def unpad(padded: bytes) -> bytes:
    """The data inside.

    Raises `Malformed` ("bad-content") for anything that `pad` would not have made.
    """
    end = PREFIX + read_prefix(padded, len(padded))
    if any(padded[end:]):
        raise Malformed("bad-content", "the padding is not zeros")
    return padded[PREFIX:end]
