"""`tearline audit console` as an auditor meets it."""

import json
import re
import ssl
import stat
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.cli import console
from clients.console.sessions import LINK_S
from tests.cli.terminal import going, here
from tests.cli.test_tls import write_certificate
from tests.pilot import Pilot, free_port, open_policy

NATIONS = ("KEN", "GBR")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    policies = {nation: open_policy(nation) for nation in NATIONS}
    folder = tmp_path_factory.mktemp("console")
    with Pilot.of(*NATIONS, folder=folder, policies=policies) as running:
        yield running


def sign_in(url: str, tls: ssl.SSLContext | None = None) -> int:
    """As the page does, with the link that was printed."""
    origin, _, code = re.fullmatch(r"(.*)(/console#sign-in=)([0-9a-f]{64})", url).groups()  # type: ignore[union-attr]
    fields = {"Content-Type": "application/json", "Origin": origin}
    body = json.dumps({"code": code}).encode()
    asked = urllib.request.Request(f"{origin}/console/session", body, fields)
    with urllib.request.urlopen(asked, timeout=20, context=tls) as answer:
        return int(answer.status)


@pytest.mark.slow
def test_it_pulls_prints_one_link_and_serves_until_it_is_stopped(pilot: Pilot) -> None:
    folder = pilot.device("KEN", "auditor").folder
    words = ("audit", "console", "--as", folder, "--port", "0", "--no-open", "--json")
    with going(*words) as running:
        pulled, told = map(json.loads, running.until_lines(2))
        assert pulled["nation"] == "KEN"
        assert told["seconds"] == LINK_S
        assert told["url"].startswith("http://127.0.0.1:")
        assert sign_in(told["url"]) == 200
        assert running.interrupted() in {0, 130}
        assert told["url"].partition("=")[2] not in running.said


@pytest.mark.slow
def test_offline_it_asks_nobody_and_shows_what_was_pulled(pilot: Pilot) -> None:
    folder = pilot.device("GBR", "auditor").folder
    here("audit", "pull", "--as", folder).done()
    public = json.loads((folder / "identity.json").read_text())
    public["broker"] = f"http://127.0.0.1:{free_port()}"
    (folder / "identity.json").write_text(json.dumps(public))
    words = ("audit", "console", "--as", folder, "--port", "0", "--no-open", "--offline")
    with going(*words) as running:
        running.until("#sign-in=")
        assert "good once, for 2 minutes" in running.until_lines(2)[1]


@pytest.mark.slow
def test_beyond_loopback_it_speaks_tls(pilot: Pilot, tmp_path: Path) -> None:
    chain = write_certificate(tmp_path / "tls")
    folder = pilot.device("KEN", "auditor").folder
    words = ("audit", "console", "--as", folder, "--port", "0", "--no-open", "--json")
    pair = ("--certificate", chain, "--key", chain.with_name("key.pem"))
    with going(*words, *pair) as running:
        told = json.loads(running.until_lines(2)[1])
        assert told["url"].startswith("https://127.0.0.1:")
        assert sign_in(told["url"], ssl.create_default_context(cafile=str(chain))) == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--host", "192.0.2.7"), "beyond this machine it needs --certificate and --key"),
        (("--host", "console.example"), "beyond this machine it needs"),
        (("--host", "0.0.0.0"), "name the one address"),
        (("--host", "::"), "name the one address"),
        (("--certificate", "chain.pem"), "come together"),
        (("--certificate", "no.pem", "--key", "no.pem"), "no readable file"),
        (("--reports", "nowhere"), "no .tlr files"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything(
    words: tuple[str, ...], says: str
) -> None:
    """Expect refusal in one line: nothing goes beyond this machine in clear."""
    said = here("audit", "console", "--as", "nobody", *words)
    assert said.code == 1
    assert says in said.err
    assert said.err.count("\n") == 1


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(pilot: Pilot) -> None:
    folder = pilot.device("KEN", "auditor").folder
    here("audit", "pull", "--as", folder).done()
    words = ("audit", "console", "--as", folder, "--offline", "--no-open")
    said = here(*words, "--port", str(pilot.port))
    assert (said.code, "try another --port" in said.err) == (1, True)


def test_before_the_first_pull_there_is_nothing_to_show(pilot: Pilot) -> None:
    said = here("audit", "console", "--as", pilot.device("KEN", "auditor").folder, "--offline")
    assert said.code == 1
    assert "run tearline audit pull" in said.err


@pytest.mark.slow
def test_the_link_reaches_the_browser_through_a_file_of_its_owner(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect no code in the arguments of a program: every user of a machine may read those."""
    identity, opened = pilot.device("KEN", "auditor"), list[str]()
    identity.state.mkdir(exist_ok=True)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with console._opened(identity, "http://127.0.0.1:1/console#sign-in=ab", wanted=True):
        (url,) = opened
        path = Path(url.removeprefix("file://"))
        assert "sign-in" not in url
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "0; url=http://127.0.0.1:1/console#sign-in=ab" in path.read_text()
    assert not path.exists()
