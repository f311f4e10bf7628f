"""The documents say what the code does: names, links, tables and every example value.

`docs/protocol.md` holds values in blocks fenced as ``example``: ``name = value``, continued on
indented lines. They are read here as a stranger would read them, and checked against `wire/`.
"""

import hashlib
import hmac
import importlib
import json
import re
import shlex
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import audit
from clients import padding
from clients.content import decode as read_content
from clients.keys import EpochSeed, grant_info
from tests import sealing
from tests.cli.terminal import here
from wire import (
    banner,
    base64_strict,
    binding,
    bodies,
    composite,
    evidence,
    evidence_file,
    evidence_lines,
    links,
    notes,
    prove,
    report,
    request_signature,
    retention,
    statements,
    strict_json,
)
from wire.errors import SLUGS
from wire.labels import Label
from wire.retention import Order
from wire.vocabulary import Level, Tree, Vocabulary

ROOT = Path(__file__).parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OURS = "wire|policies|broker|clients|tests"
AT_A_START = ("rollback-detected", "journal-damaged")
NAMES = ("auditor", "founding", "runbook")
GUIDES = "".join((ROOT / f"docs/{name}.md").read_text("utf-8") for name in NAMES)
PROTOCOL = (ROOT / "docs/protocol.md").read_text("utf-8")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NAME = re.compile(rf"`(?!broker\.toml)((?:{OURS})(?:\.[A-Za-z_][A-Za-z0-9_]*)+)(?:\(\))?`")
_PATH = re.compile(rf"`((?:{OURS}|docs|examples|benchmarks)/[A-Za-z0-9_./-]+\.[a-z]+)`")


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


# -- names and links


@pytest.mark.parametrize("path", DOCS, ids=title)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in _LINK.findall(path.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("path", DOCS, ids=title)
def test_every_file_named_exists(path: Path) -> None:
    for name in _PATH.findall(path.read_text("utf-8")):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", DOCS, ids=title)
def test_every_function_named_exists(path: Path) -> None:
    for name in _NAME.findall(path.read_text("utf-8")):
        assert found(name) is not None, name


def found(name: str) -> Any:
    """What a dotted name stands for: a module, or something reached from one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[length:], module)
    raise AssertionError(name)


@pytest.mark.parametrize("path", ["docs/protocol.md", "docs/threat-model.md", "docs/one-report.md"])
def test_no_line_is_longer_than_120_characters(path: str) -> None:
    lines = (ROOT / path).read_text("utf-8").splitlines()
    assert [i for i, line in enumerate(lines, 1) if len(line) > 120] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"^\$ tearline (.*)", GUIDES, re.MULTILINE)))
)
def test_every_command_of_the_guides_can_be_typed(line: str) -> None:
    """Asked for its help, a command says so if it does not know an option that it was given."""
    here(*shlex.split(line), "--help").done()


# -- tables


def section(number: int) -> str:
    """The text of one section of the protocol."""
    _, _, rest = PROTOCOL.partition(f"\n## {number}. ")
    return rest.partition("\n## ")[0]


def rows(number: int, heading: str) -> list[list[str]]:
    """The cells of the table with this first heading, without their backticks."""
    lines = section(number).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return table


def test_the_slug_table_is_that_of_the_code() -> None:
    told = {slug: (int(status), title) for slug, status, title in rows(21, "slug")}
    assert told == {slug: (meaning.status, meaning.title) for slug, meaning in SLUGS.items()}


def test_every_slug_that_the_documents_name_exists() -> None:
    """In the protocol, a word with hyphens in parentheses is what something is refused with, and
    so is the last column of the steps of verification.
    """
    named = re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`\)", PROTOCOL)
    for _, _, refusals in rows(10, "step"):
        named += [slug.strip("` ") for slug in refusals.split(",")]
    assert len(named) > 50
    assert set(named) <= SLUGS.keys()


def test_the_table_of_statement_types_is_that_of_the_code() -> None:
    told = {kind: (by, tuple(scopes.split(", "))) for kind, by, scopes in rows(11, "type")}
    assert told == {kind: (r.signed_by, r.scopes) for kind, r in bodies.RULES.items()}


def test_the_fields_of_every_statement_are_those_of_the_code() -> None:
    text = section(12)
    items = re.findall(r"^- `([a-z.]+)`: (.*(?:\n  .*)*)", text, re.MULTILINE)
    told = {kind: set(re.findall(r"`([a-z_]+)`", rest)) for kind, rest in items}
    assert told == {
        kind: set(rule.body.model_fields) - {"salt"} for kind, rule in bodies.RULES.items()
    }


def test_the_keys_of_a_label_are_those_of_the_code() -> None:
    cells = ",".join(first for first, *_ in rows(4, "key"))
    told = {name.strip("` ") for name in cells.split(",")}
    assert told == Label.model_fields.keys()


def test_the_limits_are_those_of_the_code() -> None:
    for _, limit, name in rows(22, "what"):
        assert int(limit.replace(",", "")) == found(name), name


def test_who_is_concerned_by_an_event_is_as_the_code_says() -> None:
    assert dict(rows(14, "type")) == {
        kind: ", ".join([*(["MISSION"] if kind in audit.OF_MISSION else []), *roles])
        for kind, roles in audit.CONCERNED.items()
    }


@pytest.mark.slow
def test_the_forbidden_characters_are_exactly_those_of_the_code() -> None:
    (block,) = re.findall(r"```ranges\n(.*?)```", PROTOCOL, re.DOTALL)
    told: set[int] = set()
    for word in block.split():
        first, _, last = word.partition("-")
        told |= set(range(int(first, 16), int(last or first, 16) + 1))
    refused = {i for i in range(0x110000) if strict_json._FORBIDDEN.match(chr(i))}
    assert told == refused


def test_every_endpoint_of_the_broker_is_in_the_table_and_no_other() -> None:
    """The paths are read from the code, for a broker is not needed to know them."""
    found_in_code: set[tuple[str, str]] = set()
    for path in sorted((ROOT / "broker/api").glob("*.py")):
        text = path.read_text("utf-8")
        for method, route in re.findall(r'@router\.([a-z]+)\(\s*"([^"]+)"', text):
            found_in_code.add((method.upper(), re.sub(r":path\}", "}", route)))
        for method, route in re.findall(
            r"`(POST|GET) (/v1/[a-z/{}]+)`(?: as a plain|\. Ref)", text
        ):
            found_in_code.add((method, route))
    table = section(18).partition("| request |")[2]
    told = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[A-Za-z0-9_./{}]*)", table))
    assert told == found_in_code


# -- examples


@cache
def examples(number: int) -> list[dict[str, str]]:
    """The example blocks of a section, each as its names and values."""
    found_blocks = []
    for block in re.findall(r"```example\n(.*?)```", section(number), re.DOTALL):
        values: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("  "):
                values[name] += line[2:]
            else:
                name, _, value = line.partition(" = ")
                values[name] = value
        found_blocks.append(values)
    return found_blocks


def numbered(values: dict[str, str], name: str) -> list[bytes]:
    """`name 0`, `name 1` …, as bytes."""
    return [bytes.fromhex(v) for k, v in values.items() if re.fullmatch(rf"{name} \d+", k)]


HEADER, PORTION = examples(0)
(BOUND,) = examples(8)
FIELDS = json.loads(HEADER["header"])


def descriptor() -> bytes:
    label = PORTION["label"].encode()
    records = [bytes.fromhex(v) for k, v in PORTION.items() if k.startswith("record ")]
    count = len(records).to_bytes(2, "big")
    return len(label).to_bytes(4, "big") + label + count + b"".join(records)


def test_the_example_head_has_its_identity_and_begins_as_shown() -> None:
    header = HEADER["header"].encode()
    strict_json.load(header, report.Header)
    head = report.encode_head(header)
    assert hashlib.sha256(head).hexdigest() == HEADER["identity"]
    shown = re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} ?)+)  \|", section(0), re.MULTILINE)
    assert head.startswith(bytes.fromhex("".join(shown)))


def test_the_example_portion_has_the_commitment_that_the_head_holds() -> None:
    strict_json.load(PORTION["label"].encode(), report.PortionLabel)
    found_label, records = report._descriptor(descriptor())
    assert found_label == PORTION["label"].encode()
    assert [f"record {r.nation}" for r in records] == [
        k for k in PORTION if k.startswith("record ")
    ]
    assert report.commitment(descriptor()) == PORTION["commitment"]
    assert FIELDS["portions"][int(PORTION["index"])] == PORTION["commitment"]


def test_the_example_payload_is_the_one_that_was_signed_and_opens() -> None:
    payload, label = bytes.fromhex(PORTION["payload"]), json.loads(PORTION["label"])
    assert label["payload"]["sha256"] == hashlib.sha256(payload).hexdigest()
    assert label["payload"]["len"] == len(payload)
    key, context = bytes.fromhex(BOUND["content key"]), bytes.fromhex(BOUND["payload context"])
    plaintext = padding.unpad(sealing.decrypt(payload, key, context))
    assert plaintext.decode() == BOUND["plaintext"]
    assert read_content(plaintext).title == "Road closed"


def test_the_example_bindings_are_those_of_the_code() -> None:
    place = (FIELDS["originator"], FIELDS["id"], int(PORTION["index"]))
    context = binding.portion_context(*place, PORTION["label"].encode())
    assert context.hex() == BOUND["portion context"]
    record = next(r for r in report._descriptor(descriptor())[1] if r.nation == "TCD")
    info = binding.wrap_info(record.level, "TCD", record.kid, context)
    assert info.hex() == BOUND["wrap info TCD"]
    assert binding.payload_context(*place).hex() == BOUND["payload context"]
    made_up = "00112233445566778899aabbccddeeff"
    attachment = binding.attachment_context(*place, made_up)
    assert attachment.hex() == BOUND["attachment context"]


def test_the_example_banner_is_rendered_from_the_example_label() -> None:
    label = strict_json.load(PORTION["label"].encode(), report.PortionLabel)
    levels = (Level(token="UNCLASSIFIED", mark="U"), Level(token="RESTRICTED", mark="R"))
    nowhere = Tree({}, {})
    words = Vocabulary("MINUSX", (), levels, {}, {}, ("ANY",), nowhere, nowhere, {}, 1, "")
    line = banner.banner(label, "FRA", "MINUSX", words)
    assert f"{line}\n{banner.portion_mark(label, 'FRA', words)}\n" in section(6)


def test_the_example_paddings_are_those_of_the_code() -> None:
    text = " ".join(section(8).split())
    match = re.search(r"Lengths ([\d, and]+) give ([\d, ]+)\.", text)
    assert match is not None
    lengths, padded = (list(map(int, re.findall(r"\d+", part))) for part in match.groups())
    assert [padding.padded_size(n) for n in lengths] == padded
    assert len(lengths) > 5


def test_the_example_message_representative_is_that_of_the_code() -> None:
    (values,) = examples(7)
    message, context = bytes.fromhex(values["message"]), values["context"].encode()
    assert composite._representative(message, context).hex() == values["M'"]


def test_the_example_statement_has_its_digest_and_identity() -> None:
    (values,) = examples(11)
    assert statements.body_digest(values["body"].encode()) == values["body digest"]
    strict_json.load(values["body"].encode(), bodies.HeadSeen)
    head = strict_json.load(values["head"].encode(), statements.Head)
    assert head.body == values["body digest"]
    signed = bytes.fromhex(values["preamble"]) + values["head"].encode()
    assert statements.PREAMBLE.pack(b"TLST", 2, 0, len(values["head"])) == signed[:10]
    assert hashlib.sha256(signed).hexdigest() == values["identity"]


def test_the_example_epoch_keys_follow_from_the_top_seed() -> None:
    (values,) = examples(13)
    top = EpochSeed(values["nation"], int(values["epoch"]), 2, bytes.fromhex(values["seed 2"]))
    for level in (2, 1, 0):
        seed = top.at(level)
        assert seed.seed.hex() == values[f"seed {level}"]
        assert seed.key().kid == values[f"kid {level}"]
    info = grant_info(values["nation"], int(values["epoch"]), 2, "00" * 16, "11" * 16)
    assert info.hex() == values["grant info"]


def example_note() -> str:
    (note,) = re.findall(r"```note\n(.*?)```", section(15), re.DOTALL)
    return str(note)


def example_segment() -> evidence.Segment:
    """The page that a reader of section 14 and 15 would put together."""
    entry, heads = examples(14)
    one = evidence.evidence(
        int(entry["index"]),
        int(entry["slot"]),
        bytes.fromhex(entry["leaf"]),
        entry["link"].encode(),
        bytes.fromhex(entry["opening"]),
        (bytes.fromhex(entry["view opening"]), entry["view"].encode()),
        numbered(entry, "proof"),
    )
    head = evidence.HeadEvidenceModel(
        leaf=base64_strict.encode(bytes.fromhex(heads["leaf"])),
        head=base64_strict.encode(heads["head"].encode()),
        opening=base64_strict.encode(bytes.fromhex(heads["opening"])),
        path=tuple(map(base64_strict.encode, numbered(heads, "path"))),
        proof=tuple(map(base64_strict.encode, numbered(heads, "proof"))),
    )
    return evidence.Segment(
        checkpoint=example_note(), channel=entry["channel"], entries=(one,), head=head
    )


def test_the_example_entry_is_proven_to_be_all_of_its_channel() -> None:
    (key,) = examples(15)
    log_key = notes.VKey.parse(key["vkey"])
    _, found_entries, complete = prove.walk(
        prove.Trust(), example_segment(), [log_key], "SEN", 2, 3, []
    )
    assert complete
    (entry,) = found_entries
    assert (entry.index, entry.type) == (2, "release")
    assert entry.view is not None
    assert entry.view["report"] == HEADER["identity"]


def test_the_example_commitments_are_made_as_the_text_says() -> None:
    entry, heads = examples(14)
    opening, link = bytes.fromhex(entry["opening"]), entry["link"].encode()
    made = hmac.digest(b"tearline/link/v1", opening + link, "sha256").hex()
    assert made == entry["commitment"] == json.loads(heads["head"])["last"]
    view = bytes.fromhex(entry["view opening"]) + entry["view"].encode()
    hidden = hmac.digest(b"tearline/view/v1", view, "sha256").hex()
    assert hidden == json.loads(link)["view"]
    assert entry["commitment"] in entry["leaf"]
    _, hashed = links.open_head(bytes.fromhex(heads["opening"]), heads["head"].encode())
    head = hmac.digest(
        b"tearline/head/v1", bytes.fromhex(heads["opening"]) + heads["head"].encode(), "sha256"
    )
    assert hashed == hashlib.sha256(b"\0" + head).digest()


def test_the_example_evidence_file_is_all_that_it_says() -> None:
    (values,) = examples(25)
    lines = [f"{v}\n".encode() for k, v in values.items() if re.fullmatch(r"line \d+", k)]
    later = 1_800_000_000_000
    proven = evidence_file.verify(lines, values["charter"], now_ms=later)
    assert [(e.channel, e.type) for e in proven.entries] == [
        ("MISSION", "statement"),
        ("KEN", "report.released"),
    ]
    assert proven.newest.checkpoint.size == 3


def test_the_example_limits_are_those_of_the_code() -> None:
    (values,) = examples(27)
    given = enumerate(json.loads(values["orders"]))
    orders = [Order("", at, time, days, None) for at, (time, days) in given]
    times = {int(name[3:]): told for name, told in values.items() if name.startswith("at ")}
    assert len(times) == 3
    for now, told in times.items():
        limit = retention.limit(orders, int(values["floor"]), "views", now)
        assert limit == (None if told == "none" else int(told))


def test_the_kinds_of_lines_are_those_of_the_code() -> None:
    assert [key for key, _ in rows(24, "key")] == list(evidence_lines.Line.model_fields)


def test_the_example_request_verifies_and_is_what_the_code_signs() -> None:
    (values,) = examples(17)
    names = ("method", "authority", "path", "query")
    target = request_signature.Target(**{name: values[name] for name in names})
    fields = ("Content-Digest", "Signature-Input", "Signature")
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60)))
    assert key.public_key().public_bytes_raw().hex() == values["public key"]
    claim = request_signature.verify(
        [(name.lower().encode(), values[name].encode()) for name in fields],
        target,
        b"",
        {"0123456789abcdef0123456789abcdef": bytes.fromhex(values["public key"])}.get,
        now=1_780_000_000,
    )
    signed = request_signature.sign(
        target, b"", key, claim.keyid, created=claim.created, nonce=bytes(range(16))
    )
    assert signed == {name: values[name] for name in fields}


def test_the_runbook_knows_every_reason_for_which_a_broker_does_not_run() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text("utf-8")
    for slug in ("locked", "bad-settings", "disk-full", "journal-stopped", *AT_A_START):
        assert f"`{slug}`" in runbook
    for slug in AT_A_START:
        assert "docs/runbook.md" in SLUGS[slug].advice
