"""The lines of an evidence file: what `wire/evidence_file.py` verifies, and an auditor writes.

    {"evidence": …}     the kind of file, whose it is, and the mission's charter
    {"tree": …}         a signed checkpoint, and the proof that it extends the one above
    {"page": …}         how many entries of a channel follow, under the tree above, and the head
    {"entry": …}        one entry, opened for that channel
    {"statement": …}    what the entry above names: a statement's head and, if it may be seen, body
    {"confirmed": …}    at the end, if there is one: what a quorum of witnesses has cosigned

JSON lines; every line passes the gate as prose.
"""

from hashlib import sha256
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from wire import pages, statements, strict_json
from wire.base64_strict import decode, encode
from wire.errors import Malformed
from wire.evidence import (
    MAX_EVIDENCE_BYTES,
    MAX_SEGMENT_ENTRIES,
    Base64,
    Evidence,
    HeadEvidenceModel,
    Note,
    Path,
)
from wire.links import Position
from wire.model import Channel, NationCode, Strict, Token, Version1
from wire.notes import Checkpoint
from wire.pages import Exhibit

MAX_LINE_BYTES: Final = MAX_EVIDENCE_BYTES + 64
"""An entry with its longest view, and the words around it."""

_ENTRY: Final = b'{"entry":'
_END: Final = b"}\n"

Body = TypeVar("Body", bound=Strict)
Kind = Literal["history", "receipt"]


class Said(Strict):
    """A statement without its signatures: the signed bytes, and the body they hold a digest of.

    Its identity is what an entry or a pinned charter names, so the signatures are not needed here.
    """

    head: Base64
    body: Base64 | None

    @classmethod
    def of(cls, statement: statements.Statement) -> "Said":
        """The same, from a whole statement."""
        body = statement.body_bytes
        return cls(head=encode(statement.head_bytes), body=None if body is None else encode(body))

    @property
    def identity(self) -> str:
        """SHA-256 of the signed bytes, hex."""
        return sha256(decode(self.head)).hexdigest()

    def opened(self) -> tuple[statements.Head, bytes | None]:
        """The head, and the body once it is the one that the head holds a digest of.

        Raises `Malformed` ``bad-statement``.
        """
        head = statements.parse_head(decode(self.head))
        body = None if self.body is None else decode(self.body)
        if body is not None and statements.body_digest(body) != head.body:
            raise Malformed("bad-statement", "the body is not the one that was signed")
        return head, body

    def read(self, kind: str, model: type[Body]) -> Body:
        """The body of a statement of this type. Raises `Malformed`."""
        head, body = self.opened()
        if head.type != kind or body is None:
            raise Malformed("bad-statement", f"not a {kind} with its body")
        return strict_json.load(body, model)


class Header(Strict):
    """The first line. `size` is that of the newest tree in the file.

    `continued` is the statement by which the log that the file is of was continued after a loss.
    """

    v: Version1
    kind: Kind
    mission: Token
    nation: NationCode
    size: Position
    charter: Said
    continued: Said | None = None


class TreeLine(Strict):
    """A checkpoint; `consistency` leads here from the one above, null in a receipt."""

    checkpoint: Note
    consistency: Path | None


class PageLine(Strict):
    """So many entries follow; `head` says how far the channel has come, null in a receipt."""

    channel: Channel
    entries: Annotated[int, Field(ge=0, le=MAX_SEGMENT_ENTRIES)]
    head: HeadEvidenceModel | None


class ConfirmedLine(Strict):
    """A checkpoint with a quorum's cosignatures; `consistency` leads from the smaller to the larger
    of it and the tree above.
    """

    checkpoint: Note
    consistency: Path

    @property
    def size(self) -> int:
        """Of its tree; nothing is verified yet."""
        return Checkpoint.parse(self.checkpoint.rpartition("\n\n")[0] + "\n").size


class Line(Strict):
    """One line: exactly one of these."""

    evidence: Header | None = None
    tree: TreeLine | None = None
    page: PageLine | None = None
    entry: Evidence | None = None
    statement: Said | None = None
    confirmed: ConfirmedLine | None = None

    def encode(self) -> bytes:
        """The line as it is written, its newline with it."""
        said = self.model_dump(mode="json", exclude_unset=True)
        return strict_json.dump(said, limit=MAX_LINE_BYTES, prose=True) + b"\n"


def read(data: bytes) -> Line | Exhibit:
    """One line with its newline; an entry in the usual form as its bytes. Raises `Malformed`."""
    if data.startswith(_ENTRY) and data.endswith(_END):  # in that form, none is too long
        entry = pages.usual(data[len(_ENTRY) : -len(_END)])
        if entry is not None:
            return entry
    if not data.endswith(b"\n"):
        raise Malformed("bad-json", "the line is cut off")
    line = strict_json.load(data, Line, limit=MAX_LINE_BYTES, prose=True)
    if len(line.model_fields_set) != 1:
        raise Malformed("bad-fields", "not one kind of line")
    return line
