"""After a loss, on the command line: what the operator and the nations type, step by step."""

from pathlib import Path

import pytest

from tests.cli.terminal import Said, here, tearline
from tests.falling_back import Falling

pytestmark = [pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
def pilot(tmp_path: Path) -> Falling:
    return Falling.back(*NATIONS, folder=tmp_path)


class Typing:
    """The commands of this journey, and where their files lie."""

    def __init__(self, pilot: Falling) -> None:
        self.pilot, self.folder = pilot, pilot.folder.parent
        for nation in NATIONS:
            for path in (pilot.folder / nation).glob("*/identity.json"):
                text = path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{pilot.port}")
                path.write_text(text)

    def member(self, nation: str, kind: str) -> tuple[str, Path]:
        return "--as", self.pilot.folder / nation / kind

    def signs(self, *words: str | Path, nation: str) -> Said:
        root = ("--root", self.pilot.folder / nation / "root")
        return here("nation", *words, *self.member(nation, "officer"), *root, "--json")

    def publishes(self) -> str:
        label = ("--classification", "RESTRICTED", "--release-to", "GBR", "--region", "KE")
        text = ("--title", "Ambush", "--text", "Two vehicles.", "--threat", "conflict.clash")
        told = here("publish", *self.member("KEN", "system"), *text, *label, "--json")
        return str(told.done().row["report"])


def test_a_mission_goes_on_after_a_loss_by_what_is_typed(pilot: Falling) -> None:
    typing, broker, folder = Typing(pilot), pilot.broker, pilot.folder.parent
    vault, loss, signed = folder / "vault", folder / "loss.json", folder / "continue.tlst"
    with pilot.serves():
        typing.publishes()
        here("audit", "pull", *typing.member("KEN", "auditor")).done()
        tearline("backup", broker, vault).done()
        gone = [typing.publishes(), typing.publishes()]
        here("audit", "pull", *typing.member("KEN", "auditor")).done()
        revoked = ("member", "revoke", pilot.folder / "GBR/analyst", "--reason", "device lost")
        here(*revoked, *typing.member("GBR", "officer"), "--yes").done()
        here("member", "list", *typing.member("KEN", "officer")).done()
    (broker / "data").rename(folder / "lost disk")
    assert tearline("restore", vault, broker, "--json").done().row["standing"] == "older"
    left = tearline("journal", "loss", broker, "--out", loss, "--json").done().row
    words = ("continue", loss, "--reason", "the disk was lost", "--out", signed)
    told = typing.signs(*words, nation="KEN").done().row
    assert (told["size"], told["origin"]) == (left["size"], "tearline/minusx/2")
    assert told["seen"] > told["size"]
    early = tearline("journal", "continue", broker, signed)
    assert "1 of 2 nations" in early.err
    assert typing.signs("sign", signed, nation="GBR").done().row["origin"] == left["origin"]
    handed = [folder / f"lost-{nation}" for nation in ("KEN", "GBR")]
    for nation, out in zip(("KEN", "GBR"), handed, strict=True):
        member = typing.member(nation, "officer")
        here("nation", "lost", signed, *member, "--out", out).done()
    nowhere = tearline("journal", "continue", broker, signed, "--again", folder / "nowhere")
    assert "there is no nowhere" in nowhere.err
    back = ("--again", handed[0], "--again", handed[1])
    done = tearline("journal", "continue", broker, signed, *back, "--json").done().row
    assert done["size"] == left["size"]
    assert done["again"] == told["statements"] > 0
    with pilot.serves():
        once = here("audit", "pull", *typing.member("KEN", "auditor"))
        assert f"from size {left['size']}" in once.err
        here("audit", "pull", *typing.member("KEN", "auditor")).done()
        lost = here("lost", *typing.member("KEN", "system"), "--json").done().rows
        assert [row["report"] for row in lost] == gone
        shut = here("fetch", *typing.member("GBR", "analyst"))
        assert "stands no more" in shut.err
    status = here("audit", "status", *typing.member("KEN", "auditor"), "--json").done().row
    entries = here("audit", "lost", *typing.member("KEN", "auditor"), "--json").done().rows
    assert (status["good"], status["lost"]) == (True, len(entries))
    assert [row["report"] for row in entries if row["type"] == "report.accepted"] == gone
    old = tearline("restore", vault, broker)
    assert "the log is tearline/minusx/2 by now" in old.err
