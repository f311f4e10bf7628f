"""Ties the rows that an entry wrote to the entry, with a keyed digest stored beside its leaf.

The tree covers what was said to each nation, not the tables that the broker serves from. Without
this tie, whoever can write the database file could drop a revocation or add a release, and the
next start would serve by it. The key is the journal secret, which is not in the database.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from broker.journal.schema import TABLES
from wire import mac

_CONTEXT: Final = b"tearline/rows/v1"

BOUND: Final = ("report", "statement", "release", "erasure", "sweep")
"""The tables whose rows never change but for `DIGESTED`. Each has the column `idx`, the entry that
wrote the row.
"""

DIGESTED: Final = ("report", TABLES["report"].index("raw"))
"""The one column that is bound by its digest: a report's bytes may be deleted, and the digest that
they had is kept by the entry that deleted them (`erasure`).
"""


class Digest(bytes):
    """SHA-256 of a report's bytes, in their place."""

    __slots__ = ()


INDEX_COLUMN: Final = {table: TABLES[table].index("idx") for table in BOUND}


def bind(secret: bytes, index: int, rows: Iterable[tuple[str, Sequence[Any]]]) -> bytes:
    """The digest of an entry's rows (table, values), whatever their order; also of none at all."""
    lines = sorted(_encoded(table, values) for table, values in rows if table in INDEX_COLUMN)
    return mac.digest(secret, b"".join([_CONTEXT, index.to_bytes(8, "big"), *lines]))


def _encoded(table: str, values: Sequence[Any]) -> bytes:
    """Tag, length and bytes of each value, so that no two rows share an encoding."""
    parts = [_field(b"t", table.encode())]
    for column, value in enumerate(values):
        match value:
            case int():
                parts.append(_field(b"i", b"%d" % value))
            case str():
                parts.append(_field(b"s", value.encode()))
            case Digest():
                parts.append(_field(b"h", value))
            case bytes() if (table, column) == DIGESTED:
                parts.append(_field(b"h", hashlib.sha256(value).digest()))
            case bytes():
                parts.append(_field(b"b", value))
            case _:
                raise TypeError("a bound row holds text, bytes and integers")
    return _field(b"r", b"".join(parts))


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + len(data).to_bytes(8, "big") + data
