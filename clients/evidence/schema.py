"""The tables of an auditor's evidence, and how an entry's proof goes in and comes out.

`fact` has one small row an entry, so that a million of them are looked through in a moment; what
proves it stands in `line`. Rules, policies and banners are the same for most entries, and each such
part is kept once. The views `entry`, `rule`, `policy` and `banner` put it all together again.
"""

from typing import Final

from clients.evidence.facts import DENIAL, FACTS
from wire.evidence import Evidence
from wire.merkle import HASH_BYTES
from wire.pages import Exhibit, encode, exhibit

_DENIAL: Final = ", ".join(f'"{name}"' for name in DENIAL)
_OWN: Final = ", ".join(f"f.{name}" for name in FACTS)
SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tree(
  size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, consistency TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS confirmed(
  tree INTEGER NOT NULL REFERENCES tree(size), size INTEGER NOT NULL, note TEXT NOT NULL,
  proof TEXT NOT NULL, PRIMARY KEY (tree, size)
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
  number INTEGER PRIMARY KEY, slot INTEGER NOT NULL, leaf BLOB NOT NULL, link BLOB NOT NULL,
  opening BLOB NOT NULL, view TEXT, view_opening BLOB, proof BLOB NOT NULL
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
CREATE TABLE IF NOT EXISTS push(
  target TEXT PRIMARY KEY, cursor INTEGER NOT NULL, upto INTEGER NOT NULL,
  tries INTEGER NOT NULL, singly INTEGER NOT NULL, rest INTEGER NOT NULL, gone INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS dead_letter(
  target TEXT NOT NULL, idx INTEGER NOT NULL, tries INTEGER NOT NULL, why TEXT NOT NULL,
  time INTEGER NOT NULL, PRIMARY KEY (target, idx)
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
PRAGMAS: Final = (
    "PRAGMA page_size = 16384",  # lines are of some kilobytes
    "PRAGMA journal_mode = WAL",  # one fsync a page
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",  # KiB
    "PRAGMA temp_store = MEMORY",
)


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


INSERTS: Final = _inserts()


def kept(evidence: Exhibit | Evidence) -> tuple[object, ...]:
    """What proves an entry, as it is kept: its view as the text it is, for questions."""
    shown = exhibit(evidence)
    view = None if shown.view is None else shown.view.decode()
    proof = b"".join(shown.proof)
    return shown.slot, shown.leaf, shown.link, shown.opening, view, shown.view_opening, proof


def evidence_line(
    index: int,
    slot: int,
    leaf: bytes,
    link: bytes,
    opening: bytes,
    view: str | None,
    view_opening: bytes | None,
    proof: bytes,
) -> str:
    """What was kept as evidence again, in JSON; its checkpoint is the page's."""
    hashes = [proof[at : at + HASH_BYTES] for at in range(0, len(proof), HASH_BYTES)]
    text = None if view is None else view.encode()
    line = Exhibit(index, slot, leaf, link, opening, text, view_opening, tuple(hashes))
    return encode(line).decode()
