"""Signed requests: one fixed profile of HTTP Message Signatures (RFC 9421), Ed25519 only.

    Content-Digest: sha-512=:base64 of SHA-512(body):
    Signature-Input: sig1=("@method" "@authority" "@path" "@query" "content-digest");created=…;
        expires=…;keyid="32 hex";nonce="22 letters";tag="tearline-http";alg="ed25519"
    Signature: sig1=:base64:

Exactly these components and parameters, in this order, under one label; the verifier compares
instead of parsing. Any verifier of RFC 9421 accepts what `sign` makes.

A signature proves who asks for what, and when. That it was not used before is for the keeper of
nonces: remember (keyid, nonce) until `expires` plus `SKEW_S`, once the signature has verified, so
that outsiders cannot fill the memory. Method, authority, path and query are given as they stand on
the wire: upper-case method, lower-case authority, path and query without decoding.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha512
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire import base64_strict
from wire.errors import Malformed, NotAllowed

TAG: Final = "tearline-http"
"""Keeps these signatures apart from those of any other protocol that uses the same key."""
SKEW_S: Final = 30
"""How far two clocks may differ."""
MAX_LIFETIME_S: Final = 120
"""A nonce has to be remembered for so long, and a stolen request is good for no longer."""
LIFETIME_S: Final = 60
NONCE_BYTES: Final = 16

_HEADERS: Final = (b"content-digest", b"signature-input", b"signature")
_COMPONENTS: Final = '("@method" "@authority" "@path" "@query" "content-digest")'
_INPUT: Final = re.compile(
    rf"sig1=({re.escape(_COMPONENTS)};created=([1-9][0-9]{{9}});expires=([1-9][0-9]{{9}})"
    rf';keyid="([0-9a-f]{{32}})";nonce="([A-Za-z0-9_-]{{22}})";tag="{TAG}";alg="ed25519")'
)
_SIGNATURE: Final = re.compile(r"sig1=:([A-Za-z0-9+/]{86}==):")
_VISIBLE: Final = re.compile(r"[!-~]*")

# A public point that nobody is known to hold a key for: the y coordinate 3, checked by the tests.
_NOBODY: Final = (3).to_bytes(32, "little")


class RequestSigner(Protocol):
    """An Ed25519 private key, or a device that holds one."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for. `query` is without the question mark, empty if there is none."""

    method: str
    authority: str
    path: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class RequestClaim:
    """Who signed a request, and what the keeper of nonces needs. Times are Unix seconds."""

    keyid: str
    nonce: str
    created: int
    expires: int


def sign(
    target: Target,
    body: bytes,
    key: RequestSigner,
    keyid: str,
    *,
    created: int,
    nonce: bytes,
    lifetime_s: int = LIFETIME_S,
) -> dict[str, str]:
    """The three headers to send. `nonce` is 16 fresh random bytes; `created` is Unix seconds.

    Raises `NotAllowed` ``unsigned-request`` for what `verify` would refuse whatever the time.
    """
    letters = urlsafe_b64encode(nonce).decode().rstrip("=")
    parameters = (
        f"{_COMPONENTS};created={created};expires={created + lifetime_s}"
        f';keyid="{keyid}";nonce="{letters}";tag="{TAG}";alg="ed25519"'
    )
    signature_input = f"sig1={parameters}"
    if not _INPUT.fullmatch(signature_input) or not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise _refused("a parameter is outside the profile")
    digest = _content_digest(body)
    signature = base64_strict.encode(key.sign(_base(target, digest, parameters)))
    return {
        "Content-Digest": digest,
        "Signature-Input": signature_input,
        "Signature": f"sig1=:{signature}:",
    }


def verify(
    headers: Iterable[tuple[bytes, bytes]],
    target: Target,
    body: bytes,
    resolve: Callable[[str], bytes | None],
    *,
    now: float,
) -> RequestClaim:
    """Who signed this request, by a key that `resolve` knows.

    `headers` are all of the request's, repeated ones too; `resolve` gives the raw public key of a
    keyid, or None. An unknown key costs and answers the same as a wrong signature. Raises
    `NotAllowed` ``unsigned-request``; the detail is one of six fixed texts.
    """
    digest, signature_input, signature = _only_once(headers)
    match, encoded = _INPUT.fullmatch(signature_input), _SIGNATURE.fullmatch(signature)
    if match is None or encoded is None:
        raise _refused("not this API's signature profile")
    claim = RequestClaim(match[4], match[5], int(match[2]), int(match[3]))
    if not 0 < claim.expires - claim.created <= MAX_LIFETIME_S:
        raise _refused("not this API's signature profile")
    if not claim.created - SKEW_S <= now <= claim.expires + SKEW_S:
        raise _refused("too early or too late by this broker's clock")
    if digest != _content_digest(body):
        raise _refused("the content digest is not that of the body")
    message = _base(target, digest, match[1])
    public = resolve(claim.keyid)
    try:
        raw = base64_strict.decode(encoded[1])
        Ed25519PublicKey.from_public_bytes(public or _NOBODY).verify(raw, message)
        known = public is not None
    except (InvalidSignature, Malformed, ValueError):
        known = False
    if not known:
        raise _refused("the signature does not verify")
    return claim


def _only_once(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str, str]:
    found: dict[bytes, str] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in _HEADERS:
            if name in found:
                raise _refused("a signature header is repeated")
            found[name] = value.decode("latin-1")
    if len(found) != len(_HEADERS):
        raise _refused("no signature")
    digest, signature_input, signature = (found[name] for name in _HEADERS)
    return digest, signature_input, signature


def _base(target: Target, digest: str, parameters: str) -> bytes:
    """The signature base, RFC 9421 section 2.5."""
    parts = (target.method, target.authority, target.path, target.query)
    if not all(map(_VISIBLE.fullmatch, parts)):  # a line break would let one line pass for two
        raise _refused("not this API's signature profile")
    return (
        f'"@method": {target.method}\n"@authority": {target.authority}\n"@path": {target.path}\n'
        f'"@query": ?{target.query}\n"content-digest": {digest}\n'
        f'"@signature-params": {parameters}'
    ).encode("ascii")


def _content_digest(body: bytes) -> str:
    """The value of Content-Digest, RFC 9530."""
    return f"sha-512=:{base64_strict.encode(sha512(body).digest())}:"


def _refused(detail: str) -> NotAllowed:
    return NotAllowed("unsigned-request", detail)
