"""Server-sent events (WHATWG HTML, section 9.2) as our broker writes them: one line a field."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from wire.errors import BrokerFault

MEDIA_TYPE: Final = "text/event-stream"
EVENT_MAX: Final = 24 * 1024 * 1024  # bytes of one event: one report and its proof

_WORD: Final = re.compile(rb"[A-Za-z0-9_.=~-]{0,512}")


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream."""

    kind: str
    id: str
    data: bytes


def _unheard() -> None:
    """For those to whom comments mean nothing."""


async def events(
    chunks: AsyncIterator[bytes], noise: Callable[[], None] = _unheard
) -> AsyncIterator[ServerEvent]:
    """The events in a stream of bytes; `noise` is called for each comment.

    Raises `BrokerFault` for what our broker never writes.
    """
    pending = bytearray()
    async for chunk in chunks:
        looked = max(0, len(pending) - 1)  # the mark may lie across two chunks
        pending += chunk
        while (end := pending.find(b"\n\n", looked)) >= 0:
            event = _event(bytes(pending[:end]))
            del pending[: end + 2]
            looked = 0
            if event is None:
                noise()
            else:
                yield event
        if len(pending) > EVENT_MAX:
            raise BrokerFault("too-large", "an event")


def _event(block: bytes) -> ServerEvent | None:
    """One event; None for a comment."""
    fields: dict[bytes, bytes] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        fields[name] = value
    if b"event" not in fields:
        return None
    kind, last = fields[b"event"], fields.get(b"id", b"")
    if not (_WORD.fullmatch(kind) and _WORD.fullmatch(last)):  # the id goes back in a header
        raise BrokerFault("unreachable", "a stream that is not the broker's")
    return ServerEvent(kind.decode(), last.decode(), fields.get(b"data", b""))
