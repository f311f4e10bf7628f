"""Exercises as an operator runs them: as they are written, or wrong expectations are found."""

from pathlib import Path

import pytest

from clients.exercises import plan, run
from tests.cli.terminal import here

pytestmark = pytest.mark.slow

PLANTED = """\
[exercise]
name = "Everything is expected wrongly"
mission = "EXWRONG"
nations = ["KEN", "GBR", "FRA"]

[[inject]]
at = 0
do = "report"
from = "KEN"
name = "wide"
title = "For both, and expected at one"
text = "Two vehicles."
classification = "RESTRICTED"
release_to = ["GBR", "FRA"]
regions = ["KE"]
threats = ["conflict.clash"]
expect = ["FRA"]

[[inject]]
at = 1
do = "report"
from = "KEN"
name = "narrow"
title = "Expected at once, and waits for an officer"
text = "Somebody saw it."
classification = "RESTRICTED"
release_to = ["GBR"]
regions = ["KE"]
threats = ["conflict.clash"]
caveats = ["SOURCE SENSITIVE"]
expect = ["GBR"]

[[inject]]
at = 2
do = "report"
from = "GBR"
name = "allowed"
title = "Expected to be refused"
text = "It is not."
classification = "UNCLASSIFIED"
release_to = ["KEN"]
regions = ["KE"]
threats = ["conflict.clash"]
refused = true

[[inject]]
at = 3
do = "policy"
from = "KEN"
release = '''
@id("KEN/elsewhere")
@says("Nothing on Senegal leaves.")
forbid (principal, action == Action::"release", resource in Touching::"SN")
unless { principal in Nation::"KEN" };
'''
closes = { wide = ["FRA"] }
"""


@pytest.mark.parametrize("name", plan.READY)
def test_a_ready_exercise_goes_as_it_is_written(name: str) -> None:
    said = here("exercise", "run", name, "--speed", "6000", "--json").done()
    *told, result = said.rows
    written = plan.read(name)
    assert [row["at"] for row in told] == [inject.at for inject in written.inject]
    assert all(row["expected"] for row in told)
    assert result["passed"]
    assert not result["over_sharing"] + result["under_sharing"] + result["not_stopped"]
    expected = sum(len(report.expect) for report in written.reports.values())
    approved = sum(inject.do == "approve" for inject in written.inject)
    read = sum(delay["reports"] for delay in result["release"].values())
    assert read == expected + approved
    assert all(0 < delay["p50"] <= delay["max"] for delay in result["release"].values())
    (recall,) = result["recalls"]
    assert recall["nations"] == 3
    assert 0 < recall["seconds"] < run.PATIENCE


def test_what_is_expected_wrongly_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too wide, too narrow, accepted, not stopped: each under its own name, and exit code 1."""
    monkeypatch.setattr(run, "PATIENCE", 3.0)
    path = tmp_path / "wrong.toml"
    path.write_text(PLANTED)
    said = here("exercise", "run", path, "--speed", "6000", "--json")
    assert said.code == 1
    result = said.rows[-1]
    assert not result["passed"]
    assert {"report": "wide", "to": "GBR"} in result["over_sharing"]
    assert {"report": "allowed", "to": "KEN"} in result["over_sharing"]
    assert result["under_sharing"] == [{"report": "narrow", "to": "GBR"}]
    assert result["not_stopped"] == [{"report": "wide", "to": "FRA"}]
    assert result["surprises"] == [{"inject": "report allowed", "outcome": "accepted"}]


def test_for_people_it_is_a_story_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE", 3.0)
    path, kept = tmp_path / "wrong.toml", tmp_path / "kept"
    path.write_text(PLANTED)
    told = tmp_path / "result.html"
    said = here("exercise", "run", path, "--speed", "6000", "--keep", kept, "--html", told)
    assert said.code == 1
    for words in ("EXERCISE EXWRONG", "not as expected", "<td>wide</td><td>GBR</td>"):
        assert words in told.read_text()
    assert "EXERCISE EXWRONG: Everything is expected wrongly" in said.out
    assert "00:02  GBR  report allowed: accepted  this was not expected" in said.out
    assert "wide by GBR" in said.out
    assert "not as expected" in said.out
    assert (kept / "broker/data").is_dir()
    again = here("exercise", "run", path, "--keep", kept)
    assert again.code == 1
    assert "kept exists already" in again.err


def test_a_wrong_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(PLANTED.replace('"conflict.clash"', '"conflict.clsh"', 1))
    for command in ("run", "check"):
        said = here("exercise", command, path)
        assert said.code == 1
        assert "wrong.toml, inject 1: the threat type `conflict.clsh`" in said.err
        assert said.out == ""
