"""Attacks on sealed reports, by number. Expect refusal, with the slug that the name ends in.

Numbers 20, 22 and 23, and the broker's half of 5 and 17, need a broker that stores: they stand with
its tests. Refusals come before anything is stored; that too is the broker's to show.
"""

import dataclasses
import io
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clients.draft import AttachmentFile, Draft, Label
from clients.seal import SealedReport, seal
from tests import sealing
from tests.coalition import DAY, Coalition
from tests.refusal import refused
from wire import composite, report
from wire.composite import ML_DSA_SIGNATURE, P384_ORDER
from wire.errors import Malformed, TearlineError
from wire.report import PREAMBLE, Frame, PortionFrame, Record

SHARED = Coalition.of("KEN", "GBR", "FRA")
PLACE = SHARED["KEN"].place(report_id="5e" * 16)
LABEL = SHARED["KEN"].label("SECRET", "GBR")
PLAIN = sealing.written("Ambush", "on the road")
PORTION = sealing.portion(PLACE, LABEL, PLAIN, SHARED["KEN"].keys_for(LABEL), SHARED.random)
FRAME = SHARED["KEN"].signs(PLACE, [PORTION])
RAW = sealing.encode(FRAME)
BROKEN = {"bad-envelope", "bad-signature", "bad-suite", "bad-json", "bad-fields", "unknown-signer"}
"""A changed byte is found by the first step that covers it; all are 422."""


@pytest.fixture
def world() -> Coalition:
    return SHARED.copy()


def rejected(world: Coalition, raw: bytes) -> str:
    """The slug with which both the broker and a reader refuse these bytes."""
    with pytest.raises(TearlineError) as at_broker:
        world.accepts(raw)
    with pytest.raises(TearlineError):
        world.reads(raw, "GBR")
    assert at_broker.value.status == 422
    return at_broker.value.slug


def with_portion(frame: Frame, portion: PortionFrame) -> bytes:
    return sealing.encode(dataclasses.replace(frame, portions=(portion,)))


def resigned(world: Coalition, portion: PortionFrame, place: sealing.Place = PLACE) -> bytes:
    return world[place.originator].assembles(place, [portion])


# -- 1 to 3: bytes


@pytest.mark.slow
def test_01_one_bit_flipped_is_refused_bad_envelope_or_signature(world: Coalition) -> None:
    delivery = report.parse(RAW).redacted([0], "GBR")
    dice = random.Random(1)
    for at in dice.sample(range(len(RAW)), 400):
        assert flipped(world, RAW, at, 1 << dice.randrange(8)) in BROKEN
    for at in dice.sample(range(len(delivery)), 200):
        raw = bytearray(delivery)
        raw[at] ^= 1 << dice.randrange(8)
        with pytest.raises(TearlineError):
            world.reads(bytes(raw), "GBR")


def flipped(world: Coalition, raw: bytes, at: int, mask: int) -> str:
    changed = bytearray(raw)
    changed[at] ^= mask
    with pytest.raises(TearlineError) as caught:
        world.accepts(bytes(changed))
    return caught.value.slug


@pytest.mark.slow
def test_01_one_bit_flipped_in_any_byte_is_refused(world: Coalition) -> None:
    dice = random.Random(2)
    for at in range(len(RAW)):
        assert flipped(world, RAW, at, 1 << dice.randrange(8)) in BROKEN


def test_02_a_report_cut_at_any_byte_is_refused_bad_envelope() -> None:
    for end in range(len(RAW)):
        with pytest.raises(Malformed) as caught:
            report.parse(RAW[:end])
        assert caught.value.slug == "bad-envelope"


@pytest.mark.parametrize("extra", [b"\0", b"\n", RAW, RAW[:100]], ids=["nul", "lf", "all", "some"])
def test_03_trailing_bytes_are_refused_bad_envelope(world: Coalition, extra: bytes) -> None:
    assert rejected(world, RAW + extra) == "bad-envelope"


# -- 4 to 9: labels, signers and recipients


def test_04_a_swapped_label_is_refused_bad_envelope(world: Coalition) -> None:
    """Header, label and body of two honest reports of one author, in every mix."""
    low = world["KEN"].label("RESTRICTED", "GBR FRA")
    other_place = world["KEN"].place()
    keys = world["KEN"].keys_for(low)
    other = sealing.portion(other_place, low, PLAIN, keys, world.random)
    signed = world["KEN"].signs(other_place, [other])
    for mixed in (
        with_portion(FRAME, other),
        with_portion(signed, PORTION),
        with_portion(FRAME, sealing.rebuilt(PORTION, label_bytes=other.label_bytes)),
        with_portion(signed, dataclasses.replace(other, payload=PORTION.payload)),
        with_portion(FRAME, dataclasses.replace(other, index=PORTION.index)),
    ):
        assert rejected(world, mixed) == "bad-envelope"
    swapped = dataclasses.replace(FRAME, head=signed.head, header_bytes=signed.header_bytes)
    assert rejected(world, sealing.encode(swapped)) == "bad-signature"


def test_05_another_nation_cannot_make_the_ciphertext_its_own_undecryptable(
    world: Coalition,
) -> None:
    """It can post the bytes under its name, as a report of its own that nobody can open."""
    britain, kenya = world["GBR"], world["KEN"]
    stolen = britain.signs(sealing.Place("GBR", PLACE.report_id, 0), [PORTION])
    raw = sealing.encode(stolen)
    verified = world.accepts(raw)
    assert verified.originator == "GBR"
    assert verified.identity != FRAME.identity
    with refused("undecryptable"):
        kenya.opens(world.deliver(raw, to="KEN"))
    with refused("undecryptable"):
        kenya.opens_as(kenya.analyst, world.deliver(raw, to="KEN"))
    header = {**sealing.fields(FRAME.header_bytes), "originator": "GBR"}
    forged = sealing.signed(header, [PORTION], britain.system.sign)
    assert rejected(world, sealing.encode(forged)) == "unknown-signer"


def test_06_an_extra_recipient_is_refused_bad_envelope(world: Coalition) -> None:
    """A reader wraps the content key once more, for a friend, under the author's signature."""
    britain, now = world["GBR"], world.clock.now
    record = PORTION.records[0]
    seed = world["GBR"].keyring(britain.analyst).seed(record.epoch)
    key = sealing.content_key(PORTION, PLACE, "GBR", seed)
    france = world.directory.epoch_key("FRA", 3, now)
    extra = sealing.portion(PLACE, LABEL, b"", [france], world.random, content_keys={"FRA": key})
    records = (*extra.records, *PORTION.records)
    wraps = {0: extra.wraps[0], 1: PORTION.wraps[0], 2: PORTION.wraps[1]}
    added = sealing.rebuilt(PORTION, records=records, wraps=wraps)
    assert rejected(world, with_portion(FRAME, added)) == "bad-envelope"
    instead = sealing.rebuilt(
        PORTION,
        records=(*extra.records, PORTION.records[1]),
        wraps={0: extra.wraps[0], 1: PORTION.wraps[1]},
    )
    assert rejected(world, with_portion(FRAME, instead)) == "bad-envelope"


def test_07_a_recipient_outside_the_label_is_refused_label_recipients(world: Coalition) -> None:
    """Even when the author signed it: the label is what nations agreed to."""
    keys = [world.directory.epoch_key(n, 3, world.clock.now) for n in ("FRA", "GBR", "KEN")]
    side_release = sealing.portion(PLACE, LABEL, PLAIN, keys, world.random)
    assert rejected(world, resigned(world, side_release)) == "label-recipients"


def test_08_a_wrap_of_another_digest_is_refused_bad_envelope(world: Coalition) -> None:
    for wraps in (
        {0: PORTION.wraps[1], 1: PORTION.wraps[0]},
        {0: bytes(len(PORTION.wraps[0])), 1: PORTION.wraps[1]},
    ):
        changed = dataclasses.replace(PORTION, wraps=wraps)
        assert rejected(world, with_portion(FRAME, changed)) == "bad-envelope"


def test_09_recipients_unsorted_or_twice_are_refused_bad_envelope(world: Coalition) -> None:
    one, two = PORTION.records
    for records in ((two, one), (one, one), (one, two, two)):
        wrong = sealing.rebuilt(PORTION, records=records)
        assert rejected(world, resigned(world, wrong)) == "bad-envelope"


# -- 10 to 13: the preamble and counts


@pytest.mark.parametrize("suite", [0, 1, 3, 255])
def test_10_another_suite_is_refused_bad_suite(world: Coalition, suite: int) -> None:
    assert rejected(world, RAW[:4] + bytes([suite]) + RAW[5:]) == "bad-suite"


@pytest.mark.parametrize("flags", [1, 0x80, 255])
def test_11_any_flag_is_refused_bad_envelope(world: Coalition, flags: int) -> None:
    assert rejected(world, RAW[:5] + bytes([flags]) + RAW[6:]) == "bad-envelope"


@pytest.mark.parametrize("count", [0, 65])
def test_12_none_or_65_recipients_are_refused_bad_envelope(world: Coalition, count: int) -> None:
    def record(i: int) -> Record:
        return PORTION.records[0]._replace(nation=f"A{chr(65 + i % 26)}{chr(65 + i // 26)}")

    records = tuple(sorted(map(record, range(count)), key=lambda r: r.nation))
    wrong = sealing.rebuilt(PORTION, records=records, wraps={})
    assert rejected(world, resigned(world, wrong)) == "bad-envelope"


@pytest.mark.parametrize("length", [65_537, 1 << 31, 0xFFFFFFFF])
def test_13_a_header_length_beyond_the_limit_is_refused_bad_envelope(
    world: Coalition, length: int
) -> None:
    """Before anything of that size is allocated: the bytes are not even there."""
    assert rejected(world, PREAMBLE.pack(b"TLR1", 2, 0, length) + RAW[10:]) == "bad-envelope"


# -- 14 to 16: keys


def test_14_a_wrap_to_an_ended_epoch_is_refused_stale_epoch(world: Coalition) -> None:
    world.clock.forward(days=6)
    for code in ("KEN", "GBR"):
        world[code].opens_epoch()
    with refused("stale-epoch", "epoch 2"):
        world.accepts(RAW)
    world.clock.forward(seconds=DAY + 1)
    with refused("stale-epoch", "epoch 2"):
        world.accepts(RAW)
    world.clock.forward(days=6)
    with refused("stale-epoch", "no key"):
        world.accepts(RAW)


def test_15_a_wrap_below_the_classification_is_refused_label_recipients(world: Coalition) -> None:
    keys = [world.directory.epoch_key(n, 2, world.clock.now) for n in ("GBR", "KEN")]
    below = sealing.portion(PLACE, LABEL, PLAIN, keys, world.random)
    assert rejected(world, resigned(world, below)) == "label-recipients"


def test_16_no_ciphertext_says_two_things_undecryptable(world: Coalition) -> None:
    """An author who gives one nation another content key is caught by that nation."""
    keys = world["KEN"].keys_for(LABEL)
    other = world.random(32)
    portion = sealing.portion(PLACE, LABEL, PLAIN, keys, world.random, content_keys={"GBR": other})
    raw = resigned(world, portion)
    kenya, britain = world["KEN"], world["GBR"]
    assert kenya.opens_as(kenya.analyst, world.deliver(raw, to="KEN")).title == "Ambush"
    with refused("undecryptable", "another key"):
        britain.opens_as(britain.analyst, world.deliver(raw, to="GBR"))


def test_16_with_plain_gcm_one_ciphertext_could_say_two_things() -> None:
    """The control: why the payload is sealed with a committing scheme (Dodis et al., 2018)."""
    one, two, nonce = (bytes([i]) * n for i, n in ((1, 32), (2, 32), (3, 12)))
    ciphertext = gcm_collision(one, two, nonce)
    assert AESGCM(one).decrypt(nonce, ciphertext, None) != AESGCM(two).decrypt(
        nonce, ciphertext, None
    )


# -- 17 to 19: signatures


def test_17_a_derived_signature_is_the_same_report(world: Coalition) -> None:
    """Identity is the hash of what was signed, so the broker answers with the first receipt."""
    r, s = decode_dss_signature(FRAME.signature[ML_DSA_SIGNATURE:])
    der = encode_dss_signature(r, P384_ORDER - s)
    twin = dataclasses.replace(FRAME, signature=FRAME.signature[:ML_DSA_SIGNATURE] + der)
    assert sealing.encode(twin) != RAW
    assert world.accepts(sealing.encode(twin)).identity == world.accepts(RAW).identity


@pytest.mark.parametrize(
    "weaken",
    [
        lambda s: bytes(ML_DSA_SIGNATURE) + s[ML_DSA_SIGNATURE:],
        lambda s: s[:ML_DSA_SIGNATURE] + bytes(len(s) - ML_DSA_SIGNATURE),
        lambda s: s[:ML_DSA_SIGNATURE],
        lambda s: s[ML_DSA_SIGNATURE:],
        lambda _: b"",
    ],
)
def test_18_a_signature_with_one_half_is_refused_bad_signature(
    world: Coalition, weaken: Callable[[bytes], bytes]
) -> None:
    raw = sealing.encode(dataclasses.replace(FRAME, signature=weaken(FRAME.signature)))
    assert rejected(world, raw) == "bad-signature"


@pytest.mark.parametrize("context", [composite.STATEMENT, b"", b"tearline/report\0", b"tearline"])
def test_19_a_signature_made_for_another_use_is_refused_bad_signature(
    world: Coalition, context: bytes
) -> None:
    signature = world["KEN"].system.sign.sign(FRAME.head, context)
    raw = sealing.encode(dataclasses.replace(FRAME, signature=signature))
    assert rejected(world, raw) == "bad-signature"


# -- 21: attachments (20 and 22, uploads, need the broker)


def attached(world: Coalition, size: int = 100_000) -> tuple[SealedReport, bytes]:
    label = Label(
        classification="SECRET", release_to={"GBR"}, regions={"KE"}, threats={"explosive"}
    )
    file = AttachmentFile.of_bytes("photo.bin", bytes(range(256)) * (size // 256))
    draft = Draft(title="Photo", body="", label=label, attachments=[file])
    keys = world["KEN"].system.keys
    sealed = seal(draft, keys, world.directory, now=world.clock.now, random=world.random)
    return sealed, sealed.attachments[0].ciphertext.read()


CHUNK, FRONT = 16_400, 56


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: (
            c[:FRONT]
            + c[FRONT + CHUNK : FRONT + 2 * CHUNK]
            + c[FRONT : FRONT + CHUNK]
            + c[FRONT + 2 * CHUNK :]
        ),
        lambda c: c[: FRONT + 3 * CHUNK],
        lambda c: c[:FRONT],
        lambda c: c[:-1],
        lambda c: c + b"\0",
        lambda c: c[:100] + bytes([c[100] ^ 1]) + c[101:],
        lambda c: b"",
    ],
    ids=["reordered", "cut at a chunk", "no chunk", "cut", "longer", "one bit", "empty"],
)
def test_21_a_damaged_attachment_leaves_no_plaintext_undecryptable(
    world: Coalition, damage: Callable[[bytes], bytes]
) -> None:
    sealed, ciphertext = attached(world)
    britain = world["GBR"]
    opened = britain.opens_as(britain.analyst, world.deliver(sealed.raw, to="GBR"))
    (attachment,) = opened.portions[0].attachments
    into = io.BytesIO()
    attachment.decrypt(io.BytesIO(ciphertext), into)
    assert into.getvalue()[:256] == bytes(range(256))
    into = io.BytesIO()
    with refused("undecryptable"):
        attachment.decrypt(io.BytesIO(damage(ciphertext)), into)
    assert into.getvalue() == b""


def test_21_an_attachment_of_another_report_is_refused_undecryptable(world: Coalition) -> None:
    britain = world["GBR"]
    (one, _), (_, other) = attached(world), attached(world)
    opened = britain.opens_as(britain.analyst, world.deliver(one.raw, to="GBR"))
    with refused("undecryptable"):
        opened.portions[0].attachments[0].decrypt(io.BytesIO(other), io.BytesIO())


# -- 23 and 24: ids


def test_23_one_id_under_two_contents_is_two_identities(world: Coalition) -> None:
    """Which is how the broker sees the reuse, and answers `id-reuse`."""
    other = sealing.portion(
        PLACE, LABEL, b"something else", world["KEN"].keys_for(LABEL), world.random
    )
    one, two = world.accepts(RAW), world.accepts(resigned(world, other))
    assert one.header.id == two.header.id
    assert one.identity != two.identity


def test_24_reports_carry_no_number_so_none_can_be_missing_or_reused(world: Coalition) -> None:
    """TLR1 has no sequence per signer: a system that posts over two links would have to queue. What
    a nation posted, and that nothing of it was dropped, is in its own chain of the journal.
    """
    first, second = (world["KEN"].seals(release_to="GBR") for _ in range(2))
    assert world.accepts(second).signer == world.accepts(first).signer
    assert "seq" not in sealing.fields(FRAME.header_bytes)
    header: dict[str, Any] = {**sealing.fields(FRAME.header_bytes), "seq": 1}
    numbered = sealing.signed(header, [PORTION], world["KEN"].system.sign)
    assert rejected(world, sealing.encode(numbered)) == "bad-fields"


# -- the control of number 16


def gcm_collision(one: bytes, two: bytes, nonce: bytes) -> bytes:
    """Ciphertext and tag of AES-GCM that open under two keys: one block is solved for."""
    h1, h2 = (int.from_bytes(block(k, bytes(16)), "big") for k in (one, two))
    p1, p2 = (int.from_bytes(block(k, nonce + struct.pack(">I", 1)), "big") for k in (one, two))
    first, length = int.from_bytes(b"any block at all"[:16], "big"), 256
    known = multiplied(first, power(h1, 3) ^ power(h2, 3)) ^ multiplied(length, h1 ^ h2) ^ p1 ^ p2
    second = multiplied(known, inverse(power(h1, 2) ^ power(h2, 2)))
    tag = multiplied(first, power(h1, 3)) ^ multiplied(second, power(h1, 2))
    tag ^= multiplied(length, h1) ^ p1
    return b"".join(n.to_bytes(16, "big") for n in (first, second, tag))


def block(key: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data)


def multiplied(x: int, y: int) -> int:
    """In GF(2^128), as GCM orders bits."""
    product = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            product ^= y
        y = (y >> 1) ^ (0xE1 << 120 if y & 1 else 0)
    return product


ONE = 1 << 127


def power(x: int, n: int) -> int:
    result = ONE
    while n:
        if n & 1:
            result = multiplied(result, x)
        x, n = multiplied(x, x), n >> 1
    return result


def inverse(x: int) -> int:
    return power(x, (1 << 128) - 2)
