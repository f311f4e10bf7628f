"""Bad input: one line that says what to do, an exit code that is not zero, and nothing changed."""

import hashlib
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.terminal import Said, going, here, label, tearline
from tests.pilot import ROOT, Pilot

pytestmark = pytest.mark.slow

Words = tuple[str | Path, ...]
TEXT = ("--title", "Ambush", "--text", "Two vehicles.")
POLICY = """\
@id("{nation}/all")
@says("All of it.")
permit ({who}, action == Action::"{action}", resource);
"""


@dataclass
class House:
    """A pilot whose broker runs, and files that people hand to the command."""

    pilot: Pilot
    files: Path

    def who(self, name: str) -> Path:
        return self.pilot.folder / name

    def file(self, name: str, text: str | bytes = "x") -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def publish(self, *words: str | Path, who: str = "KEN/system", **changes: str) -> Words:
        return ("publish", "--as", self.who(who), *TEXT, *label(**changes), *words)

    def portion(self, text: str) -> Words:
        return self.publish("--portion", self.file("portion.toml", text))

    def sealed(self) -> Path:
        """A report that GBR and FRA may open, as a file; GBR's analyst knows the mission."""
        path = self.files / "sealed.tlr"
        if not path.exists():
            here(*self.publish("--save", path)).done()
            for who in ("GBR/analyst", "FRA/analyst"):
                here("fetch", "--as", self.who(who)).done()
        return path

    def state(self) -> tuple[bytes, dict[str, bytes]]:
        """The journal, and every file but the members' memories."""
        assert self.pilot.server is not None
        journal = self.pilot.server.ask("GET /v1/log/checkpoint").body
        files = {
            str(path): hashlib.sha256(path.read_bytes()).digest()
            for path in (*self.pilot.folder.rglob("*"), *self.files.rglob("*"))
            if path.is_file() and not {"broker", "state"} & set(path.parts)
        }
        return journal.split(b"\n\n")[0], files


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("refusals")
    with Pilot.of("KEN", "GBR", "FRA", folder=folder / "a", witnesses=()) as pilot:
        found = House(pilot, folder / "files")
        found.files.mkdir()
        yield found


def is_one_line(said: Said, says: str) -> None:
    """What people see of a refusal."""
    assert said.code in {1, 2}, (said.code, said.out, said.err)
    assert said.out == ""
    assert said.err.startswith("refused: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.err
    assert says in said.err


def is_refused(house: House, words: Words, slug: str, says: str) -> None:
    """Refused in words and in JSON, and nothing is other than before."""
    before = house.state()
    is_one_line(here(*words), says)
    programs = here(*words, "--json")
    assert programs.code in {1, 2}
    assert programs.err == ""
    assert programs.row["error"] == slug, programs.row
    assert says in f"{programs.row['title']}: {programs.row['detail']}"
    assert programs.row["advice"]
    assert house.state() == before


# -- reports that are not published

SOURCE = f"{'a' * 64}:{'b' * 64}"
DRAFTS: list[tuple[str, Callable[[House], Words], str, str]] = [
    ("region", lambda h: h.publish(region="QQ"), "unknown-term", "the place `QQ`"),
    ("nation", lambda h: h.publish(release_to="gbr"), "unknown-term", "`gbr`; did you mean GBR"),
    ("region-name", lambda h: h.publish(region="Kenya"), "unknown-term", "did you mean KE"),
    ("threat", lambda h: h.publish(threat="explosive.foo"), "unknown-term", "threat type"),
    ("level", lambda h: h.publish(classification="COSMIC"), "unknown-term", "the level"),
    ("level-case", lambda h: h.publish(classification="secret"), "unknown-term", "did you mean"),
    ("caveat", lambda h: h.publish(caveat="EYES"), "unknown-term", "the caveat `EYES`"),
    ("community", lambda h: h.publish(community="NOBODY"), "unknown-term", "NOBODY"),
    ("nation", lambda h: h.publish(release_to="GBR,USA"), "unknown-term", "USA"),
    ("nation-twice", lambda h: h.publish(display_to="GBR"), "label-display-to", "display"),
    ("precedence", lambda h: h.publish(precedence="URGENT"), "bad-input", "FLASH"),
    (
        "protected-and-cited",
        lambda h: h.publish(derived_from=SOURCE, cite=SOURCE),
        "bad-input",
        f"{'a' * 12} is to be protected, and to be cited",
    ),
    ("source", lambda h: h.publish(cite="abc"), "bad-input", "REPORT:PORTION"),
    ("both", lambda h: h.publish("--file", h.file("a.txt")), "bad-input", "one of them"),
    (
        "neither",
        lambda h: ("publish", "--as", h.who("KEN/system"), "--title", "x", *label()),
        "bad-input",
        "--text or --file",
    ),
    (
        "no-file",
        lambda h: (*_titled(h), "--file", h.files / "nowhere.txt"),
        "bad-input",
        "no readable file nowhere.txt",
    ),
    (
        "not-text",
        lambda h: (*_titled(h), "--file", h.file("a.bin", b"\xff\xfe\x00")),
        "bad-input",
        "a.bin is not UTF-8 text; save it as that",
    ),
    ("folder", lambda h: (*_titled(h), "--file", h.files), "bad-input", "no readable file"),
    ("expiry", lambda h: h.publish("--expires-hours", "0"), "bad-input", "--expires-hours"),
    ("century", lambda h: h.publish("--expires-hours", "9" * 20), "bad-input", "--expires-hours"),
    ("attachment", lambda h: h.publish("--attach", h.files / "no.jpg"), "bad-input", "no.jpg"),
    ("save", lambda h: h.publish("--save", h.files / "no/a.tlr"), "bad-input", "nothing was sent"),
    ("no-portion", lambda h: h.publish("--portion", h.files / "no.toml"), "bad-input", "no.toml"),
    ("toml", lambda h: h.portion("classification ="), "bad-input", "portion.toml is not TOML"),
    ("toml-key", lambda h: h.portion('colour = "red"'), "bad-input", "unknown key colour"),
    ("toml-missing", lambda h: h.portion('title = "x"'), "bad-input", "release_to"),
    ("toml-word", lambda h: h.portion('release_to = "GBR"'), "bad-input", "release_to is a list"),
    ("toml-list", lambda h: h.portion("regions = [1]"), "bad-input", "regions is a list"),
    ("toml-number", lambda h: h.portion("classification = 4"), "bad-input", "is text in quotes"),
    ("toml-table", lambda h: h.portion("[title]\na = 1"), "bad-input", "title is text in quotes"),
    ("toml-attach", lambda h: h.portion('attach = "a.jpg"'), "bad-input", "attach is a list"),
    (
        "toml-precedence",
        lambda h: h.portion('classification="SECRET"\nrelease_to=["GBR"]\nprecedence="SOON"'),
        "bad-input",
        "FLASH",
    ),
    ("escape", lambda h: h.publish("--title", "\x1b[31mred"), "bad-json", "U+001B"),
    ("c1", lambda h: h.publish("--title", "\x9b31mred"), "bad-json", "U+009B"),
    ("two-lines", lambda h: h.publish("--title", "a\nb"), "bad-fields", "one line"),
    ("no-title", lambda h: h.publish("--title", ""), "bad-fields", "title"),
    ("not-unicode", lambda h: h.publish("--title", "a\udcff"), "bad-json", "surrogate"),
]


@pytest.mark.parametrize(
    ("words", "slug", "says"), [d[1:] for d in DRAFTS], ids=[d[0] for d in DRAFTS]
)
def test_a_report_that_cannot_be_published(
    house: House, words: Callable[[House], Words], slug: str, says: str
) -> None:
    is_refused(house, words(house), slug, says)


def _titled(house: House) -> Words:
    return ("publish", "--as", house.who("KEN/system"), "--title", "x", *label())


# -- who asks


def test_a_wrong_passphrase(house: House) -> None:
    words = ("fetch", "--as", house.who("GBR/analyst"))
    before = house.state()
    for passphrase in ("another", ""):
        is_one_line(here(*words, passphrase=passphrase), "check TEARLINE_PASSPHRASE")
    assert here(*words, "--json", passphrase="x").row["error"] == "bad-passphrase"
    assert house.state() == before


MAKERS: dict[str, Callable[[House], Words]] = {
    "root": lambda h: ("nation", "init", h.files / "k", "--mission", "M", "--nation", "KEN"),
    "member": lambda h: (
        *("member", "create", h.files / "k", "--kind", "analyst"),
        *("--like", h.who("KEN/system")),
    ),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_new_keys_do_not_rest_on_a_short_passphrase(house: House, maker: str) -> None:
    """Expect refusal, and no folder."""
    is_one_line(here(*MAKERS[maker](house), passphrase="hello"), "at least 15 characters")
    assert not (house.files / "k").exists()


@pytest.mark.slow
def test_a_kit_is_made_all_the_same_and_says_so(house: House) -> None:
    words = ("kit", "create", house.files / "pilot", "--mission", "M", "--nations", "KEN", "--json")
    made = here(*words, passphrase="hello").done()
    assert made.row["nations"] == ["KEN"]
    assert "warning: the passphrase has less than 15 characters" in made.err
    assert here("member", "list", "--as", house.files / "pilot/KEN/officer", passphrase="x").code


def test_nobody_types_a_passphrase(house: House) -> None:
    said = tearline("fetch", "--as", house.who("GBR/analyst"), passphrase=None)
    is_one_line(said, "there is no terminal to type it at; set TEARLINE_PASSPHRASE")


PEOPLE: list[tuple[str, Callable[[House], Words], str, str]] = [
    ("no-folder", lambda h: ("fetch", "--as", h.files / "no"), "bad-identity", "identity.json"),
    ("no-member", lambda h: ("fetch", "--as", h.who("GBR")), "bad-identity", "identity.json"),
    ("root", lambda h: h.publish(who="KEN/root"), "bad-identity", "a root signs for its nation"),
    (
        "analyst",
        lambda h: h.publish(who="KEN/analyst"),
        "not-allowed",
        "only a member of kind officer or system signs for KEN, and this one is analyst",
    ),
    ("auditor", lambda h: ("fetch", "--as", h.who("GBR/auditor")), "not-allowed", "an auditor"),
    (
        "officer",
        lambda h: ("epoch", "rotate", "--as", h.who("KEN/auditor")),
        "not-allowed",
        "and this one is auditor",
    ),
    (
        "role",
        lambda h: ("epoch", "rotate", "--as", h.who("KEN/system")),
        "unknown-signer",
        "a key without the role `epoch`, which epoch.open takes",
    ),
    (
        "policy",
        lambda h: (
            "policy",
            "adopt",
            policies(h.files / "p") / "KEN",
            "--as",
            h.who("KEN/analyst"),
            "--yes",
        ),
        "not-allowed",
        "and this one is analyst",
    ),
    (
        "member",
        lambda h: ("member", "revoke", "0" * 32, *_officer(h), "--reason", "x"),
        "statement-conflict",
        "there is no member",
    ),
    (
        "no-name",
        lambda h: ("member", "revoke", "nobody", *_officer(h), "--reason", "x"),
        "bad-input",
        "`nobody` is no member",
    ),
    (
        "card",
        lambda h: ("member", "add", h.file("c.json", "{}"), *_officer(h), "--clearance", "SECRET"),
        "bad-input",
        "",
    ),
    (
        "no-card",
        lambda h: ("member", "add", h.files / "c", *_officer(h), "--clearance", "SECRET"),
        "bad-input",
        "no readable file",
    ),
    (
        "kind",
        lambda h: ("member", "create", h.files / "m", "--like", h.who("KEN/system"), "--kind", "x"),
        "bad-input",
        "a member is one of",
    ),
    (
        "like",
        lambda h: ("member", "create", h.files / "m", "--like", h.files, "--kind", "analyst"),
        "bad-identity",
        "identity.json",
    ),
    (
        "recall",
        lambda h: ("recall", "0" * 64, *_officer(h), "--reason", "x"),
        "not-found",
        "",
    ),
    (
        "no-report",
        lambda h: ("recall", "3f", *_officer(h), "--reason", "x"),
        "bad-input",
        "all its 64 hex digits",
    ),
    (
        "consent-no-report",
        lambda h: ("officer", "consent", "3f", *_officer(h), "--to", "GBR"),
        "bad-input",
        "all its 64 hex digits",
    ),
    (
        "kit-there",
        lambda h: ("kit", "create", h.who(""), "--mission", "M", "--nations", "KEN"),
        "bad-input",
        "is not empty",
    ),
    (
        "kit-nation",
        lambda h: ("kit", "create", h.files / "k", "--mission", "M", "--nations", "Kenya"),
        "bad-input",
        "three capital letters",
    ),
    (
        "kit-mission",
        lambda h: ("kit", "create", h.files / "k", "--mission", "a b", "--nations", "KEN"),
        "bad-input",
        "the mission's code",
    ),
    (
        "kit-floor",
        lambda h: (
            *("kit", "create", h.files / "k", "--mission", "M", "--nations", "KEN"),
            *("--retention-floor", "9" * 5_000),
        ),
        "bad-input",
        "a number of days, or for-ever",
    ),
    (
        "root-there",
        lambda h: ("nation", "init", h.who("KEN/root"), "--mission", "M", "--nation", "KEN"),
        "bad-input",
        "cannot be written",
    ),
    (
        "root-threshold",
        lambda h: (
            *("nation", "init", h.files / "r", "--mission", "M", "--nation", "KEN"),
            *("--threshold", "4"),
        ),
        "bad-statement",
        "",
    ),
    (
        "registry-draft",
        lambda h: (
            *("registry", "draft", h.file("photo.jpg", b"\xff\xd8"), "--out", h.files / "x"),
            *(*_officer(h)[:2], "--root", h.who("KEN/root")),
        ),
        "bad-input",
        "`photo.jpg` is not a registry in JSON",
    ),
    (
        "registry-sign",
        lambda h: (
            *("registry", "sign", h.file("photo.jpg", b"\xff\xd8"), *_officer(h)),
            *("--root", h.who("KEN/root")),
        ),
        "bad-input",
        "`photo.jpg` is not a proposal of a registry",
    ),
    (
        "filter",
        lambda h: ("fetch", "--as", h.who("GBR/analyst"), "--region", "Kenya"),
        "unknown-term",
        "did you mean KE Kenya",
    ),
    (
        "filter-unknown",
        lambda h: ("fetch", "--as", h.who("GBR/analyst"), "--threat", "dragons"),
        "unknown-term",
        "dragons",
    ),
]


@pytest.mark.parametrize(
    ("words", "slug", "says"), [d[1:] for d in PEOPLE], ids=[d[0] for d in PEOPLE]
)
def test_somebody_who_may_not_or_names_nobody(
    house: House, words: Callable[[House], Words], slug: str, says: str
) -> None:
    is_refused(house, words(house), slug, says)


def _officer(house: House) -> tuple[str | Path, ...]:
    return ("--as", house.who("KEN/officer"), "--yes")


def test_what_cannot_be_undone_is_asked_first(house: House) -> None:
    before = house.state()
    words: Words = ("recall", "0" * 64, "--as", str(house.who("KEN/officer")), "--reason", "x")
    for typed in ("n\n", ""):
        said = here(*words, typed=typed)
        assert said.code == 1
        assert said.out.strip() == ""
        assert "nothing was done; --yes answers beforehand" in said.err
    assert said.err.splitlines()[-1].startswith("refused:"), "nobody's Enter ended the question"
    assert house.state() == before


def test_an_altered_card(house: House, tmp_path: Path) -> None:
    """A card in which one key was swapped does not carry its own name any more."""
    like = ("--like", house.who("KEN/analyst"), "--kind", "analyst")
    for name in ("one", "two"):
        here("member", "create", tmp_path / name, *like).done()
    one, two = ((tmp_path / n / "card.json").read_text() for n in ("one", "two"))
    altered = tmp_path / "card.json"
    words = ("member", "add", altered, *_officer(house), "--clearance", "SECRET")
    altered.write_text(one[:-20])
    is_refused(house, words, "bad-input", "not a member's card")
    altered.write_text(one.replace("analyst", "general"))
    is_refused(house, words, "bad-input", "`kind`")
    assert one != two
    good = ("member", "add", tmp_path / "one/card.json", *_officer(house))
    is_refused(house, (*good, "--clearance", "COSMIC"), "unknown-term", "COSMIC")
    is_refused(house, (*good, "--clearance", "TOP SECRET"), "not-allowed", "above its nation")


def test_a_revoked_member_publishes_nothing(house: House, tmp_path: Path) -> None:
    like = ("--like", house.who("KEN/system"), "--kind", "system")
    here("member", "create", tmp_path / "gate", *like).done()
    card = tmp_path / "gate/card.json"
    here("member", "add", card, *_officer(house), "--clearance", "SECRET").done()
    words: Words = ("publish", "--as", tmp_path / "gate", *TEXT, *label())
    here(*words).done()
    here("member", "revoke", card, *_officer(house), "--reason", "lost").done()
    is_refused(house, words, "unsigned-request", "stands no more")


def test_the_wrong_one_of_two_policy_folders_is_told_from_the_right_one(house: House) -> None:
    """Rules are checked for all nations together, and adopted by one."""
    folder = ROOT / "policies/examples"
    words = "KEN is one nation's folder; name the folder that holds it"
    is_refused(house, ("policy", "lint", folder / "KEN"), "bad-input", words)
    words = "examples holds nations' folders; name examples/KEN"
    is_refused(house, ("policy", "adopt", folder, *_officer(house)), "bad-input", words)


# -- files that do not open


def test_a_report_file_that_does_not_open(house: House, tmp_path: Path) -> None:
    raw = house.sealed().read_bytes()
    path = tmp_path / "a.tlr"
    words = ("open", path, "--as", house.who("GBR/analyst"))
    here("open", house.sealed(), "--as", house.who("GBR/analyst")).done()
    is_refused(house, words, "bad-input", "no file a.tlr")
    for broken in (b"", b"{}", raw[:-1], raw[: len(raw) // 2], raw + b"x", b"\0" * 100):
        path.write_bytes(broken)
        is_refused(house, words, "bad-envelope", "not a sealed report")
    shown = here("open", house.sealed(), "--as", house.who("GBR/analyst")).out
    refused = 0
    for at in range(50, len(raw), len(raw) // 8):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        said = here(*words)
        if said.code == 0:  # it stood in the key that was wrapped for France
            assert said.out == shown
        else:
            is_one_line(said, "refused: ")
            refused += 1
    assert refused >= 5


def test_a_report_for_others_does_not_open(house: House, tmp_path: Path) -> None:
    path = tmp_path / "for-france.tlr"
    here(*house.publish("--save", path, release_to="FRA")).done()
    here("fetch", "--as", house.who("GBR/analyst")).done()
    words = ("open", path, "--as", house.who("GBR/analyst"))
    is_refused(house, words, "no-key", "no portion of this file is for GBR")


def test_a_member_that_never_followed_its_mission_opens_nothing(house: House) -> None:
    words = ("open", house.sealed(), "--as", house.who("GBR/officer"))
    is_refused(house, words, "no-key", "fetch something first")


def test_a_report_of_another_mission(house: House, tmp_path: Path) -> None:
    """Same nations, same words, other founders: nothing of one is anything to the other."""
    (tmp_path / "b").mkdir()
    sealed = house.sealed()
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path / "b", age=60) as other:
        here("fetch", "--as", other.folder / "GBR/analyst").done()
        said = here("open", sealed, "--as", other.folder / "GBR/analyst", "--json")
        assert said.code == 1
        assert said.row["error"] in {"unknown-signer", "bad-envelope"}

        moved = tmp_path / "moved"
        shutil.copytree(house.who("GBR/analyst"), moved)
        here_address = (other.folder / "broker/address").read_text()
        address = moved / "address"
        address.write_text(here_address)
        identity = (moved / "identity.json").read_text()
        (moved / "identity.json").write_text(identity.replace("../../broker/address", "address"))
        said = here("fetch", "--as", moved, "--json")
        assert said.code == 1
        assert said.err == ""
        assert said.row["error"] in {"unsigned-request", "bad-checkpoint", "fork-detected"}


# -- this machine


def test_a_full_disk_takes_the_copy_and_not_the_receipt(house: House) -> None:
    said = here(*house.publish("--save", "/dev/full"))
    assert said.code == 1
    assert "accepted report" in said.out
    assert said.err.startswith("refused: no room to record it: this machine's disk is full")
    assert said.err.count("\n") == 1


def test_who_interrupts_an_upload_is_told_what_stands(house: House) -> None:
    """The report was journalled and released; only its attachment is missing."""
    big = house.files / "big.bin"
    with big.open("wb") as file:
        file.truncate(100_000_000)
    with going(*house.publish("--attach", big)) as running:
        running.until("accepted report")
        assert running.interrupted() == 130
        assert "the report stands, but not all of its attachments arrived" in running.said
        assert running.said.endswith("interrupted\n")
    big.unlink()


# -- the mission's words


def test_the_words_of_the_mission_can_be_looked_up(house: House) -> None:
    said = here("terms", "kenya", "--as", house.who("KEN/system")).done()
    assert said.out == "place       KE  Kenya\n"
    rows = here("terms", "--as", house.who("KEN/analyst"), "--json").done().rows
    assert {"kind": "threat type", "code": "explosive.ied_emplaced", "name": "Emplaced IED"} in rows
    kinds = {"level", "nation", "caveat", "community", "place", "threat type"}
    assert {row["kind"] for row in rows} == kinds
    nothing = ("terms", "nothing", "like", "it", "--as", house.who("KEN/system"))
    is_refused(house, nothing, "bad-input", "no word like `nothing like it`")


# -- the broker


def test_the_broker_is_not_running(tmp_path: Path) -> None:
    pilot = Pilot.laid_out("KEN", "GBR", "FRA", folder=tmp_path)
    commands: list[Words] = [
        ("publish", "--as", pilot.folder / "KEN/system", *TEXT, *label()),
        ("fetch", "--as", pilot.folder / "GBR/analyst"),
        ("watch", "--as", pilot.folder / "GBR/analyst"),
        ("audit", "verify", "--as", pilot.folder / "GBR/auditor"),
        ("epoch", "rotate", "--as", pilot.folder / "GBR/officer"),
    ]
    for words in commands:
        is_one_line(
            here(*words), "refused: the broker cannot be reached: nothing answers at http://"
        )
        assert here(*words, "--json").row["error"] == "unreachable"


def test_a_broker_that_does_not_start(tmp_path: Path) -> None:
    pilot = Pilot.laid_out("KEN", "GBR", "FRA", folder=tmp_path)
    home = pilot.folder / "broker"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = tearline("serve", home, "--port", str(taken.getsockname()[1]))
    assert said.code == 1
    assert "address already in use" in said.err
    assert said.err.count("\n") == 1
    is_one_line(here("serve", tmp_path / "nowhere"), "no folder nowhere")
    said = tearline("serve", tmp_path)
    assert said.code == 1
    assert "`broker.toml` cannot be read" in said.err
    assert not (home / "address").exists()


# -- policies


def policies(folder: Path, release: str = "") -> Path:
    """A folder of rules, with one more for what Kenya releases."""
    for nation in ("KEN", "GBR"):
        for action, who in (
            ("release", "principal"),
            ("accept", f'principal in Nation::"{nation}"'),
        ):
            path = folder / nation / action / "all.cedar"
            path.parent.mkdir(parents=True)
            path.write_text(POLICY.format(nation=nation, action=action, who=who))
    if release:
        (folder / "KEN/release/more.cedar").write_text(release)
    return folder


OUTSIDE = '@id("KEN/x")\n@says("x")\npermit (principal, action == Action::"handle", resource);\n'


@pytest.mark.parametrize("command", ["lint", "test", "format"])
def test_a_policy_folder_that_is_none(command: str, tmp_path: Path) -> None:
    is_one_line(here("policy", command, tmp_path / "nowhere"), "nowhere")
    is_one_line(here("policy", command, tmp_path), tmp_path.name)


def test_policies_outside_the_profile(house: House, tmp_path: Path) -> None:
    for number, text in enumerate((OUTSIDE, "permit", OUTSIDE.replace("x", "[red]"))):
        folder = policies(tmp_path / str(number), text)
        said = here("policy", "lint", folder)
        assert said.code == 1
        assert "KEN/release" in said.out
        assert here("policy", "lint", folder, "--json").rows
        words = ("policy", "adopt", folder / "KEN", *_officer(house))
        is_refused(house, words, "policy-refused", "release")


def test_policy_files_that_are_no_policies(house: House, tmp_path: Path) -> None:
    folder = policies(tmp_path / "p")
    words = ("policy", "adopt", folder / "KEN", *_officer(house))
    misplaced = folder / "KEN/all.cedar"
    misplaced.write_text(OUTSIDE)
    is_refused(house, words, "policy-refused", "`all.cedar`")
    misplaced.unlink()
    (folder / "KEN/release/all.cedar").write_bytes("// ü\n".encode())
    is_refused(house, words, "policy-refused", "not plain ASCII")
    is_one_line(here("policy", "format", folder), "not plain ASCII")
    is_one_line(here("policy", "test", policies(tmp_path / "q")), "no cases found")
    case = house.file("case.toml", "cases = []")
    for words in (("test", tmp_path / "q", "--cases"), ("why", tmp_path / "q", "--case")):
        is_one_line(here("policy", *words, case), "`case.toml` is not a file of cases in JSON")
    is_one_line(here("policy", "why", tmp_path / "q", "--case", tmp_path / "no.json"), "no.json")
    nowhere = ("--registry", tmp_path / "nowhere.json")
    is_one_line(here("policy", "lint", tmp_path / "q", *nowhere), "nowhere.json")
    is_one_line(
        here("policy", "lint", tmp_path / "q", "--registry", case),
        "`case.toml` is not a registry in JSON",
    )


def test_nations_without_a_folder_are_to_be_named(tmp_path: Path) -> None:
    here("policy", "new", ROOT / "policies/form.toml", "--out", tmp_path / "mine").done()
    hint = "name nations that have no folder here: --with BGD,FRA,GBR,SEN"
    said = here("policy", "lint", tmp_path / "mine")
    assert (said.code, hint in said.out) == (1, True)
    is_one_line(here("policy", "preview", tmp_path / "mine", "--nation", "KEN"), f"; {hint} [")
    right = here("policy", "lint", tmp_path / "mine", "--with", "BGD,FRA,GBR,SEN").done().out
    assert "--with" not in right
    wrong = here("policy", "lint", policies(tmp_path / "q", OUTSIDE), "--with", "BGD").out
    assert "--with" not in wrong, "here that is not what is wrong"
