"""The JSON forms in which a journal's entries travel to those who verify them.

Hashed texts travel as base64 of the exact bytes; nothing is ever written out again. A broker makes
these from what it stores; `wire/prove.py` says what they prove.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from wire import strict_json
from wire.base64_strict import encode
from wire.entries import HeadEvidence
from wire.links import Position, Slot
from wire.merkle import MAX_PROOF
from wire.model import Channel, Strict
from wire.notes import MAX_NOTE_CHARACTERS

MAX_SEGMENT_ENTRIES: Final = 1_000
"""Entries in one page: some 3 MB, a twentieth of a second to verify."""
MAX_SEGMENT_BYTES: Final = 16 << 20
"""A page of entries with far longer views than usual; a broker ends its pages earlier."""
MAX_EVIDENCE_BYTES: Final = 1 << 19
"""The longest view and the longest checkpoint together, in base64 and JSON."""

MAX_BASE64: Final = 90_000
"""Characters of the longest text that an entry commits to, and then some."""

Base64 = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}\z", max_length=MAX_BASE64)
]
Hash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=\z", max_length=44)]
Path = Annotated[tuple[Hash, ...], Field(max_length=MAX_PROOF)]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARACTERS)]


class Evidence(Strict):
    """One entry, opened for one channel: bytes in base64, the checkpoint as the note's text."""

    index: Position
    slot: Slot
    leaf: Base64
    link: Base64
    opening: Hash
    view: Base64 | None
    view_opening: Hash | None
    proof: Path
    checkpoint: Note | None


class HeadEvidenceModel(Strict):
    """The heads leaf at the end of the tree, opened for one channel."""

    leaf: Base64
    head: Base64
    opening: Hash
    path: Path
    proof: Path


class Segment(Strict):
    """A page of a channel's chain, in order, under one checkpoint."""

    checkpoint: Note
    channel: Channel
    entries: Annotated[tuple[Evidence, ...], Field(max_length=MAX_SEGMENT_ENTRIES)]
    head: HeadEvidenceModel


# -- building, from what a journal stores


def evidence(
    index: int,
    slot: int,
    leaf: bytes,
    link: bytes,
    opening: bytes,
    view: tuple[bytes, bytes] | None,
    proof: Sequence[bytes],
    checkpoint: str | None = None,
) -> Evidence:
    """An entry opened for one channel; `view` is (opening, body) as stored, None if erased."""
    return Evidence.model_construct(
        index=index,
        slot=slot,
        leaf=encode(leaf),
        link=encode(link),
        opening=encode(opening),
        view=None if view is None else encode(view[1]),
        view_opening=None if view is None else encode(view[0]),
        proof=tuple(map(_encoded, proof)),
        checkpoint=checkpoint,
    )


_encoded: Final = lru_cache(4_096)(encode)
"""Proofs of entries that are named together are made of few hashes, which everybody may see."""


def head_evidence(head: HeadEvidence, proof: Sequence[bytes]) -> HeadEvidenceModel:
    """What ends a page; `proof` shows the heads leaf as the last of the page's checkpoint."""
    return HeadEvidenceModel(
        leaf=encode(head.leaf),
        head=encode(head.head),
        opening=encode(head.opening),
        path=tuple(map(encode, head.path)),
        proof=tuple(map(encode, proof)),
    )


def read_evidence(data: bytes) -> Evidence:
    """Evidence from JSON. Raises `Malformed`."""
    return strict_json.load(data, Evidence, limit=MAX_EVIDENCE_BYTES, prose=True)


def read_segment(data: bytes) -> Segment:
    """A page from JSON. Raises `Malformed`."""
    return strict_json.load(data, Segment, limit=MAX_SEGMENT_BYTES, prose=True)
