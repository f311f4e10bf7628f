"""Signed checkpoints: the C2SP signed-note, tlog-checkpoint and tlog-cosignature formats, strict.

    tearline.example/minusx/1            origin: the log's name
    15                                   size of the tree
    rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja…=     root of the tree
                                         a blank line, then one line a signature:
    — tearline.example/minusx/1 M9e0…=   base64(key id ‖ signature)

Three kinds of key: Ed25519 over the text (the log, at every batch), and timestamped cosignatures
with Ed25519 or ML-DSA-44 (witnesses, and the log itself at published checkpoints). Narrower than
the specifications in one point: a log's key carries the log's origin as its name.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from wire import base64_strict
from wire.errors import Malformed, quoted
from wire.made import OnlyByMaker
from wire.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from wire.note_keys import ED25519 as ED25519
from wire.note_keys import ED25519_COSIGNATURE as ED25519_COSIGNATURE
from wire.note_keys import MLDSA44_COSIGNATURE as MLDSA44_COSIGNATURE
from wire.note_keys import NAME_BYTES
from wire.note_keys import Ed25519Signer as Ed25519Signer
from wire.note_keys import MLDSA44Signer as MLDSA44Signer
from wire.note_keys import NoteSigner as NoteSigner
from wire.note_keys import VKey as VKey

SIGNATURE_BYTES: Final = {ED25519: 64, ED25519_COSIGNATURE: 72, MLDSA44_COSIGNATURE: 2428}
"""Of the bytes after the key id; a cosignature starts with its time, eight bytes."""

MAX_SIGNATURES: Final = 64
"""Four times what every C2SP client must take: both keys of thirty witnesses, and the log's own."""
MAX_NOTE_CHARACTERS: Final = 1 << 18
"""Room for `MAX_SIGNATURES` lines of ML-DSA-44, 3.3 kB each."""
MAX_TIME: Final = (1 << 63) - 1

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_NOT_IN_NOTES: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_SIGNATURE_LINE: Final = re.compile("\u2014 ([^\\s+]+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its name, the size of its tree, and the root of that tree.

    Extension lines of other logs are kept, not understood; our own checkpoints have none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The lines that are signed, the last newline with them."""
        root = base64_strict.encode(self.root)
        lines = (self.origin, str(self.size), root, *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the signed lines. Raises `Malformed` ``bad-checkpoint``."""
        _check_characters(text)
        *lines, end = text.split("\n")
        if end or len(lines) < 3 or not all(lines):
            raise _bad("a checkpoint is three lines or more, none of them empty")
        origin, size, root, *extensions = lines
        if not _NUMBER.fullmatch(size) or int(size) >= MAX_SIZE:
            raise _bad("the size is not a plain number")
        checkpoint = cls(
            origin, int(size), base64_strict.decode(root, "bad-checkpoint"), tuple(extensions)
        )
        if len(checkpoint.root) != HASH_BYTES:
            raise _bad("the root is not 32 bytes")
        if not checkpoint.size and checkpoint.root != EMPTY_ROOT:
            raise _bad("the root is not that of an empty tree")
        return checkpoint


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint(metaclass=OnlyByMaker):
    """Proof that all the log's keys signed; made only by `open_checkpoint`.

    `cosigned_by` maps the name of each witness whose every given key has cosigned to the oldest of
    those times (Unix seconds). Whether they are enough and recent is the caller's policy.
    """

    checkpoint: Checkpoint
    note: str
    cosigned_by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SignedLine:
    """One verified signature line as it stands in the note, and its time (0 if it signs none)."""

    time: int
    text: str


# -- opening


def open_checkpoint(
    note: str, log_keys: Sequence[VKey], witnesses: Sequence[VKey] = ()
) -> OpenedCheckpoint:
    """Verify a signed checkpoint and read it.

    Every one of `log_keys` must have signed and bear the origin's name; lines of unknown keys are
    ignored, as the specification asks; a wrong or repeated signature of a known key refuses the
    whole note. Raises `Malformed` ``bad-checkpoint``.
    """
    if not log_keys:
        raise _bad("no key of the log was given")
    checkpoint, lines = verified_lines(note, (*log_keys, *witnesses))
    times = {key: line.time for key, line in lines.items()}
    for key in log_keys:
        if key not in times or key.name != checkpoint.origin:
            raise _bad(f"not signed by the log's key {quoted(key.name)}")
    given = {key.name: [k for k in witnesses if k.name == key.name] for key in witnesses}
    cosigned = {
        name: min(times[key] for key in keys)
        for name, keys in given.items()
        if all(key in times for key in keys)
    }
    return OpenedCheckpoint._make(
        checkpoint=checkpoint, note=note, cosigned_by=MappingProxyType(cosigned)
    )


def verified_lines(note: str, keys: Sequence[VKey]) -> tuple[Checkpoint, dict[VKey, SignedLine]]:
    """The checkpoint of a note, and the verified signature line of each of the keys that signed.

    Lines of other keys are ignored; a wrong or repeated signature of a known key refuses the whole
    note. Raises `Malformed` ``bad-checkpoint``.
    """
    text, signatures = _split(note)
    checkpoint = Checkpoint.parse(text)
    known = {(key.name, key.id): key for key in keys}
    found: dict[VKey, SignedLine] = {}
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is None:
            continue
        if key in found:
            raise _bad(f"{quoted(name)} signed twice")
        time = _verified_time(key, checkpoint, signature[4:])
        found[key] = SignedLine(time, f"\u2014 {name} {base64_strict.encode(signature)}\n")
    return checkpoint, found


def signed_by(note: str) -> list[tuple[str, bytes]]:
    """Name and key id of every signature line; nothing is verified. Raises `Malformed`."""
    return [(name, signature[:4]) for name, signature in _split(note)[1]]


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and for each signature line the name and ``key id ‖ signature``."""
    _check_characters(note)
    text, blank, block = note.rpartition("\n\n")
    *lines, end = block.split("\n")
    if not blank or end or not 0 < len(lines) <= MAX_SIGNATURES:
        raise _bad("a note is a text, a blank line and signature lines")
    signatures = []
    for line in lines:
        match = _SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise _bad("a signature line is not well formed")
        raw = base64_strict.decode(match[2], "bad-checkpoint")
        if len(raw) < 5:
            raise _bad("a signature is too short")
        signatures.append((match[1], raw))
    return text + "\n", signatures


def _verified_time(key: VKey, checkpoint: Checkpoint, signature: bytes) -> int:
    """The time in a valid signature, Unix seconds; 0 from keys that sign no time."""
    if len(signature) != SIGNATURE_BYTES[key.kind]:
        raise _bad(f"the signature of {quoted(key.name)} has the wrong length")
    time = 0
    if key.kind != ED25519:
        (time,), signature = struct.unpack(">Q", signature[:8]), signature[8:]
    message = _message(key.kind, key.name, checkpoint, time)
    try:
        if key.kind == MLDSA44_COSIGNATURE:
            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise _bad(f"the signature of {quoted(key.name)} does not verify") from error
    return time


# -- signing


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner], time: int = 0) -> str:
    """The note that the log publishes. `time` (Unix seconds) is for cosigning kinds of key only."""
    if not signers or any(signer.vkey.name != checkpoint.origin for signer in signers):
        raise _bad("a log signs with keys that bear its origin")
    Checkpoint.parse(checkpoint.text())  # nothing is signed that we would not accept
    lines = [signature_line(checkpoint, signer, time) for signer in signers]
    return f"{checkpoint.text()}\n{''.join(lines)}"


def signature_line(checkpoint: Checkpoint, signer: NoteSigner, time: int) -> str:
    """One signature line; a witness returns it, and it is appended to the note as it is."""
    key = signer.vkey
    signature = signer.sign(_message(key.kind, key.name, checkpoint, time))
    stamp = b"" if key.kind == ED25519 else struct.pack(">Q", time)
    return f"\u2014 {key.name} {base64_strict.encode(key.id + stamp + signature)}\n"


def _message(kind: int, name: str, checkpoint: Checkpoint, time: int) -> bytes:
    """What a key of this kind signs. The ML-DSA-44 form does not cover extension lines."""
    if not 0 <= time <= MAX_TIME:
        raise _bad("the time of a cosignature is out of range")
    if kind == ED25519:
        return checkpoint.text().encode()
    if kind == ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{checkpoint.text()}".encode()
    signer, origin = name.encode(), checkpoint.origin.encode()
    if len(origin) > NAME_BYTES:
        raise _bad("the origin is too long for this kind of key")
    return b"".join((
        b"subtree/v1\n\0",
        bytes([len(signer)]) + signer,
        struct.pack(">Q", time),
        bytes([len(origin)]) + origin,
        struct.pack(">QQ", 0, checkpoint.size),
        checkpoint.root,
    ))  # fmt: skip


def _check_characters(text: str) -> None:
    if len(text) > MAX_NOTE_CHARACTERS:
        raise _bad("too long")
    if _NOT_IN_NOTES.search(text):
        raise _bad("a control character, or half a surrogate pair")


def _bad(detail: str) -> Malformed:
    return Malformed("bad-checkpoint", detail)
