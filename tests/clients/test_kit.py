"""A kit's folders, and the folders of members who make their own keys."""

import json
import os
import shutil
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.settings import Settings
from clients import kit
from clients.ceremony import Ceremony
from clients.founding import Plan, Policies, found
from clients.identity import Identity
from clients.keystore import CHEAP, NONCE
from tests.clients.mission import NOW
from tests.people import random_of
from wire import fold, statements
from wire.bodies import RootPublish
from wire.directory import Directory
from wire.entries import MISSION
from wire.errors import Malformed, NotAllowed

PASSPHRASE = "correct horse"
HOW: dict[str, Any] = {"random": os.urandom, "cost": CHEAP}
PLAN = Plan(mission="MINUSX", nations=("KEN", "GBR"), clearances={"GBR/analyst": "RESTRICTED"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kits") / "kit"
    kit.create(path, PLAN, PASSPHRASE, now=NOW, **HOW)
    return path


def folded(folder: Path) -> Directory:
    """The directory that a broker folds from a kit's genesis, with every body in view."""
    charter = tomllib.loads((folder / "broker/broker.toml").read_text())["charter"]
    directory = Directory("MINUSX", charter)
    for position, path in enumerate(sorted((folder / "broker/genesis").iterdir())):
        statement = statements.parse(path.read_bytes())
        directory = fold.apply(directory, statement, position, NOW, viewer=MISSION)
    return directory


@pytest.mark.slow
def test_a_kit_has_a_folder_for_the_broker_and_for_everybody(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["GBR", "KEN", "broker"]
    for nation in ("KEN", "GBR"):
        kinds = sorted(p.name for p in (folder / nation).iterdir())
        assert kinds == ["analyst", "auditor", "officer", "officer2", "root", "system"]
        for kind in kinds:
            home = sorted(p.name for p in (folder / nation / kind).iterdir())
            witness = ["witness"] if kind == "auditor" else []
            assert home == ["identity.json", "keys.json", "state", *witness]


def test_the_genesis_folds_from_the_pinned_charter(folder: Path) -> None:
    directory = folded(folder)
    assert directory.order == ("KEN", "GBR")
    assert len(directory.members) == 10
    for code, state in directory.nations.items():
        assert (len(state.root_keys), state.root_threshold) == (3, 2)
        assert set(state.roles) == {"member", "epoch", "policy", "release"}
        assert len(state.roles["policy"].kids) == 2
        assert state.policy is not None
        assert directory.epoch_key(code, 3, NOW).epoch == 1


def test_every_folder_opens_with_the_passphrase_and_is_who_it_says(folder: Path) -> None:
    directory = folded(folder)
    for home in folder.glob("[A-Z][A-Z][A-Z]/*"):
        identity = Identity.load(home, PASSPHRASE)
        kind = home.name.removesuffix("2")
        assert (identity.nation, identity.kind) == (home.parent.name, kind)
        assert identity.charter == directory.pinned_charter
        assert identity.log_keys == directory.founded.log_keys
        if identity.kind == "root":
            assert {k.public.kid for k in identity.root.keys} == set(
                directory.nations[identity.nation].root_keys
            )
            with pytest.raises(Malformed, match="bad-identity"):
                _ = identity.keys
        else:
            member = directory.members[identity.kid]
            assert (member.nation, member.kind) == (identity.nation, identity.kind)
            assert member.seal_key == identity.keys.seal.public
            with pytest.raises(Malformed, match="bad-identity"):
                _ = identity.root


def test_clearances_are_the_nations_unless_a_member_has_its_own(folder: Path) -> None:
    levels = {(m.nation, m.kind): m.clearance for m in folded(folder).members.values()}
    assert levels["GBR", "analyst"] == 1
    assert {level for who, level in levels.items() if who != ("GBR", "analyst")} == {3}


def test_the_broker_takes_its_settings_and_secrets(folder: Path) -> None:
    settings = Settings.load(folder / "broker")
    assert settings.host == "127.0.0.1"
    assert len(settings.secret("log-key")) == 32
    assert settings.secret("journal-secret") != settings.secret("cursor-key")
    assert settings.metrics_token() is not None


def test_secrets_are_readable_by_their_owner_only(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_broker_folder_holds_no_private_key_of_anybody(folder: Path) -> None:
    everything = b"".join(p.read_bytes() for p in (folder / "broker").rglob("*") if p.is_file())
    for home in folder.glob("[A-Z][A-Z][A-Z]/*"):
        identity = Identity.load(home, PASSPHRASE)
        keys = identity.root if identity.kind == "root" else identity.keys
        for secret in keys.private().values():
            assert secret.encode() not in everything


def test_nothing_that_exists_is_overwritten(folder: Path, tmp_path: Path) -> None:
    """Expect refusal: keys that are lost are lost."""
    before = (folder / "KEN/root/keys.json").read_bytes()
    file = tmp_path / "file"
    file.write_bytes(b"")
    for there in (folder, file):
        with pytest.raises(Malformed, match="exists and is not empty"):
            kit.create(there, PLAN, PASSPHRASE, now=NOW, **HOW)
    assert (folder / "KEN/root/keys.json").read_bytes() == before
    with pytest.raises(Malformed, match="cannot be written"):
        kit.create_member(folder / "KEN/system", folder / "KEN/system", "system", "p", **HOW)


@pytest.mark.slow
def test_a_kit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    calls = 0

    def failing(count: int) -> bytes:
        nonlocal calls
        calls += count == NONCE
        if calls > 3:  # some key files were written by then
            raise OSError("no more randomness")
        return os.urandom(count)

    with pytest.raises(OSError, match="no more randomness"):
        kit.create(tmp_path / "kit", PLAN, PASSPHRASE, now=NOW, random=failing, cost=CHEAP)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotAllowed, match="bad-passphrase"):
        kit.create(tmp_path / "kit", PLAN, "", now=NOW, **HOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_kit_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Malformed, match="cannot be made"):
        kit.create(tmp_path / "file/kit", PLAN, PASSPHRASE, now=NOW, **HOW)


def test_an_empty_folder_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    kit.create(tmp_path / "kit", Plan(mission="M", nations=("KEN",)), "p", now=NOW, **HOW)
    assert Identity.load(tmp_path / "kit/KEN/system", "p").nation == "KEN"


@pytest.mark.parametrize(
    "how",
    [
        {"mission": "minusx"},
        {"mission": "M" * 65},
        {"mission": "../x"},
        {"nations": ()},
        {"nations": ("KEN", "KEN")},
        {"nations": ("Ken",)},
        {"nations": ("KE",)},
        {"root_threshold": 4},
        {"root_threshold": 0},
        {"root_keys": 17},
        {"clearances": {"USA": "SECRET"}},
        {"clearances": {"KEN/king": "SECRET"}},
        {"policies": {"USA": Policies("", "")}},
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_words(how: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="bad-input"):
        Plan(**{"mission": "MINUSX", "nations": ("KEN", "GBR"), **how})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "slug"),
    [
        ({"clearances": {"KEN": "COSMIC"}}, "bad-statement"),
        ({"clearances": {"KEN/system": "TOP SECRET"}}, "not-allowed"),
        ({"communities": {"KEN": ["CHESS"]}}, "unknown-term"),
        ({"root_days": 500}, "bad-statement"),
        ({"epoch_days": 15}, "bad-statement"),
    ],
)
def test_what_the_fold_refuses_no_kit_holds(how: dict[str, Any], slug: str) -> None:
    plan = Plan(mission="MINUSX", nations=("KEN",), **how)
    with pytest.raises((Malformed, NotAllowed)) as refusal:
        found(plan, now=NOW, random=random_of("kit"))
    assert refusal.value.slug == slug


# -- identity folders


def test_the_passphrase_comes_from_the_caller_the_environment_or_a_prompt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder / "KEN/system"
    monkeypatch.delenv("TEARLINE_PASSPHRASE", raising=False)
    assert Identity.load(home, lambda: PASSPHRASE).kid
    with pytest.raises(NotAllowed, match="set TEARLINE_PASSPHRASE"):
        Identity.load(home)
    monkeypatch.setenv("TEARLINE_PASSPHRASE", PASSPHRASE)
    assert Identity.load(home).kid
    assert Identity.load(home, lambda: "not asked").kid
    with pytest.raises(NotAllowed, match="bad-passphrase"):
        Identity.load(home, "wrong")


def test_the_address_that_the_broker_wrote_counts_while_it_is_there(folder: Path) -> None:
    identity = Identity.load(folder / "KEN/system", PASSPHRASE)
    assert identity.broker == "http://127.0.0.1:8440"
    assert identity.state == folder / "KEN/system/state"
    assert identity.ca_file is None
    assert replace(
        identity, public=identity.public.model_copy(update={"ca_file": "ca.pem"})
    ).ca_file
    address = folder / "broker/address"
    address.write_text("http://127.0.0.1:9000\n")
    assert identity.broker == "http://127.0.0.1:9000"
    without = identity.public.model_copy(update={"address_file": None})
    assert replace(identity, public=without).broker == "http://127.0.0.1:8440"
    for bad in ("ftp://x", "http://x/path", "http://user@x", "", "http://x\nhttp://y", "x" * 400):
        address.write_text(bad)
        with pytest.raises(Malformed, match="bad-identity"):
            _ = identity.broker
    address.unlink()
    assert identity.broker == "http://127.0.0.1:8440"


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"v": 2}, {"kind": "king"}, {"kid": "0" * 32}, {"more": 1}])
def test_a_changed_identity_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    home = tmp_path / "system"
    shutil.copytree(folder / "KEN/system", home)
    fields = json.loads((home / "identity.json").read_text())
    (home / "identity.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(Malformed, match="bad-identity"):
        Identity.load(home, PASSPHRASE)


def test_a_folder_that_is_no_identity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"identity\.json.*bad-identity"):
        Identity.load(tmp_path, PASSPHRASE)
    (tmp_path / "identity.json").write_bytes(b" " * 100_000)
    with pytest.raises(Malformed, match=r"is too large.*bad-identity"):
        Identity.load(tmp_path, PASSPHRASE)


def test_no_key_shows_in_an_identity(folder: Path) -> None:
    identity = Identity.load(folder / "KEN/system", PASSPHRASE)
    for secret in identity.keys.private().values():
        assert secret not in repr(identity)


# -- members and roots that make their own keys


def test_a_member_makes_its_own_keys_and_an_officer_adds_it(folder: Path, tmp_path: Path) -> None:
    """The way of real use: the private keys never leave the device's folder."""
    home = tmp_path / "device"
    card = kit.create_member(home, folder / "KEN/analyst", "analyst", "its own", **HOW)
    (home / "card.json").write_text(json.dumps({"kind": "analyst", **card.fields()}))
    kind, read = kit.read_card(home / "card.json")
    officer = Identity.load(folder / "KEN/officer", PASSPHRASE)
    ceremony = Ceremony(folded(folder), now=NOW + 10, random=os.urandom)
    by = [statements.signer(officer.keys.sign)]
    member = ceremony.add_member("KEN", read, kind, by, clearance="RESTRICTED")
    device = Identity.load(home, "its own")
    assert (member.kid, member.clearance) == (device.kid, 1)
    assert (device.nation, device.kind, device.charter) == ("KEN", "analyst", officer.charter)
    assert device.public.address_file == os.path.relpath(folder / "broker/address", home)
    for name in (str(home), str(home / "card.json"), device.kid):
        assert kit.kid_of(name) == device.kid


@pytest.mark.parametrize("who", ["nobody", "", "A" * 32, "0" * 31])
def test_what_names_no_member_is_refused(who: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="bad-i"):
        kit.kid_of(tmp_path / "x" if who == "" else who)
    with pytest.raises(Malformed, match="bad-input"):
        kit.read_card(tmp_path / "missing.json")


def test_a_nation_makes_its_own_root_before_there_is_a_mission(tmp_path: Path) -> None:
    home = tmp_path / "root"
    root = kit.create_root(home, "MINUSX", "KEN", PASSPHRASE, now=NOW, **HOW)
    assert (home / "root.tlst").read_bytes() == root.raw
    with pytest.raises(Malformed, match="bad-identity"):
        Identity.load(home, PASSPHRASE)
    made = found(Plan(mission="MINUSX", nations=("KEN",)), now=NOW, random=os.urandom)
    kid = min(root.body(RootPublish).keys)
    public = kit.public(made, "KEN", "root").model_copy(update={"kid": kid})
    kit.pin(home, public)
    assert Identity.load(home, PASSPHRASE).root.kid == kid
