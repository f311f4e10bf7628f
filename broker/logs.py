"""The log: one JSON object a line, to standard error. Slugs, ids and milliseconds; no content.

Only named fields are written, each a number or a short text escaped to ASCII, so that nothing a
stranger sends can forge a line or move a terminal's cursor. Of an exception only its type and the
place in our code are written, never its text.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TextIO

LOGGER: Final = logging.getLogger("tearline.broker")
TEXT_CHARACTERS: Final = 200
"""Of one field; ids have 64."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))

Value = str | int | float | None


def event(name: str, *, level: int = logging.INFO, **fields: Value) -> None:
    """Write one line: what happened, and the fields."""
    if LOGGER.isEnabledFor(level):
        extra = {"tearline": fields}  # nobody asks where it was written: `log` would look that up
        LOGGER.handle(LOGGER.makeRecord(LOGGER.name, level, "", 0, name, (), None, extra=extra))


def failure(name: str, error: BaseException, **fields: Value) -> None:
    """Write one line about an error that nobody expected: its type and place, not its text."""
    event(name, level=logging.ERROR, error=type(error).__name__, at=_place(error), **fields)


class JsonLines(logging.Formatter):
    """Formats records of this process, ours and the libraries'."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, Any] = getattr(record, "tearline", {})
        line: dict[str, Value] = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            # A library's message is taken as its template, before what it would fill in.
            "event": str(record.msg)[:TEXT_CHARACTERS],
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line |= {"error": type(error).__name__, "at": _place(error)}
        line |= {name: _short(value) for name, value in fields.items() if value is not None}
        return _ENCODER.encode(line)


def configure(stream: TextIO | None = None) -> None:
    """Send every log record of this process to `stream` (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.raiseExceptions = False  # a closed pipe must not print what was being logged
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def _stamp(seconds: float) -> str:
    return f"{_whole(int(seconds))}.{int(seconds % 1 * 1000):03d}Z"


@lru_cache(1)
def _whole(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _short(value: Any) -> Value:
    if isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS] + "…"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"
