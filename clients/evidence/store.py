"""The auditor's evidence on disk: what was pulled and verified, page by page, in one SQLite file.

Every row stands for an entry that `wire.prove` accepted; a page and what it moves are one
transaction, so a pull that breaks goes on where it was. Who can read the file learns what the
auditor knows, which is no content. Who can change it could make the auditor say something else, so
a short sealed note beside it (`clients.store`) must agree with its end, and what is handed on
(`wire/evidence_file.py`) is verified again from the proofs themselves.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from clients.evidence.facts import DENIAL, FACTS, facts
from wire import statements, strict_json
from wire.base64_strict import encode
from wire.entries import Tip
from wire.errors import Malformed
from wire.evidence import Evidence, Segment
from wire.evidence_lines import Said
from wire.merkle import EMPTY_ROOT
from wire.notes import OpenedCheckpoint
from wire.prove import Trust, VerifiedEntry

VERSION: Final = "1"
FILE: Final = "evidence.sqlite3"

_DENIAL: Final = ", ".join(f'"{name}"' for name in DENIAL)
SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tree(
  size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, consistency TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS page(
  number INTEGER PRIMARY KEY, tree INTEGER NOT NULL REFERENCES tree(size), channel TEXT NOT NULL,
  entries INTEGER NOT NULL, head TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS channel(
  channel TEXT PRIMARY KEY, size INTEGER NOT NULL, complete INTEGER NOT NULL,
  count INTEGER NOT NULL, idx INTEGER NOT NULL, slot INTEGER NOT NULL, last BLOB NOT NULL,
  head_count INTEGER NOT NULL, head_idx INTEGER NOT NULL, head_slot INTEGER NOT NULL,
  head_last BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entry(
  channel TEXT NOT NULL, count INTEGER NOT NULL, idx INTEGER NOT NULL, page INTEGER NOT NULL,
  time INTEGER NOT NULL, type TEXT NOT NULL, erased INTEGER NOT NULL, line TEXT NOT NULL,
  view TEXT, {", ".join(FACTS)}, PRIMARY KEY (channel, count)
);
CREATE TABLE IF NOT EXISTS rule(channel TEXT, count INTEGER, layer TEXT, rule TEXT) STRICT;
CREATE TABLE IF NOT EXISTS policy(channel TEXT, count INTEGER, layer TEXT, statement TEXT) STRICT;
CREATE TABLE IF NOT EXISTS portion(
  channel TEXT, count INTEGER, part INTEGER, label TEXT, nation TEXT, outcome TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS denial(channel, count, {_DENIAL}, rules);
CREATE TABLE IF NOT EXISTS drawn(channel TEXT, count INTEGER, source TEXT) STRICT;
CREATE TABLE IF NOT EXISTS banner(channel TEXT, count INTEGER, banner TEXT) STRICT;
CREATE TABLE IF NOT EXISTS statement(
  identity TEXT PRIMARY KEY, nation TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
  issued INTEGER NOT NULL, head BLOB NOT NULL, body BLOB, signers TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS push(
  target TEXT PRIMARY KEY, cursor INTEGER NOT NULL, upto INTEGER NOT NULL,
  tries INTEGER NOT NULL, singly INTEGER NOT NULL, rest INTEGER NOT NULL, gone INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS dead_letter(
  target TEXT NOT NULL, idx INTEGER NOT NULL, tries INTEGER NOT NULL, why TEXT NOT NULL,
  time INTEGER NOT NULL, PRIMARY KEY (target, idx)
) STRICT;
CREATE INDEX IF NOT EXISTS entry_idx ON entry(idx);
CREATE INDEX IF NOT EXISTS entry_page ON entry(page, count);
CREATE INDEX IF NOT EXISTS entry_type ON entry(type, time);
CREATE INDEX IF NOT EXISTS entry_report ON entry(report) WHERE report IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_actor ON entry(actor, time) WHERE actor IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_statement ON entry(statement) WHERE statement IS NOT NULL;
CREATE INDEX IF NOT EXISTS rule_entry ON rule(channel, count);
CREATE INDEX IF NOT EXISTS policy_entry ON policy(channel, count);
CREATE INDEX IF NOT EXISTS policy_statement ON policy(statement);
CREATE INDEX IF NOT EXISTS denial_entry ON denial(channel, count);
CREATE INDEX IF NOT EXISTS denial_report ON denial(report);
CREATE INDEX IF NOT EXISTS drawn_entry ON drawn(channel, count);
CREATE INDEX IF NOT EXISTS banner_entry ON banner(channel, count);
CREATE INDEX IF NOT EXISTS portion_entry ON portion(channel, count);
"""


@dataclass(frozen=True)
class Tree:
    """A tree that was verified, as it is kept."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    consistency: tuple[str, ...] = ()


class EvidenceStore:
    """Open it with `EvidenceStore.open`; it is a context that closes the file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, folder: Path, whose: Mapping[str, str], *, new: bool) -> Iterator[Self]:
        """The store in an identity's state folder. `whose` names mission, nation and charter.

        Raises `Malformed` ("bad-input") if there is none and it may not be `new`, or it belongs to
        somebody else, or is no such file.
        """
        path = folder / FILE
        if not new and not path.exists():
            raise Malformed("bad-input", "nothing was pulled yet; run tearline audit pull")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            try:
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(SCHEMA)
                store = cls(database)
                store._check_owner({"version": VERSION, **whose})
            except sqlite3.DatabaseError as error:
                raise Malformed("bad-input", f"{FILE} is not an evidence store") from error
            yield store

    def _check_owner(self, whose: Mapping[str, str]) -> None:
        rows = list(whose.items())
        self._database.executemany("INSERT OR IGNORE INTO meta VALUES(?, ?)", rows)
        if dict(self._database.execute("SELECT name, value FROM meta")) != whose:
            raise Malformed("bad-input", f"{FILE} belongs to another member or version")

    # -- what is known

    def newest(self) -> Tree:
        """The newest tree."""
        for tree in self.trees("ORDER BY size DESC LIMIT 1"):
            return tree
        return Tree()

    def trees(self, order: str = "ORDER BY size") -> Iterator[Tree]:
        """All trees, oldest first."""
        for size, root, note, proof in self._database.execute(f"SELECT * FROM tree {order}"):
            yield Tree(size, root, note, tuple(proof.split()))

    def trust(self, channel: str) -> Trust:
        """How far a channel was verified."""
        row = self.one("SELECT * FROM channel WHERE channel = ?", channel)
        if row is None:
            return Trust()
        tree = self.one("SELECT root FROM tree WHERE size = ?", row["size"])
        tip = Tip(row["count"], row["idx"], row["slot"], row["last"])
        head = Tip(row["head_count"], row["head_idx"], row["head_slot"], row["head_last"])
        return Trust(row["size"], tree["root"] if tree else b"", tip, head)

    def is_complete(self, channel: str) -> bool:
        """Whether the channel was followed to its end in the tree it was followed in last."""
        row = self.one("SELECT complete FROM channel WHERE channel = ?", channel)
        return row is not None and bool(row["complete"])

    def said(self, identity: str) -> Said | None:
        """A statement by its identity, without its signatures."""
        row = self.one("SELECT head, body FROM statement WHERE identity = ?", identity)
        if row is None:
            return None
        body = None if row["body"] is None else encode(row["body"])
        return Said(head=encode(row["head"]), body=body)

    def evidence(self, channel: str, count: int) -> Evidence:
        """The evidence of an entry, as it came."""
        row = self.one("SELECT line FROM entry WHERE channel = ? AND count = ?", channel, count)
        if row is None:
            raise Malformed("bad-input", f"there is no entry {count} of {channel}")
        return strict_json.load(row["line"].encode(), Evidence, limit=1 << 20, prose=True)

    def rows(self, sql: str, *params: object, **named: object) -> Iterator[Mapping[str, Any]]:
        """The rows of a question, each by its columns' names."""
        cursor = self._database.execute(sql, named or params)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def one(self, sql: str, *params: object) -> Mapping[str, Any] | None:
        """The first row, if there is any."""
        return next(self.rows(sql, *params), None)

    # -- what is new

    def append(
        self,
        opened: OpenedCheckpoint,
        proof: Sequence[str],
        segment: Segment,
        entries: Sequence[VerifiedEntry],
        trust: Trust,
        *,
        complete: bool,
    ) -> None:
        """Keep a verified page: all of it, or nothing."""
        database, tree = self._database, opened.checkpoint
        database.execute("BEGIN IMMEDIATE")
        try:
            if tree.size > self.newest().size:
                row = (tree.size, tree.root, opened.note, " ".join(proof))
                database.execute("INSERT INTO tree VALUES(?, ?, ?, ?)", row)
            head = segment.head.model_dump_json()
            page = database.execute(
                "INSERT INTO page VALUES(NULL, ?, ?, ?, ?)",
                (tree.size, segment.channel, len(entries), head),
            ).lastrowid
            for entry, evidence in zip(entries, segment.entries, strict=True):
                self._keep(entry, evidence, page)
            at = trust.head or Tip()
            database.execute(
                "INSERT OR REPLACE INTO channel VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (segment.channel, trust.size, complete, *_flat(trust.tip), *_flat(at)),
            )
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _keep(self, entry: VerifiedEntry, evidence: Evidence, page: int | None) -> None:
        found, where = facts(entry), (entry.channel, entry.count)
        line = evidence.model_copy(update={"checkpoint": None}).model_dump_json()
        view = None if entry.view is None else strict_json.dump(dict(entry.view)).decode()
        own = (*where, entry.index, page, entry.time, entry.type, view is None, line, view)
        marks = ", ".join("?" * (len(own) + len(FACTS)))
        self._database.execute(f"INSERT INTO entry VALUES({marks})", (*own, *found.fact))
        for table, parts in (
            ("rule", found.rules),
            ("policy", found.policies),
            ("portion", found.portions),
            ("denial", found.denials),
            ("drawn", found.drawn),
            ("banner", found.banners),
        ):
            for part in parts:
                marks = ", ".join("?" * (2 + len(part)))
                self._database.execute(f"INSERT INTO {table} VALUES({marks})", (*where, *part))

    def change(self, *steps: tuple[str, Sequence[object]]) -> None:
        """Run statements on the tables of a push: all of them, or none; durable at the end."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for sql, params in steps:
                self._database.execute(sql, params)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def settle(self) -> None:
        """Let SQLite look at what there is: without, it takes indexes that find too much."""
        self._database.execute("PRAGMA analysis_limit = 1000")
        self._database.execute("ANALYZE")

    def keep_statements(self, raws: Iterable[bytes]) -> None:
        """Keep statements whose signatures were verified."""
        rows = []
        for raw in raws:
            statement = statements.parse(raw)
            head = statement.head
            about = (head.nation, head.seq, head.type, head.issued)
            body, signers = statement.body_bytes, " ".join(statement.signatures)
            rows.append((statement.identity, *about, statement.head_bytes, body, signers))
        self._database.execute("BEGIN IMMEDIATE")
        marks = ", ".join("?" * 8)
        self._database.executemany(f"INSERT OR IGNORE INTO statement VALUES({marks})", rows)
        self._database.execute("COMMIT")


def _flat(tip: Tip) -> tuple[int, int, int, bytes]:
    return tip.count, tip.index, tip.slot, tip.commitment
