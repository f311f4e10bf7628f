import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import padding
from clients.padding import FLOOR, PREFIX, Unpadding, pad, padded_pieces, padded_size, unpad
from wire.errors import Malformed

BYTES = st.binary(max_size=4_096)


@given(BYTES)
def test_what_is_padded_comes_back(data: bytes) -> None:
    assert unpad(pad(data)) == data


@given(st.integers(min_value=0, max_value=1 << 40))
def test_padding_costs_at_most_an_eighth_above_the_floor(length: int) -> None:
    size = padded_size(length)
    assert size >= PREFIX + length
    assert size == FLOOR or size <= (PREFIX + length) * 1.12


@given(st.integers(min_value=0, max_value=1 << 40))
def test_a_padded_size_is_a_size_that_pads_to_itself(length: int) -> None:
    """Padmé: sizes are few, and each is reached from every length in its range."""
    size = padded_size(length)
    assert padded_size(size - PREFIX) == size


def test_padding_hides_the_exact_size() -> None:
    """All texts from empty to 248 bytes look alike; a megabyte's neighbours do over 30 kB."""
    assert {len(pad(bytes(n))) for n in range(FLOOR - PREFIX + 1)} == {FLOOR}
    assert len({padded_size(n) for n in range(10_000, 11_000)}) < 6
    assert len({padded_size(n) for n in range(1 << 20, (1 << 20) + 30_000, 100)}) <= 2


@given(BYTES.filter(bool), st.data())
def test_padding_that_pad_would_not_make_is_refused(data: bytes, draw: st.DataObject) -> None:
    good = bytearray(pad(data))
    at = draw.draw(st.integers(PREFIX + len(data), len(good)))
    if at == len(good):
        good += b"\0"
    else:
        good[at] = draw.draw(st.integers(1, 255))
    with pytest.raises(Malformed, match="bad-content"):
        unpad(bytes(good))


@given(st.binary(max_size=600))
def test_any_bytes_are_padding_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        assert pad(unpad(data)) == data


def test_a_length_longer_than_the_data_is_refused() -> None:
    for length in (FLOOR, 1 << 20, (1 << 64) - 1):
        with pytest.raises(Malformed, match="bad-content"):
            unpad(length.to_bytes(8, "big") + bytes(FLOOR - PREFIX))


@given(st.binary(max_size=2_000), st.integers(1, 300))
def test_a_file_is_padded_as_bytes_are_and_comes_back(data: bytes, step: int) -> None:
    stream = b"".join(padded_pieces(io.BytesIO(data), len(data)))
    assert stream == pad(data)
    into = io.BytesIO()
    writer = Unpadding(into)
    for at in range(0, len(stream), step):
        writer.write(stream[at : at + step])
    assert (writer.finish(), into.getvalue()) == (len(data), data)


@pytest.mark.parametrize("size", [9, 11])
def test_a_file_that_changed_while_it_was_read_is_refused(size: int) -> None:
    with pytest.raises(Malformed, match="changed"):
        list(padded_pieces(io.BytesIO(b"ten bytes."), size))


def test_a_cut_or_dirty_stream_is_refused() -> None:
    good = pad(b"text")
    for bad in (b"", good[:7], good[:-1], good[:PREFIX], good[:-1] + b"\1", good + b"\0"):
        writer = Unpadding(io.BytesIO())
        with pytest.raises(Malformed, match="bad-content"):  # noqa: PT012 - either place is right
            writer.write(bad)
            writer.finish()


def test_large_files_are_padded_in_pieces() -> None:
    size = 3 * padding.PIECE
    pieces = list(padded_pieces(io.BytesIO(bytes(size)), size))
    assert max(map(len, pieces)) <= padding.PIECE
    assert sum(map(len, pieces)) == padded_size(size)
