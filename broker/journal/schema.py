"""The tables of the journal and every statement that changes them.

Statements are literals with parameters; no SQL is ever built from values. What is not named here
cannot be written.

The log itself is `entry`, `link`, `view`, `head` and `channel`. A slot's place is one integer,
``at = index * 256 + slot``, so that links and views are appended in order of the log. So are
reports, and no index over their identities scatters the writing: that each is there once is known
in memory (`broker.holdings`), before it is accepted and after every start.
The other tables are what the broker serves from; every row is written by the entry it names.
"""

from typing import Final

APPLICATION_ID: Final = 0x54_45_41_52  # "TEAR", so that `file` and we know our own databases
VERSION: Final = 3
"""Of this schema; another number in the file means another program wrote it."""

SLOTS: Final = 256
"""Slots of one entry: the leaf counts them in one byte."""

DDL: Final = (
    # -- the log
    """CREATE TABLE entry(
        idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL,
        rows BLOB NOT NULL) STRICT""",
    """CREATE TABLE link(
        at INTEGER PRIMARY KEY, channel TEXT NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE(channel, count)) STRICT""",
    """CREATE TABLE view(
        at INTEGER PRIMARY KEY, opening BLOB, body BLOB, erased INTEGER,
        CHECK ((opening IS NULL) = (erased IS NOT NULL)),
        CHECK ((body IS NULL) = (erased IS NOT NULL))) STRICT""",
    "CREATE TABLE head(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
    """CREATE TABLE channel(
        position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since INTEGER NOT NULL) STRICT""",
    # -- what the broker serves from
    """CREATE TABLE report(
        idx INTEGER PRIMARY KEY, id TEXT NOT NULL, identity TEXT NOT NULL,
        originator TEXT NOT NULL, signer TEXT NOT NULL, created INTEGER NOT NULL,
        raw BLOB NOT NULL) STRICT""",
    """CREATE TABLE statement(
        idx INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, nation TEXT NOT NULL,
        seq INTEGER NOT NULL, raw BLOB NOT NULL) STRICT""",
    """CREATE TABLE release(
        report_idx INTEGER NOT NULL, nation TEXT NOT NULL, portion INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        PRIMARY KEY(report_idx, nation, portion, idx)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX release_by_entry ON release(idx)",
    # digests of a report's stored bytes before and after an entry deleted parts of them
    """CREATE TABLE erasure(
        report_idx INTEGER NOT NULL, idx INTEGER NOT NULL, before BLOB NOT NULL,
        after BLOB NOT NULL, PRIMARY KEY(report_idx, idx)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX erasure_by_entry ON erasure(idx)",
    # by order of its nation, a channel's views were erased: those numbered from first to until - 1,
    # of entries below the index `below` and before `before` (seconds); some kinds stay (`SPARED`)
    """CREATE TABLE sweep(
        idx INTEGER PRIMARY KEY, channel TEXT NOT NULL, first INTEGER NOT NULL,
        until INTEGER NOT NULL, below INTEGER NOT NULL, before INTEGER NOT NULL) STRICT""",
    "CREATE INDEX sweep_by_channel ON sweep(channel, until)",
    """CREATE TABLE attachment(
        identity TEXT NOT NULL, portion INTEGER NOT NULL, id TEXT NOT NULL, sha256 TEXT NOT NULL,
        length INTEGER NOT NULL, received INTEGER NOT NULL,
        PRIMARY KEY(identity, portion, id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE subscription(
        member TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, idx INTEGER NOT NULL,
        PRIMARY KEY(member, name)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cursor(
        member TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY(member, name)) STRICT, WITHOUT ROWID""",
    # denials that their nation was not told yet (`broker.denials`); times in seconds
    """CREATE TABLE denial(
        channel TEXT NOT NULL, asker TEXT NOT NULL, body TEXT NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, times INTEGER NOT NULL,
        PRIMARY KEY(channel, asker, body)) STRICT, WITHOUT ROWID""",
    # what the broker remembered at one entry, so that a start need not read all reports (`memory`)
    "CREATE TABLE sheet(number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    """CREATE TABLE memory(
        one INTEGER PRIMARY KEY CHECK (one = 1), form TEXT NOT NULL, note TEXT NOT NULL,
        tag BLOB NOT NULL) STRICT""",
)  # fmt: skip

# The writer's log statements, in the order of the batch.
INSERT_ENTRY: Final = "INSERT INTO entry VALUES(?,?,?,?)"
INSERT_LINK: Final = "INSERT INTO link VALUES(?,?,?,?)"
INSERT_VIEW: Final = "INSERT INTO view VALUES(?,?,?,NULL)"
INSERT_CHANNEL: Final = "INSERT INTO channel VALUES(?,?,?)"
INSERT_HEAD: Final = "INSERT INTO head VALUES(?,?)"

RENAME_HEAD: Final = "UPDATE head SET note = ? WHERE size = ?"
"""The one change to the log itself: after a loss all trees are signed under the log's new name."""

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "report": ("idx", "id", "identity", "originator", "signer", "created", "raw"),
    "statement": ("idx", "identity", "nation", "seq", "raw"),
    "release": ("report_idx", "nation", "portion", "idx"),
    "erasure": ("report_idx", "idx", "before", "after"),
    "sweep": ("idx", "channel", "first", "until", "below", "before"),
    "attachment": ("identity", "portion", "id", "sha256", "length", "received"),
}
"""Tables that a record may add rows to, with their columns. Rows are new or it is an error."""

INSERTS: Final[dict[str, str]] = {
    "report": "INSERT INTO report VALUES(?,?,?,?,?,?,?)",
    "statement": "INSERT INTO statement VALUES(?,?,?,?,?)",
    "release": "INSERT INTO release VALUES(?,?,?,?)",
    "erasure": "INSERT INTO erasure VALUES(?,?,?,?)",
    "sweep": "INSERT INTO sweep VALUES(?,?,?,?,?,?)",
    "attachment": "INSERT INTO attachment VALUES(?,?,?,?,?,?)",
}

CHANGES: Final[dict[str, str]] = {
    # member, name, body, entry index; a member's newest text under a name replaces the older
    "subscription.put": """INSERT INTO subscription VALUES(?,?,?,?)
        ON CONFLICT(member, name) DO UPDATE SET body = excluded.body, idx = excluded.idx""",
    "subscription.drop": "DELETE FROM subscription WHERE member = ? AND name = ?",
    "cursor.drop": "DELETE FROM cursor WHERE member = ? AND name = ?",
    # channel, asking nation, body: it is told by this very record
    "denial.drop": "DELETE FROM denial WHERE channel = ? AND asker = ? AND body = ?",
    # index of the erasure's own entry, then the slot's place (`place`)
    "view.erase": "UPDATE view SET opening = NULL, body = NULL, erased = ? WHERE at = ?",
    # what is left of a report's bytes, then the report's index; goes with a row of `erasure`
    "report.erase": "UPDATE report SET raw = ? WHERE idx = ?",
}
"""What a record may change in place, carried out in the order of the records, after all rows."""

ERASING: Final = frozenset({"view.erase", "report.erase"})
"""Changes after which the old bytes must not stay readable in the write-ahead log."""

PROGRESS: Final[dict[str, str]] = {
    # member, name, position
    "cursor.set": """INSERT INTO cursor VALUES(?,?,?)
        ON CONFLICT(member, name) DO UPDATE SET position = excluded.position""",
    # channel, asking nation, body, first, last, times
    "denial.put": """INSERT INTO denial VALUES(?,?,?,?,?,?)
        ON CONFLICT(channel, asker, body) DO UPDATE SET
        first = excluded.first, last = excluded.last, times = excluded.times""",
    "denial.forget": "DELETE FROM denial WHERE channel = ? AND asker = ? AND body = ?",
    # bytes received, identity, portion, id
    "attachment.received": """UPDATE attachment SET received = ?
        WHERE identity = ? AND portion = ? AND id = ?""",
}
"""What may change outside the log, because losing it costs a repetition and nothing else."""


MEMORY: Final[dict[str, str]] = {
    # number, body
    "sheet.put": """INSERT INTO sheet VALUES(?,?)
        ON CONFLICT(number) DO UPDATE SET body = excluded.body""",
    # how many there are
    "sheet.cut": "DELETE FROM sheet WHERE number >= ?",
    # form, checkpoint, tag
    "memory.set": """INSERT INTO memory VALUES(1,?,?,?)
        ON CONFLICT(one) DO UPDATE SET
        form = excluded.form, note = excluded.note, tag = excluded.tag""",
}
"""How what is remembered changes, outside the log: all of it follows from the log."""


def place(index: int, slot: int) -> int:
    """The one integer that names a slot of the log."""
    return index * SLOTS + slot
