"""Other people's trees, checkpoints, requests and vectors, written by other implementations."""

import base64
import json
import re
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import http_message_signatures as rfc9421
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.data import shared
from wire import merkle
from wire.errors import Malformed, NotAllowed
from wire.merkle import Frontier
from wire.notes import (
    ED25519,
    Checkpoint,
    OpenedCheckpoint,
    VKey,
    open_checkpoint,
    signed_by,
    verified_lines,
)
from wire.request_signature import Target, sign, verify

pytestmark = pytest.mark.real_data


# -- transparency-dev/merkle

TWELVE_BYTE_ROOTS = "sizes-are-equal-one-and-proof-is-empty.json"
"""The one kind of probe with another verdict here: its "roots" have 12 bytes; ours have 32."""


def accepts(probe: dict[str, Any]) -> bool:
    proof = [base64.b64decode(h) for h in probe["proof"] or []]
    field = {
        key: base64.b64decode(probe[key] or "")
        for key in ("root", "root1", "root2", "leafHash")
        if key in probe
    }
    try:
        if probe["kind"] == "inclusion":
            merkle.verify_inclusion(
                probe["leafIdx"], probe["treeSize"], field["leafHash"], proof, field["root"]
            )
        else:
            merkle.verify_consistency(
                probe["size1"], probe["size2"], proof, field["root1"], field["root2"]
            )
    except Malformed:
        return False
    return True


def test_every_merkle_probe_gets_its_verdict_but_the_documented_exception() -> None:
    lines = (shared("vectors-merkle") / "proofs.ndjson").read_text().splitlines()
    probes = [json.loads(line) for line in lines]
    other = [probe["path"] for probe in probes if accepts(probe) == probe["wantErr"]]
    assert len(probes) >= 90
    assert all(path.endswith(TWELVE_BYTE_ROOTS) for path in other), other
    assert len(other) <= 1


def test_the_reference_tree_of_rfc_6962_has_its_roots() -> None:
    reference = json.loads((shared("vectors-merkle") / "rfc6962_reference.json").read_text())
    tree = Frontier()
    for leaf, root in zip(reference["leaves_hex"], reference["roots_hex_of_first_n"], strict=True):
        tree.append(merkle.leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


# -- a log written by Tessera


def tessera() -> tuple[Path, VKey]:
    folder = shared("vectors-tlog") / "tessera-log"
    return folder, VKey.parse((folder / "PUBLIC_KEY.txt").read_text().strip())


def entries_of(bundle: bytes) -> list[bytes]:
    """The entries of a tlog-tiles entry bundle: each after its length, u16."""
    found = []
    while bundle:
        (size,) = struct.unpack(">H", bundle[:2])
        found.append(bundle[2 : 2 + size])
        bundle = bundle[2 + size :]
    return found


def test_every_checkpoint_of_a_tessera_log_opens_to_the_root_of_its_entries() -> None:
    folder, key = tessera()
    entries = entries_of((folder / "tile/entries/000.p/15").read_bytes())
    tree, roots = Frontier(), [merkle.EMPTY_ROOT]
    for entry in entries:
        tree.append(merkle.leaf_hash(entry))
        roots.append(tree.root())
    assert len(roots) == 16
    for size, root in enumerate(roots):
        opened = open_checkpoint((folder / f"checkpoint.{size}").read_text(), [key])
        assert opened.checkpoint == Checkpoint("example.com/log/testdata", size, root)
    assert open_checkpoint((folder / "checkpoint").read_text(), [key]).checkpoint.size == 15


def test_every_tile_of_a_tessera_log_holds_the_hashes_that_we_compute() -> None:
    folder, _ = tessera()
    entries = entries_of((folder / "tile/entries/000.p/15").read_bytes())
    hashes = b"".join(map(merkle.leaf_hash, entries))
    for size in range(1, 16):
        assert (folder / f"tile/0/000.p/{size}").read_bytes() == hashes[: 32 * size]


def test_every_bundle_of_a_tessera_log_is_a_beginning_of_the_next() -> None:
    """A partial bundle that was fetched and stored stays right for ever."""
    folder, _ = tessera()
    bundles = [(folder / f"tile/entries/000.p/{n}").read_bytes() for n in range(1, 16)]
    for count, bundle in enumerate(bundles, 1):
        assert len(entries_of(bundle)) == count
        assert bundles[-1].startswith(bundle)


def test_a_tessera_log_is_consistent_from_checkpoint_to_checkpoint() -> None:
    folder, key = tessera()
    tile = (folder / "tile/0/000.p/15").read_bytes()
    tree, stored = Frontier(), []
    for at in range(0, len(tile), 32):
        stored.append(tree.append(tile[at : at + 32]))

    def nodes(wanted: Any) -> list[bytes]:
        return [stored[((i + 1) << n) - 1][32 * n : 32 * n + 32] for n, i in wanted]

    heads = [
        open_checkpoint((folder / f"checkpoint.{size}").read_text(), [key]).checkpoint
        for size in range(16)
    ]
    for new in heads[1:]:
        for old in heads[1 : new.size + 1]:
            proof = merkle.consistency_proof(old.size, new.size, nodes)
            merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
        proof = merkle.inclusion_proof(0, new.size, nodes)
        merkle.verify_inclusion(0, new.size, tile[:32], proof, new.root)


# -- logs of Sigstore


def rekor(name: str) -> tuple[dict[str, Any], str, list[VKey]]:
    """The log entry of a bundle, its checkpoint, and the key of the log by the trusted root."""
    folder = shared("vectors-tlog") / "sigstore-bundles"
    bundle = json.loads((folder / name / "bundle.sigstore.json").read_text())
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    note = entry["inclusionProof"]["checkpoint"]["envelope"]
    keys = []
    for trusted in (folder / name).glob("trusted_root.json"):
        for log in json.loads(trusted.read_text())["tlogs"]:
            if log["publicKey"]["keyDetails"] == "PKIX_ED25519":
                origin = log["baseUrl"].removeprefix("https://")
                public = base64.b64decode(log["publicKey"]["rawBytes"])[-32:]
                keys.append(VKey(origin, ED25519, public))
    return entry, note, [key for key in keys if note.startswith(f"{key.name}\n")]


def included(entry: dict[str, Any], root: bytes) -> None:
    proof = entry["inclusionProof"]
    merkle.verify_inclusion(
        int(proof["logIndex"]),
        int(proof["treeSize"]),
        merkle.leaf_hash(base64.b64decode(entry["canonicalizedBody"])),
        [base64.b64decode(h) for h in proof["hashes"]],
        root,
    )


@pytest.mark.parametrize(
    "name",
    [
        "rekor2-dsse-happy-path",
        "rekor2-checkpoint-origin-not-first",
        "rekor2-checkpoint-two-sigs-cosigned",
    ],
)
def test_an_entry_of_a_public_log_is_proved_under_its_signed_checkpoint(name: str) -> None:
    entry, note, keys = rekor(name)
    opened: OpenedCheckpoint = open_checkpoint(note, keys)
    included(entry, opened.checkpoint.root)
    with pytest.raises(Malformed, match="bad-proof"):
        included(entry, bytes(32))


def test_a_checkpoint_without_the_logs_signature_is_refused() -> None:
    _, note, _ = rekor("rekor2-checkpoint-missing-log-signature_fail")
    _, _, keys = rekor("rekor2-checkpoint-origin-not-first")
    with pytest.raises(Malformed, match="bad-checkpoint"):
        open_checkpoint(note, keys)


@pytest.mark.parametrize(
    "name", ["checkpoint-wrong-roothash_fail", "inclusion-proof-corrupted-hash_fail"]
)
def test_an_entry_is_refused_when_proof_and_checkpoint_disagree(name: str) -> None:
    """Size and root come from the checkpoint only, never from beside the proof."""
    entry, note, _ = rekor(name)
    checkpoint = Checkpoint.parse(note.split("\n\n")[0] + "\n")
    with pytest.raises(Malformed, match="bad-proof"):
        included(entry, checkpoint.root)


@pytest.mark.parametrize(
    ("name", "true"),
    [
        ("rekor2-dsse-happy-path", True),
        ("rekor2-dsse-invalid-sig_fail", False),
        ("dsse-mismatch-sig_fail", False),
    ],
)
def test_a_log_proves_what_was_logged_and_not_what_lies_beside_it(name: str, true: bool) -> None:
    """The entry is in the tree of its checkpoint; what is believed must be read from the entry, for
    whoever hands it on may have put another signature beside it.
    """
    entry, note, _ = rekor(name)
    included(entry, Checkpoint.parse(note.split("\n\n")[0] + "\n").root)
    folder = shared("vectors-tlog") / "sigstore-bundles" / name
    beside = json.loads((folder / "bundle.sigstore.json").read_text())["dsseEnvelope"]
    (signature,) = [one["sig"] for one in beside["signatures"]]
    assert (signature.encode() in base64.b64decode(entry["canonicalizedBody"])) == true


def test_an_entry_without_a_proof_proves_nothing() -> None:
    """The promise of its log is no proof: nothing of ours takes one for it."""
    with pytest.raises(KeyError, match="inclusionProof"):
        rekor("intoto-missing-inclusion-proof_fail")


def test_cosignatures_of_strangers_change_nothing() -> None:
    """Also where one stands first, before the log's own line."""
    _, note, keys = rekor("rekor2-checkpoint-two-sigs-cosigned")
    assert len(signed_by(note)) == 3
    assert open_checkpoint(note, keys).cosigned_by == {}
    _, note, keys = rekor("rekor2-checkpoint-origin-not-first")
    (first, *_), (key,) = signed_by(note), keys
    assert first != (key.name, key.id)
    assert verified_lines(note, keys)[1].keys() == {key}


# -- Ed25519, as notes and requests use it


def is_verified(public: str, signature: str, message: bytes) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_wycheproof_agrees_on_every_ed25519_signature() -> None:
    groups = json.loads((shared("vectors-wycheproof") / "ed25519_test.json").read_text())
    cases = [(group, test) for group in groups["testGroups"] for test in group["tests"]]
    assert len(cases) >= 70
    for group, test in cases:
        valid = is_verified(group["publicKey"]["pk"], test["sig"], bytes.fromhex(test["msg"]))
        assert valid == (test["result"] == "valid"), test["tcId"]


def test_ed25519_edge_cases_are_decided_without_a_cofactor_and_with_one_encoding_of_r() -> None:
    """Implementations differ here; every verifier of our log that uses this rule agrees with us.

    None of it can be reached from outside: keys come from signed statements or are pinned, and a
    key of low order would only let its own holder be imitated.
    """
    cases = json.loads((shared("vectors-ed25519-cctv") / "ed25519vectors.json").read_text())
    for case in cases:
        expected = not {"low_order_residue", "non_canonical_R"} & set(case["flags"] or [])
        verified = is_verified(case["key"], case["sig"], case["msg"].encode())
        assert verified == expected, case["number"]


# -- RFC 9421, appendix B


def appendix_b() -> tuple[str, Ed25519PrivateKey]:
    text = (shared("vectors-http-signatures") / "rfc9421_appendix_b.md").read_text()
    section = text[text.index("example-key-ed25519") :]
    pem = re.search(r"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", section, re.DOTALL)
    assert pem is not None
    key = load_pem_private_key(pem[0].encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return text, key


KEYID = "26b40b8f93fff3d897112f7ebc582b23"
NOW = 1618884473


def test_the_content_digest_of_the_rfcs_request_is_ours() -> None:
    text, key = appendix_b()
    digest = re.search(r"Content-Digest: (sha-512=:\S+?\\\n\s*\S+)", text)
    assert digest is not None
    headers = sign(
        Target("POST", "example.com", "/foo", "param=Value&Pet=dog"),
        b'{"hello": "world"}',
        key,
        KEYID,
        created=NOW,
        nonce=bytes(16),
    )
    assert headers["Content-Digest"] == re.sub(r"\\\n\s*", "", digest[1])


def test_the_rfcs_request_signed_in_our_profile_verifies_here_and_elsewhere() -> None:
    """The request and key of B.2.6; the other verifier takes its time from `created`."""
    _, key = appendix_b()
    public = key.public_key().public_bytes_raw()
    target, body = (
        Target("POST", "example.com", "/foo", "param=Value&Pet=dog"),
        b'{"hello": "world"}',
    )
    headers = sign(target, body, key, KEYID, created=NOW, nonce=bytes(16))

    class Keys(rfc9421.HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
            assert key_id == KEYID
            return key.public_key()

    class AtThatTime(rfc9421.HTTPMessageVerifier):
        def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
            assert sig_input.params["created"] == NOW

    verifier = AtThatTime(signature_algorithm=rfc9421.algorithms.ED25519, key_resolver=Keys())
    message = SimpleNamespace(
        method="POST", url="https://example.com/foo?param=Value&Pet=dog", headers=headers
    )
    assert verifier.verify(message, expect_tag="tearline-http", body=body)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert verify(raw, target, body, lambda _: public, now=NOW).keyid == KEYID


def test_the_rfcs_own_ed25519_signature_is_genuine_and_outside_our_profile() -> None:
    """B.2.6 covers other components: a valid signature, and still not one that this API takes."""
    _, key = appendix_b()
    covered = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
    parameters = f'{covered};created={NOW};keyid="test-key-ed25519"'
    signature = (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    base = (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n'
        '"@authority": example.com\n"content-type": application/json\n"content-length": 18\n'
        f'"@signature-params": {parameters}'
    )
    key.public_key().verify(base64.b64decode(signature), base.encode())
    digest = sign(Target("POST", "h", "/"), b"", key, KEYID, created=NOW, nonce=bytes(16))[
        "Content-Digest"
    ]
    headers = [
        (b"content-digest", digest.encode()),
        (b"signature-input", f"sig1={parameters}".encode()),
        (b"signature", f"sig1=:{signature}:".encode()),
    ]
    with pytest.raises(NotAllowed, match="profile"):
        verify(headers, Target("POST", "example.com", "/foo"), b"", lambda _: None, now=NOW)
