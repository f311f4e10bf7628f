"""What opening gives: reports, portions and attachments that only `clients.open` makes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag

from clients.content import Content
from clients.padding import PIECE, Unpadding
from wire.errors import Malformed, TearlineError
from wire.labels import PRECEDENCES
from wire.made import OnlyByMaker
from wire.report import PortionLabel


class Decryptor(Protocol):
    """An authenticated decryption, a piece at a time."""

    def update(self, data: bytes) -> bytes:
        """The plaintext of whole chunks so far."""

    def finalize(self) -> bytes:
        """The last of it. Raises `InvalidTag` unless the ciphertext ended where it should."""


@dataclass(frozen=True)
class OpenedAttachment(metaclass=OnlyByMaker):
    """An attachment of an opened portion: how it is called, and what opens it."""

    id: str
    name: str
    media_type: str
    sha256: str
    """Of the ciphertext, hex; `len` likewise."""
    len: int
    _decryptor: Callable[[], Decryptor] = field(repr=False)

    def decrypt(self, ciphertext: BinaryIO, into: BinaryIO) -> int:
        """Write the plaintext into an empty file and give its length in bytes.

        `into` is a place nobody reads yet: it is emptied again unless everything was right to the
        last byte. Raises `Malformed` ("undecryptable", "bad-content").
        """
        try:
            return self._decrypted(ciphertext, into)
        except BaseException:
            into.seek(0)
            into.truncate()
            raise

    def _decrypted(self, ciphertext: BinaryIO, into: BinaryIO) -> int:
        """Decrypt, check the signed digest, and take the padding off, a piece at a time."""
        decryptor, digest = self._decryptor(), hashlib.sha256()
        writer, seen = Unpadding(into), 0
        try:
            while piece := ciphertext.read(PIECE):
                seen += len(piece)
                if seen > self.len:
                    raise Malformed("undecryptable", "the attachment is longer than was signed")
                digest.update(piece)
                writer.write(decryptor.update(piece))
            if digest.hexdigest() != self.sha256:
                raise Malformed("undecryptable", "the attachment is not the one that was signed")
            writer.write(decryptor.finalize())
        except InvalidTag as error:
            raise Malformed("undecryptable", "the attachment does not open") from error
        return writer.finish()


@dataclass(frozen=True)
class OpenedPortion(metaclass=OnlyByMaker):
    """A portion as its author wrote it. `content` is `None` for other media types than ours."""

    index: int
    commitment: str
    label: PortionLabel
    mark: str
    banner: str
    media_type: str
    data: bytes = field(repr=False)
    content: Content | None = field(repr=False)
    attachments: tuple[OpenedAttachment, ...]

    @property
    def title(self) -> str:
        """Its title; empty for other media types."""
        return self.content.title if self.content else ""

    @property
    def body(self) -> str:
        """Its text; empty for other media types."""
        return self.content.body if self.content else ""


@dataclass(frozen=True)
class Closed:
    """A portion that was delivered and did not open, and why."""

    index: int
    reason: TearlineError


@dataclass(frozen=True)
class OpenedReport(metaclass=OnlyByMaker):
    """A report that was verified and opened; `banner` covers all its opened portions."""

    identity: str
    id: str
    originator: str
    signer: str
    created: int
    banner: str
    portions: tuple[OpenedPortion, ...]
    """The most highly classified first."""
    closed: tuple[Closed, ...]

    @property
    def title(self) -> str:
        """The title of the first portion."""
        return self.portions[0].title

    @property
    def body(self) -> str:
        """The text of the first portion."""
        return self.portions[0].body

    @property
    def precedence(self) -> str:
        """The most urgent of its portions' precedences."""
        return min((p.label.precedence for p in self.portions), key=PRECEDENCES.index)
