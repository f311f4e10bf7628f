"""Base64 as RFC 4648 section 4 writes it, and in no other spelling."""

import binascii

from wire.errors import Malformed


def decode(text: str, slug: str = "bad-fields") -> bytes:
    """The bytes behind canonical base64.

    Raises `Malformed` with the caller's slug for anything that does not encode to the same text
    again: line breaks, missing or wrong padding, other alphabets, stray bits in the last letter.
    """
    try:
        letters = text.encode("ascii")
        data = binascii.a2b_base64(letters)
    except ValueError as error:  # binascii.Error is one, and so is text that is not ASCII
        raise Malformed(slug, "not base64") from error
    # What the decoder passes over, or repairs, is not there when it is written again.
    if binascii.b2a_base64(data, newline=False) != letters:
        raise Malformed(slug, "base64 in an unusual spelling")
    return data


def encode(data: bytes) -> str:
    """The one spelling."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")
