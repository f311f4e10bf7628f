"""A mission founded by nations that each keep their root apart: files go round, nothing else."""

import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import brokered, here, label

NATIONS = ("KEN", "GBR")
FORM = """\
nation = "{}"
nations = ["KEN", "GBR"]

[[rule]]
id = "partners"
says = "Partners receive reports up to SECRET."
does = "release"
to = ["{}"]
up_to = "SECRET"
"""


@pytest.fixture
def drafted(tmp_path: Path) -> Path:
    """Roots, a broker's secrets, and a charter that Kenya has signed."""
    for code in NATIONS:
        here("nation", "init", tmp_path / code, "--mission", "MINUSX", "--nation", code).done()
    key = here("mission", "prepare", tmp_path / "broker", "--mission", "MINUSX", "--json").done()
    founders = [w for code in NATIONS for w in ("--founder", tmp_path / code / "root.tlst")]
    by = ("--root", tmp_path / "KEN", "--log-key", key.row["log_key"])
    said = here("mission", "draft", tmp_path / "founding", *founders, *by, "--json").done()
    assert said.row["missing"] == ["GBR"]
    return tmp_path


@pytest.mark.slow
def test_from_roots_that_never_meet_to_a_report_that_is_read(drafted: Path) -> None:
    """What `docs/founding.md` says, in its order."""
    founding, broker = drafted / "founding", drafted / "broker"
    here("mission", "sign", founding, "--root", drafted / "GBR", "--yes").done()
    for code in NATIONS:
        root = drafted / code
        here("nation", "join", root, founding, "--broker", "http://127.0.0.1:8440").done()
        for name in ("officer", "officer2"):
            home = drafted / f"{code}-{name}"
            here("member", "create", home, "--like", root, "--kind", "officer").done()
        cards = [drafted / f"{code}-{name}/card.json" for name in ("officer", "officer2")]
        words = [w for card in cards for w in ("--officer", card)]
        here("nation", "officers", root, founding, *words, "--yes").done()
    done = here("mission", "found", broker, founding, "--json").done()
    assert done.row["without_officers"] == []
    with brokered(broker):
        address = (broker / "address").read_text()
        for path in drafted.glob("*/identity.json"):
            path.write_text(path.read_text().replace("http://127.0.0.1:8440", address.strip()))
        for code, other in (("KEN", "GBR"), ("GBR", "KEN")):
            first, second = drafted / f"{code}-officer", drafted / f"{code}-officer2"
            kind = "system" if code == "KEN" else "analyst"
            home = drafted / f"{code}-{kind}"
            here("member", "create", home, "--like", first, "--kind", kind).done()
            add = ("member", "add", home / "card.json", "--as", first, "--clearance", "SECRET")
            early = here(*add, "--yes")
            assert (early.code, "first: tearline epoch rotate" in early.err) == (1, True)
            here("epoch", "rotate", "--as", first).done()
            here(*add, "--yes").done()
            (drafted / "form.toml").write_text(FORM.format(code, other))
            here("policy", "new", drafted / "form.toml", "--out", drafted / "rules").done()
            signed = ("--out", drafted / f"{code}.tlst", "--yes")
            here("policy", "adopt", drafted / "rules" / code, "--as", first, *signed).done()
            both = (drafted / f"{code}.tlst", "--as", second, "--yes")
            here("policy", "countersign", *both).done()
        draft = ("--title", "Real", "--text", "use", *label(release_to="GBR"))
        here("publish", "--as", drafted / "KEN-system", *draft).done()
        read = here("fetch", "--as", drafted / "GBR-analyst", "--json").done()
    assert read.row["title"] == "Real"


@pytest.mark.slow
def test_nobody_founds_what_a_nation_has_not_signed(drafted: Path) -> None:
    """Expect refusal, by the operator and by a nation that would pin it."""
    founding = drafted / "founding"
    said = here("mission", "found", drafted / "broker", founding)
    assert (said.code, "not signed yet by GBR" in said.err) == (1, True)
    assert not list((drafted / "broker/genesis").iterdir())
    join = ("nation", "join", drafted / "KEN", founding, "--broker", "http://127.0.0.1:1")
    said = here(*join)
    assert (said.code, "1 of 2 nations signed" in said.err) == (1, True)
    assert not (drafted / "KEN/identity.json").exists()


@pytest.mark.slow
def test_a_root_that_the_charter_does_not_name_signs_nothing(drafted: Path) -> None:
    """Expect refusal: somebody else's root of the same nation."""
    other = drafted / "other"
    here("nation", "init", other, "--mission", "MINUSX", "--nation", "GBR").done()
    said = here("mission", "sign", drafted / "founding", "--root", other, "--yes")
    assert (said.code, "does not name this root of GBR" in said.err) == (1, True)


@pytest.mark.slow
def test_a_charter_for_another_log_is_not_served(drafted: Path) -> None:
    """Expect refusal: the operator would hold no key to it."""
    founding, other = drafted / "founding", drafted / "another"
    here("mission", "sign", founding, "--root", drafted / "GBR", "--yes").done()
    here("mission", "prepare", other, "--mission", "MINUSX").done()
    said = here("mission", "found", other, founding)
    assert (said.code, "another log" in said.err) == (1, True)


@pytest.mark.slow
def test_a_file_from_elsewhere_does_not_spoil_the_folder(drafted: Path) -> None:
    """Expect refusal of another root statement than the charter names."""
    shutil.copyfile(drafted / "KEN/root.tlst", drafted / "founding/root-GBR.tlst")
    said = here("mission", "sign", drafted / "founding", "--root", drafted / "GBR", "--yes")
    assert (said.code, "root-GBR.tlst is not what the charter names" in said.err) == (1, True)
