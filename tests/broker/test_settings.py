"""The settings file: strict, bounded, and open about what each setting is worth to an attacker."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from broker.settings import Limits, Settings
from wire.errors import BrokerFault

GOOD = f"""
mission = "MINUSX"
charter = "{"ab" * 32}"
origin = "tearline.example/minusx/1"
authorities = ["127.0.0.1:8440"]
"""


def loaded(folder: Path, text: str, port: int | None = None) -> Settings:
    (folder / "broker.toml").write_text(text)
    return Settings.load(folder, port=port)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BrokerFault) as caught:
        loaded(folder, text)
    assert caught.value.slug == "bad-settings"
    return caught.value.detail


def test_the_shortest_file_gives_a_broker_on_loopback(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert (settings.host, settings.port, settings.tls) == ("127.0.0.1", 8440, False)
    assert settings.url == "http://127.0.0.1:8440"
    assert settings.data_folder == tmp_path / "data"
    assert settings.anchor_folder == tmp_path / "anchor"
    assert settings.genesis_folder == tmp_path / "genesis"


def test_a_port_given_at_the_start_is_one_of_its_names(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD, port=9000)
    assert settings.port == 9000
    assert {"127.0.0.1:8440", "127.0.0.1:9000", "localhost:9000"} <= set(settings.authorities)


def test_limits_are_set_in_a_table(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD + "[limits]\nhead_seconds = 2\npage = 5\n")
    assert (settings.limits.head_seconds, settings.limits.page) == (2.0, 5)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("surprise = 1", "surprise"),
        ("port = 70000", "port"),
        ('port = "8440"', "port"),
        ('mission = "minusx"', "mission"),
        ('charter = "xyz"', "charter"),
        ("authorities = []", "authorities"),
        ('authorities = ["http://a"]', "authorities"),
        ('host = "broker.example"', "host"),
        ('folder = "/"', "folder"),
        ("plaintext_beyond_loopback = 1", "plaintext_beyond_loopback"),
        ("limits = { head_seconds = 0 }", "limits.head_seconds"),
        ("limits = { page = 1000000 }", "limits.page"),
        ("limits = { pages = 1 }", "limits.pages"),
        ("port = 2026-11-22", "kind"),
        ("port = nan", "kind"),
        ("port = ", "not TOML"),
        ('tls_certificate = "a.pem"', "come together"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(tmp_path: Path, line: str, names: str) -> None:
    key = line.partition(" ")[0]
    kept = [kept for kept in GOOD.splitlines() if not kept.startswith(key + " ")]
    assert names in refusal(tmp_path, "\n".join([*kept, line]))


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "`mission`" in refusal(tmp_path, "port = 1")


def test_a_refusal_does_not_repeat_the_value(tmp_path: Path) -> None:
    text = GOOD.replace("ab" * 32, "hunter2-secret")
    assert "hunter2" not in refusal(tmp_path, text)


def test_a_missing_or_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokerFault, match="cannot be read"):
        Settings.load(tmp_path / "nowhere")
    assert "bytes" in refusal(tmp_path, GOOD + "#" * 100_000)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
def test_the_open_network_needs_tls_or_a_spelled_out_risk(tmp_path: Path, host: str) -> None:
    beyond = GOOD + f'host = "{host}"\n'
    assert "plaintext_beyond_loopback" in refusal(tmp_path, beyond)
    assert not loaded(tmp_path, beyond + "plaintext_beyond_loopback = true").tls
    assert loaded(tmp_path, beyond + 'tls_certificate = "c"\ntls_key = "k"').tls


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_needs_neither(tmp_path: Path, host: str) -> None:
    assert loaded(tmp_path, GOOD + f'host = "{host}"').host == host


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:8440"),
        ("0.0.0.0", "http://127.0.0.1:8440"),
        ("::", "http://[::1]:8440"),
    ],
)
def test_the_url_is_one_that_can_be_called(tmp_path: Path, host: str, url: str) -> None:
    text = GOOD + f'host = "{host}"\nplaintext_beyond_loopback = true'
    assert loaded(tmp_path, text).url == url


# -- secrets


def secret_file(folder: Path, text: str, mode: int = 0o600) -> None:
    (folder / "log-key").write_text(text)
    (folder / "log-key").chmod(mode)


def test_a_secret_is_read_from_a_private_file(tmp_path: Path) -> None:
    secret_file(tmp_path, "0f" * 32 + "\n")
    assert loaded(tmp_path, GOOD).secret("log-key") == b"\x0f" * 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path, "0f" * 32, mode)
    with pytest.raises(BrokerFault, match="owner alone"):
        loaded(tmp_path, GOOD).secret("log-key")


@pytest.mark.parametrize("text", ["", "0f" * 31, "0F" * 32, "0g" * 32, "0f " * 32, "\xff" * 64])
def test_a_secret_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    secret_file(tmp_path, text)
    with pytest.raises(BrokerFault, match="log-key"):
        loaded(tmp_path, GOOD).secret("log-key")


def test_without_a_token_file_there_are_no_metrics(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert settings.metrics_token() is None
    token = tmp_path / "metrics-token"
    token.write_text("a" * 32)
    token.chmod(0o600)
    assert settings.metrics_token() == "a" * 32
    token.write_text("short")
    with pytest.raises(BrokerFault, match="metrics-token"):
        settings.metrics_token()


# -- honesty


def words_of(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field, in the source: at run time nobody has to read it."""
    (defined,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(defined, ast.ClassDef)
    found = {}
    for field, below in pairwise(defined.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=words)):
                found[name] = str(words)
    return found


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_an_attacker_gains(name: str) -> None:
    words = words_of(Settings).get(name, "")
    assert re.search(r"[Ww]ho (can )?(changes?|sets|adds|reads)|Not written in the file", words), (
        name
    )


@pytest.mark.parametrize("name", sorted(Limits.model_fields))
def test_every_limit_says_what_it_bounds(name: str) -> None:
    assert len(words_of(Limits).get(name, "")) > 20, name


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "broker.toml").write_bytes(raw)
    with pytest.raises(BrokerFault):
        Settings.load(folder)
