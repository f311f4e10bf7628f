"""Step 4, verify: from bytes to a report that may be believed.

The broker verifies a submission, a reader verifies a delivery; both take these steps in this
order, and neither trusts the other.

    (1) bounds and layout        (4) commitments               (7) wraps
    (2) the signer, valid here   (5) labels, strictly          (8) payload, attachments
    (3) the signature over head  (6) recipients = the label's  (9) protected sources
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from wire import composite, labels, strict_json
from wire.directory import Directory
from wire.errors import Conflict, Malformed, NotAllowed
from wire.labels import Label
from wire.made import OnlyByMaker
from wire.members import Member
from wire.report import (
    PORTIONS,
    Frame,
    Header,
    PortionFrame,
    PortionLabel,
    Protected,
    parse,
    protected_commitment,
)

CREATED_AHEAD: Final = 300  # seconds an originator's clock may run ahead of the journal's


@dataclass(frozen=True)
class VerifiedPortion(metaclass=OnlyByMaker):
    """A portion whose label, recipients, wraps and payload are what its originator signed."""

    frame: PortionFrame
    label: PortionLabel
    level: int
    protected: Protected | None
    """What it draws on and its readers are not told: in a submission and nowhere else."""

    @cached_property
    def whole(self) -> Label:
        """The label of a submitted portion with everything that it draws on."""
        assert self.protected is not None, "a delivery does not say it"
        return self.label.whole(self.protected)

    @property
    def index(self) -> int:
        """Its place among the report's commitments."""
        return self.frame.index

    @property
    def recipients(self) -> frozenset[str]:
        """The nations that hold a key to it."""
        return frozenset(r.nation for r in self.frame.records)


@dataclass(frozen=True)
class VerifiedReport(metaclass=OnlyByMaker):
    """A report whose originator is known and whose bytes are what it signed."""

    frame: Frame
    header: Header
    signer: Member
    portions: tuple[VerifiedPortion, ...]

    @property
    def identity(self) -> str:
        """SHA-256 of the signed head, hex."""
        return self.frame.identity

    @property
    def originator(self) -> str:
        """The nation that says it."""
        return self.header.originator


@dataclass(frozen=True)
class Claim(metaclass=OnlyByMaker):
    """What a report says of itself, and the one who is to have signed it: nothing is proven yet."""

    frame: Frame
    header: Header
    signer: Member

    def check(self) -> None:
        """Step 3. Raises `Malformed` ("bad-signature")."""
        self.signer.verify_key.verify(self.frame.signature, self.frame.head, composite.REPORT)

    def check_commitments(self) -> None:
        """Step 4: every portion is one that was signed. Raises `Malformed` ("bad-envelope")."""
        for portion in self.frame.portions:
            signed = self.header.portions[portion.index : portion.index + 1]
            if signed != (portion.commitment,):
                raise Malformed("bad-envelope", "a portion is not the one that was signed")


def verify_submission(raw: bytes, directory: Directory, position: int, time: int) -> VerifiedReport:
    """Verify what a partner system posts: every portion, with every wrap, under today's terms.

    `position` is where the report will stand in the journal, `time` is now, in seconds.
    Raises `Malformed`, `NotAllowed` or `Conflict` with the slug of the first step that failed.
    """
    claim = read_claim(raw, directory, position, time)
    claim.check()
    return check_submission(claim, directory, time)


def read_claim(raw: bytes, directory: Directory, position: int, time: int) -> Claim:
    """Steps 1 and 2, for who checks signatures elsewhere. Raises like `verify_submission`."""
    frame = parse(raw)  # (1)
    header = strict_json.load(frame.header_bytes, Header)
    if header.mission != directory.mission or len(header.portions) not in PORTIONS:
        raise Malformed("bad-envelope", "another mission's report, or a wrong number of portions")
    if len(set(header.portions)) != len(header.portions):
        raise Malformed("bad-envelope", "a commitment stands twice")
    signer = _signer(header, directory, position, time)  # (2)
    return Claim._make(frame=frame, header=header, signer=signer)


def check_submission(claim: Claim, directory: Directory, time: int) -> VerifiedReport:
    """Steps 4 to 8 of a submission whose signature was checked. Raises like `verify_submission`."""
    report = _verified(claim, directory)
    if report.header.created > time + CREATED_AHEAD:
        raise Malformed("bad-envelope", "it was created in the future")
    salts = set[str]()
    for portion in report.portions:
        if len(portion.frame.wraps) != len(portion.frame.records):
            raise Malformed("label-recipients", "a recipient has no key wrap")
        if portion.protected is None:
            raise Malformed("label-lineage", "a portion does not say what it draws on")
        if portion.protected.salt in salts:  # equal commitments would tell of equal sources
            raise Malformed("label-lineage", "a salt of protected sources stands twice")
        salts.add(portion.protected.salt)
        labels.check(portion.whole, report.originator, directory.terms)
        labels.check_in_force(portion.label, time)
        for nation in sorted(portion.recipients):
            if directory.nations[nation].expelled is not None:
                raise Malformed("label-release-to", f"{nation} was expelled")
    return report


def check_fresh(report: VerifiedReport, directory: Directory, now: int) -> None:
    """Check that every wrap is for its nation's current key.

    Raises `Conflict` ("stale-epoch"): fetch the newest keys and seal again.
    """
    for portion in report.portions:
        for record in portion.frame.records:
            key = directory.epoch_key(record.nation, record.level, now)
            if (record.epoch, record.kid) != (key.epoch, key.kid):
                raise Conflict("stale-epoch", f"{record.nation} has opened epoch {key.epoch}")


def verify_delivery(
    raw: bytes, directory: Directory, position: int, time: int, nation: str
) -> VerifiedReport:
    """Verify what the broker delivers to a reader of `nation`: some portions, only its wraps.

    `position` and `time` are those at which the journal proves the report was accepted.
    Raises `Malformed`, `NotAllowed` or `Conflict` with the slug of the first step that failed.
    """
    claim = read_claim(raw, directory, position, time)
    claim.check()
    report = _verified(claim, directory)
    for portion in report.portions:
        records, wraps = portion.frame.records, portion.frame.wraps
        if any(records[i].nation != nation for i in wraps):
            raise Malformed("label-recipients", "a wrap for another nation was delivered")
        if nation in portion.recipients and not wraps:
            raise Malformed("label-recipients", "the nation's own wrap is missing")
        if portion.protected is not None:
            raise Malformed("label-lineage", "protected sources were delivered")
    return report


def _verified(claim: Claim, directory: Directory) -> VerifiedReport:
    frame, header, signer = claim.frame, claim.header, claim.signer
    exercise = directory.founded.exercise
    claim.check_commitments()  # (4)
    portions = [
        _portion(portion, header.originator, directory, exercise=exercise)
        for portion in frame.portions
    ]
    attachments = [a.id for p in portions for a in p.label.attachments]
    if len(set(attachments)) != len(attachments):  # one name, one ciphertext in a report
        raise Malformed("bad-envelope", "an attachment stands twice")
    return VerifiedReport._make(frame=frame, header=header, signer=signer, portions=tuple(portions))


def _signer(header: Header, directory: Directory, position: int, time: int) -> Member:
    """The signer; an unknown one is the sender's fault, whatever the reason."""
    try:
        return directory.signer(header.signer, header.originator, position, time)
    except NotAllowed as error:
        raise Malformed("unknown-signer") from error


def _portion(
    frame: PortionFrame, originator: str, directory: Directory, *, exercise: bool
) -> VerifiedPortion:
    label = strict_json.load(frame.label_bytes, PortionLabel)  # (5)
    level = directory.terms.level(label.classification)
    if label.exercise != exercise:
        raise Malformed("label-exercise")
    recipients = [r.nation for r in frame.records]  # (6) ascending, each once: see the layout
    if recipients != sorted({*label.release_to, *label.display_to, originator}):
        raise Malformed("label-recipients")
    if any(r.level < level for r in frame.records):
        raise Malformed("label-recipients", "a key below the classification")
    for i, wrap in frame.wraps.items():  # (7)
        if hashlib.sha256(wrap).digest() != frame.records[i].wrap_sha256:
            raise Malformed("bad-envelope", "a wrap is not the one that was signed")
    sealed = label.payload  # (8)
    if len(frame.payload) != sealed.len or _sha256(frame.payload) != sealed.sha256:
        raise Malformed("bad-envelope", "the payload is not the one that was signed")
    protected = _protected(frame.protected, label) if frame.protected else None  # (9)
    return VerifiedPortion._make(frame=frame, label=label, level=level, protected=protected)


def _protected(raw: bytes, label: PortionLabel) -> Protected:
    if protected_commitment(raw) != label.protected:
        raise Malformed("bad-envelope", "other protected sources than were signed")
    return strict_json.load(raw, Protected)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
