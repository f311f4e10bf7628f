"""What binds keys and ciphertexts to their place: HPKE infos and committed contexts.

A wrap or a ciphertext that is moved to another report, portion, nation, level or label does not
open there.
"""

import hashlib

from wire.keys import SUITE


def portion_context(originator: str, report_id: str, index: int, label: bytes) -> bytes:
    """SHA-256 of everything that a key wrap of this portion is bound to."""
    return hashlib.sha256(_place(originator, report_id, index) + label).digest()


def wrap_info(level: int, nation: str, kid: str, portion: bytes) -> bytes:
    """HPKE info of one wrap (RFC 9180 §8.1: single-shot context goes into info)."""
    who = bytes([SUITE, level]) + nation.encode() + bytes.fromhex(kid)
    return b"tearline/wrap\0" + who + portion


def payload_context(originator: str, report_id: str, index: int) -> bytes:
    """The committed context of a portion's payload."""
    return b"tearline/payload\0" + _place(originator, report_id, index)


def attachment_context(originator: str, report_id: str, index: int, attachment: str) -> bytes:
    """The committed context of one attachment of a portion."""
    place = _place(originator, report_id, index)
    return b"tearline/attachment\0" + place + bytes.fromhex(attachment)


def _place(originator: str, report_id: str, index: int) -> bytes:
    return originator.encode() + bytes.fromhex(report_id) + bytes([index])
