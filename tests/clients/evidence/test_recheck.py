"""Evidence that was edited on the disk is found, in its proofs and in the facts beside them."""

import sqlite3
from collections.abc import Iterator

import pytest

from clients.evidence.recheck import BESIDE, recheck
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


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET recipient = 'XXX' WHERE {at}",
        "UPDATE entry SET report = 'ab' WHERE {at}",
        "UPDATE entry SET time = 1 WHERE {at}",
        "UPDATE entry SET erased = 1 WHERE {at}",
        "UPDATE entry SET view = '{{}}' WHERE {at}",
        "UPDATE rule SET rule = 'KEN/other' WHERE {at}",
        "DELETE FROM policy WHERE {at}",
        "UPDATE banner SET banner = 'UNCLASSIFIED' WHERE {at}",
        "INSERT INTO rule SELECT channel, count, layer, 'KEN/b' FROM rule WHERE {at}",
    ],
)
def test_an_edited_fact_is_found_and_named(
    told: Told, database: sqlite3.Connection, change: str
) -> None:
    """Expect a finding: every proof holds, and a question would still be answered falsely."""
    release = "SELECT count, idx FROM entry WHERE channel = 'KEN' AND type = 'release' LIMIT 1"
    count, index = database.execute(release).fetchone()
    database.execute(change.format(at=f"channel = 'KEN' AND count = {count}"))
    said = str(found(told))
    assert said.startswith(f"entry {count} of KEN, at index {index}: the index (")


@pytest.mark.parametrize("table", ["entry", *BESIDE])
def test_a_row_that_no_entry_proves_is_found(
    told: Told, database: sqlite3.Connection, table: str
) -> None:
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join("9999" if name == "count" else f'"{name}"' for name in names)
    sql = f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE channel = 'KEN' LIMIT 1"
    if not database.execute(sql).rowcount:
        database.execute(f"INSERT INTO {table}(channel, count) VALUES('KEN', 9999)")
    assert found(told) not in {"", None}


def test_an_edited_proof_is_found_and_named(told: Told, database: sqlite3.Connection) -> None:
    database.execute("UPDATE entry SET line = replace(line, '\"slot\":0', '\"slot\":1')")
    assert "index" in str(found(told))


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
