"""TLR1: the layout of a sealed report, and that any bytes are a report or refused."""

import hashlib
import json
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import sealing
from tests.coalition import Coalition, Portion
from tests.refusal import refused
from wire import report, strict_json
from wire.binding import attachment_context, payload_context, portion_context, wrap_info
from wire.errors import TearlineError
from wire.keys import WRAP
from wire.report import PREAMBLE, WRAP_HEAD, Frame, Header, PortionLabel

WORLD = Coalition.of("KEN", "GBR", "FRA")
RAW = WORLD["KEN"].seals(
    "Ambush", release_to="GBR FRA", portions=[Portion("For France only", release_to="FRA")]
)
FRAME = report.parse(RAW)
FIRST = FRAME.portions[0]


def test_a_report_is_read_as_it_was_written() -> None:
    assert sealing.encode(FRAME) == RAW
    assert [p.index for p in FRAME.portions] == [0, 1]
    assert [r.nation for r in FIRST.records] == ["FRA", "GBR", "KEN"]
    assert all(len(wrap) == WRAP for wrap in FIRST.wraps.values())
    assert FRAME.identity == hashlib.sha256(FRAME.head).hexdigest()


def test_the_layout_is_what_the_design_says_byte_for_byte() -> None:
    """Taken apart once by hand, as a second implementation would."""
    magic, suite, flags, header_len = struct.unpack_from(">4sBBI", RAW)
    assert (magic, suite, flags) == (b"TLR1", 2, 0)
    at = 10 + header_len
    assert RAW[10:at] == FRAME.header_bytes
    (length,) = struct.unpack_from(">H", RAW, at)
    assert RAW[at + 2 : at + 2 + length] == FRAME.signature
    at += 2 + length
    index, descriptor_len = struct.unpack_from(">BI", RAW, at)
    descriptor = RAW[at + 5 : at + 5 + descriptor_len]
    assert (index, descriptor) == (0, FIRST.descriptor)
    (label_len,) = struct.unpack_from(">I", descriptor)
    (n,) = struct.unpack_from(">H", descriptor, 4 + label_len)
    assert descriptor[4 : 4 + label_len] == FIRST.label_bytes
    assert (n, len(descriptor)) == (3, 4 + label_len + 2 + 3 * 56)
    record = descriptor[-56:]
    assert record[:3] == b"KEN"
    assert record[24:] == hashlib.sha256(FIRST.wraps[2]).digest()
    at += 5 + descriptor_len
    (length,) = struct.unpack_from(">I", RAW, at)
    assert RAW[at + 4 : at + 4 + length] == FIRST.protected
    said = hashlib.sha256(b"tearline/protected\0" + FIRST.protected).hexdigest()
    assert json.loads(FIRST.label_bytes)["protected"] == said
    at += 4 + length
    assert struct.unpack_from(">HHH", RAW, at) == (3, 0, WRAP)
    at += 2 + 3 * (4 + WRAP)
    (payload_len,) = struct.unpack_from(">Q", RAW, at)
    assert RAW[at + 8 : at + 8 + payload_len] == FIRST.payload


def test_a_commitment_is_the_digest_of_the_descriptor() -> None:
    commitment = hashlib.sha256(b"tearline/portion\0" + FIRST.descriptor).hexdigest()
    assert FIRST.commitment == commitment
    assert strict_json.load(FRAME.header_bytes, Header).portions[0] == commitment


def test_redaction_takes_portions_and_other_nations_wraps_and_nothing_else() -> None:
    frame = report.parse(FRAME.redacted([0], "GBR"))
    assert (frame.head, frame.signature) == (FRAME.head, FRAME.signature)
    (portion,) = frame.portions
    assert portion.descriptor == FIRST.descriptor
    assert portion.wraps == {1: FIRST.wraps[1]}
    assert portion.payload == FIRST.payload


def test_a_reader_without_a_record_gets_no_wrap() -> None:
    (portion,) = report.parse(FRAME.redacted([1], "GBR")).portions
    assert portion.wraps == {}
    with pytest.raises(AssertionError):
        FRAME.redacted([7], "GBR")


# -- what binds keys to their place


def test_every_context_depends_on_every_part_of_its_place() -> None:
    """Or a ciphertext or key could be moved to where it says something else."""
    one, two = "11" * 16, "22" * 16
    contexts = [
        *(portion_context(*w, b"label") for w in (("KEN", one, 0), ("GBR", one, 0))),
        *(portion_context(*w, b"label") for w in (("KEN", two, 0), ("KEN", one, 1))),
        portion_context("KEN", one, 0, b"other"),
        *(payload_context(*w) for w in (("KEN", one, 0), ("GBR", one, 0))),
        *(payload_context(*w) for w in (("KEN", two, 0), ("KEN", one, 1))),
        *(attachment_context("KEN", one, i, a) for i in (0, 1) for a in (one, two)),
        *(wrap_info(lv, n, k, b"p") for lv in (0, 1) for n in ("KEN", "GBR") for k in (one, two)),
        wrap_info(0, "KEN", one, b"q"),
    ]
    assert len(set(contexts)) == len(contexts)


def test_contexts_are_what_the_design_says_byte_for_byte() -> None:
    rid, kid = bytes(range(16)), bytes(range(16, 32))
    place = b"KEN" + rid + b"\x03"
    assert portion_context("KEN", rid.hex(), 3, b"{}") == hashlib.sha256(place + b"{}").digest()
    assert payload_context("KEN", rid.hex(), 3) == b"tearline/payload\0" + place
    attachment = attachment_context("KEN", rid.hex(), 3, kid.hex())
    assert attachment == b"tearline/attachment\0" + place + kid
    bound = b"p" * 32
    assert wrap_info(4, "GBR", kid.hex(), bound) == (
        b"tearline/wrap\0" + b"\x02\x04GBR" + kid + bound
    )


# -- wrong layouts


def portion(
    index: int = 0,
    descriptor: bytes = FIRST.descriptor,
    wraps: bytes | None = None,
    payload: bytes | None = None,
    protected: bytes = struct.pack(">I", 0),
) -> bytes:
    """One portion with pieces put together by hand."""
    if wraps is None:
        listed = (WRAP_HEAD.pack(i, WRAP) + w for i, w in FIRST.wraps.items())
        wraps = struct.pack(">H", 3) + b"".join(listed)
    if payload is None:
        payload = struct.pack(">Q", len(FIRST.payload)) + FIRST.payload
    return struct.pack(">BI", index, len(descriptor)) + descriptor + protected + wraps + payload


def whole(*portions: bytes) -> bytes:
    return b"".join((FRAME.head, report.signature_block(FRAME.signature), *portions))


def sealed_with(signature: bytes) -> bytes:
    return report.signature_block(signature) + portion()


def described(records: bytes, count: int, label: bytes = b"{}") -> bytes:
    """A report of one portion with this descriptor and no wraps, which redaction may take away."""
    return whole(portion(descriptor=descriptor(records, count, label), wraps=b"\0\0"))


def descriptor(records: bytes, count: int, label: bytes = b"{}") -> bytes:
    return struct.pack(">I", len(label)) + label + struct.pack(">H", count) + records


RECORDS = [r.encode() for r in FIRST.records]
SIXTY_FIVE = [
    bytes([65, 65 + i // 26, 65 + i % 26]) + RECORDS[0][3:] for i in range(report.RECORDS_MAX + 1)
]
A_WRAP = WRAP_HEAD.pack(0, WRAP) + bytes(WRAP)
LAYOUTS: dict[str, bytes] = {
    "empty": b"",
    "no portion": whole(),
    "trailing byte": RAW + b"\0",
    "another magic": b"TLST" + RAW[4:],
    "flags": RAW[:5] + b"\x01" + RAW[6:],
    "header too long": report.encode_head(bytes(65_537)) + sealed_with(FRAME.signature),
    "header as long as memory": PREAMBLE.pack(b"TLR1", 2, 0, 0xFFFFFFFF),
    "signature too long": FRAME.head + sealed_with(bytes(4_732)),
    "portions out of order": whole(portion(1), portion(0)),
    "a portion twice": whole(portion(0), portion(0)),
    "seventeen portions": whole(*(portion(i) for i in range(17))),
    "descriptor too long": whole(struct.pack(">BI", 0, 0xFFFFFFFF)),
    "label too long": described(RECORDS[0], 1, label=bytes(65_537)),
    "protected sources too long": whole(
        portion(protected=struct.pack(">I", 65_537) + bytes(65_537))
    ),
    "no recipient": described(b"", 0),
    "sixty-five recipients": described(b"".join(SIXTY_FIVE), 65),
    "fewer records than said": described(RECORDS[0], 2),
    "more records than said": described(RECORDS[0] + RECORDS[1], 1),
    "recipients out of order": described(RECORDS[1] + RECORDS[0], 2),
    "a recipient twice": described(RECORDS[0] + RECORDS[0], 2),
    "a wrap of nobody": whole(
        portion(wraps=struct.pack(">H", 1) + WRAP_HEAD.pack(3, WRAP) + bytes(WRAP))
    ),
    "a wrap twice": whole(portion(wraps=struct.pack(">H", 2) + A_WRAP + A_WRAP)),
    "a short wrap": whole(
        portion(wraps=struct.pack(">H", 1) + WRAP_HEAD.pack(0, WRAP - 1) + bytes(WRAP - 1))
    ),
    "more wraps than recipients": whole(portion(wraps=struct.pack(">H", 0xFFFF) + A_WRAP)),
    "payload longer than any": whole(
        portion(payload=struct.pack(">Q", report.PAYLOAD_MAX + 1) + bytes(report.PAYLOAD_MAX + 1))
    ),
    "payload as long as memory": whole(portion(payload=struct.pack(">Q", (1 << 64) - 1))),
}


@pytest.mark.parametrize("bad", LAYOUTS.values(), ids=LAYOUTS)
def test_a_wrong_layout_is_refused(bad: bytes) -> None:
    with refused("bad-envelope"):
        report.parse(bad)


def test_a_report_cut_anywhere_is_refused() -> None:
    for end in range(0, len(RAW), 7):
        with refused("bad-envelope"):
            report.parse(RAW[:end])


@pytest.mark.parametrize("suite", [0, 1, 3, 255])
def test_another_suite_is_refused(suite: int) -> None:
    with refused("bad-suite"):
        report.parse(RAW[:4] + bytes([suite]) + RAW[5:])


def test_a_report_longer_than_a_request_is_refused() -> None:
    with refused("too-large"):
        report.parse(bytes(report.REPORT_MAX + 1))
    with refused("bad-envelope"):
        report.parse(bytes(report.REPORT_MAX))


def test_sixty_four_recipients_still_fit() -> None:
    (most,) = report.parse(described(b"".join(SIXTY_FIVE[:64]), 64)).portions
    assert len(most.records) == 64


def test_the_longest_header_and_payload_still_fit() -> None:
    header = report.encode_head(bytes(report.HEADER_MAX))
    frame = report.parse_head(header + struct.pack(">H", 0))
    assert len(frame[1]) == report.HEADER_MAX
    payload = struct.pack(">Q", report.PAYLOAD_MAX) + bytes(report.PAYLOAD_MAX)
    assert len(report.parse(whole(portion(payload=payload))).portions[0].payload) == 8 << 20


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (Header, {"v": 2}),
        (Header, {"v": True}),
        (Header, {"id": "AB" * 16}),
        (Header, {"created": -1}),
        (Header, {"portions": []}),
        (Header, {"portions": ["ab" * 32] * 17}),
        (Header, {"comment": ""}),
        (PortionLabel, {"salt": None}),
        (PortionLabel, {"payload": {"sha256": "ab" * 32, "len": 0, "media_type": "text/plain"}}),
        (PortionLabel, {"payload": {"sha256": "ab" * 32, "len": 1, "media_type": "text"}}),
        (
            PortionLabel,
            {
                "payload": {
                    "sha256": "ab" * 32,
                    "len": report.ATTACHMENT_MAX + 1,
                    "media_type": "a/b",
                }
            },
        ),
        (PortionLabel, {"attachments": None}),
        (PortionLabel, {"attachments": [{"id": "ab" * 16}] * 17}),
    ],
    ids=str,
)
def test_json_of_another_form_is_refused(model: Any, changes: dict[str, Any]) -> None:
    honest = FRAME.header_bytes if model is Header else FIRST.label_bytes
    strict_json.load(honest, model)
    with refused("bad-fields"):
        strict_json.load(sealing.text({**sealing.fields(honest), **changes}), model)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.tearline.content+json",
        "application/stix+json;version=2.1",
        "image/jpeg",
        "video/mp4",
    ],
)
def test_usual_media_types_are_taken(media_type: str) -> None:
    label = sealing.fields(FIRST.label_bytes)
    label["payload"]["media_type"] = media_type
    strict_json.load(sealing.text(label), PortionLabel)


# -- any bytes


def parsed_or_refused(data: bytes) -> Frame | None:
    try:
        return report.parse(data)
    except TearlineError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_report_or_refused(data: bytes) -> None:
    assert parsed_or_refused(data) is None


@given(st.data())
def test_any_change_of_an_honest_report_is_a_report_or_refused(data: st.DataObject) -> None:
    """What still parses is written out again as the same bytes: there is one spelling."""
    at = data.draw(st.integers(0, len(RAW) - 1))
    cut = data.draw(st.integers(0, 8))
    put = data.draw(st.binary(max_size=8))
    changed = RAW[:at] + put + RAW[at + cut :]
    frame = parsed_or_refused(changed)
    if frame is not None:
        assert sealing.encode(frame) == changed


@given(st.binary(max_size=200), st.binary(max_size=80), st.binary(max_size=80))
def test_any_pieces_in_a_right_frame_are_read_or_refused(
    header: bytes, signature: bytes, rest: bytes
) -> None:
    framed = report.encode_head(header) + report.signature_block(signature)
    parsed_or_refused(framed + rest)
    tail = struct.pack(">BI", 0, len(rest)) + rest
    parsed_or_refused(framed + tail)


def test_a_frame_keeps_what_its_pieces_say() -> None:
    changed = replace(FRAME, portions=FRAME.portions[1:])
    assert report.parse(sealing.encode(changed)).identity == FRAME.identity


def test_what_is_left_of_a_deleted_portion_still_proves_what_was_said_of_it() -> None:
    """Its wraps and payload are gone; descriptor, signature and the other portion stay."""
    left = report.parse(FRAME.stripped({0}))
    assert (left.head, left.signature) == (FRAME.head, FRAME.signature)
    assert [p.commitment for p in left.portions] == [p.commitment for p in FRAME.portions]
    assert (left.portions[0].wraps, left.portions[0].payload) == ({}, b"")
    assert left.portions[1].encode() == FRAME.portions[1].encode()
