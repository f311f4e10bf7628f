"""Lines of CEF (ArcSight Common Event Format, version 0) in RFC 5424: a flat subset.

What comes from elsewhere can end no line, field or element: both formats have their own marks, and
what they cannot hold is shown as U+FFFD. Values are cut at the length that the dictionary of CEF
gives them, with an ellipsis; the whole is in the evidence.
"""

import re
from typing import Final

from clients.export.entry import Entry
from clients.export.kinds import kind_of

FACILITY: Final = 13  # log audit
WARNING, NOTICE = 4, 5  # severities of syslog
HIGH, LOW = 6, 3  # severities of CEF
HOST_MAX: Final = 255  # characters of HOSTNAME
TYPE_MAX: Final = 32  # characters of MSGID
HEADER_MAX: Final = 512  # characters of a field of CEF's header

LENGTHS: Final = {
    "externalId": 40,
    "suser": 1023,
    "dntdom": 255,
    "outcome": 63,
    "reason": 1023,
    "fileHash": 255,
    "cs1": 4000,
    "cs2": 4000,
}
"""The longest value of each text key in CEF's dictionary, in characters."""


def line(entry: Entry, version: str) -> str:
    """One line; `version` is that of this program."""
    severity, level = (WARNING, HIGH) if entry.denied else (NOTICE, LOW)
    head = (entry.type, entry.spoke or entry.type, str(level))
    cef = "|".join(["CEF:0", "Tearline", "Tearline", _header(version), *map(_header, head)])
    origin = f'[origin software="Tearline" swVersion="{_parameter(version)}"]'
    host = _printable(entry.origin, HOST_MAX)
    kind = _printable(entry.type, TYPE_MAX)
    start = f"<{FACILITY * 8 + severity}>1 {entry.when} {host} tearline - {kind}"
    return f"{start} {origin} {cef}|{_extension(entry)}"


def _extension(entry: Entry) -> str:
    """The pairs, those that prove the line first: whoever cuts it short keeps them."""
    named = {
        "externalId": str(entry.index),
        "fileHash": entry.leaf,
        "rt": str(entry.time),
        "cat": kind_of(entry.type, entry.spoke).category,
        "outcome": "failure" if entry.denied else "success",
        "reason": entry.slug,
        "suser": entry.actor,
        "dntdom": entry.recipient,
        "cn1Label": "index",
        "cn1": str(entry.index),
        "cs1Label": "report",
        "cs1": entry.report,
        "cs2Label": "nation",
        "cs2": entry.channel,
    }
    if not entry.report:
        del named["cs1Label"]
    return " ".join(f"{name}={_value(name, text)}" for name, text in named.items() if text)


def _value(name: str, text: str) -> str:
    """A value of the extension: backslash, equals sign and line ends have escapes of their own."""
    seen = _shown(_cut(text, LENGTHS.get(name, HEADER_MAX)), keep="\r\n")
    seen = seen.replace("\\", "\\\\").replace("=", "\\=")
    return seen.replace("\r", "\\r").replace("\n", "\\n")


def _header(text: str) -> str:
    """A field of CEF's header: backslash and pipe have escapes, a line end cannot stand there."""
    return _shown(_cut(text, HEADER_MAX)).replace("\\", "\\\\").replace("|", "\\|")


def _parameter(text: str) -> str:
    """A value in structured data (RFC 5424, 6.3.3)."""
    return re.sub(r'(["\\\]])', r"\\\1", _shown(text))


def _printable(text: str, length: int) -> str:
    """A field of RFC 5424's header: printable ASCII without a space, "-" if there is nothing."""
    return re.sub(r"[^\x21-\x7e]", "?", text)[:length] or "-"


def _shown(text: str, keep: str = "") -> str:
    return "".join(c if c.isprintable() or c in keep else "\ufffd" for c in text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
