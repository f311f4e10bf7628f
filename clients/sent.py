"""What this device has sent and holds a receipt for: after a loss, what is to be sent again.

A list for each log that was followed: the report, and the index at which the log accepted it.
"""

import struct
from dataclasses import dataclass
from typing import Final

from clients.continuing import Log, read
from clients.store import Store
from wire.base64_strict import decode
from wire.bodies import MissionContinue

SENT: Final = "sent"  # the name under which it is kept
RECORD: Final = struct.Struct(">Q32s")  # index, identity of the report


@dataclass(frozen=True)
class Unkept:
    """A report that a log had accepted at this index and lost with its disk."""

    report: str
    log: str
    index: int


def note(store: Store, log: Log, index: int, report: str) -> None:
    """Remember that a log accepted a report."""
    store.append(log.name(SENT), RECORD.pack(index, bytes.fromhex(report)))


def lost(store: Store, log: Log) -> list[Unkept]:
    """Every report of this device's that was accepted and lost, and was not accepted since."""
    found: dict[str, Unkept] = {}
    for number, move in enumerate(log.moves):
        body = read(decode(move.statements[0])).body(MissionContinue)
        _accepted(store, Log(body.continues, (), log.moves[:number]), body.size, found)
    _accepted(store, log, None, found)
    return sorted(found.values(), key=lambda one: one.index)


def _accepted(store: Store, log: Log, left: int | None, found: dict[str, Unkept]) -> None:
    """Take note of what one log accepted, and whether that is among the entries that are left."""
    for record in store.records(log.name(SENT), RECORD.size):
        index, identity = RECORD.unpack(record)
        report = identity.hex()
        found.pop(report, None)
        if left is not None and index >= left:
            found[report] = Unkept(report, log.origin, index)
