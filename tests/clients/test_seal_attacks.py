"""What a dishonest reader, broker or originator can try with keys and ciphertexts it really has."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.draft import AttachmentFile
from clients.keys import EpochKeyring, seal_to
from clients.open import OpenedReport, open_report
from clients.padding import PIECE
from clients.seal import encrypt_attachment
from tests import sealing
from tests.clients.mission import NOW, delivered, draft, founded, keyring, label, opened, sealed
from tests.people import random_of
from wire import report, strict_json, verify
from wire.errors import Malformed, NotAllowed
from wire.header import Header
from wire.members import EpochKey
from wire.report import Frame, PortionFrame, Record

RANDOM = random_of("attacks")
LABEL = {**sealing.LABEL, "classification": "SECRET", "occurred": NOW, "exercise": False}


def key_of(nation: str, level: int = 3) -> EpochKey:
    return founded().directory.epoch_key(nation, level, NOW + 60)


def verified(frame: Frame) -> verify.VerifiedReport:
    directory = founded().directory
    raw = sealing.encode(frame)
    return verify.verify_submission(raw, directory, directory.position + 1, NOW + 60)


def content_key(frame: Frame, nation: str) -> bytes:
    """The content key of a report's one portion, as its reader of `nation` unwraps it."""
    portion, header = frame.portions[0], strict_json.load(frame.header_bytes, Header)
    i = next(i for i, r in enumerate(portion.records) if r.nation == nation)
    record = portion.records[i]
    where = (header.originator, header.id, portion.index)
    bound = report.portion_context(*where, portion.label_bytes)
    info = report.wrap_info(record.level, nation, record.kid, bound)
    key = keyring(nation).key(record.epoch, record.level, record.kid)
    return key.open(portion.wraps[i], info)


def rewrapped(frame: Frame, nation: str, key: bytes) -> tuple[Record, bytes]:
    """A record and wrap for `nation` that would open, were they allowed to stand there."""
    portion, header = frame.portions[0], strict_json.load(frame.header_bytes, Header)
    to = key_of(nation)
    bound = report.portion_context(header.originator, header.id, portion.index, portion.label_bytes)
    wrap = seal_to(to.public, key, report.wrap_info(to.level, nation, to.kid, bound))
    return Record(nation, to.level, to.epoch, to.kid, hashlib.sha256(wrap).digest()), wrap


def signed_by(nation: str, portions: Sequence[PortionFrame], place: sealing.Place) -> Frame:
    """The portions under the signature of a nation's system, whatever it is a nation of."""
    mission = founded()
    keys = mission.members[nation, "system"]
    commitments = [p.commitment for p in portions]
    fields = sealing.header(mission.directory, place, keys.kid, NOW + 60, commitments, RANDOM)
    return sealing.signed(fields, portions, keys.sign)


def portion(
    place: sealing.Place, nations: Mapping[str, EpochKey], text: bytes = b"text", **how: Any
) -> PortionFrame:
    fields = {**LABEL, "release_to": sorted({*nations, place.originator})}
    keys = {place.originator: key_of(place.originator), **nations}
    return sealing.portion(place, fields, text, list(keys.values()), RANDOM, **how)


def read(checked: verify.VerifiedReport, nation: str) -> OpenedReport:
    return open_report(checked, nation, keyring(nation), founded().directory.terms)


# -- a dishonest reader


def test_a_reader_cannot_forward_under_the_originators_signature() -> None:
    """Surreptitious forwarding: Britain wraps Kenya's content key for France. Expect refusal."""
    frame = report.parse(sealed(draft({"GBR"})).raw)
    original = frame.portions[0]
    record, wrap = rewrapped(frame, "FRA", content_key(frame, "GBR"))
    records = tuple(sorted((*original.records, record), key=lambda r: r.nation))
    wraps = dict(enumerate([wrap, *original.wraps.values()]))
    as_extra = sealing.rebuilt(original, records=records, wraps=wraps)
    instead = sealing.rebuilt(
        original, records=(record, original.records[1]), wraps={0: wrap, 1: original.wraps[1]}
    )
    for forged in (as_extra, instead):
        with pytest.raises(Malformed, match="a portion is not the one that was signed"):
            verified(replace(frame, portions=(forged,)))


def test_a_reader_cannot_slip_a_wrap_into_anothers_record() -> None:
    """Expect refusal: each record holds the digest of its wrap."""
    frame = report.parse(sealed(draft({"GBR"})).raw)
    _, wrap = rewrapped(frame, "GBR", content_key(frame, "GBR"))
    forged = replace(frame.portions[0], wraps={**frame.portions[0].wraps, 0: wrap})
    with pytest.raises(Malformed, match="a wrap is not the one that was signed"):
        verified(replace(frame, portions=(forged,)))


def test_a_reader_cannot_claim_anothers_ciphertext_as_its_own() -> None:
    """Britain signs Kenya's ciphertext, with its real key, as a report of its own for France.

    The broker cannot tell, so it stands; France is told that it does not open: a complaint.
    """
    frame = report.parse(sealed(draft({"GBR"})).raw)
    stolen, key = frame.portions[0].payload, content_key(frame, "GBR")
    place = sealing.Place("GBR", "1" * 32, frame.portions[0].index)
    keys = {"FRA": key, "GBR": key}
    own = portion(place, {"FRA": key_of("FRA")}, content_keys=keys)
    digest = hashlib.sha256(stolen).hexdigest()
    fields = strict_json.parse(own.label_bytes)
    assert isinstance(fields, dict)
    fields["payload"] = {"sha256": digest, "len": len(stolen), "media_type": "text/plain"}
    label_bytes = sealing.text(fields)
    claimed = _wrapped_anew(own, label_bytes, stolen, place, key)
    checked = verified(signed_by("GBR", [claimed], replace(place, index=0)))
    with pytest.raises(Malformed, match="undecryptable"):
        read(checked, "FRA")


def _wrapped_anew(
    own: PortionFrame, label_bytes: bytes, payload: bytes, place: sealing.Place, key: bytes
) -> PortionFrame:
    own = replace(own, index=0)
    bound = report.portion_context(place.originator, place.report_id, 0, label_bytes)
    wraps, records = {}, []
    for i, record in enumerate(own.records):
        to = key_of(record.nation)
        wraps[i] = seal_to(to.public, key, report.wrap_info(to.level, to.nation, to.kid, bound))
        records.append(record._replace(wrap_sha256=hashlib.sha256(wraps[i]).digest()))
    return sealing.rebuilt(
        own, label_bytes=label_bytes, records=tuple(records), wraps=wraps, payload=payload
    )


def test_every_portion_has_a_content_key_of_its_own() -> None:
    """Who may read one portion cannot read another by its key."""
    keys = {content_key(report.parse(sealed(draft({"GBR"}), seed=i).raw), "GBR") for i in range(3)}
    assert len(keys) == 3
    assert bytes(32) not in keys


@pytest.mark.parametrize("longer", [0, 5 << 20])
def test_a_reader_and_the_broker_together_cannot_swap_an_attachment(longer: int) -> None:
    """Britain holds the content key, so it can make a ciphertext that opens. Expect refusal: the
    originator signed another digest. A longer one is cut off at the signed length.
    """
    photo = AttachmentFile.of_bytes("photo.jpg", b"true" * 1_000)
    frame = report.parse(sealed(draft({"GBR"}, attachments=[photo])).raw)
    checked = verified(frame)
    (attachment,) = read(checked, "KEN").portions[0].attachments
    where = (checked.header.originator, checked.header.id, checked.portions[0].index)
    context = report.attachment_context(*where, attachment.id)
    false, swapped = AttachmentFile.of_bytes("x", b"lies" * 1_000 + bytes(longer)), io.BytesIO()
    encrypt_attachment(false, content_key(frame, "GBR"), context, swapped)
    swapped.seek(0)
    into = io.BytesIO()
    with pytest.raises(
        Malformed, match=r"(longer than|not the one that) was signed.*undecryptable"
    ):
        attachment.decrypt(swapped, into)
    assert into.getvalue() == b""
    assert swapped.tell() <= max(attachment.len, PIECE)


# -- a dishonest originator


def test_two_content_keys_never_show_two_texts() -> None:
    """The salamander: one ciphertext, two keys. The second nation sees no other text, it sees that
    it does not open.
    """
    place = sealing.Place("KEN", "2" * 32, 0)
    nations = {"GBR": key_of("GBR"), "FRA": key_of("FRA")}
    two_faced = portion(place, nations, b"meet at A", content_keys={"FRA": RANDOM(32)})
    checked = verified(signed_by("KEN", [two_faced], place))
    with pytest.raises(Malformed, match=r"another key.*undecryptable"):
        read(checked, "FRA")
    with pytest.raises(Malformed, match="bad-content"):  # the helper does not pad
        read(checked, "GBR")


def test_a_wrap_that_holds_no_content_key_is_undecryptable() -> None:
    place = sealing.Place("KEN", "3" * 32, 0)
    short = portion(place, {"GBR": key_of("GBR")}, content_keys={"GBR": b"short" * 3})
    with pytest.raises(Malformed, match="out of place or has the wrong length"):
        verified(signed_by("KEN", [short], place))


def test_a_key_below_the_classification_is_refused() -> None:
    """Expect refusal, honestly signed as it may be: a RESTRICTED member would read SECRET."""
    place = sealing.Place("KEN", "4" * 32, 0)
    low = portion(place, {"GBR": key_of("GBR", 1)})
    with pytest.raises(Malformed, match="a key below the classification"):
        verified(signed_by("KEN", [low], place))


def test_content_that_names_other_attachments_than_were_signed_is_refused() -> None:
    raw = sealed(draft({"GBR"})).raw
    frame = report.parse(raw)
    header = strict_json.load(frame.header_bytes, Header)
    place = sealing.Place("KEN", header.id, 0)
    said = strict_json.dump({"v": 1, "title": "T", "body": "", "attachments": {"0" * 32: "a.jpg"}})
    from_helper = portion(place, {"GBR": key_of("GBR")}, _padded(said), media_type=_OURS)
    with pytest.raises(Malformed, match="other attachments than were signed"):
        read(verified(signed_by("KEN", [from_helper], place)), "GBR")


_OURS = "application/vnd.tearline.content+json"


def _padded(data: bytes) -> bytes:
    size = 256
    return (len(data).to_bytes(8, "big") + data).ljust(size, b"\0")


def test_another_implementation_of_the_format_is_understood() -> None:
    """The tests' own sealer shares no code with ours but the layout: both agree on the bytes."""
    place = sealing.Place("KEN", "5" * 32, 0)
    said = strict_json.dump({"v": 1, "title": "From afar", "body": "Text"})
    foreign = portion(place, {"GBR": key_of("GBR")}, _padded(said), media_type=_OURS)
    assert read(verified(signed_by("KEN", [foreign], place)), "GBR").title == "From afar"
    ours = report.parse(sealed(draft({"GBR"})).raw)
    header = strict_json.load(ours.header_bytes, Header)
    ours_place = sealing.Place("KEN", header.id, ours.portions[0].index)
    opened_there = sealing.open_portion(ours.portions[0], ours_place, "GBR", founded().seeds["GBR"])
    assert b"IED on the Garissa road" in opened_there


# -- a dishonest broker


@cache
def delivery() -> bytes:
    frame = report.parse(sealed(draft({"GBR"})).raw)
    return frame.redacted([p.index for p in frame.portions], "GBR")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 20), st.integers(1, 255))
def test_any_changed_byte_of_a_delivery_is_noticed(at: int, flip: int) -> None:
    """Whatever the broker changes: no report is opened that its originator did not sign."""
    directory, bad = founded().directory, bytearray(delivery())
    bad[at % len(bad)] ^= flip
    where = (directory, directory.position + 1, NOW + 60, "GBR")
    with pytest.raises((Malformed, NotAllowed)):
        read(verify.verify_delivery(bytes(bad), *where), "GBR")


def test_a_portion_moved_to_another_report_does_not_open() -> None:
    """Its wraps and its payload say where they belong, whoever signs around them."""
    frame = report.parse(sealed(draft({"GBR"})).raw)
    original = replace(frame.portions[0], index=0)
    place = sealing.Place("KEN", "6" * 32, 0)
    moved = verified(signed_by("KEN", [original], place))
    with pytest.raises(Malformed, match="a key wrap does not open"):
        read(moved, "GBR")


def test_the_broker_cannot_widen_a_label() -> None:
    """Expect refusal: the label is part of the commitment, and of every wrap."""
    frame = report.parse(sealed(draft({"GBR"})).raw)
    original = frame.portions[0]
    wider = original.label_bytes.replace(b'["GBR","KEN"]', b'["FRA","GBR","KEN"]')
    assert wider != original.label_bytes
    with pytest.raises(Malformed, match="not the one that was signed"):
        verified(replace(frame, portions=(sealing.rebuilt(original, label_bytes=wider),)))


def test_keys_of_another_member_of_the_nation_do_not_open_ones_grants() -> None:
    """Expect refusal: a broker that mixes up grants gains nothing."""
    mission = founded()
    stranger = mission.members["FRA", "analyst"]
    ring = EpochKeyring(stranger, "GBR")
    ring.add(1, 3, _grant_wrap("GBR"))
    checked = delivered(sealed(draft({"GBR"})).raw, "GBR")
    with pytest.raises(Malformed, match="undecryptable"):
        open_report(checked, "GBR", ring, mission.directory.terms)


def _grant_wrap(nation: str) -> str:
    ring = keyring(nation)
    return ring._grants[1][1]


def test_a_label_is_not_opened_under_another_nations_name() -> None:
    """A French keyring asked for Britain's portion has no key, even for its own wrap's sake."""
    checked = delivered(sealed(draft({"GBR"}, label=label({"GBR"}))).raw, "GBR")
    with pytest.raises(NotAllowed, match="not sealed to FRA"):
        opened(checked, "FRA")
