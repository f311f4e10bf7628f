"""Step 1, seal: from a draft to the bytes of a sealed report, format TLR1.

    (1) the author and the labels, fixed and checked    (5) the content key, wrapped per nation
    (2) every recipient's fresh key, or no report       (6) commitments, placed among decoys
    (3) a place for each portion, drawn at random       (7) the signature, last
    (4) attachments and payload, padded and encrypted   (8) protected sources, committed to

Everything comes in as an argument: the keys, the directory, the time, random bytes. One content key
per portion opens its payload and its attachments, each in a context of its own.
"""

import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from cryptography.cobblestone import Cobblestone256Encryptor

from clients import padding
from clients.draft import AttachmentFile, Draft, Portion
from clients.keys import Random, seal_to
from clients.lineage import NONE, Lineage, check_derived
from clients.member_keys import MemberKeys
from wire import composite, report, strict_json
from wire.directory import Directory
from wire.errors import Conflict, Malformed, TearlineError, quoted
from wire.labels import Label, Source
from wire.members import EpochKey
from wire.report import Header, PortionLabel, Record

CONTENT_KEY: Final = 32
SALT: Final = 16
PROTECTED_SALT: Final = 32
REPORT_ID: Final = 16
COMMITMENT: Final = 32
SIZES: Final = tuple(size for size in report.PORTIONS if size > 1)
FRAME: Final = 56  # Cobblestone: salt and commitment before the first chunk
SEGMENT: Final = 16_384  # Cobblestone: plaintext bytes of one chunk, which gets a tag of 16


@dataclass(frozen=True)
class SealedAttachment:
    """The ciphertext of an attachment, to be uploaded once the report is accepted."""

    id: str
    portion: int
    name: str
    sha256: str
    len: int
    ciphertext: BinaryIO = field(repr=False)


@dataclass(frozen=True)
class SealedReport:
    """A report as it travels, and what is to be uploaded beside it.

    `places` are the indices at which the draft's portions stand in it, in the order of the draft.
    """

    raw: bytes = field(repr=False)
    identity: str
    id: str
    labels: tuple[Label, ...]
    places: tuple[int, ...]
    attachments: tuple[SealedAttachment, ...]


def seal(  # long: the numbered steps, in the order in which they must stand
    draft: Draft,
    keys: MemberKeys,
    directory: Directory,
    *,
    now: int,
    random: Random,
    spool: Callable[[], BinaryIO] = io.BytesIO,
    lineage: Lineage = NONE,
) -> SealedReport:
    """Seal a draft in the name of the member that holds `keys`.

    `spool` gives an empty file for each attachment's ciphertext: memory, unless told otherwise.
    `lineage` has the sources and consents that the draft names, as this client has proven them.
    Raises `NotAllowed` ("unknown-signer") if the member may not sign, `Conflict` ("stale-epoch")
    naming every nation that has no fresh key, `NotAllowed` ("third-party-rule") naming a source
    that may not go so far, `Malformed` for a draft that cannot be sent.
    """
    kid = keys.kid
    author = directory.member(kid, directory.position + 1, now)
    author = directory.signer(kid, author.nation, directory.position + 1, now)
    labels = fixed_labels(draft, author.nation, directory, now)  # (1)
    for label in labels:
        check_derived(label, author.nation, lineage, directory.terms, now)
    recipients = [_recipients(label, directory, now) for label in labels]  # (2)
    places = _places(len(labels), random)  # (3)
    sealing = _Sealing(author.nation, random(REPORT_ID).hex(), random, spool)
    portions = {
        place: sealing.portion(place, portion, label, nations)
        for place, portion, label, nations in zip(
            places.real, draft.all_portions, labels, recipients, strict=True
        )
    }
    commitments = tuple(  # (6)
        report.commitment(portions[i].descriptor) if i in portions else random(COMMITMENT).hex()
        for i in range(places.size)
    )
    header = Header(
        v=1,
        mission=directory.mission,
        id=sealing.report_id,
        originator=author.nation,
        signer=kid,
        created=now,
        portions=commitments,
    )
    head = report.encode_head(strict_json.dump(header.model_dump(mode="json")))
    signature = report.signature_block(keys.sign.sign(head, composite.REPORT))  # (7)
    raw = b"".join((head, signature, *(portions[i].encoded for i in sorted(portions))))
    if len(raw) > report.REPORT_MAX:
        raise Malformed("too-large", f"a report has at most {report.REPORT_MAX} bytes")
    identity, uploads = hashlib.sha256(head).hexdigest(), tuple(sealing.attachments)
    return SealedReport(raw, identity, sealing.report_id, labels, tuple(places.real), uploads)


def fixed_labels(
    draft: Draft, originator: str, directory: Directory, now: int
) -> tuple[Label, ...]:
    """The labels of a draft's portions as they will be signed. Raises what `Label.fixed` does."""
    if len(draft.all_portions) > report.PORTIONS[-1]:
        raise Malformed("bad-input", f"a report has at most {report.PORTIONS[-1]} portions")
    exercise = directory.founded.exercise
    return tuple(
        portion.label.fixed(originator, now, directory.terms, exercise)
        for portion in draft.all_portions
    )


def _recipients(label: Label, directory: Directory, now: int) -> list[EpochKey]:
    """The fresh key of every recipient. Nobody is skipped: one that has none fails the seal."""
    level = directory.terms.level(label.classification)
    found, missing = [], []
    for nation in sorted(label.recipients):
        try:
            found.append(directory.epoch_key(nation, level, now))
        except TearlineError as error:
            missing.append(f"{nation} ({error.detail})")
    if missing:
        raise Conflict("stale-epoch", f"not sealed, for want of keys: {'; '.join(missing)}")
    return found


@dataclass(frozen=True)
class _Places:
    size: int
    real: Sequence[int]


def _places(count: int, random: Random) -> _Places:
    """How many commitments there are, and which of them are real.

    Both are drawn: a reader who is shown some portions learns how many others there may be, never
    how many there are. One commitment alone would say that nothing is hidden.
    """
    fitting = [size for size in SIZES if size >= count]
    size = fitting[_below(len(fitting), random)]
    free = list(range(size))
    return _Places(size, [free.pop(_below(len(free), random)) for _ in range(count)])


def _below(limit: int, random: Random) -> int:
    """A number below `limit`; from 64 bits, so that no number is noticeably likelier."""
    return int.from_bytes(random(8), "big") % limit


@dataclass(frozen=True)
class _SealedPortion:
    descriptor: bytes
    encoded: bytes


class _Sealing:
    """One report being sealed."""

    def __init__(
        self, originator: str, report_id: str, random: Random, spool: Callable[[], BinaryIO]
    ) -> None:
        self.originator, self.report_id = originator, report_id
        self.attachments: list[SealedAttachment] = []
        self._random, self._spool = random, spool

    def portion(
        self, index: int, portion: Portion, label: Label, nations: Sequence[EpochKey]
    ) -> _SealedPortion:
        """The bytes of one portion (4) (5)."""
        content_key = self._random(CONTENT_KEY)
        names = {self._random(SALT).hex(): file.name for file in portion.attachments}
        files = [
            self._attachment(index, i, file, content_key)
            for i, file in zip(names, portion.attachments, strict=True)
        ]
        context = report.payload_context(self.originator, self.report_id, index)
        payload = _encrypted(portion.payload(names), content_key, context)
        shown, protected = self._protected(label, portion.label.cites)
        full = _portion_label(
            {
                **label.model_dump(mode="json", exclude_none=True),
                **shown,
                "salt": self._random(SALT).hex(),
                "protected": report.protected_commitment(protected),
                "payload": _sealed(payload, portion.media_type),
                "attachments": files,
            }
        )
        bound = report.portion_context(self.originator, self.report_id, index, full)
        wraps, records = {}, []
        for i, key in enumerate(nations):
            info = report.wrap_info(key.level, key.nation, key.kid, bound)
            wraps[i] = seal_to(key.public, content_key, info)
            digest = hashlib.sha256(wraps[i]).digest()
            records.append(Record(key.nation, key.level, key.epoch, key.kid, digest))
        descriptor = report.encode_descriptor(full, records)
        encoded = report.encode_portion(index, descriptor, protected, wraps, payload)
        return _SealedPortion(descriptor, encoded)

    def _protected(
        self, label: Label, cites: Collection[Source]
    ) -> tuple[Mapping[str, object], bytes]:
        """What the label shows of that on which it draws, and the JSON of all the rest (8)."""
        lineage = label.model_dump(mode="json", include={"derived_from", "consents"})
        cited = [source.model_dump() for source in label.derived_from if source in cites]
        rest = [source for source in lineage["derived_from"] if source not in cited]
        salt = self._random(PROTECTED_SALT).hex()
        protected = {"salt": salt, "derived_from": rest, "consents": lineage["consents"]}
        return {"derived_from": cited, "consents": []}, strict_json.dump(protected)

    def _attachment(
        self, index: int, i: str, file: AttachmentFile, key: bytes
    ) -> dict[str, object]:
        context = report.attachment_context(self.originator, self.report_id, index, i)
        into = self._spool()
        digest, length = encrypt_attachment(file, key, context, into)
        into.seek(0)
        self.attachments.append(SealedAttachment(i, index, file.name, digest, length, into))
        return {"id": i, "sha256": digest, "len": length, "media_type": file.media_type}


def encrypt_attachment(
    file: AttachmentFile, key: bytes, context: bytes, into: BinaryIO
) -> tuple[str, int]:
    """Encrypt a file, a piece at a time; gives the ciphertext's SHA-256 (hex) and length.

    Raises `Malformed` ("too-large"), or "bad-input" if the file changes while it is read.
    """
    if sealed_size(file.size) > report.ATTACHMENT_MAX:
        raise Malformed("too-large", f"sealed, {quoted(file.name)} is over {report.ATTACHMENT_MAX}")
    encryptor, digest = Cobblestone256Encryptor(key, context), hashlib.sha256()
    with file.open() as plaintext:
        for piece in padding.padded_pieces(plaintext, file.size):
            ciphertext = encryptor.update(piece)
            digest.update(ciphertext)
            into.write(ciphertext)
    last = encryptor.finalize()
    digest.update(last)
    into.write(last)
    return digest.hexdigest(), sealed_size(file.size)


def sealed_size(length: int) -> int:
    """How long `length` bytes are once padded and encrypted."""
    padded = padding.padded_size(length)
    return FRAME + padded + 16 * (padded // SEGMENT + 1)


def _encrypted(plaintext: bytes, key: bytes, context: bytes) -> bytes:
    if sealed_size(len(plaintext)) > report.PAYLOAD_MAX:
        raise Malformed("too-large", "a portion this long travels as an attachment")
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(padding.pad(plaintext)) + encryptor.finalize()


def _sealed(ciphertext: bytes, media_type: str) -> dict[str, object]:
    digest = hashlib.sha256(ciphertext).hexdigest()
    return {"sha256": digest, "len": len(ciphertext), "media_type": media_type}


def _portion_label(fields: dict[str, object]) -> bytes:
    """The label JSON; what we would refuse from others we do not send."""
    raw = strict_json.dump(fields)
    strict_json.load(raw, PortionLabel)
    return raw
