"""The signature algorithms against their public vectors: LAMPS composite, Wycheproof."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.data import shared
from wire import composite
from wire.composite import SigningKey, VerifyKey
from wire.errors import Malformed

pytestmark = pytest.mark.real_data

EC_PRIVATE_KEY = bytes.fromhex("303e0201010430")
"""RFC 5915 ECPrivateKey: sequence, version 1, 48 octets; then the scalar, and the curve's name."""
SECP384R1 = bytes.fromhex("a00706052b81040022")


def lamps() -> tuple[dict[str, bytes], bytes, bytes]:
    """The test of our algorithm, its message and its context."""
    data = json.loads(shared("vectors-lamps-composite/testvectors.json").read_text())
    (test,) = (t for t in data["tests"] if t["tcId"] == "id-MLDSA87-ECDSA-P384-SHA512")
    values = {k: base64.b64decode(v) for k, v in test.items() if k != "tcId"}
    return values, base64.b64decode(data["m"]), base64.b64decode(data["ctx"])


def lamps_private(sk: bytes) -> SigningKey:
    """Their private key is the ML-DSA seed and a DER ECPrivateKey; ours is seed and scalar."""
    seed, der = sk[: composite.SEED], sk[composite.SEED :]
    scalar = der.removeprefix(EC_PRIVATE_KEY)[: composite.SCALAR]
    assert der == EC_PRIVATE_KEY + scalar + SECP384R1
    return SigningKey(seed + scalar)


def test_the_lamps_signatures_verify_with_and_without_context() -> None:
    test, message, context = lamps()
    key = VerifyKey(test["pk"])
    key.verify(test["s"], message, b"")
    key.verify(test["sWithContext"], message, context)
    for signature, wrong in ((test["s"], context), (test["sWithContext"], b"")):
        with pytest.raises(Malformed):
            key.verify(signature, message, wrong)


def test_the_lamps_private_key_is_the_one_of_the_public_key() -> None:
    test, message, context = lamps()
    key = lamps_private(test["sk"])
    assert key.public.raw == test["pk"]
    VerifyKey(test["pk"]).verify(key.sign(message, context), message, context)


def wycheproof(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(group, test) of one file."""
    data = json.loads(shared(f"vectors-wycheproof/{name}.json").read_text())
    for group in data["testGroups"]:
        for test in group["tests"]:
            yield group, test


def verifies_ml_dsa(public: str, test: dict[str, Any]) -> bool:
    context = bytes.fromhex(test.get("ctx", ""))
    try:
        key = mldsa.MLDSA87PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]), context)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_ml_dsa_87_agrees_with_wycheproof_on_every_signature() -> None:
    seen = 0
    for group, test in wycheproof("mldsa_87_verify_test"):
        assert verifies_ml_dsa(group["publicKey"], test) == (test["result"] == "valid"), test
        seen += 1
    assert seen == 120


def test_ml_dsa_87_keys_from_seeds_agree_with_wycheproof() -> None:
    """The library signs hedged, so signatures differ; the key pair and the verdict must not."""
    seen = 0
    for group, test in wycheproof("mldsa_87_sign_seed_test"):
        seed = bytes.fromhex(group["privateSeed"])
        if test["result"] == "invalid":
            with pytest.raises(ValueError, match="seed"):
                mldsa.MLDSA87PrivateKey.from_seed_bytes(seed)
        elif "msg" in test:
            key = mldsa.MLDSA87PrivateKey.from_seed_bytes(seed)
            assert key.public_key().public_bytes_raw().hex() == group["publicKey"]
            assert verifies_ml_dsa(group["publicKey"], test), test
            message, context = bytes.fromhex(test["msg"]), bytes.fromhex(test.get("ctx", ""))
            key.public_key().verify(key.sign(message, context), message, context)
        seen += 1
    assert seen == 48


def test_ecdsa_p384_agrees_with_wycheproof_on_every_signature() -> None:
    seen = 0
    for group, test in wycheproof("ecdsa_secp384r1_sha384_test"):
        key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signature, message = bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA384()))
            accepted = True
        except InvalidSignature:
            accepted = False
        assert accepted == (test["result"] == "valid"), test
        assert not accepted or len(signature) <= composite.ECDSA_SIGNATURE_MAX
        seen += 1
    assert seen == 252
