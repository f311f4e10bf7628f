"""Opening what the journal committed to: links, views and heads (the formats are in `entries`).

Each function takes a commitment's bytes and what is claimed to be behind it, and gives the parsed
value only if it is. Where the leaf itself stands in a signed tree is `wire/prove.py`'s question.
"""

import hmac
import re
import struct
from typing import Annotated, Final

import msgspec
from pydantic import Field, StringConstraints

from wire import mac, strict_json
from wire.errors import Malformed
from wire.merkle import leaf_hash
from wire.model import Channel, Hex32B, Strict

ENTRY: Final = 0x01
"""First byte of the leaf of an event."""
HEADS: Final = 0x02
"""First byte of the leaf that ends a batch."""
LINK_KEY: Final = b"tearline/link/v1"
VIEW_KEY: Final = b"tearline/view/v1"
HEAD_KEY: Final = b"tearline/head/v1"
HEADS_LEAF: Final = struct.Struct(">BQH32s")
"""Kind, time in Unix milliseconds, number of channels, root of the tree of heads."""

MAX_VIEWS: Final = 255
"""The count of a leaf's commitments is one byte."""
OPENING_BYTES: Final = 32
"""Openings have one length, so that no two pairs (opening, text) are the same bytes."""
TYPE_FORM: Final = r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+){0,3}"
TYPE_CHARACTERS: Final = 64

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,14})"
_USUAL_LINK: Final = re.compile(
    rf'\{{"channel":"(?:[A-Z]{{3}}|MISSION)","count":{_NUMBER},"index":{_NUMBER},'
    rf'"slot":(?:[1-9]?[0-9]|1[0-9][0-9]),"prev_index":(?:-1|{_NUMBER}),"prev":"[0-9a-f]{{64}}",'
    rf'"time":{_NUMBER},"type":"(?=[^"]{{1,{TYPE_CHARACTERS}}}"){TYPE_FORM}",'
    rf'"view":"[0-9a-f]{{64}}"\}}'.encode()
)
"""How brokers write links. There is nothing in such a text that the JSON gate or the form of a link
could refuse.
"""

Milliseconds = Annotated[int, Field(ge=0, lt=1 << 53)]
"""Unix time in milliseconds, UTC."""
Position = Annotated[int, Field(ge=0, lt=1 << 53)]
"""A count of entries, or an index; JSON readers everywhere keep such numbers whole."""
Slot = Annotated[int, Field(ge=0, lt=MAX_VIEWS)]
EventType = Annotated[
    str, StringConstraints(pattern=rf"^{TYPE_FORM}\z", max_length=TYPE_CHARACTERS)
]


class Link(msgspec.Struct, frozen=True, gc=False):
    """One step of a channel's chain; `count` numbers its entries from 0."""

    channel: str
    count: int
    index: int
    slot: int
    prev_index: int
    prev: str
    time: int
    type: str
    view: str


class LinkForm(Strict):
    """The JSON of a link."""

    channel: Channel
    count: Position
    index: Position
    slot: Slot
    prev_index: Annotated[int, Field(ge=-1, lt=1 << 53)]
    prev: Hex32B
    time: Milliseconds
    type: EventType
    view: Hex32B


class Head(Strict):
    """The newest entry of a channel: how many there are, where it stands, its commitment."""

    channel: Channel
    count: Position
    index: Annotated[int, Field(ge=-1, lt=1 << 53)]
    slot: Annotated[int, Field(ge=-1, lt=MAX_VIEWS)]
    last: Hex32B


_LINK: Final = msgspec.json.Decoder(Link)


def open_link(leaf: bytes, slot: int, opening: bytes, text: bytes) -> tuple[Link, bytes]:
    """The link behind one commitment of an entry's leaf, and the commitment.

    Raises `Malformed` ``broken-chain`` if it is not what the leaf commits to.
    """
    if len(leaf) < 2 or leaf[0] != ENTRY or len(leaf) != 2 + 32 * leaf[1]:
        raise Malformed("broken-chain", "the leaf is not an entry")
    if not 0 <= slot < leaf[1]:
        raise Malformed("broken-chain", "the leaf has no such commitment")
    commitment = leaf[2 + 32 * slot : 34 + 32 * slot]
    _check_commitment(LINK_KEY, opening, text, commitment, "the link")
    return _read_link(text), commitment


def _read_link(text: bytes) -> Link:
    if _USUAL_LINK.fullmatch(text):
        return _LINK.decode(text)
    return Link(**strict_json.load(text, LinkForm).model_dump())


def open_view(link: Link, opening: bytes, text: bytes) -> dict[str, strict_json.Json]:
    """The view that a link commits to.

    Raises `Malformed` ``broken-chain`` if it is another.
    """
    _check_commitment(VIEW_KEY, opening, text, bytes.fromhex(link.view), "the view")
    view = strict_json.parse(text)
    if not isinstance(view, dict):
        raise Malformed("broken-chain", "the view is not an object")
    return view


def open_heads(leaf: bytes) -> tuple[int, int, bytes]:
    """Time, number of channels and root of a heads leaf.

    Raises `Malformed` ``broken-chain`` if it is another leaf.
    """
    if len(leaf) != HEADS_LEAF.size or leaf[0] != HEADS:
        raise Malformed("broken-chain", "the log does not end in a heads leaf")
    _, time_ms, channels, root = HEADS_LEAF.unpack(leaf)
    return time_ms, channels, root


def open_head(opening: bytes, text: bytes) -> tuple[Head, bytes]:
    """A channel's head, and the hash to be found in the tree of heads."""
    if len(opening) != OPENING_BYTES:
        raise Malformed("broken-chain", "an opening is not 32 bytes")
    hashed = leaf_hash(mac.digest(HEAD_KEY, opening + text))
    return strict_json.load(text, Head), hashed


def _check_commitment(
    key: bytes, opening: bytes, text: bytes, commitment: bytes, what: str
) -> None:
    if len(opening) != OPENING_BYTES:
        raise Malformed("broken-chain", "an opening is not 32 bytes")
    if not hmac.compare_digest(mac.digest(key, opening + text), commitment):
        raise Malformed("broken-chain", f"{what} is not what was committed to")
