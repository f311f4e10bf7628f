"""The test vectors still hold. What is checked here is what a second implementation has to check.

If one of these fails, the format has changed: that is a new version, not a new vector.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, get_args

import pytest

from clients.keys import EpochSeed
from tests import sealing
from tests.refusal import refused
from wire import binding, composite, fold, links, merkle, report, statements, verify
from wire.composite import SigningKey, VerifyKey
from wire.directory import Directory
from wire.entries import MISSION
from wire.keys import seal_kid
from wire.links import open_head, open_heads, open_link, open_view
from wire.note_keys import VKey
from wire.notes import open_checkpoint
from wire.report import PREAMBLE
from wire.retention import What, limit


def load(name: str) -> Any:
    return json.loads((Path(__file__).parent / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def directory() -> Directory:
    """The directory that the vectors' own history makes."""
    return folded(load("mission"))


def folded(vector: dict[str, Any]) -> Directory:
    made = Directory(vector["mission"], vector["charter"])
    for item in vector["statements"]:
        statement = statements.parse(b64decode(item["raw"]))
        assert statement.identity == item["identity"]
        assert statement.head.type == item["type"]
        made = fold.apply(made, statement, item["position"], item["time"], viewer=MISSION)
    return made


def test_keys() -> None:
    vector = load("keys")
    signing = vector["composite"]
    key = SigningKey(bytes.fromhex(signing["private"]))
    public = VerifyKey(b64decode(signing["public"]))
    assert (key.public, key.public.kid) == (public, signing["kid"])
    for context, signature in signing["signatures"].items():
        public.verify(b64decode(signature), bytes.fromhex(signing["message"]), context.encode())
    epoch = vector["epoch"]
    top = epoch["levels"][0]
    seed = EpochSeed(epoch["nation"], epoch["epoch"], top["level"], bytes.fromhex(top["seed"]))
    for level in epoch["levels"]:
        at = seed.at(level["level"])
        assert at.seed.hex() == level["seed"]
        assert at.key().public == b64decode(level["public"])
        assert seal_kid(at.key().public) == level["kid"]
    assert seal_kid(b64decode(vector["seal"]["public"])) == vector["seal"]["kid"]


@pytest.mark.parametrize("case", load("binding"), ids=lambda c: c["originator"])
def test_binding(case: dict[str, Any]) -> None:
    place = (case["originator"], case["id"], case["index"])
    bound = binding.portion_context(*place, bytes.fromhex(case["label"]))
    assert bound.hex() == case["portion_context"]
    info = binding.wrap_info(case["level"], case["nation"], case["kid"], bound)
    assert info.hex() == case["wrap_info"]
    assert binding.payload_context(*place).hex() == case["payload_context"]
    attachment = binding.attachment_context(*place, case["attachment"])
    assert attachment.hex() == case["attachment_context"]


def test_mission(directory: Directory) -> None:
    vector = load("mission")
    assert list(directory.channels) == vector["channels"]
    assert directory.terms.digest == vector["registry"]
    chains = {**directory.nations, MISSION: directory.chain}
    assert {c: {"seq": s.seq, "prev": s.prev} for c, s in chains.items()} == vector["chains"]
    members = {
        kid: {"nation": m.nation, "kind": m.kind, "added": m.added}
        for kid, m in directory.members.items()
    }
    assert members == vector["members"]
    kids = {code: list(s.epochs[1].kids) for code, s in directory.nations.items()}
    assert kids == vector["epoch_kids"]


def test_statement() -> None:
    vector = load("statement")
    statement = statements.parse(b64decode(vector["raw"]))
    assert statement.head_bytes[PREAMBLE.size :].decode() == vector["head"]
    assert statement.body_bytes == vector["body"].encode()
    assert statements.body_digest(statement.body_bytes or b"") == vector["body_digest"]
    assert statement.identity == vector["identity"]
    assert statements.without_body(statement) == b64decode(vector["withheld"])
    assert statement.signatures.keys() == vector["signers"].keys()
    for kid, public in vector["signers"].items():
        key = VerifyKey(b64decode(public))
        assert key.kid == kid
        key.verify(statement.signatures[kid], statement.head_bytes, composite.STATEMENT)


def test_retention() -> None:
    vector = load("retention")
    directory = folded(vector)
    assert directory.founded.retention_floor == vector["floor"]
    orders = directory.nations["KEN"].retention
    for at in vector["limits"]:
        what: What
        for what in get_args(What):
            given = [order for order in orders if order.time <= at["time"]]
            assert limit(given, vector["floor"], what, at["time"]) == at[what]


@pytest.mark.parametrize("case", load("retention")["cases"], ids=lambda c: c["name"])
def test_retention_refused(case: dict[str, Any]) -> None:
    directory = folded(vector := load("retention"))
    statement = statements.parse(b64decode(case["raw"]))
    position, now = directory.position + 1, vector["statements"][-1]["time"]
    if case["slug"] is None:
        fold.apply(directory, statement, position, now)
    else:
        with refused(case["slug"]):
            fold.apply(directory, statement, position, now)


def test_report(directory: Directory) -> None:
    vector = load("report")
    at = (vector["position"], vector["time"])
    verified = verify.verify_submission(b64decode(vector["raw"]), directory, *at)
    assert verified.identity == vector["identity"]
    assert verified.frame.header_bytes.decode() == vector["header"]
    for portion, expected in zip(verified.portions, vector["portions"], strict=True):
        assert portion.index == expected["index"]
        assert portion.frame.label_bytes.decode() == expected["label"]
        assert portion.frame.descriptor.hex() == expected["descriptor"]
        assert portion.frame.commitment == expected["commitment"]
        assert portion.frame.protected.decode() == expected["protected"]
        said = report.protected_commitment(expected["protected"].encode())
        assert portion.label.protected == said
        assert report.commitment(bytes.fromhex(expected["descriptor"])) == expected["commitment"]
        assert sorted(portion.recipients) == expected["recipients"]


@pytest.mark.parametrize("nation", ["KEN", "GBR"])
def test_deliveries(directory: Directory, nation: str) -> None:
    vector = load("report")
    delivery = vector["deliveries"][nation]
    raw, at = b64decode(delivery["raw"]), (vector["position"], vector["time"])
    verified = verify.verify_delivery(raw, directory, *at, nation)
    assert verified.identity == vector["identity"]
    kept = [int(i) for i in delivery["opens"]]
    assert report.parse(b64decode(vector["raw"])).redacted(kept, nation) == raw
    seed = EpochSeed(nation, 1, 3, bytes.fromhex(vector["seeds"][nation]))
    for portion in verified.portions:
        place = sealing.Place(verified.originator, verified.header.id, portion.index)
        opened = sealing.read(sealing.open_portion(portion.frame, place, nation, seed))
        assert opened["body"] == delivery["opens"][str(portion.index)]


@pytest.mark.parametrize("case", load("refused"), ids=lambda c: c["name"])
def test_refused(directory: Directory, case: dict[str, Any]) -> None:
    vector = load("report")
    at = (vector["position"], vector["time"])
    raw = b64decode(case["raw"])
    if case["slug"] is None:
        verify.verify_submission(raw, directory, *at)
    else:
        with refused(case["slug"]):
            verify.verify_submission(raw, directory, *at)


def test_log() -> None:
    vector = load("log")
    opened = open_checkpoint(vector["checkpoint"], [VKey.parse(vector["vkey"])])
    size, root = opened.checkpoint.size, opened.checkpoint.root
    assert (size, root.hex()) == (vector["size"], vector["root"])
    for entry in vector["entries"]:
        leaf = bytes.fromhex(entry["leaf"])
        hashed = merkle.leaf_hash(leaf)
        assert hashed.hex() == entry["leaf_hash"]
        proof = [bytes.fromhex(h) for h in entry["inclusion"]]
        merkle.verify_inclusion(entry["index"], size, hashed, proof, root)
        for channel, shown in entry["links"].items():
            opening, text = bytes.fromhex(shown["opening"]), shown["link"].encode()
            link, commitment = open_link(leaf, shown["slot"], opening, text)
            assert (link.channel, commitment.hex()) == (channel, shown["commitment"])
            view = open_view(link, bytes.fromhex(shown["view_opening"]), shown["view"].encode())
            assert view == json.loads(shown["view"])
    heads = vector["heads"]
    _, channels, heads_root = open_heads(bytes.fromhex(heads["leaf"]))
    head, hashed = open_head(bytes.fromhex(heads["opening"]), heads["head"].encode())
    assert (head.channel, channels) == (heads["channel"], heads["channels"])
    path = [bytes.fromhex(h) for h in heads["path"]]
    merkle.verify_inclusion(heads["position"], channels, hashed, path, heads_root)
    last = vector["entries"][-1]["links"][head.channel]
    assert head.last == last["commitment"]
    assert links.HEADS_LEAF.size == len(heads["leaf"]) // 2
