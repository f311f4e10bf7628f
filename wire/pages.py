"""Pages of a chain as they are read: half a thousand entries, a megabyte and a half of base64.

Brokers write all entries in one form. Where decoding them into that form and encoding them again
gives the same bytes, there is nothing left that the gate or the models of `wire/evidence.py` could
refuse: no key that is unknown, missing or there twice, no number, space or base64 in another
spelling. What is left of the page then goes through the gate without them. Any other page goes
through the gate as a whole, and what is wrong with it is said there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from wire import strict_json
from wire.base64_strict import decode
from wire.errors import Malformed
from wire.evidence import (
    MAX_BASE64,
    MAX_SEGMENT_BYTES,
    MAX_SEGMENT_ENTRIES,
    Evidence,
    HeadEvidenceModel,
    Segment,
)
from wire.links import MAX_VIEWS, OPENING_BYTES
from wire.merkle import HASH_BYTES, MAX_PROOF
from wire.model import Strict

_BEGIN: Final = b'"entries":['
_END: Final = b'],"head":'
_Text = Annotated[bytes, Meta(max_length=MAX_BASE64 // 4 * 3)]
_Opening = Annotated[bytes, Meta(min_length=OPENING_BYTES, max_length=OPENING_BYTES)]
_Hash = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]


class PageAnswer(Strict):
    """What a broker answers to who asks for a page; `consistency` leads to its tree from the one
    that the reader named.
    """

    segment: Segment
    consistency: tuple[str, ...]


Answer = TypeVar("Answer", bound=PageAnswer)


class Exhibit(msgspec.Struct, frozen=True, gc=False):
    """The evidence of one entry of a page: bytes where `Evidence` has base64."""

    index: Annotated[int, Meta(ge=0, lt=1 << 53)]
    slot: Annotated[int, Meta(ge=0, lt=MAX_VIEWS)]
    leaf: _Text
    link: _Text
    opening: _Opening
    view: _Text | None
    view_opening: _Opening | None
    proof: Annotated[tuple[_Hash, ...], Meta(max_length=MAX_PROOF)]
    checkpoint: None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a channel's chain as it was read, in order, under one checkpoint."""

    checkpoint: str
    channel: str
    entries: Sequence[Exhibit | Evidence]
    head: HeadEvidenceModel


@dataclass(frozen=True, slots=True)
class MadePage(Page):
    """A page as a broker makes it."""

    entries: tuple[Exhibit, ...]

    def plain(self) -> dict[str, object]:
        """What `encode` writes as a `Segment`."""
        return {
            "checkpoint": self.checkpoint,
            "channel": self.channel,
            "entries": self.entries,
            "head": self.head.model_dump(),
        }


def encode(value: object) -> bytes:
    """The JSON of plain values and exhibits: compact, with base64 in place of bytes."""
    return _ENCODER.encode(value)


def exhibit(evidence: Exhibit | Evidence) -> Exhibit:
    """Evidence without base64. Raises `Malformed` ``bad-fields``."""
    if isinstance(evidence, Exhibit):
        return evidence
    view, opening = evidence.view, evidence.view_opening
    return Exhibit(
        index=evidence.index,
        slot=evidence.slot,
        leaf=decode(evidence.leaf),
        link=decode(evidence.link),
        opening=decode(evidence.opening),
        view=None if view is None else decode(view),
        view_opening=None if opening is None else decode(opening),
        proof=tuple([decode(text) for text in evidence.proof]),
    )


def read(data: bytes, form: type[Answer]) -> tuple[Answer, Page]:
    """An answer, and the page in it; the answer itself need not hold the entries.

    Raises `Malformed`.
    """
    start, end = data.find(_BEGIN) + len(_BEGIN), data.rfind(_END)
    if len(_BEGIN) <= start <= end and len(data) <= MAX_SEGMENT_BYTES:
        exhibits = _exhibits(data, start - 1, end + 1)
        if exhibits is not None:
            try:
                return _load(data[:start] + data[end:], form, exhibits)
            except Malformed:
                pass  # it is said of the whole page what is wrong with it, and where
    return _load(data, form)


def usual(data: bytes) -> Exhibit | None:
    """One entry, if it is written in the usual form."""
    try:
        found = _EXHIBIT.decode(data)
    except msgspec.MsgspecError:
        return None
    return found if _ENCODER.encode(found) == data else None


def _exhibits(data: bytes, start: int, end: int) -> tuple[Exhibit, ...] | None:
    """The entries in this part of a page, if they are written in the usual form."""
    try:
        exhibits = _EXHIBITS.decode(memoryview(data)[start:end])
    except msgspec.MsgspecError:
        return None
    written = _ENCODER.encode(exhibits)
    is_usual = len(written) == end - start and data.startswith(written, start)
    return exhibits if is_usual else None


def _load(
    data: bytes, form: type[Answer], exhibits: Sequence[Exhibit] | None = None
) -> tuple[Answer, Page]:
    answer = strict_json.load(data, form, limit=MAX_SEGMENT_BYTES, prose=True)
    segment = answer.segment
    entries = segment.entries if exhibits is None else exhibits
    return answer, Page(segment.checkpoint, segment.channel, entries, segment.head)


_EXHIBIT: Final = msgspec.json.Decoder(Exhibit)
_EXHIBITS: Final = msgspec.json.Decoder(
    Annotated[tuple[Exhibit, ...], Meta(max_length=MAX_SEGMENT_ENTRIES)]
)
_ENCODER: Final = msgspec.json.Encoder()
