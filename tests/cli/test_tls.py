"""TLS between a client and the broker, and what is refused without it."""

import datetime as dt
import ipaddress
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cli.terminal import brokered, here, label, tearline
from tests.pilot import Pilot

DRAFT = ("--title", "Over TLS", "--text", "x", *label())


@pytest.fixture
def pilot(tmp_path: Path) -> Pilot:
    return Pilot.laid_out("KEN", "GBR", "FRA", folder=tmp_path)


@pytest.mark.slow
def test_publish_and_fetch_over_tls(pilot: Pilot, tmp_path: Path) -> None:
    """Whoever names the authority that vouches for the broker talks to it, and nobody else does."""
    certificate = write_certificate(pilot.folder / "broker/tls")
    settings(pilot, tls_certificate="tls/chain.pem", tls_key="tls/key.pem")
    with brokered(pilot.folder / "broker"):
        url = (pilot.folder / "broker/address").read_text()
        assert url.startswith("https://127.0.0.1:")
        sent = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT, "--json")
        assert (sent.code, sent.row["error"]) == (1, "unreachable"), "nobody vouches for it"
        said = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT)
        assert said.err.startswith("refused: the broker cannot be reached: its certificate is not ")
        assert "self-signed certificate" in said.err
        assert "as `ca_file`" in said.err
        assert said.err.count("\n") == 1

        other = write_certificate(tmp_path / "other")
        trust(pilot, "KEN/system", other)
        said = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT, "--json")
        assert (said.code, said.row["error"]) == (1, "unreachable"), "somebody else does"
        assert "its certificate is not believed" in said.row["detail"]
        trust(pilot, "KEN/system", tmp_path / "nowhere.pem")
        said = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT, "--json")
        assert (said.code, said.row["error"]) == (1, "bad-identity")
        assert "`nowhere.pem`" in said.row["detail"]

        for who in ("KEN/system", "GBR/analyst"):
            trust(pilot, who, certificate)
        sent = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT, "--json").done()
        got = here("fetch", "--as", pilot.folder / "GBR/analyst", "--json").done()
        assert got.row["report"] == sent.row["report"]


@pytest.mark.slow
def test_a_certificate_that_has_expired_is_the_operators_to_renew(pilot: Pilot) -> None:
    """Expect refusal: no client speaks to it, and none is told to trust it all the same."""
    certificate = write_certificate(pilot.folder / "broker/tls", hours=-1)
    settings(pilot, tls_certificate="tls/chain.pem", tls_key="tls/key.pem")
    trust(pilot, "KEN/system", certificate)
    with brokered(pilot.folder / "broker"):
        said = here("publish", "--as", pilot.folder / "KEN/system", *DRAFT)
    assert said.code == 1
    assert "`certificate has expired`; its operator has to renew it" in said.err


@pytest.mark.slow
def test_beyond_loopback_needs_tls_or_plain_words(pilot: Pilot) -> None:
    settings(pilot, host="0.0.0.0")
    said = tearline("serve", pilot.folder / "broker", "--port", "0")
    assert said.code == 1
    assert "listening beyond loopback needs `tls_certificate` and `tls_key`" in said.err
    assert said.err.count("\n") == 1
    assert not list((pilot.folder / "broker/data").iterdir()), "nothing was begun"
    settings(pilot, plaintext_beyond_loopback=True)
    with brokered(pilot.folder / "broker") as serving:
        assert serving.interrupted() == 0


@pytest.mark.slow
def test_a_certificate_that_does_not_load_is_refused(pilot: Pilot) -> None:
    write_certificate(pilot.folder / "broker/tls")
    settings(pilot, tls_certificate="tls/chain.pem", tls_key="tls/chain.pem")
    said = tearline("serve", pilot.folder / "broker", "--port", "0")
    assert said.code == 1
    assert "do not load together" in said.err
    assert said.err.count("\n") == 1


def settings(pilot: Pilot, **fields: object) -> None:
    """Change settings of the broker, as its operator would."""
    path = pilot.folder / "broker/broker.toml"
    kept = [line for line in path.read_text().splitlines() if line.split(" ")[0] not in fields]
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    path.write_text("\n".join([*kept, *lines]) + "\n")


def trust(pilot: Pilot, who: str, certificate: Path) -> None:
    """Name the authority in a member's identity.json."""
    path = pilot.folder / who / "identity.json"
    fields = json.loads(path.read_text())
    fields["ca_file"] = str(certificate)
    path.write_text(json.dumps(fields))


def write_certificate(folder: Path, hours: int = 1) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself for so many hours, and its key."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = dt.datetime.now(dt.UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=9))
        .not_valid_after(now + dt.timedelta(hours=hours))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
        )
        .sign(key, hashes.SHA384())
    )
    chain = folder / "chain.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(secret)
    return chain
