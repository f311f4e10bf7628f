"""What is wrong with a written exercise is said in one line, before anything is started."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.exercises import plan
from tests.refusal import refused
from wire.errors import Malformed

HEAD = """\
[exercise]
name = "A short one"
mission = "EXSHORT"
nations = ["KEN", "GBR", "FRA"]
clearances = { FRA = "CONFIDENTIAL" }
"""
REPORT = """
[[inject]]
at = 5
do = "report"
from = "KEN"
name = "first"
title = "Ambush"
text = "Two vehicles."
classification = "SECRET"
release_to = ["GBR"]
regions = ["KE"]
threats = ["conflict.clash"]
expect = ["GBR"]
"""
RECALL = """
[[inject]]
at = 9
do = "recall"
from = "KEN"
of = "first"
reason = "wrong place"
"""
POLICY = """
[[inject]]
at = 9
do = "policy"
from = "KEN"
release = "…"
closes = { first = ["GBR"] }
"""
GOOD = HEAD + REPORT + RECALL


@pytest.mark.parametrize("name", plan.READY)
def test_the_ready_ones_can_be_played_and_hold_what_an_exercise_should(name: str) -> None:
    found = plan.read(name)
    assert 12 <= len(found.inject) <= 20
    assert found.plan.exercise
    assert {i.do for i in found.inject} == {"report", "recall", "approve", "policy"}
    reports = found.reports.values()
    assert any(report.amends for report in reports)
    assert any(report.refused for report in reports)
    assert any(report.display_to for report in reports)


def test_a_good_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text(GOOD)
    found = plan.read(str(path))
    assert [i.at for i in found.inject] == [5, 9]
    assert found.plan.clearance("FRA") == "CONFIDENTIAL"
    assert found.reports["first"].draft().label.classification == "SECRET"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("[exercise]", "[exercise", "short is not TOML: "),
        ('name = "A short one"', "", "exercise name: field required"),
        (
            'mission = "EXSHORT"',
            'mission = "exshort"',
            "exercise mission: does not have the right form",
        ),
        ('do = "recall"', 'do = "retract"', "inject 2: input tag"),
        ("at = 5", 'at = "soon"', "inject 1 at: input should be a valid integer"),
        ("at = 5", "at = 5.5", "a number that is not a plain integer"),
        ("at = 5", "at = -1", "inject 1 at: input should be greater than"),
        ("at = 5", "at = 1979-05-27", "a date; times are minutes from the start"),
        ("at = 9", "at = 4", "inject 2: it is earlier than the one before it"),
        ('title = "Ambush"', 'titel = "Ambush"', "inject 1 title: field required"),
        ('of = "first"', 'of = "second"', "inject 2: there is no earlier report `second`"),
        ('from = "KEN"\nof', 'from = "GBR"\nof', "inject 2: only the nation that made a report"),
        ('from = "KEN"\nname', 'from = "SEN"\nname', "inject 1: SEN takes no part"),
        ("FRA = ", "SEN = ", "SEN takes no part in the exercise"),
        ('"SECRET"', '"SECRT"', "inject 1: the level `SECRT`"),
        ('regions = ["KE"]', 'regions = ["Kenya"]', "inject 1 regions 1: does not have"),
        (
            'threats = ["conflict.clash"]',
            'threats = ["conflict.clsh"]',
            "did you mean conflict.clash",
        ),
        ('release_to = ["GBR"]', "release_to = []", "inject 1: GBR is expected to read it and"),
        ('expect = ["GBR"]', 'expect = ["GBR"]\nrefused = true', "refused is read by nobody"),
        ('"KEN", "GBR", "FRA"', '"KEN"', "exercise nations: tuple should have at least 2 items"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(before: str, after: str, says: str) -> None:
    assert before in GOOD
    with refused("bad-input", re.escape(says)):
        plan.parse(GOOD.replace(before, after, 1), "short")


def test_a_name_stands_for_one_report() -> None:
    with refused("bad-input", "inject 2: the name `first` is taken"):
        plan.parse(HEAD + REPORT + REPORT, "short")


def test_a_change_of_policy_changes_something() -> None:
    plan.parse(HEAD + REPORT + POLICY, "short")
    with refused("bad-input", "inject 2: a change of policy says what is added"):
        plan.parse(HEAD + REPORT + POLICY.replace('release = "…"\n', ""), "short")


def test_what_is_no_file_says_which_names_there_are(tmp_path: Path) -> None:
    with refused("bad-input", "`nothing` is no readable file .*: ceasefire, piracy"):
        plan.read("nothing")
    with refused("bad-input", "no readable file"):
        plan.read(str(tmp_path))
    (tmp_path / "large.toml").write_bytes(b"#" * (plan.FILE_MAX + 1))
    with refused("bad-input", "more than"):
        plan.read(str(tmp_path / "large.toml"))


def refusal(text: str) -> Malformed | None:
    try:
        plan.parse(text, "short")
    except Malformed as error:
        return error
    return None


@given(st.text(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_any_text_is_an_exercise_or_is_refused_in_words(text: str, at: int, cut: int) -> None:
    found = refusal(GOOD[:at] + text + GOOD[at + cut :])
    assert found is None or (found.slug == "bad-input" and found.detail.startswith("short"))
