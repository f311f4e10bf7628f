"""Moments and spans as policies and cases write them, in whole seconds.

Narrower than Cedar's own forms: no offsets, no milliseconds, so that no two spellings differ.
Raises `ValueError` with words for the author.
"""

import re
from datetime import UTC, datetime
from typing import Final

from wire.errors import quoted

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?", re.ASCII)
_SPAN: Final = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?", re.ASCII)


def read_time(text: str) -> int:
    """Unix seconds of `2026-01-31` or `2026-01-31T12:00:00Z`."""
    if _TIME.fullmatch(text):
        try:
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass  # a thirteenth month has the form and is no time
    raise ValueError(f"write times as 2026-01-31 or 2026-01-31T12:00:00Z, not {quoted(text)}")


def read_span(text: str) -> int:
    """Seconds of `1d12h30m10s`, each part optional."""
    match = _SPAN.fullmatch(text)
    if not match or not text:
        raise ValueError(f"write spans as 24h or 1d12h30m, not {quoted(text)}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
