"""Statements: their layout, their hidden bodies, and that any bytes are a statement or refused."""

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import sealing
from tests.coalition import Coalition
from tests.people import member_keys
from tests.refusal import refused
from wire import composite, statements
from wire.bodies import RULES, HeadSeen, MemberRevoke
from wire.errors import TearlineError
from wire.model import Strict
from wire.statements import PREAMBLE, Statement

WORLD = Coalition.of("KEN", "GBR")
HONEST = WORLD["KEN"].drafts("head.seen", {"size": 7, "root": "ab" * 32})
HEAD, BODY = HONEST.head_bytes, HONEST.body_bytes or b""
SIGNED = HONEST.raw[len(HEAD) + 4 + len(BODY) :]
KEYS = [member_keys("KEN", name).sign for name in ("officer", "system", "auditor")]


def raw(
    head: bytes = HEAD, body: bytes = BODY, signed: bytes = SIGNED, length: int | None = None
) -> bytes:
    return head + struct.pack(">I", len(body) if length is None else length) + body + signed


def with_head(**changes: Any) -> bytes:
    """The honest statement with other head fields, and a signature that nobody checks here."""
    fields = {**sealing.fields(HEAD[PREAMBLE.size :]), **changes}
    text = sealing.text({k: v for k, v in fields.items() if v is not None})
    return raw(PREAMBLE.pack(b"TLST", 2, 0, len(text)) + text)


def test_a_statement_is_read_as_it_was_written() -> None:
    statement = statements.parse(HONEST.raw)
    assert statement == HONEST
    assert raw() == HONEST.raw
    assert statement.head.type == "head.seen"
    assert statement.body(HeadSeen).size == 7
    assert statement.identity == hashlib.sha256(HEAD).hexdigest()
    assert statements.identity(HONEST.raw) == statement.identity
    assert list(statement.signatures) == [WORLD["KEN"].officer.kid]


def test_a_withheld_body_leaves_identity_and_signatures_as_they_were() -> None:
    """So that a chain has no holes for those who may not read every body."""
    withheld = statements.parse(statements.without_body(HONEST))
    assert withheld.identity == HONEST.identity
    assert withheld.signatures == HONEST.signatures
    assert withheld.body_bytes is None
    with refused("bad-statement", "withheld"):
        withheld.body(HeadSeen)


def test_a_head_alone_is_read_and_is_no_longer_than_it_says() -> None:
    assert statements.parse_head(HEAD) == HONEST.head
    with refused("bad-statement", "another length"):
        statements.parse_head(HEAD + b"-")


def test_a_body_of_another_type_is_refused() -> None:
    with refused("bad-fields"):
        HONEST.body(MemberRevoke)


def test_a_body_that_was_not_signed_is_refused() -> None:
    swapped = WORLD["KEN"].drafts("head.seen", {"size": 8, "root": "ab" * 32}).body_bytes or b""
    with refused("bad-statement", "not the one that was signed"):
        statements.parse(raw(body=swapped))


def test_two_bodies_with_the_same_words_have_different_digests() -> None:
    """The head is public: without a salt, a hidden body could be guessed from it."""
    again = WORLD["KEN"].drafts("head.seen", {"size": 7, "root": "ab" * 32})
    assert again.head.body != HONEST.head.body


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_body_is_salted(rule: Any) -> None:
    assert rule.body.model_fields["salt"].is_required()


LAYOUTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "bad-statement"),
    "another magic": (b"TLR1" + HONEST.raw[4:], "bad-statement"),
    "suite 1": (HONEST.raw[:4] + b"\x01" + HONEST.raw[5:], "bad-suite"),
    "suite 3": (HONEST.raw[:4] + b"\x03" + HONEST.raw[5:], "bad-suite"),
    "a flag": (HONEST.raw[:5] + b"\x01" + HONEST.raw[6:], "bad-statement"),
    "head too long": (PREAMBLE.pack(b"TLST", 2, 0, 4_097) + bytes(9_000), "bad-statement"),
    "head as long as memory": (PREAMBLE.pack(b"TLST", 2, 0, 0xFFFFFFFF), "bad-statement"),
    "body too long": (raw(length=65_537), "too-large"),
    "body as long as memory": (raw(length=0xFFFFFFFF), "too-large"),
    "body up to the end": (raw(length=len(BODY) + len(SIGNED)), "bad-statement"),
    "no signature": (raw(signed=b"\0"), "bad-statement"),
    "no count": (raw(signed=b""), "bad-statement"),
    "trailing byte": (HONEST.raw + b"\0", "bad-statement"),
    "longer than any": (bytes(statements.STATEMENT_MAX + 1), "too-large"),
    "as long as the longest": (bytes(statements.STATEMENT_MAX), "bad-statement"),
}


@pytest.mark.parametrize(("bad", "slug"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_wrong_layout_is_refused(bad: bytes, slug: str) -> None:
    with refused(slug):
        statements.parse(bad)


@pytest.mark.slow
def test_a_statement_cut_anywhere_is_refused() -> None:
    for end in range(len(HONEST.raw)):
        with pytest.raises(TearlineError):
            statements.parse(HONEST.raw[:end])


def signature_block(*signatures: tuple[str, bytes]) -> bytes:
    parts = [bytes([len(signatures)])]
    for kid, signature in signatures:
        parts += [bytes.fromhex(kid), struct.pack(">H", len(signature)), signature]
    return b"".join(parts)


def test_signatures_stand_in_the_order_of_their_keys_each_once() -> None:
    """Or the same statement could be written in many ways, and one key counted twice."""
    low, high = "00" * 16, "ff" * 16
    statements.parse(raw(signed=signature_block((low, b"s"), (high, b"s"))))
    for wrong in ([(high, b"s"), (low, b"s")], [(low, b"s"), (low, b"t")]):
        with refused("bad-statement", "order of keys"):
            statements.parse(raw(signed=signature_block(*wrong)))


def test_a_signature_longer_than_any_real_one_is_refused() -> None:
    with refused("bad-statement"):
        statements.parse(raw(signed=signature_block(("00" * 16, bytes(4_732)))))


def test_more_signatures_than_any_charter_needs_are_refused() -> None:
    many = [(f"{i:032x}", b"") for i in range(1, 203)]
    statements.parse(raw(signed=signature_block(*many[:200])))
    with refused("bad-statement", "too many"):
        statements.parse(raw(signed=signature_block(*many[:201])))


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"seq": -1},
        {"seq": "7"},
        {"seq": True},
        {"prev": "AB" * 32},
        {"nation": "KE"},
        {"nation": "ken"},
        {"nation": "КEN"},  # noqa: RUF001 - a Cyrillic letter
        {"type": "Head.seen"},
        {"type": "a.b.c"},
        {"scope": "everyone"},
        {"issued": 1 << 40},
        {"mission": "minusx"},
        {"body": "ab"},
        {"body": None},
        {"comment": "hello"},
    ],
    ids=str,
)
def test_a_head_field_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    with refused("bad-fields"):
        statements.parse(with_head(**changes))


def test_officers_sign_one_after_the_other() -> None:
    head = {**HONEST.head.model_dump(mode="json", exclude={"v", "body"}), "type": "member.revoke"}
    draft = statements.draft(head, MemberRevoke(salt="00" * 16, kid="11" * 16, reason="lost"))
    one, two = (statements.parse(draft.signed_by(statements.signer(k))) for k in KEYS[:2])
    both = statements.parse(statements.merged(one, two))
    assert both.identity == one.identity == two.identity
    assert set(both.signatures) == {k.public.kid for k in KEYS[:2]}
    for key in KEYS[:2]:
        signature = both.signatures[key.public.kid]
        key.public.verify(signature, both.head_bytes, composite.STATEMENT)


def test_signatures_of_different_statements_are_not_merged() -> None:
    with refused("bad-statement", "not the same"):
        statements.merged(HONEST, WORLD["KEN"].drafts("head.seen", {"size": 8, "root": "ab" * 32}))
    withheld = statements.parse(statements.without_body(HONEST))
    with refused("bad-statement", "not the same"):
        statements.merged(withheld, HONEST)


def test_a_body_too_long_for_the_gate_cannot_be_drafted() -> None:
    class Long(Strict):
        lines: tuple[str, ...]

    with refused("too-large"):
        statements.draft(HONEST.head.model_dump(), Long(lines=("x" * 70_000,)))


def parsed_or_refused(data: bytes) -> Statement | None:
    try:
        return statements.parse(data)
    except TearlineError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement_or_refused(data: bytes) -> None:
    assert parsed_or_refused(data) is None


@given(st.data())
def test_any_change_of_an_honest_statement_is_a_statement_or_refused(data: st.DataObject) -> None:
    """What still parses is written out again as the same bytes: there is one spelling."""
    at = data.draw(st.integers(0, len(HONEST.raw) - 1))
    cut = data.draw(st.integers(0, 8))
    put = data.draw(st.binary(max_size=8))
    changed = HONEST.raw[:at] + put + HONEST.raw[at + cut :]
    statement = parsed_or_refused(changed)
    if statement is not None:
        again = statements._encode(
            statement.head_bytes, statement.body_bytes or b"", statement.signatures
        )
        assert again == changed


@given(st.binary(max_size=400), st.binary(max_size=40), st.binary(max_size=60))
def test_any_head_body_and_signatures_in_a_right_frame_are_read_or_refused(
    head: bytes, body: bytes, signed: bytes
) -> None:
    framed = PREAMBLE.pack(b"TLST", 2, 0, len(head)) + head
    assert parsed_or_refused(raw(framed, body, signed)) is None
