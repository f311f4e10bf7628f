"""The auditor's evidence on disk: what was pulled and verified, page by page, in one SQLite file.

Every row stands for an entry that `wire.prove` accepted; a page and what it moves are one
transaction, so a pull that breaks goes on where it was. Who can read the file learns what the
auditor knows, which is no content. Who can change it could make the auditor say something else, so
a short sealed note beside it (`clients.store`) must agree with its end, and what is handed on
(`wire/evidence_file.py`) is verified again from the proofs themselves.
"""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from clients.evidence.facts import DENIAL, FACTS, Texts, facts
from wire import statements, strict_json
from wire.base64_strict import decode, encode
from wire.entries import Tip
from wire.errors import Malformed
from wire.evidence import Evidence, Segment
from wire.evidence_lines import Said
from wire.merkle import EMPTY_ROOT
from wire.notes import OpenedCheckpoint
from wire.prove import Trust, VerifiedEntry

VERSION: Final = "2"
FILE: Final = "evidence.sqlite3"
PARTS: Final = 65_536
"""Parts whose numbers are remembered."""

_DENIAL: Final = ", ".join(f'"{name}"' for name in DENIAL)
_OWN: Final = ", ".join(f"f.{name}" for name in FACTS)
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
CREATE TABLE IF NOT EXISTS fact(
  channel TEXT NOT NULL, count INTEGER NOT NULL, idx INTEGER NOT NULL, page INTEGER NOT NULL,
  time INTEGER NOT NULL, type TEXT NOT NULL, erased INTEGER NOT NULL, {", ".join(FACTS)},
  rules INTEGER, policies INTEGER, banners INTEGER, line INTEGER NOT NULL,
  PRIMARY KEY (channel, count)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line(
  number INTEGER PRIMARY KEY, slot INTEGER NOT NULL, leaf TEXT NOT NULL, link TEXT NOT NULL,
  opening TEXT NOT NULL, view TEXT, view_opening TEXT, proof TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS part(number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS part_rule(part INTEGER, layer TEXT, rule TEXT) STRICT;
CREATE TABLE IF NOT EXISTS part_policy(part INTEGER, layer TEXT, statement TEXT) STRICT;
CREATE TABLE IF NOT EXISTS part_banner(part INTEGER, banner TEXT) STRICT;
CREATE TABLE IF NOT EXISTS portion(
  channel TEXT, count INTEGER, part INTEGER, label TEXT, nation TEXT, outcome TEXT,
  PRIMARY KEY (channel, count, nation, part, label, outcome)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS denial(channel, count, {_DENIAL}, rules);
CREATE TABLE IF NOT EXISTS drawn(channel TEXT, count INTEGER, source TEXT) STRICT;
CREATE TABLE IF NOT EXISTS statement(
  identity TEXT PRIMARY KEY, nation TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
  issued INTEGER NOT NULL, head BLOB NOT NULL, body BLOB, signers TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS fact_idx ON fact(idx);
CREATE INDEX IF NOT EXISTS fact_page ON fact(page, count);
CREATE INDEX IF NOT EXISTS fact_type ON fact(type, time);
CREATE INDEX IF NOT EXISTS fact_report ON fact(report, recipient) WHERE report IS NOT NULL;
CREATE INDEX IF NOT EXISTS fact_actor ON fact(actor, time) WHERE actor IS NOT NULL;
CREATE INDEX IF NOT EXISTS fact_statement ON fact(statement) WHERE statement IS NOT NULL;
CREATE INDEX IF NOT EXISTS part_rule_part ON part_rule(part);
CREATE INDEX IF NOT EXISTS part_policy_part ON part_policy(part);
CREATE INDEX IF NOT EXISTS part_banner_part ON part_banner(part);
CREATE INDEX IF NOT EXISTS denial_entry ON denial(channel, count);
CREATE INDEX IF NOT EXISTS denial_report ON denial(report);
CREATE INDEX IF NOT EXISTS drawn_entry ON drawn(channel, count);
CREATE INDEX IF NOT EXISTS drawn_source ON drawn(source);
CREATE VIEW IF NOT EXISTS entry AS
  SELECT f.channel, f.count, f.idx, f.page, f.time, f.type, f.erased,
    evidence_line(f.idx, l.slot, l.leaf, l.link, l.opening, l.view, l.view_opening, l.proof)
    AS line, l.view, {_OWN}
  FROM fact f LEFT JOIN line l ON l.number = f.line;
CREATE VIEW IF NOT EXISTS rule AS
  SELECT f.channel, f.count, p.layer, p.rule FROM fact f JOIN part_rule p ON p.part = f.rules;
CREATE VIEW IF NOT EXISTS policy AS
  SELECT f.channel, f.count, p.layer, p.statement FROM fact f
  JOIN part_policy p ON p.part = f.policies;
CREATE VIEW IF NOT EXISTS banner AS
  SELECT f.channel, f.count, p.banner FROM fact f JOIN part_banner p ON p.part = f.banners;
"""
"""One row of `fact` an entry: small, so that a million of them are looked through in a moment. What
proves it stands in `line`. Rules, policies and banners are the same for most entries: each such
part is kept once. The views put it all together again."""

_PRAGMAS: Final = (
    "PRAGMA page_size = 16384",  # lines are of some kilobytes
    "PRAGMA journal_mode = WAL",  # one fsync a page
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",  # KiB
    "PRAGMA temp_store = MEMORY",
)


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
        self._parts: dict[tuple[str, Texts], int] = {}

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
            database.create_function("evidence_line", 8, evidence_line, deterministic=True)
            try:
                for pragma in _PRAGMAS:
                    database.execute(pragma)
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
            self._keep(entries, segment.entries, page)
            at = trust.head or Tip()
            database.execute(
                "INSERT OR REPLACE INTO channel VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (segment.channel, trust.size, complete, *_flat(trust.tip), *_flat(at)),
            )
        except BaseException:
            self._parts.clear()
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _keep(
        self, entries: Sequence[VerifiedEntry], evidence: Sequence[Evidence], page: int | None
    ) -> None:
        """The entries of a page: one statement for each table."""
        last = self.one("SELECT max(number) AS number FROM line")
        assert last is not None, "an aggregate always has a row"
        rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _INSERTS}
        numbers = itertools.count((last["number"] or 0) + 1)
        for entry, proof, number in zip(entries, evidence, numbers, strict=False):
            found, where = facts(entry), (entry.channel, entry.count)
            own = (*where, entry.index, page, entry.time, entry.type, proof.view is None)
            parts = (self._part(table, texts) for table, texts in found.shared)
            rows["fact"].append((*own, *found.fact, *parts, number))
            rows["line"].append((number, *_kept(proof)))
            for table, each in found.own:
                rows[table] += [(*where, *part) for part in each]
        for table, sql in _INSERTS.items():
            self._database.executemany(sql, rows[table])

    def _part(self, table: str, texts: Texts) -> int | None:
        """The number of what many entries share; it is written when it comes first."""
        if not texts:
            return None
        number = self._parts.get((table, texts))
        if number is None:
            database, name = self._database, json.dumps((table, texts))
            row = self.one("SELECT number FROM part WHERE text = ?", name)
            if row is None:
                number = database.execute("INSERT INTO part VALUES(NULL, ?)", (name,)).lastrowid
                assert number is not None, "a row was inserted"
                marks = ", ".join("?" * (1 + len(texts[0])))
                sql = f"INSERT INTO {table} VALUES({marks})"
                database.executemany(sql, [(number, *text) for text in texts])
            else:
                number = row["number"]
            if len(self._parts) < PARTS:
                self._parts[table, texts] = number
        return number

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


def _inserts() -> dict[str, str]:
    """One row a table, by its number of columns."""
    columns = {
        "fact": 11 + len(FACTS),
        "line": 8,
        "portion": 6,
        "denial": 3 + len(DENIAL),
        "drawn": 3,
    }
    return {
        table: f"INSERT OR {'IGNORE' if table == 'portion' else 'ABORT'} INTO {table} "
        f"VALUES({', '.join('?' * count)})"
        for table, count in columns.items()
    }


_INSERTS: Final = _inserts()


def _kept(evidence: Evidence) -> tuple[object, ...]:
    """What proves an entry, as it is kept: its view as the text it is, for questions."""
    view = None if evidence.view is None else decode(evidence.view).decode()
    return (
        evidence.slot,
        evidence.leaf,
        evidence.link,
        evidence.opening,
        view,
        evidence.view_opening,
        " ".join(evidence.proof),
    )


def evidence_line(
    index: int,
    slot: int,
    leaf: str,
    link: str,
    opening: str,
    view: str | None,
    view_opening: str | None,
    proof: str,
) -> str:
    """What was kept as evidence again, in JSON; its checkpoint is the page's."""
    return Evidence.model_construct(
        index=index,
        slot=slot,
        leaf=leaf,
        link=link,
        opening=opening,
        view=None if view is None else encode(view.encode()),
        view_opening=view_opening,
        proof=tuple(proof.split()),
        checkpoint=None,
    ).model_dump_json()


def _flat(tip: Tip) -> tuple[int, int, int, bytes]:
    return tip.count, tip.index, tip.slot, tip.commitment
