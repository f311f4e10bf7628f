"""Our HMAC is everybody's."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import mac


@given(st.binary(max_size=mac.BLOCK_BYTES), st.binary(max_size=300))
def test_it_is_what_the_standard_library_makes(key: bytes, message: bytes) -> None:
    """Whoever verifies an entry may use any implementation of RFC 2104."""
    for _ in range(2):  # the key is remembered the second time
        assert mac.digest(key, message) == hmac.digest(key, message, "sha256")


def test_a_key_longer_than_a_block_is_refused() -> None:
    """RFC 2104 hashes it first; none of ours is that long. Expect refusal."""
    with pytest.raises(ValueError, match="longer"):
        mac.digest(bytes(mac.BLOCK_BYTES + 1), b"")
