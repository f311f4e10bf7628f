"""The README's five minutes for each of the three, as they type it.

Every command is a process of its own the first time, the keys are sealed at their full cost, and
the broker is the one that `tearline serve` starts.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Running, Said, brokered, going, here, label, tearline

# Up to a dozen processes a test, each with its own patience (`tests.broker.server.PATIENCE`).
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NATIONS = ("KEN", "GBR", "FRA")
CEDAR = """\
@id("{nation}/partners")
@says("Partners receive what the report names them for.")
permit (principal, action == Action::"release", resource)
when {{ resource.releasableTo.contains(principal.nation) }};
"""
NEVER = """@id("FRA/never")
@says("Whatever touches Uganda stays in France.")
forbid (principal, action == Action::"release", resource in Touching::"UG");
"""
CARVED = """
@id("FRA/not-uganda")
@says("Nothing about Uganda leaves.")
forbid (principal, action == Action::"release", resource in Touching::"UG");
"""
CASE = """\
{"cases": [{
  "name": "nothing about Uganda leaves France",
  "recipient": {"nation": "GBR", "kind": "Analyst", "clearance": "SECRET"},
  "report": {"originator": "FRA", "classification": "RESTRICTED", "release_to": ["FRA", "GBR"],
    "regions": ["UG"], "threats": ["explosive.mine"]},
  "circumstances": {"purpose": "PLANNING"},
  "outcome": "WITHHOLD",
  "rules": ["FRA/not-uganda"]
}]}
"""


class Mission:
    """A kit on disk, and the broker that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.serving: Running

    def start(self) -> None:
        self.serving = self.stack.enter_context(brokered(self.folder / "broker"))

    def stop(self) -> int:
        """Ctrl-C in the broker's terminal."""
        return self.serving.interrupted()

    def who(self, name: str) -> Path:
        """The identity folder of a member, such as `KEN/system`."""
        return self.folder / name

    def __call__(self, command: str, who: str, *words: str | Path) -> Said:
        """A command of a member, done, with `--json`."""
        return tearline(*command.split(), "--as", self.who(who), "--json", *words).done()

    def publishes(self, title: str, *words: str | Path, who: str = "KEN/system", **how: str) -> Any:
        """Publish one more report; gives its receipt."""
        content = ("--title", title, "--text", f"Text of {title}.", *label(**how))
        return here("publish", "--as", self.who(who), "--json", *content, *words).done().row

    def titles(self, who: str, *words: str | Path) -> list[str]:
        """The titles that a fetch shows."""
        said = here("fetch", "--as", self.who(who), "--json", *words).done()
        return [row["title"] for row in said.rows]


@pytest.fixture(scope="module")
def mission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mission]:
    folder = tmp_path_factory.mktemp("walk") / "kit"
    words = ("--mission", "MINUSX", "--nations", ",".join(NATIONS))
    made = tearline("kit", "create", folder, *words, "--json").done().row
    assert made["nations"] == list(NATIONS)
    for nation in NATIONS:
        kinds = {path.name for path in (folder / nation).iterdir()}
        assert kinds == {"root", "officer", "officer2", "system", "analyst", "auditor"}
    found = Mission(folder)
    with found.stack:
        found.start()
        yield found
        assert found.stop() == 0


def test_a_partner_system_posts_and_an_analyst_reads(mission: Mission, tmp_path: Path) -> None:
    """Preview, publish with everything, fetch, save, and open without any network."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(bytes(range(256)) * 300)
    source = tmp_path / "source.toml"
    source.write_text(
        'classification = "SECRET"\nrelease_to = ["GBR"]\n'
        'title = "Who told us"\ntext = "A driver."\n'
    )
    saved, folder = tmp_path / "device.tlr", tmp_path / "reports"
    draft = ("--title", "Device found", "--text", "Eight kilometres east of Elwak.", *label())

    shown = mission("preview", "KEN/system", *draft, "--portion", source).rows
    assert [sorted(row["nations"]) for row in shown] == [["FRA", "GBR", "KEN"], ["GBR", "KEN"]]
    assert {n["outcome"] for row in shown for n in row["nations"].values()} == {"RELEASE"}
    assert mission.titles("GBR/analyst") == [], "a preview sends nothing"

    extras = ("--portion", source, "--attach", photo, "--precedence", "FLASH", "--save", saved)
    receipt = mission("publish", "KEN/system", *draft, *extras).row
    assert receipt["recipients"] == dict.fromkeys(("FRA", "GBR", "KEN"), "RELEASE")
    assert [sorted(told) for told in receipt["portions"]] == [["FRA", "GBR", "KEN"], ["GBR", "KEN"]]
    assert receipt["index"] < receipt["size"]
    assert receipt["proof"]["checkpoint"]
    assert not receipt["duplicate"]

    words = ("--region", "014", "--threat", "explosive", "--precedence", "FLASH")
    report = mission("fetch", "GBR/analyst", *words).row
    assert report["report"] == receipt["report"]
    assert (report["title"], report["originator"]) == ("Who told us", "KEN")
    assert (report["body"], report["precedence"]) == ("A driver.", "FLASH")
    assert report["banner"].startswith("MINUSX SECRET//KEN//")
    titles = [portion["title"] for portion in report["portions"]]
    assert titles == ["Who told us", "Device found"], "the most highly classified first"
    assert report["proof"]["accepted"] == receipt["index"] < report["proof"]["index"]
    assert mission.titles("FRA/analyst", "--region", "SN") == []

    french = mission("fetch", "FRA/analyst").row
    assert [p["title"] for p in french["portions"]] == ["Device found"], "for fewer eyes"
    assert french["body"] == "Eight kilometres east of Elwak."
    assert french["banner"].startswith("MINUSX CONFIDENTIAL//KEN//")

    assert mission.titles("GBR/analyst") == [], "nothing new"
    assert mission.titles("GBR/analyst", "--again", "--save", folder) == ["Who told us"]
    kept = folder / f"{receipt['report'][:16]}.tlr"
    assert (folder / receipt["report"][:16] / "photo.jpg").read_bytes() == photo.read_bytes()
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == sorted(
        [kept.name, "photo.jpg"]
    )

    assert mission.stop() == 0
    for path, who, count in ((kept, "GBR", 2), (saved, "GBR", 2), (saved, "FRA", 1)):
        opened = here("open", path, "--as", mission.who(f"{who}/analyst"), "--json").done().row
        assert opened["report"] == receipt["report"]
        assert opened["proof"] == {"offline": True}
        assert len(opened["portions"]) == count
    people = tearline("open", kept, "--as", mission.who("GBR/analyst")).done().out
    assert "Device found" in people
    assert "no journal was asked" in people
    mission.start()  # elsewhere: the clients find it by its address file
    assert mission.titles("GBR/analyst", "--again") == ["Who told us"]


def test_an_analyst_listens(mission: Mission) -> None:
    """What is there, then what comes; Ctrl-C keeps the place, and the next goes on from it."""
    words = ("watch", "--as", mission.who("FRA/analyst"), "--json", "--region", "ET")
    mission.publishes("Before", region="ET")
    with going(*words) as watching:
        watching.until_lines(1)
        mission.publishes("Meanwhile", region="ET")
        mission.publishes("Elsewhere", region="SO")
        mission.publishes("Again", region="ET")
        lines = watching.until_lines(3)
        assert watching.interrupted() in {0, 130}
        assert watching.said == ""
    titles = [Said(0, line, "").row["title"] for line in lines]
    assert titles == ["Before", "Meanwhile", "Again"]
    mission.publishes("Later", region="ET")
    with going(*words) as watching:
        (line,) = watching.until_lines(1)
        assert Said(0, line, "").row["title"] == "Later"
        assert watching.interrupted() in {0, 130}
    assert mission.titles("FRA/analyst", "--region", "ET") == [], "fetch shows nothing twice"


def test_a_preview_says_who_would_not_get_it_and_why(mission: Mission) -> None:
    draft = ("--title", "x", "--text", "x", *label(caveat="SOURCE SENSITIVE"))
    nations = mission("preview", "KEN/system", *draft).row["nations"]
    assert nations["KEN"]["outcome"] == "RELEASE"
    assert nations["GBR"]["outcome"] == "REFER"
    assert "disclosure officer" in " ".join(nations["GBR"]["lines"])
    draft = ("--title", "x", "--text", "x", *label(classification="TOP SECRET"))
    nations = mission("preview", "KEN/system", *draft).row["nations"]
    assert nations["GBR"]["outcome"] == "WITHHOLD"
    assert nations["GBR"]["lines"]
    people = here("preview", "--as", mission.who("KEN/system"), *draft).done().out
    assert "WITHHOLD" in people
    unsealed = here("publish", "--as", mission.who("KEN/system"), *draft, "--json")
    assert unsealed.code == 1
    assert "GBR" in unsealed.row["detail"], "no key of a nation that may not have it"


def test_a_new_member_reads_until_it_is_revoked(mission: Mission, tmp_path: Path) -> None:
    """Its own keys, a card, an officer's word, a report; then its open stream ends, with words."""
    laptop = tmp_path / "laptop"
    like = ("--like", mission.who("GBR/analyst"), "--kind", "analyst")
    made = tearline("member", "create", laptop, *like, "--json").done().row
    receipt = mission.publishes("For the laptop", region="DJ")

    stranger = here("fetch", "--as", laptop, "--json")
    assert stranger.code == 1
    assert stranger.row["error"] == "unsigned-request"
    assert "unknown" in stranger.row["detail"]

    words = (laptop / "card.json", "--clearance", "SECRET")
    said = tearline("member", "add", *words, "--as", mission.who("GBR/officer"), "--json").done()
    assert [row["type"] for row in said.rows] == ["member.add", "epoch.grant"]
    listed = mission("member list", "GBR/officer").rows
    (row,) = (row for row in listed if row["kid"] == made["kid"])
    told = {"nation": "GBR", "kind": "analyst", "clearance": "SECRET", "status": "stands"}
    assert told.items() <= row.items()

    report = here("fetch", "--as", laptop, "--json", "--region", "DJ").done().row
    assert report["report"] == receipt["report"]

    with going("watch", "--as", laptop, "--region", "DJ") as watching:
        watching.until_lines(1)
        mission.publishes("Seen live", region="DJ")
        watching.until("Seen live")
        officer = ("--as", mission.who("GBR/officer"), "--reason", "device lost", "--yes")
        revoked = tearline("member", "revoke", laptop, *officer).done()
        assert "member.revoke" in revoked.out
        assert "epoch.open" in revoked.out
        assert watching.ended() == 1
        assert watching.said.startswith("refused: ")
        assert watching.said.count("\n") == 1
    after = here("fetch", "--as", laptop, "--again", "--json")
    assert after.code == 1
    assert "stands no more" in after.row["detail"]
    mission.publishes("After it left", region="DJ")
    assert "After it left" in mission.titles("GBR/analyst", "--region", "DJ")


def test_an_officer_rotates_an_epoch(mission: Mission) -> None:
    said = mission("epoch rotate", "FRA/officer", "--days", "3").rows
    assert said[0]["type"] == "epoch.open"
    assert {row["type"] for row in said[1:]} == {"epoch.grant"}
    mission.publishes("To the new epoch", region="ER")
    assert mission.titles("FRA/analyst", "--region", "ER") == ["To the new epoch"]


def test_a_report_is_recalled(mission: Mission) -> None:
    receipt = mission.publishes("Taken back", region="RW")
    mission.publishes("Left there", region="RW")
    assert sorted(mission.titles("GBR/analyst", "--region", "RW")) == ["Left there", "Taken back"]
    said = mission("recall", "KEN/officer", receipt["report"], "--reason", "source at risk").row
    assert said["type"] == "report.recall"
    assert mission.titles("GBR/analyst", "--region", "RW", "--again") == ["Left there"]


def test_a_disclosure_officer_writes_checks_and_adopts_rules(
    mission: Mission, tmp_path: Path
) -> None:
    """Offline until the last step; then it decides from the journal entry on."""
    folder = tmp_path / "policies"
    for nation in NATIONS:
        for kind in ("release", "accept"):
            (folder / nation / kind).mkdir(parents=True)
        (folder / nation / "release/partners.cedar").write_text(CEDAR.format(nation=nation))
        (folder / nation / "accept/all.cedar").write_text(
            f'@id("{nation}/all")\n@says("Ours receive it.")\n'
            f'permit (principal in Nation::"{nation}", action == Action::"accept", resource);\n'
        )
    carved = folder / "FRA/release/carved.cedar"
    carved.write_text(CARVED)
    tearline("policy", "lint", folder).done()
    assert "carved.cedar" in tearline("policy", "format", folder).done().out
    assert here("policy", "format", folder).done().out == "", "canonical already"
    here("policy", "lint", folder, "--json").done()

    case = folder / "case.json"
    case.write_text(CASE)
    tested = tearline("policy", "test", folder, "--json").done().rows
    assert [row["passed"] for row in tested] == [True]
    why = tearline("policy", "why", folder, "--case", case, "--viewer", "FRA").done().out
    assert "Nothing about Uganda leaves." in why

    mission.publishes("Uganda before", who="FRA/system", region="UG", release_to="GBR")
    signed = tmp_path / "fra.tlst"
    adopt = ("policy", "adopt", folder / "FRA", "--as", mission.who("FRA/officer"), "--json")
    tearline(*adopt, "--out", signed).done()
    second = ("--as", mission.who("FRA/officer2"), "--json")
    said = tearline("policy", "countersign", signed, *second).done()
    assert said.rows[-1]["type"] == "policy.publish"
    draft = ("--title", "Uganda", "--text", "x", *label(region="UG", release_to="GBR"))
    refused = here("publish", "--as", mission.who("FRA/system"), *draft)
    assert refused.code == 1
    assert "Nothing about Uganda leaves." in refused.err
    withheld = here("publish", "--as", mission.who("FRA/system"), *draft, "--json")
    assert withheld.code == 1
    assert withheld.row["error"] == "withheld"
    told = withheld.row["explanation"]["portions"][0]["nations"]["GBR"]
    assert told["outcome"] == "WITHHOLD"
    mission.publishes("Kenya", who="FRA/system", release_to="GBR")
    titles = mission.titles("GBR/analyst", "--region", "UG")
    assert "Uganda" not in titles

    (folder / "FRA/guarantees").mkdir()
    (folder / "FRA/guarantees/standing.cedar").write_text(NEVER)
    root = ("--root", mission.who("FRA/root"), "--as", mission.who("FRA/officer"), "--json")
    said = here("policy", "guarantee", folder / "FRA", *root).done()
    assert [row["type"] for row in said.rows] == ["guarantee.publish"]
    carved.unlink()
    broken = here(*adopt, "--out", tmp_path / "never.tlst")
    assert (broken.code, broken.rows[-1]["error"]) == (1, "guarantee-broken")


@pytest.mark.parametrize("nation", NATIONS)
def test_an_auditor_verifies(mission: Mission, nation: str) -> None:
    if nation == "KEN":
        mission.publishes("To be audited", region="TZ", release_to="GBR")
        assert mission.titles("GBR/analyst", "--region", "TZ") == ["To be audited"]
    verdict = mission("audit verify", f"{nation}/auditor").row
    assert verdict["nation"] == nation
    assert verdict["complete"] is True
    assert sum(verdict["by_type"].values()) == verdict["entries"] <= verdict["size"]
    assert len(bytes.fromhex(verdict["root"])) == 32
    if nation == "KEN":
        pairs = {(row["originator"], row["to"]) for row in verdict["shared"]}
        assert ("KEN", "GBR") in pairs
        people = here("audit", "verify", "--as", mission.who("KEN/auditor")).done().out
        assert "complete and unaltered" in people
        assert "Who shared what with whom" in people
