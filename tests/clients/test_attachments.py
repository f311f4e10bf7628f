"""Attachments: sealed beside the report, opened whole or not at all."""

import io

import pytest

from clients.draft import AttachmentFile
from clients.seal import sealed_size
from tests.clients.mission import delivered, draft, opened, sealed
from wire.errors import Malformed

PHOTO = AttachmentFile.of_bytes("photo.jpg", bytes(range(256)) * 400, "image/jpeg")


def test_an_attachment_comes_back_under_its_name() -> None:
    made = sealed(draft(attachments=[PHOTO]))
    attachment = opened(delivered(made.raw, "GBR"), "GBR").portions[0].attachments[0]
    (ciphertext,) = made.attachments
    assert (attachment.name, attachment.media_type) == ("photo.jpg", "image/jpeg")
    assert (attachment.id, attachment.sha256) == (ciphertext.id, ciphertext.sha256)
    into = io.BytesIO()
    assert attachment.decrypt(ciphertext.ciphertext, into) == PHOTO.size
    assert into.getvalue() == bytes(range(256)) * 400


@pytest.mark.parametrize("size", [0, 1, 16_368, 16_376, 16_384, 100_000, 3_000_000])
def test_the_length_of_a_sealed_attachment_is_known_beforehand(size: int) -> None:
    file = AttachmentFile.of_bytes("f", bytes(size))
    (made,) = sealed(draft(attachments=[file])).attachments
    assert len(made.ciphertext.read()) == made.len == sealed_size(size)


def _damaged(good: bytes) -> dict[str, bytes]:
    chunk = 16_400  # of ciphertext
    head, body = good[:56], good[56:]
    swapped = head + body[chunk : 2 * chunk] + body[:chunk] + body[2 * chunk :]
    return {
        "cut by a byte": good[:-1],
        "cut at a chunk": good[: 56 + 2 * chunk],
        "longer by a byte": good + b"\0",
        "first chunk flipped": good[:60] + bytes([good[60] ^ 1]) + good[61:],
        "last byte flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "chunks swapped": swapped,
        "empty": b"",
    }


def test_no_plaintext_of_a_damaged_attachment_stays_behind() -> None:
    """Expect refusal: the file is emptied again, even where most of it was right."""
    made = sealed(draft(attachments=[PHOTO]))
    attachment = opened(delivered(made.raw, "GBR"), "GBR").portions[0].attachments[0]
    good = made.attachments[0].ciphertext.read()
    for what, bad in _damaged(good).items():
        into = io.BytesIO()
        with pytest.raises(Malformed) as refusal:
            attachment.decrypt(io.BytesIO(bad), into)
        assert (refusal.value.slug, into.getvalue()) == ("undecryptable", b""), what


def test_an_attachment_of_one_report_does_not_pass_for_anothers() -> None:
    """Even its own originator cannot move it: digest and context both say where it belongs."""
    one, two = (sealed(draft(attachments=[PHOTO, PHOTO]), seed=i) for i in range(2))
    attachments = opened(delivered(one.raw, "GBR"), "GBR").portions[0].attachments
    for foreign in (two.attachments[0], one.attachments[1]):
        with pytest.raises(Malformed, match="undecryptable"):
            attachments[0].decrypt(foreign.ciphertext, io.BytesIO())


def test_large_attachments_pass_through_in_pieces() -> None:
    """A spool decides where the ciphertext lies; no piece is larger than about a megabyte."""
    sizes: list[int] = []

    class Spool(io.BytesIO):
        def write(self, piece: object, /) -> int:
            sizes.append(len(piece))  # type: ignore[arg-type]
            return super().write(piece)  # type: ignore[arg-type]

    file = AttachmentFile.of_bytes("f", bytes(5 << 20))
    (made,) = sealed(draft(attachments=[file]), spool=Spool).attachments
    assert max(sizes) <= (1 << 20) + 2_000
    assert sum(sizes) == made.len
