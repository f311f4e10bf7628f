"""The process: starting, refusing to start, stopping."""

import datetime as dt
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.api.reports import MEDIA_TYPE
from tests.broker.server import PATIENCE, Raw
from tests.coalition import Clock, Coalition
from wire.directory import Directory

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world() -> Coalition:
    """A mission that was founded a moment ago: a process has a real clock."""
    world = Coalition("MINUSX", Directory("MINUSX", "0" * 64), Clock(int(time.time())))
    world.founds(["KEN"], {})
    world["KEN"].settles()
    return world


@pytest.fixture
def folder(world: Coalition, tmp_path: Path) -> Path:
    return world.broker_folder(tmp_path)


Process = subprocess.Popen[bytes]


def start(folder: Path, *options: str, wrap: Sequence[str] = ()) -> Process:
    command = [*wrap, sys.executable, "-m", "broker.serve", str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


@contextmanager
def started(folder: Path, *options: str, wrap: Sequence[str] = ()) -> Iterator[tuple[Process, int]]:
    """The process and its port, once it listens; `wrap` is a command that starts it."""
    with start(folder, *options, wrap=wrap) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == "listening":
                break
        try:
            yield process, int((folder / "address").read_text().strip().rpartition(":")[2])
        finally:
            process.kill()


def refusal(folder: Path, *options: str) -> str:
    """What a broker says that does not start."""
    with start(folder, *options) as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    (line,) = said.decode().splitlines()
    assert line.startswith("the broker does not start: ")
    return line


@pytest.mark.slow
def test_a_broker_says_where_it_listens_and_stops_when_told(folder: Path) -> None:
    with started(folder, "--port", "0") as (process, port):
        with Raw(port) as raw:
            assert raw.ask("GET /readyz").status == 200
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert "Max core file size        0" in limits
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not (folder / "address").exists()


@pytest.mark.slow
def test_a_second_broker_on_the_same_journal_is_refused(folder: Path) -> None:
    with started(folder):
        assert "[locked]" in refusal(folder, "--port", "0")


@pytest.mark.slow
def test_a_broker_that_cannot_write_stops_and_says_so(world: Coalition, folder: Path) -> None:
    """Expect an exit: a full disk is found out by the next start, not by trying again."""
    small = ("prlimit", f"--fsize={2 << 20}")  # no file grows beyond two megabytes
    raw = world["KEN"].seals("x" * (3 << 20))
    with started(folder, wrap=small) as (process, port):
        with Raw(port) as connection:
            fields = (f"Content-Type: {MEDIA_TYPE}", f"Content-Length: {len(raw)}")
            assert connection.ask("POST /v1/reports", *fields, body=raw).status in {503, 507}
        assert process.wait(PATIENCE) == 2
        assert process.stderr is not None
        assert process.stderr.read().decode().splitlines()[-1].startswith("the broker stopped: ")
    with started(folder) as (_, port), Raw(port) as connection:
        assert connection.ask("GET /readyz").status == 200


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(folder, "--port", str(port))
    assert f"port {port}: address already in use" in said


@pytest.mark.slow
def test_a_broker_without_settings_says_so(tmp_path: Path) -> None:
    assert "broker.toml" in refusal(tmp_path)


@pytest.mark.slow
def test_a_broker_with_an_open_secret_does_not_start(folder: Path) -> None:
    (folder / "journal-secret").chmod(0o644)
    assert "`journal-secret` must be readable by its owner alone" in refusal(folder)


@pytest.mark.slow
def test_a_broker_with_a_broken_certificate_does_not_start(folder: Path) -> None:
    with (folder / "broker.toml").open("a") as file:
        file.write('tls_certificate = "missing.pem"\ntls_key = "missing.pem"\n')
    assert "TLS certificate" in refusal(folder)


@pytest.mark.slow
def test_with_a_certificate_it_speaks_tls_1_3_and_nothing_older(folder: Path) -> None:
    _certificate(folder)
    with (folder / "broker.toml").open("a") as file:
        file.write('tls_certificate = "cert.pem"\ntls_key = "key.pem"\n')
    with started(folder) as (_, port):
        assert (folder / "address").read_text().startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        assert _handshake(context, port) == "TLSv1.3"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            _handshake(context, port)


def _handshake(context: ssl.SSLContext, port: int) -> str | None:
    name = "127.0.0.1"
    plain = socket.create_connection((name, port))
    with plain, context.wrap_socket(plain, server_hostname=name) as tls:
        return tls.version()


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
