"""Checkpoints: what C2SP says is accepted, and nothing that merely looks like it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import base64_strict
from wire.errors import Malformed, TearlineError
from wire.merkle import EMPTY_ROOT
from wire.notes import (
    ED25519_COSIGNATURE,
    MAX_NOTE_CHARACTERS,
    MAX_SIGNATURES,
    Checkpoint,
    Ed25519Signer,
    MLDSA44Signer,
    NoteSigner,
    OpenedCheckpoint,
    VKey,
    open_checkpoint,
    sign_checkpoint,
    signature_line,
)

ORIGIN = "tearline.example/minusx/1"
NOW = 1_790_000_000
LOG = Ed25519Signer(ORIGIN, bytes(range(32)))
LOG_LATTICE = MLDSA44Signer(ORIGIN, bytes(range(32)))
KEN = Ed25519Signer("ken.example/witness", b"k" * 32, ED25519_COSIGNATURE)
KEN_LATTICE = MLDSA44Signer("ken.example/witness", b"k" * 32)
GBR = MLDSA44Signer("gbr.example/witness", b"g" * 32)
HEAD = Checkpoint(ORIGIN, 5, b"r" * 32)
NOTE = sign_checkpoint(HEAD, [LOG])


def refused(note: str, match: str, *keys: VKey) -> None:
    with pytest.raises(Malformed, match=match) as caught:
        open_checkpoint(note, keys or [LOG.vkey])
    assert caught.value.slug == "bad-checkpoint"


# -- what is accepted


def test_a_signed_checkpoint_opens_to_what_was_signed() -> None:
    opened = open_checkpoint(NOTE, [LOG.vkey])
    assert opened.checkpoint == HEAD
    assert opened.note == NOTE
    assert opened.cosigned_by == {}


def test_the_note_of_the_specification_verifies() -> None:
    """The example of C2SP tlog-cosignature: a log's signature, and an Ed25519 witness."""
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7"
        "u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9"
        "dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    text = note.split("\n\n", maxsplit=1)[0] + "\n"
    assert Checkpoint.parse(text).size == 20852163
    assert Checkpoint.parse(text).text() == text
    refused(note, "not signed by the log's key")


def test_an_mldsa_key_of_the_log_signs_beside_the_ed25519_key() -> None:
    note = sign_checkpoint(HEAD, [LOG, LOG_LATTICE], NOW)
    assert open_checkpoint(note, [LOG.vkey, LOG_LATTICE.vkey]).checkpoint == HEAD


def test_a_witness_counts_when_every_key_we_know_of_it_has_cosigned() -> None:
    """One of two keys would be the weaker of the two; the oldest time is the careful one."""
    witnesses = [KEN.vkey, KEN_LATTICE.vkey, GBR.vkey]
    note = NOTE + signature_line(HEAD, KEN, NOW) + signature_line(HEAD, GBR, NOW + 7)
    opened = open_checkpoint(note, [LOG.vkey], witnesses)
    assert opened.cosigned_by == {"gbr.example/witness": NOW + 7}
    note += signature_line(HEAD, KEN_LATTICE, NOW - 3)
    opened = open_checkpoint(note, [LOG.vkey], witnesses)
    assert opened.cosigned_by == {"gbr.example/witness": NOW + 7, "ken.example/witness": NOW - 3}


def test_signatures_of_unknown_keys_are_ignored() -> None:
    """The specification asks for it: keys rotate and witnesses join without breaking readers."""
    assert open_checkpoint(NOTE + signature_line(HEAD, GBR, NOW), [LOG.vkey]).cosigned_by == {}


def test_extension_lines_of_other_logs_are_kept_and_signed() -> None:
    head = Checkpoint(ORIGIN, 5, b"r" * 32, ("one more", "and another"))
    note = sign_checkpoint(head, [LOG])
    assert open_checkpoint(note, [LOG.vkey]).checkpoint == head
    refused(note.replace("one more", "one less"), "does not verify")


def test_an_empty_tree_has_one_root() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text()) == empty
    with pytest.raises(Malformed, match="empty tree"):
        Checkpoint.parse(Checkpoint(ORIGIN, 0, b"r" * 32).text())


def test_an_opened_checkpoint_cannot_be_made_without_opening_one() -> None:
    with pytest.raises(TypeError, match="proof of a check"):
        OpenedCheckpoint(checkpoint=HEAD, note=NOTE, cosigned_by={})


@pytest.mark.slow
@given(st.integers(1, (1 << 63) - 1), st.binary(min_size=32, max_size=32), st.integers(0, 1 << 40))
def test_what_is_signed_opens_again(size: int, root: bytes, time: int) -> None:
    head = Checkpoint(ORIGIN, size, root)
    note = sign_checkpoint(head, [LOG]) + signature_line(head, KEN, time)
    opened = open_checkpoint(note, [LOG.vkey], [KEN.vkey])
    assert (opened.checkpoint, opened.cosigned_by) == (head, {"ken.example/witness": time})


# -- what is refused


def test_no_log_key_at_all_verifies_nothing() -> None:
    with pytest.raises(Malformed, match="no key of the log"):
        open_checkpoint(NOTE, [])


def test_every_log_key_must_have_signed() -> None:
    """Else whoever breaks one of two algorithms has broken the log."""
    refused(NOTE, "not signed by the log's key", LOG.vkey, LOG_LATTICE.vkey)


def test_somebody_elses_key_of_the_same_name_is_not_the_logs() -> None:
    refused(sign_checkpoint(HEAD, [Ed25519Signer(ORIGIN, b"x" * 32)]), "not signed by the log")


def test_the_logs_key_on_another_origin_is_refused() -> None:
    """One key for two missions must not let one mission's checkpoint pass for the other's."""
    other = Checkpoint("tearline.example/other/1", 5, b"r" * 32)
    note = f"{other.text()}\n{signature_line(other, LOG, 0)}"
    refused(note, "not signed by the log's key")


@pytest.mark.parametrize("kind", ["log", "witness"])
def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note(kind: str) -> None:
    other = Checkpoint(ORIGIN, 6, b"r" * 32)
    note = HEAD.text() + "\n"
    note += signature_line(other if kind == "log" else HEAD, LOG, 0)
    note += signature_line(other if kind == "witness" else HEAD, GBR, NOW)
    with pytest.raises(Malformed, match="does not verify"):
        open_checkpoint(note, [LOG.vkey], [GBR.vkey])


@pytest.mark.parametrize("signer", [KEN, GBR])
def test_the_time_in_a_cosignature_is_signed(signer: NoteSigner) -> None:
    line = signature_line(HEAD, signer, NOW)
    raw = base64_strict.decode(line.split(" ")[2].strip())
    changed = base64_strict.encode(raw[:11] + bytes([raw[11] ^ 1]) + raw[12:])
    with pytest.raises(Malformed, match="does not verify"):
        open_checkpoint(f"{NOTE}\u2014 {signer.vkey.name} {changed}\n", [LOG.vkey], [signer.vkey])


def test_a_cosignature_from_after_the_end_of_time_is_refused() -> None:
    for time in (-1, 1 << 63):
        with pytest.raises(Malformed, match="out of range"):
            signature_line(HEAD, KEN, time)
    raw = KEN.vkey.id + b"\xff" * 8 + bytes(64)
    line = f"\u2014 {KEN.vkey.name} {base64_strict.encode(raw)}\n"
    with pytest.raises(Malformed, match="out of range"):
        open_checkpoint(NOTE + line, [LOG.vkey], [KEN.vkey])


def test_a_key_signs_once() -> None:
    refused(NOTE + signature_line(HEAD, LOG, 0), "signed twice")


def test_a_signature_of_the_wrong_length_is_refused() -> None:
    raw = base64_strict.encode(LOG.vkey.id + bytes(63))
    refused(f"{HEAD.text()}\n\u2014 {ORIGIN} {raw}\n", "wrong length")


SIGNATURE = NOTE.split("\n\n")[1]


WRONG = {
    "no text": ("", "a note is"),
    "no blank line": (NOTE.replace("\n\n", "\n"), "a note is"),
    "no signature": (HEAD.text() + "\n", "a note is"),
    "no last newline": (NOTE[:-1], "a note is"),
    "a second signature without its newline": (
        NOTE + signature_line(HEAD, KEN, NOW)[:-1], "a note is",
    ),
    "a blank line more at the end": (NOTE + "\n", "a note is|not well formed"),
    "a hyphen for the dash": (NOTE.replace("\u2014", "-"), "not well formed"),
    "a space more": (NOTE.replace("\u2014 ", "\u2014  "), "not well formed"),
    "a space at the end": (NOTE[:-1] + " \n", "not well formed"),
    "a plus in the name": (NOTE.replace("\u2014 tear", "\u2014 te+ar"), "not well formed"),
    "a carriage return": (NOTE.replace("\n", "\r\n"), "control character"),
    "a tab": (NOTE.replace("\n5\n", "\n5\t\n"), "control character"),
    "a lone surrogate": (NOTE.replace("minusx", "minus\ud800"), "control character"),
    "stray bits in base64": (NOTE.replace("cnI=", "cnJ="), "base64"),
    "base64url": (HEAD.text().replace("cnI", "c-I") + "\n" + SIGNATURE, "base64"),
    "no padding": (HEAD.text().replace("=", "") + "\n" + SIGNATURE, "base64"),
    "a short root": (f"{ORIGIN}\n5\ncnI=\n\n{SIGNATURE}", "not 32 bytes"),
    "a plus before the size": (NOTE.replace("\n5\n", "\n+5\n"), "plain number"),
    "a leading zero": (NOTE.replace("\n5\n", "\n05\n"), "plain number"),
    "a minus": (NOTE.replace("\n5\n", "\n-5\n"), "plain number"),
    "another script's digit": (NOTE.replace("\n5\n", "\n\u0665\n"), "plain number"),
    "a size above 63 bits": (NOTE.replace("\n5\n", f"\n{1 << 63}\n"), "plain number"),
    "no size": (NOTE.replace("\n5\n", "\n"), "three lines|plain number"),
    "an empty line in the text": (NOTE.replace("\n5\n", "\n\n5\n"), "none of them empty"),
    "an empty origin": (NOTE.replace(ORIGIN, "", 1), "none of them empty"),
    "too long": (NOTE + "x" * MAX_NOTE_CHARACTERS, "too long"),
    "a signature that is only an id": (
        f"{HEAD.text()}\n\u2014 {ORIGIN} {base64_strict.encode(LOG.vkey.id)}\n", "too short",
    ),
    "too many signatures": (
        NOTE + signature_line(HEAD, KEN, NOW) * MAX_SIGNATURES, "a note is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_note_that_is_not_written_as_specified_is_refused(wrong: str) -> None:
    note, match = WRONG[wrong]
    refused(note, match)


@pytest.mark.parametrize("text", [HEAD.text()[:-1], HEAD.text() + "x", HEAD.text() + "\x00\n"])
def test_the_text_of_a_checkpoint_is_refused_by_itself_too(text: str) -> None:
    """A witness reads it before any signature."""
    with pytest.raises(Malformed, match="bad-checkpoint"):
        Checkpoint.parse(text)


def test_as_many_signatures_as_the_limit_says_are_read() -> None:
    many = [Ed25519Signer(f"w{i}", bytes([i]) * 32, ED25519_COSIGNATURE) for i in range(63)]
    note = NOTE + "".join(signature_line(HEAD, signer, NOW) for signer in many)
    assert len(open_checkpoint(note, [LOG.vkey], [w.vkey for w in many]).cosigned_by) == 63


@pytest.mark.parametrize("signers", [[], [KEN], [LOG, Ed25519Signer("other", b"x" * 32)]])
def test_a_log_signs_only_with_keys_of_its_own_name(signers: list[NoteSigner]) -> None:
    with pytest.raises(Malformed, match="bear its origin"):
        sign_checkpoint(HEAD, signers)


def test_nothing_is_signed_that_would_not_be_accepted() -> None:
    with pytest.raises(Malformed, match="not 32 bytes"):
        sign_checkpoint(Checkpoint(ORIGIN, 5, b"short"), [LOG])
    with pytest.raises(Malformed, match="plain number"):
        sign_checkpoint(Checkpoint(ORIGIN, -1, b"r" * 32), [LOG])


def test_an_origin_too_long_for_its_length_byte_is_refused() -> None:
    with pytest.raises(Malformed, match="too long"):
        signature_line(Checkpoint("x" * 256, 5, b"r" * 32), GBR, NOW)


# -- keys


@pytest.mark.parametrize("signer", [LOG, KEN, GBR])
def test_a_key_is_read_as_it_is_written(signer: NoteSigner) -> None:
    assert VKey.parse(str(signer.vkey)) == signer.vkey


def test_the_specifications_key_has_the_specifications_id() -> None:
    written = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    assert str(VKey.parse(written)) == written


WRITTEN = str(LOG.vkey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ORIGIN,
        WRITTEN + "=",
        WRITTEN.replace("+", " "),
        WRITTEN.replace(LOG.vkey.id.hex(), "00000000"),
        WRITTEN.replace(LOG.vkey.id.hex(), LOG.vkey.id.hex().upper()),
        WRITTEN.replace(ORIGIN, ""),
        WRITTEN.replace(ORIGIN, "a b"),
        f"{ORIGIN}+00000000+",
        f"{ORIGIN}+00000000+{base64_strict.encode(bytes([2]) + bytes(32))}",
        f"{ORIGIN}+00000000+{base64_strict.encode(bytes([1]) + bytes(31))}",
    ],
)
def test_a_key_that_is_not_written_as_specified_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        VKey.parse(text)
    assert caught.value.slug == "bad-checkpoint"


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a\u00a0b", "a+b", "a\nb", "\ud800", "x" * 256, "é" * 128],
)
def test_a_key_name_is_one_word_that_fits_its_length_byte(name: str) -> None:
    with pytest.raises(Malformed, match="the name of a key"):
        VKey(name, 1, bytes(32))


@pytest.mark.parametrize(
    ("kind", "size"), [(0, 32), (2, 32), (255, 32), (1, 31), (1, 1312), (6, 32)]
)
def test_a_key_is_of_a_kind_and_length_that_we_use(kind: int, size: int) -> None:
    with pytest.raises(Malformed, match="not a kind of key"):
        VKey("a", kind, bytes(size))


@given(st.text(max_size=200) | st.text("\u2014 +=\n0159Aa/\ud800", max_size=200))
def test_any_text_is_a_value_or_a_refusal_and_nothing_else(text: str) -> None:
    for read in (
        VKey.parse,
        Checkpoint.parse,
        lambda note: open_checkpoint(note, [LOG.vkey]),
        lambda part: open_checkpoint(NOTE + part, [LOG.vkey]),
    ):
        with contextlib.suppress(TearlineError):
            read(text)


@given(st.integers(0, len(NOTE) - 1), st.characters())
def test_a_changed_character_is_refused(at: int, character: str) -> None:
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    if changed != NOTE:
        with pytest.raises(Malformed):
            open_checkpoint(changed, [LOG.vkey])
