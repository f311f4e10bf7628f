"""A key that is set up once makes what everybody's HMAC makes."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from wire import mac


@given(st.binary(max_size=100), st.binary(max_size=300))
def test_it_is_what_the_standard_library_makes(key: bytes, message: bytes) -> None:
    """Whoever verifies an entry may use any implementation of RFC 2104."""
    for _ in range(2):  # the key is remembered the second time
        assert mac.digest(key, message) == hmac.digest(key, message, "sha256")
