"""What is pushed goes to the address that was given, and to no other."""

import email.utils
import socket
import threading
from pathlib import Path

import pytest

from clients.push import receiver
from clients.push.receiver import Receiver, checked, host
from tests.cli.test_tls import write_certificate
from tests.clients.push.inbox import inbox
from tests.refusal import refused

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0


async def posted(url: str) -> receiver.Reply:
    async with Receiver(url) as door:
        return await door.post(b"[]", {"content-type": "application/json"}, NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.example/hook",
        "http://10.0.0.1/hook",
        "http://127.0.0.1.example/hook",
        "http://localhost.example/",
        "http://[::ffff:10.0.0.1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "/hook",
        "https://",
        "https://user:password@siem.example/",
        "https://token@siem.example/",
        "https://siem.example/#part",
        "",
    ],
)
async def test_an_address_that_is_none_or_not_safe_is_refused(url: str) -> None:
    """Expect refusal: plain http to another machine, a password on the command line."""
    with refused("bad-input"):
        checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://siem.example/hook",
        "https://siem.example:8443/a?b=c",
        "http://127.0.0.1:8080/",
        "http://127.8.9.1/",
        "http://localhost:1/x",
        "http://[::1]:1/x",
    ],
)
async def test_https_and_this_very_machine_are_good(url: str) -> None:
    assert str(checked(url)) == url


async def test_the_part_of_an_address_that_is_shown_holds_no_secret() -> None:
    assert host("https://siem.example:8443/secret?key=secret") == "siem.example:8443"


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    """Expect that whoever answers cannot make this machine ask somebody else."""
    with inbox() as elsewhere, inbox() as first:
        first.answers.append((status, {"location": elsewhere.url}, b""))
        reply = await posted(first.url)
    assert (reply.status, elsewhere.tried) == (status, [])


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with inbox() as proxy, inbox() as there:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert (await posted(there.url)).status == 204
    assert proxy.tried == []


async def test_no_password_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with inbox() as there:
        await posted(there.url)
    assert "authorization" not in there.got[0].headers


async def test_a_long_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect that an endless answer costs a bounded number of bytes, and counts by its status."""
    monkeypatch.setattr(receiver, "DRAIN", 60)
    monkeypatch.setattr(receiver, "PATIENCE", 2)
    with inbox() as there:
        there.answers.append((200, {"content-length": str(1 << 40)}, b"x" * (1 << 20)))
        assert (await posted(there.url)).status == 200


async def test_who_says_yes_and_then_nothing_has_said_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "DRAIN", 0.05)
    with inbox() as there:
        there.answers.append((202, {"content-length": "10"}, b"x"))
        assert (await posted(there.url)).status == 202


@pytest.mark.slow
async def test_a_receiver_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps every single read alive; the whole try has an end."""
    monkeypatch.setattr(receiver, "PATIENCE", 0.3)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(5)

        def drip() -> None:
            found, _ = door.accept()
            with found:
                while not stop.wait(0.05):
                    try:
                        found.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        reply = await posted(f"http://127.0.0.1:{door.getsockname()[1]}/")
        stop.set()
        thread.join(5)
    assert (reply.status, reply.why) == (0, "no answer in time")


async def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    reply = await posted(f"http://127.0.0.1:{port}/")
    assert (reply.status, reply.why) == (0, "no connection, or it broke")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "rest"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("1e9", 0),
        ("9" * 40, receiver.REST_MAX),
        ("²", 0),
        ("soon", 0),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", receiver.REST_MAX),
    ],
)
async def test_how_long_it_wants_to_be_left_alone(told: str, rest: float) -> None:
    """Retry-After in seconds or as a date (RFC 9110, 10.2.3); at most a day, at least not less."""
    assert receiver._rest(told, NOW) == rest
    if told.isascii():
        with inbox() as there:
            there.answers.append((503, {"retry-after": told}, b""))
            assert (await posted(there.url)).rest == rest


async def test_a_file_that_is_no_authority_is_refused(tmp_path: Path) -> None:
    """Expect refusal."""
    path = tmp_path / "ca.pem"
    for text in (None, "no certificate"):
        if text is not None:
            path.write_text(text)
        with refused("bad-input", "not a file of certificates"):
            Receiver("https://siem.example/", path)


async def test_over_tls_to_whom_a_named_authority_vouches_for(tmp_path: Path) -> None:
    """Expect nothing to be sent to anybody else."""
    ours, other = (write_certificate(tmp_path / name) for name in ("ours", "other"))
    with inbox(tls=tmp_path / "ours") as there:
        for ca_file in (None, other):
            async with Receiver(there.url, ca_file) as door:
                reply = await door.post(b"[]", {}, NOW)
            assert (reply.status, "not believed" in reply.why) == (0, True)
        assert there.tried == []
        async with Receiver(there.url, ours) as door:
            assert (await door.post(b"[]", {}, NOW)).status == 204
