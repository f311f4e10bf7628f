"""A small drawn picture, so that the demonstration has something to attach: a PNG of our own."""

import hashlib
import struct
import zlib

SIZE = 96  # pixels a side


def picture(subject: str) -> bytes:
    """A PNG whose rings and colours depend on the subject; the same for the same words."""
    red, green, blue, ring, *_ = hashlib.sha256(subject.encode()).digest()
    rows = bytearray()
    for y in range(SIZE):
        rows.append(0)
        for x in range(SIZE):
            distance = (x - SIZE // 2) ** 2 + (y - SIZE // 2) ** 2
            shade = 1 if (distance // (40 + ring)) % 2 else 2
            rows += bytes((red // shade, green // shade, blue // shade))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
