"""Nothing that a start, a reader or an auditor asks of a journal goes through all of it.

SQLite chooses for itself; with a few rows every choice is quick, and with a million a wrong one
takes minutes. So the choices are looked at here, not the time.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from broker.journal import evidence, nodes, recovery
from broker.journal.queries import QUERIES
from broker.journal.schema import DDL

LONG = {"entry", "link", "before", "view", "report", "release"}
"""Tables, and other names of them, that have a row or more for every act of the mission."""
COUNTING = {"counts"}
"""Queries that are to look at everything: the operator's figures."""
ASKED: Mapping[str, str] = {
    "channels": recovery._CHANNELS,
    "entries": recovery._ENTRIES,
    "slots": recovery._SLOTS,
    "views of a page": recovery._VIEWS,
    "heads": recovery._HEADS,
    "tips": recovery._TIPS,
    "erasures": recovery._ERASURES,
    **{f"rows of {table}": sql for table, sql in recovery._ROWS.items()},
    "nodes": nodes._HASHES,
    "chain": evidence._CHAIN,
    "named": evidence._NAMED,
    "leaves": evidence._LEAVES,
    **{name: sql for name, sql in QUERIES.items() if name not in COUNTING},
}


@pytest.fixture(scope="module")
def empty() -> Iterator[sqlite3.Connection]:
    """A journal's tables. SQLite plans without figures of their sizes, as the broker has it."""
    with closing(sqlite3.connect(":memory:")) as database:
        for sql in DDL:
            database.execute(sql)
        yield database


@pytest.mark.parametrize("name", ASKED)
def test_no_question_goes_through_a_long_table(name: str, empty: sqlite3.Connection) -> None:
    sql = ASKED[name]
    plan = empty.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
    steps = [step.split() for *_, step in plan]
    assert [step for step in steps if step[0] == "SCAN" and step[1] in LONG] == []
