"""Step 9, open: from a verified delivery to what its author wrote, for one nation's member.

    (1) the nation's wrap, and the key it names         (3) the payload, whole or not at all
    (2) the content key, if the wrap opens here         (4) the padding and the content, strictly

Portions open one by one. A portion that this member cannot open is listed with the reason, in
words; a report of which nothing opens is refused with it. No plaintext leaves before the last tag
of its ciphertext was checked.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag

from clients import content, padding
from clients.content import Content
from clients.keys import EpochKeyring, seal_to
from clients.opened import Closed, OpenedAttachment, OpenedPortion, OpenedReport
from wire import base64_strict, report
from wire.banner import banner, point_banner, portion_mark
from wire.bodies import ReportRelease
from wire.directory import Directory
from wire.errors import Malformed, NotAllowed, TearlineError
from wire.lattice import point, roll_up
from wire.members import EpochKey
from wire.report import Header
from wire.verify import VerifiedPortion, VerifiedReport
from wire.vocabulary import Vocabulary

__all__ = [  # with the types of `clients.opened`: what opens, and what it gives
    "Closed",
    "OpenedAttachment",
    "OpenedPortion",
    "OpenedReport",
    "consents",
    "open_report",
    "rewrap",
]

CONTENT_KEY: Final = 32


def open_report(
    verified: VerifiedReport,
    nation: str,
    keyring: EpochKeyring,
    vocabulary: Vocabulary,
    releases: Iterable[ReportRelease] = (),
    keeps: frozenset[str] = frozenset(),
) -> OpenedReport:
    """Open what can be opened with this keyring, by a client that keeps these duties of a label.

    `releases` are the originator's later consents to this nation, verified like every statement.
    Raises `NotAllowed` ("no-key", "obligation-unsupported") or `Malformed` ("undecryptable",
    "bad-content") if nothing opens.
    """
    later = {r.portion: r for r in releases if r.report == verified.identity and r.to == nation}
    opened, closed = [], []
    for portion in verified.portions:
        try:
            _check_duties(portion, nation, keeps)
            key = _content_key(verified, portion, nation, keyring, later, vocabulary)
            opened.append(_opened(verified, portion, key, vocabulary))
        except TearlineError as reason:
            closed.append(Closed(portion.index, reason))
    if not opened:
        raise closed[0].reason
    opened.sort(key=lambda p: (-vocabulary.level(p.label.classification), p.index))
    return OpenedReport._make(
        identity=verified.identity,
        id=verified.header.id,
        originator=verified.originator,
        signer=verified.header.signer,
        created=verified.header.created,
        banner=_banner(verified, opened, vocabulary),
        portions=tuple(opened),
        closed=tuple(closed),
    )


def rewrap(
    verified: VerifiedReport,
    portion: VerifiedPortion,
    nation: str,
    keyring: EpochKeyring,
    to: EpochKey,
    vocabulary: Vocabulary,
) -> bytes:
    """The portion's content key for one more nation: what an originator's consent carries.

    Raises `NotAllowed` ("not-allowed") for a key below the classification, and what opening raises.
    """
    if to.level < portion.level:
        raise NotAllowed("not-allowed", f"a key of {to.nation} below the classification")
    key = _content_key(verified, portion, nation, keyring, {}, vocabulary)
    info = report.wrap_info(to.level, to.nation, to.kid, _bound(verified, portion))
    return seal_to(to.public, key, info)


def consents(
    verified: VerifiedReport,
    nation: str,
    keyring: EpochKeyring,
    to: str,
    directory: Directory,
    *,
    now: int,
    life: int,
) -> list[dict[str, Any]]:
    """What releases every portion that opens here to one more nation, for `life` seconds.

    Raises what opening the first portion raises if none opens, `Conflict` ("stale-epoch") if the
    nation has no fresh key, and `Malformed` ("bad-input") if it has them all already.
    """
    terms, bodies, closed = directory.terms, list[dict[str, Any]](), list[TearlineError]()
    for portion in verified.portions:
        if to in portion.recipients:
            continue
        key = directory.epoch_key(to, portion.level, now)
        try:
            wrap = rewrap(verified, portion, nation, keyring, key, terms)
        except TearlineError as reason:
            closed.append(reason)
            continue
        bodies.append(
            {
                "report": verified.identity,
                "portion": portion.frame.commitment,
                "to": to,
                "level": terms.levels[key.level].token,
                "epoch": key.epoch,
                "kid": key.kid,
                "wrap": base64_strict.encode(wrap),
                "expires": now + life,
            }
        )
    if not bodies:
        raise closed[0] if closed else Malformed("bad-input", f"{to} is on its list already")
    return bodies


def _check_duties(portion: VerifiedPortion, nation: str, keeps: frozenset[str]) -> None:
    """Nothing is decrypted that this client may not show, whoever gave it the bytes."""
    if lacks := portion.label.duties(nation) - keeps:
        raise NotAllowed("obligation-unsupported", ", ".join(sorted(lacks)))


class _Wrap(NamedTuple):
    level: int
    epoch: int
    kid: str
    wrap: bytes


def _content_key(
    verified: VerifiedReport,
    portion: VerifiedPortion,
    nation: str,
    keyring: EpochKeyring,
    later: Mapping[str, ReportRelease],
    vocabulary: Vocabulary,
) -> bytes:
    """(1) (2)"""
    wrap = _own_wrap(portion, nation, later, vocabulary)
    private = keyring.key(wrap.epoch, wrap.level, wrap.kid)
    info = report.wrap_info(wrap.level, nation, wrap.kid, _bound(verified, portion))
    key = private.open(wrap.wrap, info)
    if len(key) != CONTENT_KEY:
        raise Malformed("undecryptable", "what was wrapped is no content key")
    return key


def _own_wrap(
    portion: VerifiedPortion,
    nation: str,
    later: Mapping[str, ReportRelease],
    vocabulary: Vocabulary,
) -> _Wrap:
    for i, record in enumerate(portion.frame.records):
        if record.nation == nation and i in portion.frame.wraps:
            return _Wrap(record.level, record.epoch, record.kid, portion.frame.wraps[i])
    consent = later.get(portion.frame.commitment)
    if consent is None:
        raise NotAllowed("no-key", f"this portion was not sealed to {nation}")
    wrap = base64_strict.decode(consent.wrap, "undecryptable")
    return _Wrap(vocabulary.level(consent.level), consent.epoch, consent.kid, wrap)


def _bound(verified: VerifiedReport, portion: VerifiedPortion) -> bytes:
    header, frame = verified.header, portion.frame
    return report.portion_context(header.originator, header.id, frame.index, frame.label_bytes)


def _opened(
    verified: VerifiedReport, portion: VerifiedPortion, key: bytes, vocabulary: Vocabulary
) -> OpenedPortion:
    """(3) (4)"""
    header, label = verified.header, portion.label
    context = report.payload_context(header.originator, header.id, portion.index)
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        padded = decryptor.update(portion.frame.payload) + decryptor.finalize()
    except InvalidTag as error:
        raise Malformed("undecryptable", "the payload was sealed with another key") from error
    data = padding.unpad(padded)
    ours = content.decode(data) if label.payload.media_type == content.MEDIA_TYPE else None
    return OpenedPortion._make(
        index=portion.index,
        commitment=portion.frame.commitment,
        label=label,
        mark=portion_mark(label, header.originator, vocabulary),
        banner=banner(label, header.originator, header.mission, vocabulary),
        media_type=label.payload.media_type,
        data=data,
        content=ours,
        attachments=_attachments(verified, portion, key, ours),
    )


def _attachments(
    verified: VerifiedReport, portion: VerifiedPortion, key: bytes, ours: Content | None
) -> tuple[OpenedAttachment, ...]:
    header = verified.header
    names = ours.attachments if ours else {}
    if ours and names.keys() != {a.id for a in portion.label.attachments}:
        raise Malformed("bad-content", "it names other attachments than were signed")
    return tuple(
        OpenedAttachment._make(
            id=a.id,
            name=names.get(a.id, a.id),
            media_type=a.media_type,
            sha256=a.sha256,
            len=a.len,
            _decryptor=partial(
                Cobblestone256Decryptor, key, _attachment_context(header, portion, a.id)
            ),
        )
        for a in portion.label.attachments
    )


def _attachment_context(header: Header, portion: VerifiedPortion, attachment: str) -> bytes:
    return report.attachment_context(header.originator, header.id, portion.index, attachment)


def _banner(
    verified: VerifiedReport, opened: Sequence[OpenedPortion], vocabulary: Vocabulary
) -> str:
    """One portion's own banner, or that of all of them together."""
    if len(opened) == 1:
        return opened[0].banner
    originator = verified.originator
    together = roll_up((point(p.label, vocabulary) for p in opened), originator)
    line = point_banner(together, originator, verified.header.mission, vocabulary)
    return f"EXERCISE {line}" if opened[0].label.exercise else line
