"""Public test vectors for the cryptography that clients stand on.

They test the library as we use it: a new version of it that answers otherwise must not pass.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM1024P384PrivateKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clients.keys import ML_KEM_SEED, SealKey
from tests.data import shared
from wire import composite
from wire.keys import SEAL_KEY

pytestmark = pytest.mark.real_data

Vector = dict[str, Any]

KEMS = {
    0x0010: KEM.P256,
    0x0011: KEM.P384,
    0x0012: KEM.P521,
    0x0020: KEM.X25519,
    0x0041: KEM.MLKEM768,
    0x0042: KEM.MLKEM1024,
    0x0051: KEM.MLKEM1024_P384,
    0x647A: KEM.MLKEM768_X25519,
}
KDFS = {
    0x0001: KDF.HKDF_SHA256,
    0x0002: KDF.HKDF_SHA384,
    0x0003: KDF.HKDF_SHA512,
    0x0010: KDF.SHAKE128,
    0x0011: KDF.SHAKE256,
}
AEADS = {0x0001: AEAD.AES_128_GCM, 0x0002: AEAD.AES_256_GCM, 0x0003: AEAD.CHACHA20_POLY1305}
CURVES = {0x0010: ec.SECP256R1(), 0x0011: ec.SECP384R1(), 0x0012: ec.SECP521R1()}
OURS = (0x0051, 0x0002, 0x0002)


def vectors(folder: str, name: str) -> Any:
    return json.loads((shared(folder) / name).read_text())


def wycheproof(name: str) -> Iterator[tuple[Vector, Vector]]:
    for group in vectors("vectors-wycheproof", name)["testGroups"]:
        for test in group["tests"]:
            yield group, test


# -- HPKE


def hybrid_seeds(seed: bytes, post_quantum: int, classical: int) -> tuple[bytes, bytes]:
    """draft-irtf-cfrg-concrete-hybrid-kems: one 32-byte seed, stretched for both halves."""
    stretched = hashlib.shake_256(seed).digest(post_quantum + classical)
    return stretched[:post_quantum], stretched[post_quantum:]


def private_key(kem: int, raw: bytes) -> Any:
    if kem in CURVES:
        return ec.derive_private_key(int.from_bytes(raw, "big"), CURVES[kem])
    if kem == 0x0020:
        return x25519.X25519PrivateKey.from_private_bytes(raw)
    if kem == 0x0041:
        return mlkem.MLKEM768PrivateKey.from_seed_bytes(raw)
    if kem == 0x0042:
        return mlkem.MLKEM1024PrivateKey.from_seed_bytes(raw)
    if kem == 0x0051:
        seed, scalar = hybrid_seeds(raw, 64, 48)
        return MLKEM1024P384PrivateKey(
            mlkem.MLKEM1024PrivateKey.from_seed_bytes(seed),
            ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP384R1()),
        )
    seed, scalar = hybrid_seeds(raw, 64, 32)
    return MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(seed),
        x25519.X25519PrivateKey.from_private_bytes(scalar),
    )


def opens(vector: Vector) -> None:
    """The first message of a base-mode vector opens to what it says, and to nothing else."""
    suite = Suite(KEMS[vector["kem_id"]], KDFS[vector["kdf_id"]], AEADS[vector["aead_id"]])
    key = private_key(vector["kem_id"], bytes.fromhex(vector["skRm"]))
    first = vector["encryptions"][0]
    sealed = bytes.fromhex(vector["enc"] + first["ct"])
    info, aad = bytes.fromhex(vector["info"]), bytes.fromhex(first["aad"])
    # The public interface has no additional data, and we use none; the vectors do.
    plaintext = openssl.hpke._decrypt_with_aad(suite, sealed, key, info, aad)
    assert plaintext == bytes.fromhex(first["pt"])
    with pytest.raises(InvalidTag):
        openssl.hpke._decrypt_with_aad(suite, sealed, key, info + b"x", aad)


def expressible(vector: Vector) -> bool:
    ids = vector["kem_id"] in KEMS, vector["kdf_id"] in KDFS, vector["aead_id"] in AEADS
    return all(ids) and vector["mode"] == 0


def test_hpke_with_post_quantum_kems_opens_the_working_groups_vectors() -> None:
    tested = [v for v in vectors("vectors-hpke", "hpke-pq.json") if expressible(v)]
    suites = [(v["kem_id"], v["kdf_id"], v["aead_id"]) for v in tested]
    assert OURS in suites
    assert len(tested) == 4  # the others: ML-KEM-512, P-256 hybrid, TurboSHAKE
    for vector in tested:
        opens(vector)


def test_our_own_suite_derives_the_public_key_of_the_vector() -> None:
    """`SealKey` puts the two halves together in the order of the draft."""
    (vector,) = (
        v
        for v in vectors("vectors-hpke", "hpke-pq.json")
        if (v["kem_id"], v["kdf_id"], v["aead_id"]) == OURS
    )
    seed, scalar = hybrid_seeds(bytes.fromhex(vector["skRm"]), 64, 48)
    number = int.from_bytes(scalar, "big")
    uniform = (number - 1).to_bytes(56, "big")  # reduced modulo n - 1, plus one: the same scalar
    assert composite.p384_scalar(uniform) == number
    key = SealKey(seed + uniform)
    assert len(seed) == ML_KEM_SEED
    assert key.public == bytes.fromhex(vector["pkRm"])
    assert len(key.public) == SEAL_KEY


def test_hpke_opens_the_vectors_of_rfc_9180() -> None:
    path = shared("vectors-hpke") / "rfc9180.ndjson"
    tested = [v for v in map(json.loads, path.read_text().splitlines()) if expressible(v)]
    assert len(tested) >= 10
    for vector in tested:
        opens(vector)


# -- ML-KEM-1024


def test_ml_kem_1024_decapsulates_as_wycheproof_says() -> None:
    results: Counter[str] = Counter()
    for _, test in wycheproof("mlkem_1024_test.json"):
        seed, ciphertext = bytes.fromhex(test["seed"]), bytes.fromhex(test["c"])
        results[test["result"]] += 1
        try:
            shared_key = mlkem.MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
        except ValueError:
            assert test["result"] == "invalid", test["tcId"]
        else:
            assert test["result"] == "valid", test["tcId"]
            assert shared_key.hex() == test["K"], test["tcId"]
    assert results == {"valid": 76, "invalid": 20}


def test_ml_kem_1024_makes_the_keys_that_wycheproof_says() -> None:
    for _, test in wycheproof("mlkem_1024_keygen_seed_test.json"):
        key = mlkem.MLKEM1024PrivateKey.from_seed_bytes(bytes.fromhex(test["seed"]))
        assert key.public_key().public_bytes_raw().hex() == test["ek"]


def test_nothing_is_encapsulated_to_a_key_that_wycheproof_calls_invalid() -> None:
    """Encapsulation is random here, so valid keys are only taken, as far as vectors go."""
    for _, test in wycheproof("mlkem_1024_encaps_test.json"):
        try:
            key = mlkem.MLKEM1024PublicKey.from_public_bytes(bytes.fromhex(test["ek"]))
            key.encapsulate()
        except ValueError:
            assert test["result"] == "invalid", test["tcId"]
        else:
            assert test["result"] == "valid", test["tcId"]


# -- AES-256-GCM and HKDF-SHA-384


def test_aes_256_gcm_answers_as_wycheproof_says() -> None:
    results: Counter[str] = Counter()
    for group, test in wycheproof("aes_gcm_test.json"):
        if group["keySize"] != 256 or group["ivSize"] != 96:
            continue  # we use no other sizes
        box = AESGCM(bytes.fromhex(test["key"]))
        nonce, aad, msg = (bytes.fromhex(test[name]) for name in ("iv", "aad", "msg"))
        sealed = bytes.fromhex(test["ct"] + test["tag"])
        results[test["result"]] += 1
        if test["result"] == "valid":
            assert box.decrypt(nonce, sealed, aad) == msg
            assert box.encrypt(nonce, msg, aad) == sealed
        else:
            with pytest.raises(InvalidTag):
                box.decrypt(nonce, sealed, aad)
    assert results["valid"] > 10
    assert results["invalid"] > 10


def test_hkdf_sha_384_answers_as_wycheproof_says() -> None:
    for _, test in wycheproof("hkdf_sha384_test.json"):
        salt, info = bytes.fromhex(test["salt"]) or None, bytes.fromhex(test["info"])
        try:
            derived = HKDF(SHA384(), test["size"], salt, info).derive(bytes.fromhex(test["ikm"]))
        except ValueError:
            assert test["result"] == "invalid", test["tcId"]
        else:
            assert test["result"] == "valid", test["tcId"]
            assert derived.hex() == test["okm"], test["tcId"]


# -- Cobblestone-256


def test_cobblestone_256_answers_as_its_vectors_say() -> None:
    """Where a vector is wrong, nothing that was given out before counts: `finalize` never comes."""
    results: Counter[str] = Counter()
    for _, test in wycheproof("c2sp_chunked_encryption_aes_256_gcm_test.json"):
        results[test["result"]] += 1
        key, context = bytes.fromhex(test["key"]), bytes.fromhex(test["ctx"])
        ciphertext = zlib.decompress(bytes.fromhex(test["ct"]))
        try:
            box = Cobblestone256Decryptor(key, context)
            plaintext = box.update(ciphertext) + box.finalize()
        except (InvalidTag, ValueError):
            assert test["result"] == "invalid", test["tcId"]
        else:
            assert test["result"] == "valid", test["tcId"]
            assert len(plaintext) == test["msgLength"]
            assert hashlib.sha512(plaintext).hexdigest() == test["msgSha512"]
    assert results == {"valid": 5, "invalid": 12}
