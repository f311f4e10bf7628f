"""What the broker remembered at one entry, kept beside the log so that a start need not read all.

Everything in it follows from the log, so losing it costs time and nothing else. It is believed only
if all of it is there and under our key, at a checkpoint which this very journal goes on from: a
sheet that is edited, missing, or of another time or another journal makes all of it worthless.
Older memory is worth less, and as true: what came after it is in the log.

    tag = HMAC(journal secret, "tearline/memory/v1" | digests of form, note, each sheet)
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker.journal.recovery import check_prefix
from broker.journal.state import Seals, State
from broker.journal.store import Reads
from wire import mac
from wire.errors import BrokerFault

_CONTEXT: Final = b"tearline/memory/v1"
_HEAD: Final = "SELECT form, note, tag FROM memory"
_SHEETS: Final = "SELECT number, body FROM sheet WHERE number >= ? ORDER BY number LIMIT ?"
_PAGE: Final = 128
"""Sheets read at a time: some megabytes."""


class UnfitError(Exception):
    """What is remembered is not to be believed; says why."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The sheets, all verified, to be taken one by one; and how many entries the log had then."""

    size: int
    sheets: deque[bytes]
    digests: Sequence[bytes]


def digests(before: Sequence[bytes], sheets: Mapping[int, bytes], count: int) -> list[bytes]:
    """The digests of `count` sheets, of which these are new."""
    fresh = {number: hashlib.sha256(body).digest() for number, body in sheets.items()}
    return [fresh[n] if n in fresh else before[n] for n in range(count)]


def tag(secret: bytes, form: str, note: str, sheets: Sequence[bytes]) -> bytes:
    """What ties sheets (their digests) to each other, to their form, and to a checkpoint."""
    about = [hashlib.sha256(text.encode()).digest() for text in (form, note)]
    return mac.digest(secret, b"".join([_CONTEXT, *about, *sheets]))


async def read(reads: Reads, state: State, seals: Seals, form: str) -> Remembered:
    """All sheets. Raises `UnfitError`."""
    heads = await reads.read(_HEAD)
    if not heads:
        raise UnfitError("there is none")
    of, note, tagged = heads[0]
    if of != form:
        raise UnfitError("another form")
    sheets = list[bytes]()
    while rows := await reads.read(_SHEETS, (len(sheets), _PAGE)):
        if [number for number, _ in rows] != list(range(len(sheets), len(sheets) + len(rows))):
            raise UnfitError("a sheet is missing")
        sheets += [body for _, body in rows]
    found = [hashlib.sha256(sheet).digest() for sheet in sheets]
    if not hmac.compare_digest(tag(seals.secret, form, note, found), tagged):
        raise UnfitError("it is not what was written")
    try:
        size = await check_prefix(reads, note, state, seals, "what is remembered")
    except BrokerFault as fault:
        raise UnfitError("another journal") from fault
    return Remembered(size, deque(sheets), found)
