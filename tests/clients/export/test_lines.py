"""Exports in a terminal, and the way back from a line to its proof."""

import hashlib
import json
from pathlib import Path

import pytest

from clients.export.entry import entries
from tests.cli.terminal import here
from tests.clients.evidence.little_history import Told
from tests.clients.export.exported import ORIGIN, exported, found_in_cef, leaves
from tests.refusal import refused
from wire import strict_json
from wire.base64_strict import decode
from wire.evidence_lines import Line


def named(form: str, line: str) -> tuple[int, str]:
    """The index and the leaf's hash that stand on a line."""
    if form == "cef":
        _, pairs = found_in_cef(line[line.index("CEF:0") :])
        return int(pairs["cn1"]), pairs["fileHash"]
    own = json.loads(line)["unmapped" if form == "ocsf" else "tearline"]
    return own["index"], own["leaf_hash"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ocsf", "ecs", "cef"])
def test_every_line_names_its_entry_and_its_leaf(told: Told, form: str) -> None:
    """Once an entry, in the order of the journal."""
    found = [named(form, line) for line in exported(told, form)]
    assert dict(found) == leaves(told)
    assert [index for index, _ in found] == sorted(leaves(told))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ocsf", "ecs", "cef"])
def test_a_line_leads_back_to_its_proof(told: Told, tmp_path: Path, form: str) -> None:
    """From what another system has kept: `audit prove`, and the same leaf is in the signed tree."""
    desk, path = told.desks["KEN"], tmp_path / "line.tlev"
    index, leaf = next(
        named(form, line) for line in exported(told, form) if f"{told.shared[0]}" in line
    )
    as_kenya = ("--as", desk.identity.folder)
    here("audit", "prove", str(index), "--out", path, *as_kenya, "--json").done()
    charter = desk.identity.charter
    row = here("audit", "verify", path, "--charter", charter, "--json", passphrase="").done().row
    assert index in {entry["index"] for entry in row["proven"]}
    found = [
        hashlib.sha256(b"\0" + decode(line.entry.leaf)).hexdigest()
        for line in map(read, path.read_bytes().splitlines())
        if line.entry is not None and line.entry.index == index
    ]
    assert found == [leaf]


def read(line: bytes) -> Line:
    return strict_json.load(line, Line, limit=1 << 20, prose=True)


def test_a_fact_that_was_edited_in_the_store_is_not_exported(told: Told) -> None:
    """What a line says is opened from the leaf whose hash it shows."""
    with told.desks["KEN"].store() as store:
        store._database.execute("BEGIN")
        store._database.execute("UPDATE fact SET report = 'ff', recipient = 'XXX', type = 'lie'")
        told_of = {entry.recipient for entry in entries(store, "KEN", ORIGIN)}
        store._database.execute("ROLLBACK")
    assert told_of == {"KEN", "GBR", "FRA", None}


@pytest.mark.slow
def test_evidence_that_was_edited_in_the_store_is_refused(told: Told) -> None:
    """Expect refusal: some of it, or all of it, is that of another entry."""
    desk = told.desks["KEN"]
    with desk.store() as store:
        another = "(SELECT line FROM fact WHERE channel = 'KEN' AND count = 2)"
        ours = "(SELECT line FROM fact WHERE channel = 'KEN')"
        for name in ("leaf", "link", "opening", "view", "view_opening"):
            store._database.execute("BEGIN")
            of_another = f"(SELECT {name} FROM line WHERE number = {another})"
            edit = f"UPDATE line SET {name} = {of_another} WHERE number IN {ours}"
            store._database.execute(edit)
            with refused("broken-chain"):
                list(entries(store, "KEN", ORIGIN))
            store._database.execute("ROLLBACK")
        store._database.execute("BEGIN")
        store._database.execute(f"UPDATE fact SET line = {another} WHERE channel = 'KEN'")
        with refused("broken-chain", "that of another"):
            list(entries(store, "KEN", ORIGIN))
        store._database.execute("ROLLBACK")
        assert len(list(entries(store, "KEN", ORIGIN))) == len(leaves(told))


@pytest.mark.slow
def test_exports_in_a_terminal(told: Told) -> None:
    as_kenya = ("--as", told.desks["KEN"].identity.folder)
    lines = here("audit", "export", "--ocsf", *as_kenya).done().rows
    assert len(lines) == len(leaves(told))
    assert here("audit", "export", "--cef", *as_kenya).done().out.startswith("<10")
    both = here("audit", "export", "--ecs", "--cef", *as_kenya)
    assert (both.code, "say one of" in both.err) == (1, True)
