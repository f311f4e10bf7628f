"""The auditor's evidence on disk: what was pulled and verified, page by page, in one SQLite file.

Every row stands for an entry that `wire.prove` accepted; a page and what it moves are one
transaction, so a pull that breaks goes on where it was. Who can read the file learns what the
auditor knows, which is no content. Who can change it could make the auditor say something else, so
a short sealed note beside it (`clients.store`) must agree with its end, and what is handed on
(`wire/evidence_file.py`) is verified again from the proofs themselves.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from clients.evidence.examining import Examined
from clients.evidence.facts import OWN, Texts
from clients.evidence.schema import INSERTS, PRAGMAS, SCHEMA, evidence_line, kept
from wire import statements, strict_json
from wire.base64_strict import encode
from wire.entries import Tip
from wire.errors import BrokerFault, Malformed
from wire.evidence import Evidence
from wire.evidence_lines import Said
from wire.merkle import EMPTY_ROOT
from wire.notes import OpenedCheckpoint
from wire.pages import Page
from wire.prove import Trust

VERSION: Final = "4"
FILE: Final = "evidence.sqlite3"
LATER_FILE: Final = "evidence-{log}.sqlite3"
"""Of a log that was continued after a loss: what was seen of the one before stays apart."""
PULLING: Final = "another pull of this evidence is under way"
PARTS: Final = 65_536
"""Parts whose numbers are remembered."""


@dataclass(frozen=True)
class Tree:
    """A tree that was verified, as it is kept."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    consistency: tuple[str, ...] = ()


class EvidenceStore:
    """Open it with `EvidenceStore.open`; it is a context that closes the file."""

    def __init__(self, database: sqlite3.Connection, whose: Mapping[str, str]) -> None:
        self._database, self.whose = database, whose
        self._parts: dict[tuple[str, Texts], int] = {}

    @classmethod
    @contextmanager
    def open(cls, folder: Path, whose: Mapping[str, str], *, new: bool) -> Iterator[Self]:
        """The store in an identity's state folder. `whose` names mission, nation and charter, and
        of a log that was continued its name, by which statement, and from which tree.

        Raises `Malformed` ("bad-input") if there is none and it may not be `new`, or it belongs to
        somebody else, or is no such file.
        """
        path = folder / file_of(whose)
        if not new and not path.exists():
            raise Malformed("bad-input", "nothing was pulled yet; run tearline audit pull")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.create_function("evidence_line", 8, evidence_line, deterministic=True)
            try:
                for pragma in PRAGMAS:
                    database.execute(pragma)
                database.executescript(SCHEMA)
                store = cls(database, whose)
                store._check_owner({"version": VERSION, **whose})
            except sqlite3.DatabaseError as error:
                raise Malformed("bad-input", f"{path.name} is not an evidence store") from error
            yield store

    def _check_owner(self, whose: Mapping[str, str]) -> None:
        rows = list(whose.items())
        self._database.executemany("INSERT OR IGNORE INTO meta VALUES(?, ?)", rows)
        if dict(self._database.execute("SELECT name, value FROM meta")) != whose:
            raise Malformed("bad-input", "the evidence is of another member, log or version")

    # -- what is known

    def newest(self) -> Tree:
        """The newest tree."""
        for tree in self.trees("ORDER BY size DESC LIMIT 1"):
            return tree
        size, _, root = self.whose.get("start", "").partition(" ")
        return Tree(int(size), bytes.fromhex(root)) if size else Tree()

    def trees(self, order: str = "ORDER BY size") -> Iterator[Tree]:
        """All trees, oldest first."""
        for size, root, note, proof in self._database.execute(f"SELECT * FROM tree {order}"):
            yield Tree(size, root, note, tuple(proof.split()))

    @property
    def pinned(self) -> str:
        """The identity of the statement that names the log's keys: all that a verifier must know.

        The charter's, or that of the statement by which the log was continued.
        """
        return self.whose.get("continued", self.whose["charter"])

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
        page: Page,
        examined: Examined,
    ) -> None:
        """Keep a verified page: all of it, or nothing. Raises `BrokerFault` ("busy") if another
        process kept it in the meantime.
        """
        database, tree, trust = self._database, opened.checkpoint, examined.trust
        database.execute("BEGIN IMMEDIATE")
        try:
            self._keep_tree(opened, proof)
            head = page.head.model_dump_json()
            entries = len(examined.rows)
            number = database.execute(
                "INSERT INTO page VALUES(NULL, ?, ?, ?, ?, ?)",
                (tree.size, page.channel, trust.tip.count - entries, entries, head),
            ).lastrowid
            self._keep(page, examined, number)
            at = trust.head or Tip()
            database.execute(
                "INSERT OR REPLACE INTO channel VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (page.channel, trust.size, examined.complete, *_flat(trust.tip), *_flat(at)),
            )
        except BaseException as error:
            self._parts.clear()
            database.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                raise BrokerFault("busy", PULLING) from error
            raise
        database.execute("COMMIT")

    def _keep_tree(self, opened: OpenedCheckpoint, proof: Sequence[str]) -> None:
        """The tree of a page, unless it is here; the caller may have looked before others did."""
        tree, newest = opened.checkpoint, self.newest().size
        if tree.size < newest:
            raise BrokerFault("busy", PULLING)
        if tree.size > newest:
            row = (tree.size, tree.root, opened.note, " ".join(proof))
            self._database.execute("INSERT INTO tree VALUES(?, ?, ?, ?)", row)

    def _keep(self, page: Page, examined: Examined, place: int | None) -> None:
        """The entries of a page: one statement for each table, whose rows are made as it runs."""
        last = self.one("SELECT max(number) AS number FROM line")
        assert last is not None, "an aggregate always has a row"
        first, channel, keep = (last["number"] or 0) + 1, page.channel, self._database.executemany
        keep(INSERTS["line"], ((n, *kept(one)) for n, one in enumerate(page.entries, first)))
        parts = [self._part(*part) for part in examined.parts]
        lines = range(first, first + len(page.entries))
        facts = (
            (
                *(channel, row.count, row.index, place, row.time, row.type, row.erased),
                *row.fact,
                *[parts[number] for number in row.shared],
                line,
            )
            for row, line in zip(examined.rows, lines, strict=True)
        )
        keep(INSERTS["fact"], facts)
        for at, table in enumerate(OWN):
            own = ((channel, row.count, *each) for row in examined.rows for each in row.own[at])
            keep(INSERTS[table], own)

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


def file_of(whose: Mapping[str, str]) -> str:
    """The name of the file that holds the evidence of a log."""
    log = whose.get("log")
    return FILE if log is None else LATER_FILE.format(log=log.replace("/", "-"))


def _flat(tip: Tip) -> tuple[int, int, int, bytes]:
    return tip.count, tip.index, tip.slot, tip.commitment
