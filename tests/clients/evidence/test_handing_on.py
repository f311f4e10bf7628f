"""What an auditor hands on: receipts, accounts of disclosures and comparisons."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clients.evidence import files
from clients.evidence.reconcile import reconcile
from tests.cli.terminal import Said, here
from tests.clients.evidence.little_history import LATER, Told
from tests.refusal import refused
from tests.verifiers.mutations import mutants
from tests.verifiers.verifying import HAS_NODE, PYTHON, node, ours, script
from wire import evidence_file


def tearline(told: Told, nation: str, *words: str | Path) -> Said:
    return here(*words, "--as", told.desks[nation].identity.folder)


def index_of(told: Told, report: str, to: str) -> int:
    with told.desks["KEN"].store() as store:
        sql = "SELECT idx FROM entry WHERE channel = 'KEN' AND report = ? AND recipient = ?"
        row = store.one(sql, report, to)
    assert row is not None
    return int(row["idx"])


# -- receipts


def test_a_receipt_proves_a_release_and_what_permitted_it(told: Told) -> None:
    """Label digest, rules and policy versions: everything a court asks about one line."""
    desk, index = told.desks["KEN"], index_of(told, told.shared[0], "FRA")
    lines = desk.receipt(index)
    proven = evidence_file.verify(lines, desk.identity.charter, now_ms=LATER)
    by_type = {entry.type: entry for entry in proven.entries}
    release, accepted = by_type["release"], by_type["report.accepted"]
    assert release.view is not None
    assert accepted.view is not None
    assert release.view["rules"]["release/KEN"] == ["KEN/release-all"]  # type: ignore[index, call-overload]
    assert accepted.view["portions"][0]["label"]  # type: ignore[index, call-overload]
    policies = {said.opened()[0].type: said for said in proven.said.values()}
    assert "policy.publish" in policies
    ours_ = release.view["policies"]["release/KEN"]  # type: ignore[index, call-overload]
    _, body = proven.said[str(ours_)].opened()
    assert json.loads(body or b"")["version"] == 1


def test_a_receipt_of_a_release_does_not_name_the_sources(told: Told) -> None:
    """Who gets it would learn them by a slip; who asks for the acceptance means to show them."""
    desk, index = told.desks["KEN"], index_of(told, told.shared[0], "FRA")
    identity = desk.identity
    with desk.store() as store:
        sql = "SELECT accepted FROM entry WHERE channel = 'KEN' AND idx = ?"
        row = store.one(sql, index)
        assert row is not None
        accepted = int(row["accepted"])
        store._database.execute("BEGIN")
        add = "INSERT INTO drawn SELECT channel, count, 'ab' FROM entry WHERE idx = ?"
        store._database.execute(add, (accepted,))
        where = (store, identity.mission, identity.nation, identity.charter)
        receipts = [files.receipt(*where, at) for at in (index, accepted)]
        store._database.execute("ROLLBACK")
    shown = []
    for lines in receipts:
        proven = evidence_file.verify(lines, identity.charter, now_ms=LATER)
        shown.append([entry.type for entry in proven.entries if entry.channel == "KEN"])
        assert script(lines, identity.charter, LATER) is None
    assert shown == [["release"], ["report.accepted"]]


@pytest.mark.slow
def test_a_receipt_is_accepted_by_all_three_verifiers(told: Told) -> None:
    desk = told.desks["KEN"]
    for report, to in ((told.shared[0], "FRA"), (told.recalled, "GBR")):
        lines = desk.receipt(index_of(told, report, to))
        assert ours(lines, desk.identity.charter, LATER) is None
        assert script(lines, desk.identity.charter, LATER) is None
        if HAS_NODE:
            assert node([(lines, desk.identity.charter, LATER)]) == [None]


@pytest.mark.slow
def test_every_entry_of_a_nation_can_be_proven(told: Told) -> None:
    for nation, desk in told.desks.items():
        with desk.store() as store:
            indices = [row["idx"] for row in store.rows("SELECT DISTINCT idx FROM entry")]
        for index in indices:
            evidence_file.verify(desk.receipt(index), desk.identity.charter, now_ms=LATER)
        with refused("bad-input", f"no entry that concerns {nation}"):
            desk.receipt(1 << 40)


@pytest.mark.slow
def test_the_whole_history_is_accepted_by_all_three_verifiers(told: Told) -> None:
    asked = [(d.history(), d.identity.charter, LATER) for d in told.desks.values()]
    for lines, charter, now in asked:
        assert ours(lines, charter, now) is None
        assert script(lines, charter, now) is None
    if HAS_NODE:
        assert node(asked) == [None] * len(asked)


@pytest.mark.slow
def test_random_changes_of_a_real_receipt_are_refused(told: Told) -> None:
    """Expect refusal of 1,000 changes, by both that are in Python."""
    desk = told.desks["KEN"]
    doc = [json.loads(line) for line in desk.receipt(index_of(told, told.shared[0], "FRA"))]
    for what, lines in mutants(doc, random.Random(3), 1_000):
        assert ours(lines, desk.identity.charter, LATER) is not None, what
        assert script(lines, desk.identity.charter, LATER) is not None, what


def test_what_is_written_is_verified_before_it_is_there(told: Told, tmp_path: Path) -> None:
    """Expect refusal: a store that was edited under the auditor's hands writes nothing."""
    desk, path = told.desks["KEN"], tmp_path / "KEN.tlev"
    lines = desk.history()
    with refused("broken-chain"):
        files.write(path, lines[:-1], desk.identity.charter, now_ms=LATER)
    assert list(tmp_path.iterdir()) == []


# -- the commands


@pytest.mark.slow
def test_prove_and_verify_as_a_court_would(told: Told, tmp_path: Path) -> None:
    index, path = index_of(told, told.shared[0], "FRA"), tmp_path / "line.tlev"
    charter = told.desks["KEN"].identity.charter
    made = tearline(told, "KEN", "audit", "prove", str(index), "--out", path, "--json").done().row
    assert index in made["entries"]
    said = here("audit", "verify", path, "--charter", charter, "--json", passphrase="").done().row
    assert (said["kind"], said["complete"]) == ("receipt", False)
    assert index in {entry["index"] for entry in said["proven"]}
    people = here("audit", "verify", path, "--charter", charter, passphrase="").done()
    assert "proven" in people.out
    assert told.shared[0][:16] in people.out
    assert "release/KEN: KEN/release-all" in people.out
    wrong = here("audit", "verify", path, "--charter", "00" * 32, passphrase="")
    assert (wrong.code, f"its mission's charter is {charter}, not `{'0' * 64}`" in wrong.err) == (
        1,
        True,
    )
    other = tmp_path / "photo.jpg"
    other.write_bytes(bytes(range(256)))
    for raw in (other.read_bytes(), b"", b"{}\n", b'{"tree":{"checkpoint":"","consistency":[]}}\n'):
        other.write_bytes(raw)
        wrong = here("audit", "verify", other, "--charter", charter, passphrase="")
        assert (wrong.code, "`photo.jpg` is not an evidence file: " in wrong.err) == (1, True)
    nobody = here("audit", "verify", path, passphrase="")
    assert (nobody.code, "say which mission" in nobody.err) == (1, True)
    script_said = subprocess.run(
        [sys.executable, "-I", PYTHON, path, charter], capture_output=True, text=True, check=True
    )
    assert json.loads(script_said.stdout)["kind"] == "receipt"


def test_a_broken_file_is_refused_in_one_line(told: Told, tmp_path: Path) -> None:
    desk, path = told.desks["KEN"], tmp_path / "KEN.tlev"
    lines = desk.history()
    at = next(i for i, line in enumerate(lines) if b'"entry"' in line and i > 20)
    path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
    said = here("audit", "verify", path, "--as", desk.identity.folder, passphrase="")
    assert said.code == 1
    assert re.search(r"refused: .*line \d+: entry \d+ of (KEN|MISSION)", said.err)
    assert said.err.count("\n") == 1


def test_the_account_of_disclosures_names_all_and_proves_it(told: Told, tmp_path: Path) -> None:
    words = ("audit", "report", "--disclosure", "GBR", "--out", tmp_path)
    made = tearline(told, "KEN", *words, "--json").done().row
    assert made["reports"] == 3
    page = Path(made["page"]).read_text()
    for report in (*told.shared, told.recalled):
        assert report in page
    assert told.given_back not in page
    assert made["sha256"] in page
    assert "KEN/release-all" in page
    assert not re.search(r"https?://|<script|src=", page), "it needs nothing but itself"
    charter = told.desks["KEN"].identity.charter
    here("audit", "verify", made["file"], "--charter", charter, passphrase="").done()


@pytest.mark.slow
def test_status_and_pull_in_a_terminal(told: Told) -> None:
    said = tearline(told, "KEN", "audit", "status", "--json").done().row
    assert (said["good"], said["complete"], said["findings"]) == (True, True, [])
    assert "GREEN" in tearline(told, "KEN", "audit", "status").done().out
    pulled = tearline(told, "KEN", "audit", "pull", "--json").done().row
    assert pulled["new"] > 0, "the last pull is itself an entry"


@pytest.mark.slow
def test_the_questions_in_a_terminal(told: Told) -> None:
    assert len(here("audit", "ask", "--json").done().rows) == 24
    rows = tearline(told, "KEN", "audit", "ask", "3", "--to", "GBR", "--json").done().rows
    assert {row["report"] for row in rows} == {*told.shared, told.recalled}
    cut = tearline(
        told, "KEN", "audit", "ask", "--type", "release", "--limit", "2", "--json"
    ).done()
    assert cut.rows[2:] == [{"question": 0, "more": True}]
    people = tearline(told, "KEN", "audit", "ask", "received", "--limit", "1").done().out
    assert "the first 1; narrow it" in people
    people = tearline(told, "KEN", "audit", "ask", "no-purpose").done().out
    assert "Releases do not record" in people or "releases do not record" in people
    assert "Nothing." in tearline(told, "FRA", "audit", "ask", "bulk").done().out
    wrong = tearline(told, "KEN", "audit", "ask", "--since", "yesterday")
    assert (wrong.code, "is no date" in wrong.err) == (1, True)


# -- reconciliation


def of_file(told: Told, nation: str, tmp_path: Path) -> Path:
    path = tmp_path / f"{nation}.tlev"
    tearline(told, nation, "audit", "export", "--tlev", path, "--json").done()
    return path


@pytest.mark.slow
def test_two_honest_histories_agree(told: Told, tmp_path: Path) -> None:
    theirs = of_file(told, "GBR", tmp_path)
    said = tearline(told, "KEN", "audit", "reconcile", "--with", theirs, "--json").done().row
    assert (said["common"], said["differences"]) == (4, [])
    again = tearline(told, "KEN", "audit", "ask", "20", "--with", theirs, "--json").done().row
    assert again == said


def test_an_orphan_is_found_by_the_partner(told: Told) -> None:
    """Expect a finding: the entry that a broker kept from one nation is in the other's history."""
    kenya, britain = told.desks["KEN"], told.desks["GBR"]
    theirs = evidence_file.verify(britain.history(), britain.identity.charter, now_ms=LATER)
    index = index_of(told, told.shared[1], "GBR")
    with kenya.store() as store:
        store._database.execute("BEGIN")
        store._database.execute("DELETE FROM fact WHERE idx = ?", (index,))
        found = reconcile(store, "KEN", theirs).differences
        store._database.execute("ROLLBACK")
        (difference,) = found
        assert difference.index == index
        assert "is in the history of GBR and not in that of KEN" in difference.what
        theirs.entries[:] = [entry for entry in theirs.entries if entry.index != index]
        (difference,) = reconcile(store, "KEN", theirs).differences
        assert "is in the history of KEN and not in that of GBR" in difference.what


def test_two_stories_of_one_release_and_a_fork_are_found(told: Told) -> None:
    """Expect findings."""
    kenya, britain = told.desks["KEN"], told.desks["GBR"]
    theirs = evidence_file.verify(britain.history(), britain.identity.charter, now_ms=LATER)
    index = index_of(told, told.shared[1], "GBR")
    with kenya.store() as store:
        store._database.execute("BEGIN")
        sql = "UPDATE fact SET report = 'ffff' WHERE channel = 'KEN' AND idx = ?"
        store._database.execute(sql, (index,))
        (difference,) = reconcile(store, "KEN", theirs).differences
        store._database.execute("ROLLBACK")
        assert "KEN is told" in difference.what
        store._database.execute("BEGIN")
        sql = "UPDATE fact SET recipient = 'FRA' WHERE channel = 'KEN' AND idx = ?"
        store._database.execute(sql, (index,))
        (difference,) = reconcile(store, "KEN", theirs).differences
        store._database.execute("ROLLBACK")
        assert (difference.index, "KEN is told" in difference.what) == (index, True)
        store._database.execute("BEGIN")
        gone = "erased = 1, report = NULL, originator = NULL, recipient = NULL, accepted = NULL"
        store._database.execute(f"UPDATE fact SET {gone} WHERE channel = 'KEN'")
        compared = reconcile(store, "KEN", theirs)
        store._database.execute("ROLLBACK")
        assert (compared.common, compared.differences) == (4, ()), "what is erased says nothing"
        size = next(iter(store.trees())).size
        theirs.trees[size] = b"another root"
        (difference,) = reconcile(store, "KEN", theirs).differences
        assert (difference.index, "forked" in difference.what) == (size, True)


def test_only_another_nations_history_can_be_compared(told: Told) -> None:
    """Expect refusal."""
    kenya = told.desks["KEN"]
    own = evidence_file.verify(kenya.history(), kenya.identity.charter, now_ms=LATER)
    with kenya.store() as store, refused("bad-input", "another nation's history"):
        reconcile(store, "KEN", own)
