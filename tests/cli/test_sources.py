"""`publish --derived-from` hides a source from readers, `--cite` shows it."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import here, label
from tests.pilot import Pilot
from wire.report import parse


def published(pilot: Pilot, nation: str, *words: str | Path, **how: str) -> str:
    text = ("--title", "Report", "--text", "What was seen.")
    who = pilot.folder / nation / "system"
    said = here("publish", "--as", who, *text, *label(**how), *words, "--json").done()
    return str(said.row["report"])


def source(pilot: Pilot, nation: str, report: str) -> str:
    """How a source is named, as its reader finds it."""
    said = here("fetch", "--as", pilot.folder / nation / "system", "--json", "--again").done()
    (row,) = (row for row in said.rows if row["report"] == report)
    return f"{report}:{row['portions'][0]['portion']}"


@pytest.mark.slow
def test_what_is_not_cited_stands_in_no_copy(tmp_path: Path) -> None:
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path / "kit") as pilot:
        hidden, shown = (
            source(pilot, "GBR", published(pilot, "KEN", release_to="GBR,FRA")) for _ in range(2)
        )
        saved = tmp_path / "saved.tlr"
        draw = ("--derived-from", hidden, "--cite", shown, "--save", saved)
        report = published(pilot, "GBR", *draw, release_to="FRA")
        copies = tmp_path / "copies"
        here("fetch", "--as", pilot.folder / "FRA/analyst", "--save", copies).done()
        for path in (saved, copies / f"{report[:16]}.tlr"):
            raw = path.read_bytes()
            (portion,) = parse(raw).portions
            cited = json.loads(portion.label_bytes)["derived_from"]
            assert [f"{s['report']}:{s['portion']}" for s in cited] == [shown]
            assert hidden[:64].encode() not in raw
        opened = here("open", saved, "--as", pilot.folder / "FRA/analyst", "--json").done()
        assert opened.row["portions"][0]["cites"] == [shown]
        seen = here("open", saved, "--as", pilot.folder / "FRA/analyst").done().out
        assert f"cites report {shown[:16]}" in seen
        assert hidden[:16] not in seen
        refused = here(
            *("publish", "--as", pilot.folder / "GBR/system", "--title", "x", "--text", "x"),
            *label(release_to="KEN,FRA,GBR", classification="RESTRICTED"),
            *("--derived-from", hidden),
        )
        assert "third-party-rule" in refused.err
