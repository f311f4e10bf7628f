"""`tearline audit push` as people and programs meet it, and the receiver among the examples."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.push import pusher
from tests.cli.terminal import Said, going, here
from tests.clients.evidence.little_history import Desk, Told
from tests.clients.push.inbox import SECRET, Inbox, inbox
from tests.clients.push.pushing import own
from tests.pilot import ROOT, wait_until


@pytest.fixture
def there() -> Iterator[Inbox]:
    with inbox() as found:
        yield found


@pytest.fixture
def desk(told: Told, tmp_path: Path) -> Desk:
    return own(told, tmp_path)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def push(desk: Desk, *words: str | Path, **variables: str) -> Said:
    return here("audit", "push", *words, "--as", desk.identity.folder, **variables)


@pytest.mark.slow
def test_it_pulls_verifies_and_pushes_what_is_new(desk: Desk, there: Inbox, secret: Path) -> None:
    words = ("--to", there.url, "--secret-file", secret, "--once")
    first = push(desk, *words, "--json").done().row
    assert first["delivered"] == len(there.indices) > 70
    assert (first["dead_letters"], there.indices) == (0, sorted(there.indices))
    for got in there.got:
        got.verified()
    second = push(desk, *words).done().out
    assert "pushed: 1 taken" in second, "each pull is an entry, pushed with the next"
    assert len(set(there.indices)) == len(there.indices)


@pytest.mark.slow
def test_the_secret_comes_from_a_file_or_the_environment_and_never_shows(
    desk: Desk, there: Inbox, secret: Path
) -> None:
    words = ("--to", there.url, "--once")
    nothing = push(desk, *words)
    assert (nothing.code, "TEARLINE_WEBHOOK_SECRET" in nothing.err) == (1, True)
    assert there.tried == []
    bad = push(desk, *words, TEARLINE_WEBHOOK_SECRET="whsec_bm90LWxvbmctZW5vdWdo")
    assert (bad.code, "24 to 64 bytes" in bad.err, "bm90" in bad.err) == (1, True, False)
    said = push(desk, *words, TEARLINE_WEBHOOK_SECRET=SECRET).done()
    there.got[0].verified()
    there.says = lambda _: 500
    failed = push(desk, *words, "--tries", "1", "--secret-file", secret)
    for each in (nothing, bad, said, failed):
        for hidden in ("MfKQ", "in-the-address"):
            assert hidden not in each.out + each.err


@pytest.mark.slow
def test_dead_letters_are_shown_and_sent_again(
    desk: Desk, there: Inbox, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher, "BATCH", 5)
    to = ("--to", there.url, "--secret-file", secret)
    assert "No dead letters." in push(desk, "--dead-letters").done().out
    there.says = lambda got: 422 if '"id":"4"' in got.body.decode() else 204
    done = push(desk, *to, "--once", "--tries", "1").done()
    assert "1 refused; see them with --dead-letters" in done.out
    row = push(desk, "--dead-letters", "--json").done().row
    assert (row["index"], row["tries"], row["why"]) == (4, 2, "status 422")
    assert row["to"] == f"127.0.0.1:{there.port}"
    people = push(desk, "--dead-letters", "--to", there.url).done().out
    assert "status 422" in people
    assert "in-the-address" not in people, "an address may be a secret"
    assert push(desk, "--dead-letters", "--to", "https://other.example/", "--json").rows == []
    there.says = lambda _: 204
    assert push(desk, *to, "--retry", "--json").done().row == {"delivered": 1, "dead_letters": 0}
    assert "No dead letters." in push(desk, "--dead-letters").done().out


def test_a_receiver_in_trouble_is_said_in_one_line(desk: Desk, there: Inbox, secret: Path) -> None:
    there.says = lambda _: 401
    said = push(desk, "--to", there.url, "--secret-file", secret, "--once", "--tries", "1")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "status 401; what was not taken is kept [undelivered]" in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "say where to push"),
        (("--to", "http://siem.example/"), "by https"),
        (("--to", "https://siem.example/", "--format", "xml"), "cloudevents and ocsf"),
        (("--to", "https://siem.example/", "--secret-file", "/nowhere"), "no readable file"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_happens(
    desk: Desk, words: tuple[str, ...], why: str
) -> None:
    """Expect refusal."""
    said = push(desk, *words, "--once")
    assert (said.code, why in said.err) == (1, True)


@pytest.mark.slow
def test_evidence_that_was_put_back_is_not_pushed(
    desk: Desk, there: Inbox, secret: Path, told: Told
) -> None:
    """Expect refusal: only what is verified leaves."""
    words = ("--to", there.url, "--secret-file", secret, "--once")
    path = desk.identity.state / "evidence.sqlite3"
    old = path.read_bytes()
    push(desk, *words).done()
    path.write_bytes(old)
    tried = len(there.tried)
    said = push(desk, *words)
    assert (said.code, "older than it was" in said.err, len(there.tried)) == (1, True, tried)


@pytest.mark.slow
def test_it_goes_on_by_itself(desk: Desk, there: Inbox, secret: Path) -> None:
    """A receiver that is in trouble is said to be, once a round; the next round goes on."""
    there.answers = [503]
    words = ("--to", there.url, "--secret-file", secret, "--every", "1", "--tries", "1", "--json")
    with going("audit", "push", *words, "--as", desk.identity.folder) as running:
        (first,) = map(json.loads, running.until_lines(1)[:1])
        assert running.interrupted() == 130
        assert "status 503; what was not taken is kept" in running.said
    assert first["delivered"] > 70


@pytest.mark.slow
def test_a_receiver_that_is_gone_ends_it(desk: Desk, there: Inbox, secret: Path) -> None:
    there.answers = [410]
    said = push(desk, "--to", there.url, "--secret-file", secret)
    assert (said.code, "gone (410); --retry asks it once more" in said.err) == (1, True)


# -- the example


@contextmanager
def receiving(secret: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """`examples/receive_pushes.py` as a stranger starts it."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    words = [sys.executable, str(ROOT / "examples/receive_pushes.py"), str(secret), str(port)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            wait_until(lambda: answers(port) or process.poll() is not None)
            yield port, process
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_the_receiver_among_the_examples_takes_what_is_signed(
    desk: Desk, secret: Path, tmp_path: Path
) -> None:
    """And nothing that another secret signed; what comes twice it prints once."""
    wrong = tmp_path / "wrong"
    wrong.write_text("whsec_" + "QUFB" * 8)
    with receiving(secret) as (port, process):
        to = ("--to", f"http://127.0.0.1:{port}/", "--once", "--tries", "1", "--json")
        said = push(desk, *to, "--secret-file", wrong)
        assert (said.code, said.row["detail"]) == (1, "status 401; what was not taken is kept")
        taken = push(desk, *to, "--secret-file", secret).done().row["delivered"]
        push(desk, "--to", f"http://127.0.0.1:{port}/again", *to[2:], "--secret-file", secret)
        process.terminate()
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    names = [tuple(line.split()[2:4]) for line in lines]
    assert taken <= len(names) == len(set(names))
    assert ("release", "KEN") in {(line.split()[1].split(".")[3], "KEN") for line in lines}


@pytest.mark.parametrize("words", [[], ["nothing", "8321"], ["secret", "port"]])
def test_the_receiver_says_how_it_is_started(secret: Path, words: list[str]) -> None:
    words = [str(secret) if word == "secret" else word for word in words]
    program = [sys.executable, str(ROOT / "examples/receive_pushes.py"), *words]
    said = subprocess.run(program, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.endswith("usage: receive_pushes.py FILE-WITH-THE-SECRET PORT\n")
    assert "Traceback" not in said.stderr
