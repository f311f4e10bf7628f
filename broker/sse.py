"""Server-sent events (WHATWG HTML, section 9.2), one line a field.

A line break inside a field would start another field, so none is ever written: an id or a kind
that holds one is our own error, and data are compact JSON, which escapes them.
"""

import re
from typing import Final

MEDIA_TYPE: Final = "text/event-stream"
OPENING: Final = b": tearline\n\n"
"""A comment, sent at once: the reader knows that the stream is open."""

_WORD: Final = re.compile(r"[A-Za-z0-9_.=~-]{1,512}")


def frame(kind: str, data: bytes, identity: str | None = None) -> bytes:
    """One event. Raises `ValueError` for what could be read as more than one field or event."""
    if not _WORD.fullmatch(kind) or not (identity is None or _WORD.fullmatch(identity)):
        raise ValueError("an event's kind and id are plain words")
    if b"\n" in data or b"\r" in data or b"\0" in data:
        raise ValueError("an event's data are one line")
    start = b"" if identity is None else b"id: " + identity.encode() + b"\n"
    return b"%sevent: %s\ndata: %s\n\n" % (start, kind.encode(), data)
