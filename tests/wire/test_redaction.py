"""Redaction: one signature, several audiences. What must be shown of every subset of portions.

Every subset verifies; no visible byte can be changed, swapped or moved; and from what a reader is
shown nobody can tell whether a commitment stands for a hidden portion or for nothing.
"""

import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import sealing
from tests.coalition import Coalition, Portion
from wire import report, strict_json, verify
from wire.errors import TearlineError
from wire.report import Frame, Header, PortionFrame

SHARED = Coalition.of("KEN", "GBR", "FRA")
KENYA = SHARED["KEN"]
MOST = 6


def made(count: int) -> Frame:
    """A report of Kenya's with so many portions, for Britain and by turns for France."""
    portions = [
        Portion(f"portion {i}", release_to="GBR FRA" if i % 2 else "GBR") for i in range(1, count)
    ]
    return report.parse(KENYA.seals("portion 0", release_to="GBR", portions=portions))


REPORTS = {count: made(count) for count in range(1, MOST + 1)}


def read(raw: bytes, nation: str = "GBR") -> verify.VerifiedReport:
    """What a reader of this nation may believe of these bytes."""
    at = (SHARED.position, SHARED.clock.now)
    return verify.verify_delivery(raw, SHARED.directory, *at, nation)


def subsets(count: int) -> Iterator[tuple[int, ...]]:
    """Every choice of at least one portion."""
    for size in range(1, count + 1):
        yield from itertools.combinations(range(count), size)


@pytest.mark.parametrize("count", REPORTS)
@pytest.mark.parametrize("nation", ["GBR", "FRA", "KEN"])
def test_every_subset_of_portions_verifies(count: int, nation: str) -> None:
    """Also for a nation that holds keys to some of them only."""
    frame = REPORTS[count]
    for kept in subsets(count):
        verified = read(frame.redacted(kept, nation), nation)
        assert tuple(p.index for p in verified.portions) == kept
        assert verified.identity == frame.identity


@pytest.mark.parametrize("count", REPORTS)
def test_a_reader_opens_just_what_was_sealed_to_it(count: int) -> None:
    world = SHARED.copy()
    raw = sealing.encode(REPORTS[count])
    assert world["GBR"].opens(world.deliver(raw, to="GBR")) == {
        i: f"portion {i}" for i in range(count)
    }
    if count > 1:
        odd = {i: f"portion {i}" for i in range(1, count, 2)}
        assert world["FRA"].opens(world.deliver(raw, to="FRA")) == odd


def test_redacting_twice_is_redacting_once() -> None:
    """A gateway may pass on less than it was given."""
    frame = REPORTS[MOST]
    for kept in subsets(MOST):
        once = frame.redacted(kept, "GBR")
        assert report.parse(frame.redacted(range(MOST), "GBR")).redacted(kept, "GBR") == once
        assert report.parse(once).redacted(kept, "GBR") == once


# -- no visible byte can be changed, swapped or reordered


def refused(raw: bytes, nation: str = "GBR") -> bool:
    try:
        read(raw, nation)
    except TearlineError:
        return True
    return False


def flips(frame: Frame, kept: tuple[int, ...], seed: int, positions: Iterable[int] = ()) -> None:
    raw = frame.redacted(kept, "GBR")
    dice = random.Random(seed)
    for at in positions or dice.sample(range(len(raw)), 12):
        changed = bytearray(raw)
        changed[at] ^= 1 << dice.randrange(8)
        assert refused(bytes(changed)), at


@pytest.mark.slow
@pytest.mark.parametrize("count", REPORTS)
def test_a_changed_byte_is_refused_in_every_subset(count: int) -> None:
    for seed, kept in enumerate(subsets(count)):
        flips(REPORTS[count], kept, seed)


@pytest.mark.slow
def test_every_changed_byte_of_a_portion_is_refused() -> None:
    """Every byte of head and signature is changed among the attacks on the envelope."""
    frame = REPORTS[MOST]
    begin = len(frame.head) + len(report.signature_block(frame.signature))
    flips(frame, (1, 4), 0, range(begin, len(frame.redacted((1, 4), "GBR"))))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=200)
def test_swapped_pieces_of_a_delivery_are_refused(data: st.DataObject) -> None:
    raw = REPORTS[4].redacted((0, 1, 3), "GBR")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), min_size=4, max_size=4)))
    a, b, c, d = cuts
    swapped = raw[:a] + raw[c:d] + raw[b:c] + raw[a:b] + raw[d:]
    assert swapped == raw or refused(swapped)


def encoded(portions: list[PortionFrame], frame: Frame = REPORTS[4]) -> bytes:
    return sealing.encode(dataclasses.replace(frame, portions=tuple(portions)))


def visible(frame: Frame = REPORTS[4]) -> list[PortionFrame]:
    """All portions as Britain is shown them."""
    return list(report.parse(frame.redacted(range(4), "GBR")).portions)


def test_the_pieces_put_together_again_verify() -> None:
    """The control of the tests below."""
    assert not refused(encoded(visible()))


def test_reordered_portions_are_refused() -> None:
    for order in itertools.permutations(visible()):
        assert list(order) == visible() or refused(encoded(list(order)))


def test_portions_that_change_places_are_refused() -> None:
    for order in itertools.permutations(visible()):
        renumbered = [dataclasses.replace(p, index=i) for i, p in enumerate(order)]
        assert renumbered == visible() or refused(encoded(renumbered))


@pytest.mark.parametrize("piece", ["label_bytes", "records", "descriptor", "wraps", "payload"])
def test_pieces_that_change_portions_are_refused(piece: str) -> None:
    for i, j in itertools.permutations(range(4), 2):
        portions = visible()
        swapped = sealing.rebuilt(portions[i], **{piece: getattr(visible()[j], piece)})
        assert refused(encoded([*portions[:i], swapped, *portions[i + 1 :]])), (i, j)


def test_a_portion_of_another_report_is_refused() -> None:
    """Of the same author, to the same readers, in the same place."""
    other = made(4)
    for i in range(4):
        portions = visible()
        portions[i] = visible(other)[i]
        assert refused(encoded(portions))
    moved = dataclasses.replace(other, portions=tuple(visible()))
    assert refused(sealing.encode(moved))


def test_a_decoy_cannot_be_opened_to_anything() -> None:
    """The place of a decoy holds no portion, whoever makes one up for it."""
    frame = REPORTS[MOST]
    assert len(strict_json.load(frame.header_bytes, Header).portions) == 8
    label = KENYA.label("SECRET", "GBR")
    for index in (6, 7):
        place = sealing.Place("KEN", "5e" * 16, index)
        made_up = sealing.portion(place, label, b"", KENYA.keys_for(label), SHARED.random)
        shown = report.parse(frame.redacted([0], "GBR")).portions
        extra = dataclasses.replace(made_up, wraps={0: made_up.wraps[0]})
        assert refused(encoded([*shown, extra], frame))


# -- a hidden portion is like a decoy


def test_a_delivery_with_a_hidden_portion_is_like_one_with_a_decoy() -> None:
    """Same lengths, same forms: two reports that differ in nothing but in what is not shown."""
    place = KENYA.place()
    label = KENYA.label("SECRET", "GBR")
    shown = sealing.portion(place, label, b"shown", KENYA.keys_for(label), SHARED.random)
    secret = KENYA.label("SECRET", "FRA")
    at = dataclasses.replace(place, index=1)
    hidden = sealing.portion(at, secret, b"hidden", KENYA.keys_for(secret), SHARED.random)
    with_hidden = KENYA.signs(place, [shown, hidden])
    with_decoy = KENYA.signs(place, [shown], portions=[shown.commitment, SHARED.random(32).hex()])
    one, other = with_hidden.redacted([0], "GBR"), with_decoy.redacted([0], "GBR")
    for raw in (one, other):
        assert len(read(raw).portions) == 1
    heads = [strict_json.load(report.parse(raw).header_bytes, Header) for raw in (one, other)]
    assert heads[0].portions[0] == heads[1].portions[0]
    assert [len(c) for c in heads[0].portions] == [len(c) for c in heads[1].portions]
    unlike = {"portions"}
    assert heads[0].model_dump(exclude=unlike) == heads[1].model_dump(exclude=unlike)
    parts = [(len(f.head), f.portions) for f in (report.parse(one), report.parse(other))]
    assert parts[0] == parts[1]


def test_commitments_look_like_random_bytes() -> None:
    """Chi-square over the bytes of 512 commitments to equal labels, and of 512 decoys.

    With 255 degrees of freedom a value above 400 has a chance below one in 10^7; the inputs are
    fixed, so the test does not flicker.
    """
    fields = {**KENYA.label("SECRET", "GBR"), "payload": {}, "attachments": []}
    committed = []
    for _ in range(512):
        label = sealing.text({"salt": SHARED.random(16).hex(), **fields})
        committed.append(report.commitment(report.encode_descriptor(label, [])))
    decoys = [SHARED.random(32).hex() for _ in range(512)]
    for sample in (committed, decoys):
        counts = Counter(b"".join(map(bytes.fromhex, sample)))
        expected = 512 * 32 / 256
        assert sum((counts[b] - expected) ** 2 / expected for b in range(256)) < 400


def test_a_guessed_label_does_not_match_its_commitment() -> None:
    """Labels have little in them to guess: the salt, shown only with the portion, hides them."""
    portion = REPORTS[1].portions[0]
    guess = sealing.fields(portion.label_bytes)
    assert sealing.text(guess) == portion.label_bytes, "all else is guessed rightly"
    for salt in ("00" * 16, SHARED.random(16).hex(), guess["salt"][:-1] + "0"):
        if salt != guess["salt"]:
            text = sealing.text({**guess, "salt": salt})
            assert sealing.rebuilt(portion, label_bytes=text).commitment != portion.commitment


@pytest.mark.parametrize("count", REPORTS)
def test_the_number_of_commitments_says_only_a_power_of_two(count: int) -> None:
    header = strict_json.load(REPORTS[count].header_bytes, Header)
    assert len(header.portions) in report.PORTIONS
    assert len(header.portions) >= count


def test_no_copy_says_anything_of_protected_sources_but_the_brokers_own() -> None:
    """What is delivered and what an author hands on; what is left of a deleted report keeps it."""
    source = {"report": "ab" * 32, "portion": "cd" * 32}
    frame = report.parse(KENYA.seals(release_to="GBR", protected={"derived_from": [source]}))
    for raw in (frame.redacted([0], "GBR"), frame.redacted([0], "KEN"), frame.shared()):
        (portion,) = report.parse(raw).portions
        assert portion.protected == b""
        assert source["report"].encode() not in raw
    assert len(report.parse(frame.shared()).portions[0].wraps) == 2
    (left,) = report.parse(frame.stripped([0])).portions
    assert (left.protected, left.payload) == (frame.portions[0].protected, b"")
    assert report.parse(frame.stripped([])) == frame


def test_two_portions_over_the_same_sources_look_like_any_two() -> None:
    """The salt hides what is behind a commitment, and that the same is."""
    source = {"report": "ab" * 32, "portion": "cd" * 32}
    said: list[dict[str, Any]] = [{"derived_from": found} for found in ([source], [source], [])]
    frames = [report.parse(KENYA.seals(release_to="GBR", protected=p)) for p in said]
    shown = {sealing.fields(frame.portions[0].label_bytes)["protected"] for frame in frames}
    assert len(shown) == 3
