"""Signed requests: other implementations accept ours, and ours accepts nothing but its profile."""

import base64
import contextlib
import re
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import http_message_signatures as rfc9421
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from wire import request_signature
from wire.errors import NotAllowed, TearlineError
from wire.request_signature import RequestClaim, Target, sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
KEYID = "0123456789abcdef0123456789abcdef"
NOW = 1_790_000_000
NONCE = bytes(range(16))
TARGET = Target("GET", "broker.example:8443", "/v1/reports", "region=014&after=abc%2Bd")
BODY = b'{"x":1}'


def resolve(keyid: str) -> bytes | None:
    return PUBLIC if keyid == KEYID else None


def signed(target: Target = TARGET, body: bytes = b"", **changes: Any) -> dict[str, str]:
    fields: dict[str, Any] = {"created": NOW, "nonce": NONCE}
    return sign(target, body, KEY, KEYID, **(fields | changes))


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def checked(
    headers: dict[str, str], target: Target = TARGET, body: bytes = b"", now: float = NOW
) -> RequestClaim:
    return verify(raw(headers), target, body, resolve, now=now)


def refused(
    headers: dict[str, str], target: Target = TARGET, body: bytes = b"", **more: Any
) -> str:
    with pytest.raises(NotAllowed) as caught:
        checked(headers, target, body, **more)
    assert caught.value.slug == "unsigned-request"
    return caught.value.detail


WRONG = "the signature does not verify"
CLOCK = "too early or too late by this broker's clock"
FORM = "not this API's signature profile"
DIGEST = "the content digest is not that of the body"


# -- what is accepted


@pytest.mark.parametrize(
    "target", [TARGET, Target("PUT", "b.example", "/"), Target("POST", "h", "")]
)
@pytest.mark.parametrize("body", [b"", BODY])
def test_a_signed_request_tells_who_asks_and_when(target: Target, body: bytes) -> None:
    claim = checked(signed(target, body), target, body)
    nonce = base64.urlsafe_b64encode(NONCE).decode().rstrip("=")
    assert claim == RequestClaim(KEYID, nonce, NOW, NOW + 60)


def test_the_headers_are_the_documented_ones() -> None:
    headers = signed()
    assert headers["Content-Digest"] == (
        "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+"
        "SfaPg==:"
    )
    assert headers["Signature-Input"] == (
        'sig1=("@method" "@authority" "@path" "@query" "content-digest");created=1790000000'
        ';expires=1790000060;keyid="0123456789abcdef0123456789abcdef"'
        ';nonce="AAECAwQFBgcICQoLDA0ODw";tag="tearline-http";alg="ed25519"'
    )
    assert re.fullmatch(r"sig1=:[A-Za-z0-9+/]{86}==:", headers["Signature"])


def test_the_signature_base_is_that_of_the_rfc() -> None:
    """Section 2.5, written out by hand."""
    headers = signed(body=BODY)
    base = (
        '"@method": GET\n'
        '"@authority": broker.example:8443\n'
        '"@path": /v1/reports\n'
        '"@query": ?region=014&after=abc%2Bd\n'
        f'"content-digest": {headers["Content-Digest"]}\n'
        f'"@signature-params": {headers["Signature-Input"].removeprefix("sig1=")}'
    )
    signature = base64.b64decode(headers["Signature"].removeprefix("sig1=:").removesuffix(":"))
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, base.encode())


class Keys(rfc9421.HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        assert key_id == KEYID
        return KEY.public_key()

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        assert key_id == KEYID
        return KEY


@pytest.mark.parametrize("query", ["", "region=014&after=abc%2Bd"])
def test_another_implementation_verifies_what_we_sign(query: str) -> None:
    target = Target("POST", "broker.example:8443", "/v1/reports", query)
    message = SimpleNamespace(
        method=target.method,
        url=f"https://{target.authority}{target.path}" + (f"?{query}" if query else ""),
        headers=sign(target, BODY, KEY, KEYID, created=int(time.time()), nonce=NONCE),
    )
    verifier = rfc9421.HTTPMessageVerifier(
        signature_algorithm=rfc9421.algorithms.ED25519, key_resolver=Keys()
    )
    components = ("@method", "@authority", "@path", "@query", "content-digest")
    (result,) = verifier.verify(
        message, expect_tag="tearline-http", require_components=components, body=BODY
    )
    assert result.parameters["keyid"] == KEYID
    message.method = "PUT"
    with pytest.raises(rfc9421.InvalidSignature):
        verifier.verify(message, expect_tag="tearline-http")


# -- every part is signed


@pytest.mark.parametrize(
    "other",
    [
        replace(TARGET, method="PUT"),
        replace(TARGET, method="get"),
        replace(TARGET, authority="broker.example"),
        replace(TARGET, path="/v1/reports/"),
        replace(TARGET, path="/v1/report%73"),
        replace(TARGET, query=""),
        replace(TARGET, query=TARGET.query + "&"),
        replace(TARGET, query=TARGET.query.replace("%2B", "+")),
        replace(TARGET, path="/v1", query="x"),
    ],
)
def test_a_signature_is_for_one_target_only(other: Target) -> None:
    assert refused(signed(), other) == WRONG


def test_a_signature_is_for_one_body_only() -> None:
    assert refused(signed(body=BODY), body=BODY + b" ") == DIGEST
    swapped = signed(body=BODY) | {"Content-Digest": signed(body=b"other")["Content-Digest"]}
    assert refused(swapped, body=b"other") == WRONG


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("created=1790000000", "created=1790000001"),
        ("expires=1790000060", "expires=1790000061"),
        ("AAECAwQ", "BAECAwQ"),
    ],
)
def test_every_parameter_is_signed(part: str, other: str) -> None:
    headers = signed()
    changed = headers["Signature-Input"].replace(part, other)
    assert changed != headers["Signature-Input"]
    assert refused(headers | {"Signature-Input": changed}) == WRONG


@pytest.mark.parametrize("field", ["path", "query", "authority", "method"])
@pytest.mark.parametrize("text", ['/a\n"@query": ?b', "/a b", "/\u00e9", "/\x7f", "/\ud800"])
def test_a_target_is_visible_ascii_so_that_one_line_cannot_pass_for_two(
    field: str, text: str
) -> None:
    target = replace(TARGET, **{field: text})
    with pytest.raises(NotAllowed, match="profile"):
        signed(target)
    assert refused(signed(), target) == FORM


# -- who


def test_an_unknown_key_costs_and_answers_the_same_as_a_wrong_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else anybody could find out which keys are registered."""
    used = []
    original = Ed25519PublicKey.from_public_bytes

    class Watched:
        @staticmethod
        def from_public_bytes(public: bytes) -> Ed25519PublicKey:
            used.append(public)
            return original(public)

    monkeypatch.setattr(request_signature, "Ed25519PublicKey", Watched)
    unknown = signed()
    unknown["Signature-Input"] = unknown["Signature-Input"].replace(KEYID, "f" * 32)
    assert refused(unknown) == WRONG
    wrong = signed() | {"Signature": signed(body=BODY)["Signature"]}
    assert refused(wrong) == WRONG
    assert used == [request_signature._NOBODY, PUBLIC]


def test_the_key_that_stands_in_for_nobodys_is_a_point_like_any_other() -> None:
    """A value off the curve would be refused before the work, and so tell who is registered."""
    p = 2**255 - 19
    y = int.from_bytes(request_signature._NOBODY, "little")
    x_squared = (y * y - 1) * pow(-121665 * pow(121666, -1, p) * y * y + 1, -1, p) % p
    assert pow(x_squared, (p - 1) // 2, p) == 1


def test_whoever_holds_nobodys_key_is_still_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_signature, "_NOBODY", PUBLIC)
    with pytest.raises(NotAllowed, match=WRONG):
        verify(raw(signed()), TARGET, b"", lambda _: None, now=NOW)


@pytest.mark.parametrize("public", [b"", b"short", bytes(33), b"\x02" + bytes(31)])
def test_a_registered_key_that_is_no_key_verifies_nothing(public: bytes) -> None:
    with pytest.raises(NotAllowed, match=WRONG):
        verify(raw(signed()), TARGET, b"", lambda _: public, now=NOW)


# -- when


@pytest.mark.parametrize("now", [NOW - 30, NOW, NOW + 60, NOW + 90])
def test_clocks_may_differ_by_half_a_minute(now: int) -> None:
    checked(signed(), now=now)


@pytest.mark.parametrize("now", [NOW - 31, NOW - 30.5, NOW + 90.5, NOW + 91, 0])
def test_a_request_from_another_time_is_refused(now: float) -> None:
    assert refused(signed(), now=now) == CLOCK


@pytest.mark.parametrize("lifetime", [-1, 0, 121, 10**9])
def test_a_lifetime_is_at_most_two_minutes_for_signer_and_verifier(lifetime: int) -> None:
    with pytest.raises(NotAllowed, match="outside the profile"):
        signed(lifetime_s=lifetime)
    headers = signed()
    changed = headers["Signature-Input"].replace(str(NOW + 60), str(NOW + lifetime))
    assert refused(headers | {"Signature-Input": changed}) == FORM


def test_the_longest_lifetime_is_accepted() -> None:
    assert checked(signed(lifetime_s=120), now=NOW + 120).expires == NOW + 120


# -- in what form


@pytest.mark.parametrize(
    "changes",
    [{"nonce": b"short"}, {"nonce": bytes(17)}, {"created": 5}, {"created": 10**10}],
)
def test_what_would_never_be_accepted_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="outside the profile"):
        signed(**changes)


@pytest.mark.parametrize("keyid", ["", "A" * 32, "0" * 31, '0"' * 16, "0" * 33])
def test_a_keyid_is_sixteen_bytes_in_hex(keyid: str) -> None:
    with pytest.raises(NotAllowed, match="outside the profile"):
        sign(TARGET, b"", KEY, keyid, created=NOW, nonce=NONCE)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
def test_each_header_must_be_there_once(name: str) -> None:
    headers = signed()
    without = {key: value for key, value in headers.items() if key != name}
    assert refused(without) == "no signature"
    twice = [*raw(headers), (name.upper().encode(), headers[name].encode())]
    with pytest.raises(NotAllowed, match="a signature header is repeated"):
        verify(twice, TARGET, b"", resolve, now=NOW)


def test_header_names_are_compared_without_case() -> None:
    headers = [(name.upper().encode(), value.encode()) for name, value in signed().items()]
    assert verify([(b"Date", b"x"), *headers], TARGET, b"", resolve, now=NOW).keyid == KEYID


INPUT_CHANGES = [
    ("sig1=", "sig2="),
    ("sig1=", " sig1="),
    ('"@method" "@authority"', '"@authority" "@method"'),
    ('"@method" ', ""),
    (' "content-digest"', ""),
    (' "content-digest"', ' "content-digest" "date"'),
    ('"@method" "', '"@method"  "'),
    (";alg=", "; alg="),
    (';alg="ed25519"', ""),
    ('alg="ed25519"', 'alg="rsa-pss-sha512"'),
    ('tag="tearline-http"', 'tag="other"'),
    (f";created={NOW}", ""),
    (f"created={NOW}", f"created={NOW}.0"),
    (f"created={NOW}", f"created=0{NOW}"),
    (f"created={NOW}", f"created=-{NOW}"),
    (f";created={NOW};expires={NOW + 60}", f";expires={NOW + 60};created={NOW}"),
    (KEYID, KEYID.upper()),
    (KEYID, KEYID + "00"),
    ('nonce="AAEC', 'nonce="AA+C'),
    ('nonce="', 'nonce="A'),
    ('alg="ed25519"', 'alg="ed25519";x=1'),
    ('alg="ed25519"', 'alg="ed25519", sig2=("@method")'),
    ('alg="ed25519"', 'alg="ed25519"\n'),
]


@pytest.mark.parametrize("change", INPUT_CHANGES)
def test_a_signature_input_of_another_form_is_refused(change: tuple[str, str]) -> None:
    """Even one that RFC 9421 allows: what is compared and not parsed cannot be misread."""
    headers = signed()
    changed = headers["Signature-Input"].replace(*change)
    assert changed != headers["Signature-Input"]
    assert refused(headers | {"Signature-Input": changed}) == FORM


@pytest.mark.parametrize(
    "change",
    [("==:", "=:"), ("==:", "==: "), ("sig1=:", "sig2=:"), ("sig1=:", "sig1=:-"), (":", "")],
)
def test_a_signature_of_another_form_is_refused(change: tuple[str, str]) -> None:
    headers = signed()
    assert refused(headers | {"Signature": headers["Signature"].replace(*change)}) == FORM


def test_a_signature_has_one_spelling() -> None:
    """Stray bits in the last letter decode to the same bytes; a log of requests would show two."""
    headers = signed()
    letter = headers["Signature"][-4]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = alphabet[alphabet.index(letter) + 1]
    changed = headers["Signature"][:-4] + stray + "==:"
    assert base64.b64decode(changed[6:-1]) == base64.b64decode(headers["Signature"][6:-1])
    assert refused(headers | {"Signature": changed}) == WRONG


@pytest.mark.parametrize(
    "digest",
    [
        "",
        signed()["Content-Digest"] + " ",
        signed()["Content-Digest"].upper(),
        signed()["Content-Digest"].replace("sha-512", "sha-256"),
        signed()["Content-Digest"] + ", sha-256=:AAAA:",
        "\u00e9",
    ],
)
def test_a_content_digest_of_another_form_is_refused(digest: str) -> None:
    assert refused(signed() | {"Content-Digest": digest}) == DIGEST


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"content-digest", b"signature-input", b"signature", b"Signature"]),
            st.binary(max_size=80) | st.sampled_from([v for _, v in raw(signed())]),
        ),
        max_size=4,
    ),
    st.text(max_size=20),
    st.binary(max_size=20),
)
def test_any_headers_are_a_claim_or_a_refusal_and_nothing_else(
    headers: list[tuple[bytes, bytes]], text: str, body: bytes
) -> None:
    with contextlib.suppress(TearlineError):
        verify(headers, replace(TARGET, path=text), body, resolve, now=NOW)
    with contextlib.suppress(TearlineError):
        verify(headers, TARGET, b"", resolve, now=NOW)


@pytest.mark.slow
@given(st.sampled_from(sorted(signed())), st.data())
def test_any_changed_character_of_a_header_is_refused(name: str, data: st.DataObject) -> None:
    headers = signed()
    value = headers[name]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != value[at]))
    refused(headers | {name: value[:at] + other + value[at + 1 :]})
