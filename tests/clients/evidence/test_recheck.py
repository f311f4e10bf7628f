"""Evidence that was edited on the disk is found, in its proofs and in the facts beside them."""

import sqlite3
from collections.abc import Iterator

import pytest

from clients.evidence.recheck import recheck
from tests.clients.evidence.little_history import LATER, Told


@pytest.fixture
def database(told: Told) -> Iterator[sqlite3.Connection]:
    """Kenya's file in the hands of somebody who can write it; put back at the end."""
    path = told.desks["KEN"].identity.state / "evidence.sqlite3"
    before = path.read_bytes()
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()
    path.write_bytes(before)


def found(told: Told) -> str | None:
    me = told.desks["KEN"].identity
    with told.desks["KEN"].store() as store:
        return recheck(store, me.mission, me.nation, me.charter, LATER)


def test_what_was_pulled_holds(told: Told) -> None:
    assert found(told) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fact SET recipient = 'XXX' WHERE {at}",
        "UPDATE fact SET report = 'ab' WHERE {at}",
        "UPDATE fact SET time = 1 WHERE {at}",
        "UPDATE fact SET erased = 1 WHERE {at}",
        "UPDATE fact SET portions = NULL WHERE {at}",
        "UPDATE fact SET policies = NULL WHERE {at}",
        "UPDATE fact SET banners = NULL WHERE {at}",
        "UPDATE part_rule SET rule = 'KEN/b' WHERE part = (SELECT rules FROM fact WHERE {at})",
        "INSERT INTO part_rule SELECT rules, 'release/KEN', 'KEN/b' FROM fact WHERE {at}",
        "INSERT INTO drawn SELECT channel, count, 'ab' FROM fact WHERE {at}",
    ],
)
def test_an_edited_fact_is_found_and_named(
    told: Told, database: sqlite3.Connection, change: str
) -> None:
    """Expect a finding: every proof holds, and a question would still be answered falsely."""
    sql = "SELECT count, idx FROM fact WHERE channel = 'KEN' AND type = 'release' ORDER BY count"
    count, index = database.execute(sql).fetchone()
    database.execute(change.format(at=f"channel = 'KEN' AND count = {count}"))
    said = str(found(told))
    assert said.startswith(f"entry {count} of KEN, at index {index}: the index (")


@pytest.mark.slow
@pytest.mark.parametrize("table", ["fact", "portion", "denial", "drawn"])
def test_a_row_that_no_entry_proves_is_found(
    told: Told, database: sqlite3.Connection, table: str
) -> None:
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join("9999" if name == "count" else f'"{name}"' for name in names)
    sql = f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE channel = 'KEN' LIMIT 1"
    if not database.execute(sql).rowcount:
        database.execute(f"INSERT INTO {table}(channel, count) VALUES('KEN', 9999)")
    assert found(told) not in {"", None}


@pytest.mark.parametrize("change", ["slot = slot + 1", "view = '{}'", "leaf = x'0101'"])
def test_an_edited_proof_is_found(told: Told, database: sqlite3.Connection, change: str) -> None:
    database.execute(f"UPDATE line SET {change} WHERE number = (SELECT max(number) - 3 FROM line)")
    assert "at index" in str(found(told))


@pytest.mark.slow
@pytest.mark.parametrize("change", ["seq = 99", "nation = 'FRA'", "body = CAST('{}' AS BLOB)"])
def test_an_edited_statement_is_found(
    told: Told, database: sqlite3.Connection, change: str
) -> None:
    """Expect a finding: versions and texts of policies are read from statements."""
    database.execute(f"UPDATE statement SET {change} WHERE type = 'policy.publish'")
    assert "statement" in str(found(told)) or "signed" in str(found(told))


def test_too_much_is_not_looked_at(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so: None is not the same as nothing found."""
    monkeypatch.setattr("clients.evidence.recheck.RECHECKED_MAX", 10)
    assert found(told) is None
