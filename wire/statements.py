"""Statements: everything a nation says to the mission, signed and chained.

    statement := head | body_len u32 | body JSON | count u8 | (kid[16] | len u16 | signature)*
    head      := "TLST" | suite u8 | flags u8 = 0 | head_len u32 | head JSON     integers big-endian

The signatures cover the head; the head holds the salted digest of the body, so a body can be
withheld (body_len 0) and the chain still verifies. `scope` in the signed head says who may read
the body, so that the broker cannot withhold what everybody must see. Identity = SHA-256(head).
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, StringConstraints

from wire import composite, strict_json
from wire.composite import Verify, VerifyKey, verify_anew
from wire.errors import Malformed
from wire.keys import SUITE
from wire.model import Channel, Hex32B, Seconds, Strict, Token, Version1

MAGIC: Final = b"TLST"

PREAMBLE: Final = struct.Struct(">4sBBI")
HEAD_MAX: Final = 4_096  # a head is a dozen short fields
BODY_MAX: Final = 65_536  # the limit of the JSON gate
SIGNATURES_MAX: Final = 200  # a charter: every founding nation's root threshold
STATEMENT_MAX: Final = (
    PREAMBLE.size + HEAD_MAX + 4 + BODY_MAX + 1 + SIGNATURES_MAX * (18 + composite.SIGNATURE_MAX)
)
GENESIS: Final = "0" * 64

Scope = Literal["mission", "nation", "parties"]
Body = TypeVar("Body", bound=Strict)


class Head(Strict):
    """What every member sees of a statement."""

    v: Version1
    mission: Token
    nation: Channel
    seq: Annotated[int, Field(ge=0, lt=1 << 40)]
    prev: Hex32B
    type: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,16}(\.[a-z]{1,16})?\z")]
    scope: Scope
    issued: Seconds
    body: Hex32B


@dataclass(frozen=True)
class Statement:
    """A parsed statement. Its signatures are NOT verified: `wire.fold` does that."""

    head: Head
    head_bytes: bytes
    body_bytes: bytes | None
    signatures: Mapping[str, bytes]
    raw: bytes
    _verify: Verify = field(default=verify_anew, repr=False, compare=False)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the signed bytes, hex."""
        return hashlib.sha256(self.head_bytes).hexdigest()

    def verify(self, kid: str, key: VerifyKey) -> None:
        """Check the signature under this name. Raises `Malformed` ("bad-signature")."""
        self._verify(key, self.signatures[kid], self.head_bytes, composite.STATEMENT)

    def body(self, model: type[Body]) -> Body:
        """The body, read strictly.

        Raises `Malformed` if it is withheld or of another form.
        """
        if self.body_bytes is None:
            raise Malformed("bad-statement", f"the body of this {self.head.type} is withheld")
        return strict_json.load(self.body_bytes, model)


def body_digest(body: bytes) -> str:
    """The digest that stands in the head; the body's own salt makes it hiding."""
    return hashlib.sha256(b"tearline/statement-body\0" + body).hexdigest()


def parse(raw: bytes, verify: Verify = verify_anew) -> Statement:
    """Take the bytes apart; check form, bounds and the body's digest, not the signatures: `verify`
    is how that will be done.

    Raises `Malformed` ("bad-statement", "bad-suite", "too-large", or the JSON gate's slugs).
    """
    if len(raw) > STATEMENT_MAX:
        raise Malformed("too-large", f"a statement has at most {STATEMENT_MAX} bytes")
    end = _head_end(raw)
    head_bytes = raw[:end]
    body_bytes, at = _body(raw, end)
    head = parse_head(head_bytes)
    if body_bytes is not None and body_digest(body_bytes) != head.body:
        raise Malformed("bad-statement", "the body is not the one that was signed")
    return Statement(head, head_bytes, body_bytes, _signatures(raw, at), raw, verify)


def identity(raw: bytes) -> str:
    """The identity of the statement that these bytes begin like. Raises `Malformed`."""
    return hashlib.sha256(raw[: _head_end(raw)]).hexdigest()


def parse_head(head_bytes: bytes) -> Head:
    """The signed bytes alone, read strictly. Raises `Malformed` like `parse`."""
    if len(head_bytes) != _head_end(head_bytes):
        raise Malformed("bad-statement", "the head has another length than it says")
    return strict_json.load(head_bytes[PREAMBLE.size :], Head)


def _head_end(raw: bytes) -> int:
    if len(raw) < PREAMBLE.size:
        raise Malformed("bad-statement", "too short")
    magic, suite, flags, head_len = PREAMBLE.unpack_from(raw)
    if magic != MAGIC or flags != 0 or head_len > HEAD_MAX:
        raise Malformed("bad-statement", "the preamble is wrong")
    if suite != SUITE:
        raise Malformed("bad-suite")
    return PREAMBLE.size + int(head_len)


def _body(raw: bytes, at: int) -> tuple[bytes | None, int]:
    if len(raw) < at + 4:
        raise Malformed("bad-statement", "too short")
    (length,) = struct.unpack_from(">I", raw, at)
    if length > BODY_MAX:
        raise Malformed("too-large", f"a body has at most {BODY_MAX} bytes")
    end = at + 4 + length
    if len(raw) < end + 1:
        raise Malformed("bad-statement", "too short")
    return (raw[at + 4 : end] if length else None), end


def _signatures(raw: bytes, at: int) -> Mapping[str, bytes]:
    count, at = raw[at], at + 1
    found: dict[str, bytes] = {}
    last = ""
    for _ in range(count):
        if len(raw) < at + 18:
            raise Malformed("bad-statement", "too short")
        kid, (length,) = raw[at : at + 16].hex(), struct.unpack_from(">H", raw, at + 16)
        if kid <= last or length > composite.SIGNATURE_MAX:
            raise Malformed(
                "bad-statement", "signatures must be in the order of keys, none too long"
            )
        found[kid], last, at = raw[at + 18 : at + 18 + length], kid, at + 18 + length
    if at != len(raw) or not 0 < count <= SIGNATURES_MAX:
        raise Malformed("bad-statement", "trailing bytes, or no or too many signatures")
    return found


def _encode(head_bytes: bytes, body: bytes, signatures: Mapping[str, bytes]) -> bytes:
    parts = [head_bytes, struct.pack(">I", len(body)), body, bytes([len(signatures)])]
    for kid in sorted(signatures):
        parts += [bytes.fromhex(kid), struct.pack(">H", len(signatures[kid])), signatures[kid]]
    return b"".join(parts)


@dataclass(frozen=True)
class Unsigned:
    """A statement before its signatures: what officers review, and what they then sign."""

    head_bytes: bytes
    body_bytes: bytes

    def signed_by(self, *signers: Callable[[bytes], tuple[str, bytes]]) -> bytes:
        """The statement's bytes. A signer takes the head and gives (kid, signature)."""
        return _encode(self.head_bytes, self.body_bytes, dict(s(self.head_bytes) for s in signers))


def draft(head: Mapping[str, object], body: Strict) -> Unsigned:
    """An unsigned statement; `head` has every field but `v` and `body`."""
    body_bytes = strict_json.dump(body.model_dump(mode="json"))
    full = Head.model_validate({"v": 1, **head, "body": body_digest(body_bytes)})
    head_json = strict_json.dump(full.model_dump(mode="json"))
    return Unsigned(PREAMBLE.pack(MAGIC, SUITE, 0, len(head_json)) + head_json, body_bytes)


def signer(key: composite.SigningKey) -> Callable[[bytes], tuple[str, bytes]]:
    """A signer for `Unsigned.signed_by` that holds its key in software."""
    return lambda head: (key.public.kid, key.sign(head, composite.STATEMENT))


def without_body(statement: Statement) -> bytes:
    """The same statement with its body withheld; identity and signatures are unchanged."""
    return _encode(statement.head_bytes, b"", statement.signatures)


def merged(first: Statement, second: Statement) -> bytes:
    """One statement with the signatures of both: how officers sign one after the other.

    Raises `Malformed` ("bad-statement") if they are not the same statement.
    """
    if first.identity != second.identity or first.body_bytes is None:
        raise Malformed("bad-statement", "these are not the same statement")
    return _encode(first.head_bytes, first.body_bytes, {**second.signatures, **first.signatures})
