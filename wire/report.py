"""The sealed report, format TLR1: its layout in bytes.

    report    := head | signature | portion+
    head      := "TLR1" | suite u8 | flags u8 = 0 | header_len u32 | header JSON
    signature := len u16 | composite signature over head, context "tearline/report"
    portion   := index u8 | descriptor_len u32 | descriptor | protected_len u32 | protected JSON
               | wrap_count u16 | (record_index u16 | wrap_len u16 | wrap)*
               | payload_len u64 | payload
    descriptor:= label_len u32 | label JSON | n u16 | record*    n records, ascending by nation
    record    := nation[3] | level u8 | epoch u32 | kid[16] | SHA-256(wrap)[32]

Integers are big-endian. commitment = SHA-256("tearline/portion" ‖ NUL ‖ descriptor); the signature
covers the commitments, so any subset of portions still verifies. In the same way the label covers
the protected JSON, which is cut off for readers (length 0). Identity = SHA-256(head).

This module only takes bytes apart and puts them together. What its JSON says is in `wire.header`,
what binds its keys in `wire.binding`; `wire.verify` decides.
"""

import hashlib
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from wire import composite
from wire.binding import attachment_context, payload_context, portion_context, wrap_info
from wire.errors import Malformed
from wire.header import (
    ATTACHMENT_MAX,
    ATTACHMENTS,
    PORTIONS,
    Attachment,
    Header,
    PortionLabel,
    Protected,
    Sealed,
)
from wire.keys import SUITE, WRAP

__all__ = [  # with the names of `wire.header` and `wire.binding`: one format, one import
    "ATTACHMENTS",
    "ATTACHMENT_MAX",
    "PAYLOAD_MAX",
    "PORTIONS",
    "PROTECTED_MAX",
    "REPORT_MAX",
    "Attachment",
    "Frame",
    "Header",
    "PortionFrame",
    "PortionLabel",
    "Protected",
    "Record",
    "Sealed",
    "attachment_context",
    "commitment",
    "encode_descriptor",
    "encode_head",
    "encode_portion",
    "parse",
    "parse_head",
    "payload_context",
    "portion_context",
    "protected_commitment",
    "signature_block",
    "wrap_info",
]

MAGIC: Final = b"TLR1"
PREAMBLE: Final = struct.Struct(">4sBBI")
RECORD: Final = struct.Struct(">3sBI16s32s")
WRAP_HEAD: Final = struct.Struct(">HH")
WRAPPED: Final = struct.Struct(f"{WRAP_HEAD.format}{WRAP}s")
HEADER_MAX: Final = 65_536  # the limit of the JSON gate
RECORDS_MAX: Final = 64  # nations of a mission
PROTECTED_MAX: Final = 65_536  # as the header
PAYLOAD_MAX: Final = 8 * 1024 * 1024  # larger things travel as attachments
DESCRIPTOR_MAX: Final = 4 + HEADER_MAX + 2 + RECORDS_MAX * RECORD.size
REPORT_MAX: Final = 16 * 1024 * 1024  # one request body


class Record(NamedTuple):
    """That a nation can open a portion, with which of its keys, by which wrap."""

    nation: str
    level: int
    epoch: int
    kid: str
    wrap_sha256: bytes

    def encode(self) -> bytes:
        """The 56 bytes of the record."""
        kid = bytes.fromhex(self.kid)
        return RECORD.pack(self.nation.encode(), self.level, self.epoch, kid, self.wrap_sha256)


@dataclass(frozen=True)
class PortionFrame:
    """One portion's bytes, taken apart but not yet believed."""

    index: int
    descriptor: bytes
    label_bytes: bytes
    records: tuple[Record, ...]
    protected: bytes
    """The JSON of its protected sources; empty where it was cut off."""
    wraps: Mapping[int, bytes]
    payload: bytes

    @cached_property
    def commitment(self) -> str:
        """What the header must hold at this index."""
        return commitment(self.descriptor)

    def encode(self, nation: str | None = None) -> bytes:
        """The portion's bytes; with `nation`, as its readers get it: only that nation's wrap stays,
        and nothing of protected sources.
        """
        protected, wraps = self.protected, self.wraps
        if nation is not None:
            protected = b""
            wraps = {i: wrap for i, wrap in wraps.items() if self.records[i].nation == nation}
        return encode_portion(self.index, self.descriptor, protected, wraps, self.payload)


@dataclass(frozen=True)
class Frame:
    """A report's bytes, taken apart but not yet believed."""

    head: bytes
    header_bytes: bytes
    signature: bytes
    portions: tuple[PortionFrame, ...]

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the head, hex: what a report is called everywhere but by its author."""
        return hashlib.sha256(self.head).hexdigest()

    def redacted(self, keep: Iterable[int], nation: str) -> bytes:
        """What one nation's reader gets: some portions, only its own wraps; the signature holds."""
        wanted = frozenset(keep)
        kept = [p.encode(nation) for p in self.portions if p.index in wanted]
        assert kept, "a reader gets at least one portion"
        return b"".join((self.head, signature_block(self.signature), *kept))

    def shared(self) -> bytes:
        """The whole report without what only the broker is told: what its author may hand on."""
        kept = [replace(p, protected=b"").encode() for p in self.portions]
        return b"".join((self.head, signature_block(self.signature), *kept))

    def stripped(self, gone: Collection[int]) -> bytes:
        """The report without wraps and payload of some portions: descriptors, what they draw on and
        the signature stay, so that it still proves what was said of them, and nobody can read them
        any more.
        """
        left = [
            replace(p, wraps={}, payload=b"").encode() if p.index in gone else p.encode()
            for p in self.portions
        ]
        return b"".join((self.head, signature_block(self.signature), *left))


# -- putting together


def commitment(descriptor: bytes) -> str:
    """SHA-256("tearline/portion" ‖ NUL ‖ descriptor), hex."""
    return hashlib.sha256(b"tearline/portion\0" + descriptor).hexdigest()


def protected_commitment(protected: bytes) -> str:
    """SHA-256("tearline/protected" ‖ NUL ‖ protected JSON), hex."""
    return hashlib.sha256(b"tearline/protected\0" + protected).hexdigest()


def encode_head(header: bytes) -> bytes:
    """The signed bytes."""
    return PREAMBLE.pack(MAGIC, SUITE, 0, len(header)) + header


def signature_block(signature: bytes) -> bytes:
    """The signature with its length."""
    return struct.pack(">H", len(signature)) + signature


def encode_descriptor(label: bytes, records: Sequence[Record]) -> bytes:
    """Label JSON and records, as the commitment covers them."""
    body = b"".join(r.encode() for r in records)
    return struct.pack(">I", len(label)) + label + struct.pack(">H", len(records)) + body


def encode_portion(
    index: int, descriptor: bytes, protected: bytes, wraps: Mapping[int, bytes], payload: bytes
) -> bytes:
    """One portion: descriptor, protected JSON, wraps by the index of their record, payload."""
    parts = [struct.pack(">BI", index, len(descriptor)), descriptor]
    parts += [struct.pack(">I", len(protected)), protected, struct.pack(">H", len(wraps))]
    for i in sorted(wraps):
        parts += [WRAP_HEAD.pack(i, len(wraps[i])), wraps[i]]
    return b"".join((*parts, struct.pack(">Q", len(payload)), payload))


# -- taking apart


class _Reader:
    """A cursor over foreign bytes; running out of them is the sender's fault."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, length: int, limit: int, what: str) -> bytes:
        if length > limit:
            raise Malformed("bad-envelope", f"{what} has more than {limit} bytes")
        end = self.at + length
        if end > len(self.raw):
            raise Malformed("bad-envelope", f"cut off in {what}")
        piece = self.raw[self.at : end]
        self.at = end
        return piece

    def number(self, size: int, what: str) -> int:
        end = self.at + size
        if end > len(self.raw):
            raise Malformed("bad-envelope", f"cut off in {what}")
        value = int.from_bytes(self.raw[self.at : end], "big")
        self.at = end
        return value


def parse_head(raw: bytes) -> tuple[bytes, bytes, bytes, int]:
    """(head, header JSON, signature, where the portions begin) of a report's first bytes.

    Raises `Malformed` ("bad-envelope", "bad-suite", "too-large").
    """
    if len(raw) > REPORT_MAX:
        raise Malformed("too-large", f"a report has at most {REPORT_MAX} bytes")
    if len(raw) < PREAMBLE.size:
        raise Malformed("bad-envelope", "too short")
    magic, suite, flags, header_len = PREAMBLE.unpack_from(raw)
    if magic != MAGIC or flags != 0:
        raise Malformed("bad-envelope", "the preamble is wrong")
    if suite != SUITE:
        raise Malformed("bad-suite")
    reader = _Reader(raw)
    reader.at = PREAMBLE.size
    header = reader.take(header_len, HEADER_MAX, "the header")
    head = raw[: reader.at]
    length = reader.number(2, "the signature")
    signature = reader.take(length, composite.SIGNATURE_MAX, "the signature")
    return head, header, signature, reader.at


def parse(raw: bytes) -> Frame:
    """Take a report apart. Raises `Malformed`; whatever is returned is not yet believed."""
    head, header, signature, at = parse_head(raw)
    reader = _Reader(raw)
    reader.at = at
    portions: list[PortionFrame] = []
    while reader.at < len(raw):
        if len(portions) == PORTIONS[-1]:
            raise Malformed("bad-envelope", "too many portions")
        portions.append(_portion(reader))
    if not portions:
        raise Malformed("bad-envelope", "no portion")
    indexes = [p.index for p in portions]
    if any(a >= b for a, b in zip(indexes, indexes[1:], strict=False)):
        raise Malformed("bad-envelope", "portions must be in order, each once")
    return Frame(head, header, signature, tuple(portions))


def _portion(reader: _Reader) -> PortionFrame:
    index = reader.number(1, "a portion")
    descriptor = reader.take(reader.number(4, "a portion"), DESCRIPTOR_MAX, "a descriptor")
    label, records = _descriptor(descriptor)
    length = reader.number(4, "protected sources")
    protected = reader.take(length, PROTECTED_MAX, "protected sources")
    wraps: dict[int, bytes] = {}
    last = -1
    count = reader.number(2, "the wraps")
    body = reader.take(count * WRAPPED.size, RECORDS_MAX * WRAPPED.size, "the wraps")
    for number, length, wrap in WRAPPED.iter_unpack(body):
        if not last < number < len(records) or length != WRAP:
            raise Malformed("bad-envelope", "a wrap is out of place or has the wrong length")
        wraps[number] = wrap
        last = number
    payload = reader.take(reader.number(8, "the payload"), PAYLOAD_MAX, "the payload")
    return PortionFrame(index, descriptor, label, records, protected, wraps, payload)


def _descriptor(raw: bytes) -> tuple[bytes, tuple[Record, ...]]:
    reader = _Reader(raw)
    label = reader.take(reader.number(4, "a label"), HEADER_MAX, "a label")
    count = reader.number(2, "the records")
    if not 0 < count <= RECORDS_MAX:
        raise Malformed("bad-envelope", f"a portion has 1 to {RECORDS_MAX} recipients")
    body = reader.take(count * RECORD.size, RECORDS_MAX * RECORD.size, "the records")
    if reader.at != len(raw):
        raise Malformed("bad-envelope", "trailing bytes in a descriptor")
    fields = list(RECORD.iter_unpack(body))
    if any(a[0] >= b[0] for a, b in zip(fields, fields[1:], strict=False)):
        raise Malformed("bad-envelope", "recipients must be in order, each once")
    return label, tuple(
        [
            Record(nation.decode("latin-1"), level, epoch, kid.hex(), digest)
            for nation, level, epoch, kid, digest in fields
        ]
    )
