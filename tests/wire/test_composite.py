"""Composite signatures: both halves must hold, over these bytes, in this context."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.people import member_keys
from wire import composite
from wire.composite import ML_DSA_SIGNATURE, P384_ORDER, REPORT, SigningKey, VerifyKey
from wire.errors import Malformed

KEY = member_keys("KEN", "system").sign
PUBLIC = KEY.public
MESSAGE = b"head of a report"
SIGNATURE = KEY.sign(MESSAGE, REPORT)
POINT = PUBLIC.raw[composite.ML_DSA_KEY :]
COMPRESSED = bytes([2 + POINT[-1] % 2]) + POINT[1:49]
"""The same point in its other encoding: one key must not have two spellings."""


def refused(signature: bytes, message: bytes = MESSAGE, context: bytes = REPORT) -> None:
    with pytest.raises(Malformed) as caught:
        PUBLIC.verify(signature, message, context)
    assert caught.value.slug == "bad-signature"


def test_a_signature_verifies_over_its_own_message_and_context() -> None:
    PUBLIC.verify(SIGNATURE, MESSAGE, REPORT)
    PUBLIC.verify(KEY.sign(b"", b""), b"", b"")


def test_keys_and_signatures_have_the_sizes_that_the_formats_reserve() -> None:
    assert len(PUBLIC.raw) == composite.PUBLIC_KEY == 2_689
    assert len(SIGNATURE) <= composite.SIGNATURE_MAX


def test_another_message_or_context_or_key_does_not_verify() -> None:
    refused(SIGNATURE, MESSAGE + b"\0")
    refused(SIGNATURE, context=composite.STATEMENT)
    refused(SIGNATURE, context=b"")
    refused(member_keys("GBR", "system").sign.sign(MESSAGE, REPORT))


def test_the_uses_of_a_key_have_contexts_of_their_own() -> None:
    """Or a signature over a report would pass as one over a statement."""
    assert len({composite.REPORT, composite.STATEMENT}) == 2


@pytest.mark.parametrize(
    "weaken",
    [
        lambda s: s[:ML_DSA_SIGNATURE],
        lambda s: s[ML_DSA_SIGNATURE:],
        lambda s: bytes(ML_DSA_SIGNATURE) + s[ML_DSA_SIGNATURE:],
        lambda s: s[:ML_DSA_SIGNATURE] + bytes(len(s) - ML_DSA_SIGNATURE),
        lambda s: s[:ML_DSA_SIGNATURE] + b"\x30\x06\x02\x01\x00\x02\x01\x00",
        lambda s: s + b"\0",
        lambda _: b"",
    ],
    ids=["no ecdsa", "no ml-dsa", "zero ml-dsa", "zero ecdsa", "r = s = 0", "longer", "empty"],
)
def test_one_half_alone_never_passes(weaken: Callable[[bytes], bytes]) -> None:
    """The point of a composite: who breaks one algorithm has gained nothing."""
    refused(weaken(SIGNATURE))


def test_halves_of_two_signatures_by_two_keys_do_not_mix() -> None:
    other = member_keys("GBR", "system").sign.sign(MESSAGE, REPORT)
    refused(SIGNATURE[:ML_DSA_SIGNATURE] + other[ML_DSA_SIGNATURE:])
    refused(other[:ML_DSA_SIGNATURE] + SIGNATURE[ML_DSA_SIGNATURE:])


def test_anybody_can_derive_another_valid_signature() -> None:
    """Why nothing is ever identified by its signature: (r, n - s) verifies as well."""
    r, s = decode_dss_signature(SIGNATURE[ML_DSA_SIGNATURE:])
    twin = SIGNATURE[:ML_DSA_SIGNATURE] + encode_dss_signature(r, P384_ORDER - s)
    assert twin != SIGNATURE
    PUBLIC.verify(twin, MESSAGE, REPORT)


@pytest.mark.slow
@given(st.integers(0, len(SIGNATURE) * 8 - 1))
def test_no_bit_of_a_signature_is_idle(bit: int) -> None:
    flipped = bytearray(SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    refused(bytes(flipped))


@pytest.mark.slow
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=20))
def test_any_bytes_as_a_signature_are_refused_in_one_way(
    signature: bytes, message: bytes, context: bytes
) -> None:
    refused(signature, message, context)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        PUBLIC.raw[:-1],
        PUBLIC.raw + b"\0",
        PUBLIC.raw[: composite.ML_DSA_KEY] + bytes(composite.POINT),
        PUBLIC.raw[:-1] + bytes([PUBLIC.raw[-1] ^ 1]),
        PUBLIC.raw[: composite.ML_DSA_KEY] + b"\x06" + PUBLIC.raw[composite.ML_DSA_KEY + 1 :],
        PUBLIC.raw[: composite.ML_DSA_KEY] + COMPRESSED,
    ],
    ids=["empty", "short", "long", "no point", "off the curve", "hybrid point", "compressed"],
)
def test_bytes_that_are_no_public_key_are_refused_at_once(raw: bytes) -> None:
    with pytest.raises(Malformed, match="public key"):
        VerifyKey(raw)


@pytest.mark.parametrize("scalar", [0, P384_ORDER, P384_ORDER + 1, (1 << 384) - 1])
def test_a_scalar_outside_the_group_is_no_private_key(scalar: int) -> None:
    with pytest.raises(Malformed, match="private key is not valid"):
        SigningKey(bytes(32) + scalar.to_bytes(48, "big"))


def test_a_private_key_has_one_length() -> None:
    with pytest.raises(Malformed, match="wrong length"):
        SigningKey(bytes(79))


def test_the_private_key_never_shows() -> None:
    private = composite.private_key(b"s" * 32, b"u" * 56)
    shown = repr(SigningKey(private)) + str(vars(SigningKey(private)))
    assert private.hex() not in shown
    assert repr(private) not in shown


@given(st.binary(min_size=56, max_size=56))
def test_a_scalar_from_uniform_bytes_is_always_in_the_group(uniform: bytes) -> None:
    assert 0 < composite.p384_scalar(uniform) < P384_ORDER


def test_a_kid_depends_on_every_byte_of_the_key() -> None:
    other = member_keys("KEN", "officer").sign.public
    mixed = VerifyKey(PUBLIC.raw[: composite.ML_DSA_KEY] + other.raw[composite.ML_DSA_KEY :])
    assert len({PUBLIC.kid, other.kid, mixed.kid}) == 3
    assert len(PUBLIC.kid) == 32
