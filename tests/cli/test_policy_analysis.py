"""`tearline policy matrix|preview`, as an officer uses them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from clients import standard
from tests.cli.terminal import here
from wire import strict_json

DEAD = ["GBR/kenya", "GBR/explosive-warnings"]
KENYA = ("KEN/eastern-africa", "KEN/rest-of-the-world")
EXAMPLES = Path(__file__).parents[2] / "policies" / "examples"


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The example policies in a folder that may be changed."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "policies"))


def edit(folder: Path, nation: str, old: str, new: str) -> None:
    for path in (folder / nation / "release").glob("*.cedar"):
        path.write_text(path.read_text().replace(old, new))


def guarantee(folder: Path, nation: str, text: str) -> None:
    (folder / nation / "guarantees").mkdir()
    (folder / nation / "guarantees" / "standing.cedar").write_text(text)


@pytest.mark.slow
def test_the_matrix_shows_what_goes_alone_and_what_goes_with_officers(
    edited: Path, tmp_path: Path
) -> None:
    grant = 'resource in UpTo::"SECRET"\n)'
    edit(edited, "GBR", grant, f"{grant}\nwhen {{ context.approvals >= 1 }}")
    page = tmp_path / "matrix.html"
    said = here("policy", "matrix", edited, "--html", page).done()
    assert "-→S" in said.out
    html = page.read_text()
    assert "<script" not in html
    assert "http" not in html
    assert 'title="GBR to FRA: - unaided, SECRET with officers"' in html
    rows = here("policy", "matrix", edited, "--json").done().rows
    assert {"from": "GBR", "to": "FRA", "alone": "-", "officers": "SECRET"} in rows
    assert len(rows) == 20


@pytest.mark.slow
def test_a_preview_names_who_gains_and_what(edited: Path, tmp_path: Path) -> None:
    edit(edited, "GBR", 'UpTo::"CONFIDENTIAL"', 'UpTo::"SECRET"')
    words = ("policy", "preview", edited, "--nation", "GBR", "--against", EXAMPLES)
    said = here(*words, "--html", tmp_path / "p.html").done()
    assert "BGD, SEN gain: withheld → released" in said.out
    assert "a second officer must sign" in said.out
    assert "BGD, SEN gain" in (tmp_path / "p.html").read_text()
    *changes, end = here(*words, "--json").done().rows
    assert end == {"nation": "GBR", "grows": True, "broken": [], "dead": DEAD}
    assert all("FRA" not in change["nations"] for change in changes)


@pytest.mark.slow
def test_rules_in_another_order_change_nothing(edited: Path) -> None:
    for path in (edited / "GBR" / "release").glob("*.cedar"):
        first, *rest = path.read_text().split("\n\n")
        path.write_text("\n\n".join([*rest, first]))
    said = here("policy", "preview", edited, "--nation", "GBR", "--against", EXAMPLES).done()
    assert said.out.startswith("nothing changes")


@pytest.mark.slow
def test_a_broken_guarantee_ends_with_one_and_shows_a_report(edited: Path) -> None:
    guarantee(
        edited,
        "GBR",
        '@id("GBR/never") @says("Signals never leave without an officer.")\n'
        'forbid (principal, action == Action::"release", resource in Caveat::"SIGINT")\n'
        "unless { context.approvals >= 1 };\n",
    )
    words = ("policy", "preview", edited, "--nation", "GBR", "--against", EXAMPLES)
    here(*words).done()
    edit(edited, "GBR", "unless { context.approvals >= 2 };", "unless { principal is Analyst };")
    said = here(*words)
    assert said.code == 1
    assert "guarantee broken: GBR/never (never: Signals never leave" in said.out
    assert "marked SIGINT to a person of" in said.out


@pytest.mark.slow
def test_other_reference_data_is_previewed_as_well(edited: Path, tmp_path: Path) -> None:
    """The same text; but Kenya joined a coalition that the text names."""
    registries = []
    for number, members in enumerate((["SEN"], ["KEN", "SEN"])):
        body = standard.registry(groups=[("AFRICAN", members)], version=number + 1)
        path = tmp_path / f"registry{number}.json"
        path.write_bytes(strict_json.dump(body.model_dump(mode="json")))
        registries.append(path)
    before, after = registries
    for path in (edited / "FRA" / "release").glob("*.cedar"):
        path.write_text(
            '@id("FRA/african") permit (principal in Coalition::"AFRICAN",'
            ' action == Action::"release", resource);\n'
        )
        break
    words = ("policy", "preview", edited, "--nation", "FRA", "--against", edited)
    same = here(*words, "--registry", after).done()
    assert same.out.startswith("nothing changes")
    said = here(*words, "--registry", after, "--registry-before", before).done()
    assert "KEN gains: withheld → released" in said.out
    assert "SEN gain" not in said.out
    assert "a second officer must sign" in said.out


def test_a_nation_that_has_no_folder_is_named(edited: Path) -> None:
    said = here("policy", "preview", edited, "--nation", "USA")
    assert said.code == 1
    assert "no folder USA" in said.err


@pytest.mark.slow
def test_one_nations_folder_is_checked_among_nations_that_it_does_not_hold(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "KEN", tmp_path / "KEN")
    alone = here("policy", "lint", tmp_path)
    assert alone.code == 1
    assert "no Nation `GBR`" in alone.out
    others = ("--with", "GBR,FRA", "--with", "SEN,BGD")
    assert "keep the release profile" in here("policy", "lint", tmp_path, *others).done().out
    preview = here("policy", "preview", tmp_path, "--nation", "KEN", *others).done().out
    assert "gain: withheld → released" in preview
    cases = EXAMPLES.parent / "cases" / "KEN.json"
    unknown = here("policy", "test", tmp_path, "--cases", cases)
    assert unknown.code == 1
    rows = here("policy", "matrix", tmp_path, *others, "--json").done().rows
    levels = {(row["from"], row["to"]): row["officers"] for row in rows}
    whole = here("policy", "matrix", EXAMPLES, "--json").done().rows
    assert {to: levels["KEN", to] for to in ("GBR", "FRA", "SEN", "BGD")} == {
        row["to"]: row["officers"] for row in whole if row["from"] == "KEN"
    }
    assert levels["GBR", "KEN"] == "-", "what they would send is not known"


@pytest.mark.slow
def test_a_candidate_is_tried_on_cases_before_partners_have_folders(tmp_path: Path) -> None:
    """Their intake is taken to be open, and they release nothing."""
    shutil.copytree(EXAMPLES / "KEN", tmp_path / "KEN")
    case: dict[str, Any] = {
        "name": "a mine in Kenya",
        "recipient": {"nation": "GBR", "kind": "Analyst", "clearance": "SECRET"},
        "report": {
            "originator": "KEN",
            "classification": "CONFIDENTIAL",
            "release_to": ["GBR", "KEN"],
            "regions": ["KE"],
            "threats": ["explosive.mine"],
        },
        "circumstances": {"purpose": "FORCE PROTECTION"},
        "outcome": "RELEASE",
        "rules": ["COALITION/named-in-the-label", "GBR/own-members", *KENYA, "MINUSX/ceiling"],
    }
    back: dict[str, Any] = {"report": {**case["report"], "originator": "GBR"}}
    back["recipient"] = {**case["recipient"], "nation": "KEN"}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case, {**case, **back}]}))
    others = ("--with", "GBR,FRA,SEN,BGD", "--json")
    rows = here("policy", "test", tmp_path, "--cases", path, *others).rows
    assert [row["passed"] for row in rows] == [True, False], rows
    rows = here("policy", "why", tmp_path, "--case", path, *others).done().rows
    assert [row["outcome"] for row in rows] == ["RELEASE", "WITHHOLD"]
