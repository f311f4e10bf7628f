"""What a reader cannot tell: how much was hidden from it, and how long it was."""

from collections import Counter

import pytest

from clients.draft import Draft, Portion
from clients.seal import SIZES, _places
from tests.clients.mission import delivered, draft, label, sealed
from tests.people import random_of
from wire import header, report, strict_json, verify


def two_audiences() -> Draft:
    below = Portion(title="Below the line", body="Less.", label=label({"GBR", "FRA"}))
    return draft({"GBR"}, portions=[below])


def test_one_commitment_never_stands_alone() -> None:
    assert 1 not in SIZES
    assert set(SIZES) < set(header.PORTIONS)
    sizes = {len(_header(sealed(draft(), seed=i).raw).portions) for i in range(24)}
    assert sizes == set(SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 16])
def test_every_place_and_every_size_is_equally_likely(count: int) -> None:
    """Where a portion stands, and among how many, says nothing about what is hidden."""
    random, draws = random_of("places", count), 3_000
    places = [_places(count, random) for _ in range(draws)]
    sizes = Counter(p.size for p in places)
    fitting = [size for size in SIZES if size >= count]
    assert set(sizes) == set(fitting)
    assert all(abs(n - draws / len(fitting)) < draws * 0.05 for n in sizes.values())
    for size in fitting:
        firsts = Counter(p.real[0] for p in places if p.size == size)
        expected = sizes[size] / size
        assert set(firsts) == set(range(size))
        assert all(abs(n - expected) < 5 * expected**0.5 + 5 for n in firsts.values())


def test_no_two_portions_share_a_place() -> None:
    random = random_of("distinct")
    for count in range(1, 17):
        real = _places(count, random).real
        assert len(set(real)) == len(real) == count


def _header(raw: bytes) -> header.Header:
    return strict_json.load(report.parse(raw).header_bytes, header.Header)


def _same_shape(content: Draft, size: int, nation: str) -> verify.VerifiedReport:
    for seed in range(200):
        raw = sealed(content, seed=seed).raw
        if len(_header(raw).portions) == size:
            return delivered(raw, nation)
    raise AssertionError


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_a_hidden_portion_is_not_told_from_a_decoy(size: int) -> None:
    """France receives one portion of each; only one of the reports hides another from it."""
    plain = draft({"GBR", "FRA"}, title="Below the line", body="Less.")
    alone = _same_shape(plain, size, "FRA")
    hiding = _same_shape(two_audiences(), size, "FRA")
    for received in (alone, hiding):
        assert len(received.portions) == 1
        assert len(received.header.portions) == size
        assert len({*received.header.portions}) == size
        assert all(len(c) == 64 for c in received.header.portions)
    assert len(alone.frame.head) == len(hiding.frame.head)
    assert len(alone.portions[0].frame.encode()) == len(hiding.portions[0].frame.encode())


def test_titles_and_texts_of_different_length_make_ciphertexts_of_the_same_length() -> None:
    sizes = {
        len(report.parse(sealed(draft(body="x" * n)).raw).portions[0].payload) for n in (0, 99)
    }
    assert len(sizes) == 1


def test_two_seals_of_one_draft_share_nothing() -> None:
    """Salts, ids, keys and ciphertexts are new, so equal reports do not look equal."""
    one, two = (report.parse(sealed(draft(), seed=i).raw) for i in range(2))
    assert one.identity != two.identity
    assert one.portions[0].payload != two.portions[0].payload
    assert one.portions[0].commitment != two.portions[0].commitment
    assert not set(one.portions[0].wraps.values()) & set(two.portions[0].wraps.values())


def test_every_label_has_a_salt_of_its_own() -> None:
    """Without it, a hidden label could be guessed and checked against its commitment."""
    frames = [report.parse(sealed(two_audiences(), seed=i).raw) for i in range(3)]
    labels = [p.label_bytes for frame in frames for p in frame.portions]
    salts = {strict_json.load(raw, header.PortionLabel).salt for raw in labels}
    assert len(salts) == 6
