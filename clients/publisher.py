"""Step 2, submit: seal a draft, post it, and hold the proof that the journal has it."""

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from clients import sent
from clients.draft import Draft
from clients.explained import EXPLANATION_MAX, Preview
from clients.lineage import Given, KnownSource, Lineage
from clients.receiving import Receiving
from clients.seal import SealedReport, fixed_labels, seal
from clients.transport import JSON, REPORT
from wire import strict_json
from wire.bodies import ReportRelease
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed, TearlineError
from wire.evidence import MAX_EVIDENCE_BYTES, Evidence
from wire.labels import Source
from wire.model import Hex32B, NationCode, Strict
from wire.report import parse

CHUNK: Final = 1024 * 1024  # bytes of an attachment sent at once: little to lose on a bad link
UNSENT: Final = (
    "not all of its attachments arrived; publish it anew with --supersedes, and recall this one"
)
FRESH: Final = 5.0  # seconds a followed directory may be old when a report is sealed: the broker
# refuses keys that are not current, and then it is followed and sealed anew

Progress = Callable[[str, int, int], None]
"""Called with (attachment name, bytes sent, bytes in all)."""

Told = Callable[["Receipt"], Awaitable[None]]
"""Called once the report stands, before its attachments are sent."""


class Accepted(Strict):
    """What `POST /v1/reports` answers."""

    report: Hex32B
    index: int
    duplicate: bool
    evidence: Evidence


class PortionAccepted(Strict):
    """What the journal says of an accepted portion: its label's digest, and who may have it."""

    index: int
    label: Hex32B
    nations: dict[NationCode, Literal["REFER", "RELEASE"]]


class PortionsAccepted(Strict):
    """The same for all portions of a report."""

    portions: tuple[PortionAccepted, ...]


class Offset(Strict):
    """What the attachment endpoint answers."""

    received: Annotated[int, Field(ge=0)]
    complete: bool


@dataclass(frozen=True)
class Receipt:
    """Proof that the journal holds the report: entry `index` of a tree of `size` entries.

    `portions` are the outcomes for each nation, portion by portion in the order of the draft. `raw`
    is the report without what it says of protected sources: it may be kept and handed on.
    """

    report: str
    index: int
    size: int
    duplicate: bool
    portions: tuple[Mapping[str, str], ...]
    evidence: Evidence
    raw: bytes = field(repr=False)

    @property
    def recipients(self) -> dict[str, str]:
        """Nation -> the least that was decided for it over the portions it is named in."""
        found: dict[str, str] = {}
        for nations in self.portions:
            for nation, outcome in nations.items():
                found[nation] = min(found.get(nation, outcome), outcome)  # REFER before RELEASE
        return found


class NotUploaded(TearlineError):  # noqa: N818 - as in `wire.errors`
    """An attachment did not arrive. The report itself stands, and `receipt` proves it."""

    def __init__(self, receipt: Receipt, why: TearlineError) -> None:
        said = f"report {receipt.report[:16]} stands, but {UNSENT}"
        super().__init__(why.slug, f"{said}: {why.detail}" if why.detail else said)
        self.receipt = receipt


class Publisher(Receiving):
    """A partner system's way to share: preview, publish, receipt.

    async with Publisher(identity) as publisher:
        receipt = await publisher.publish(draft)
    """

    async def preview(self, draft: Draft) -> Preview:
        """What the policies of today would do with the draft; nothing is sent but its labels."""
        directory = await self.follower.sync()
        fixed = fixed_labels(draft, self.identity.nation, directory, self.transport.now())
        labels = [label.model_dump(mode="json") for label in fixed]
        body = strict_json.dump({"labels": labels}, limit=EXPLANATION_MAX)
        answer = await self.transport.send("POST", "/v1/preview", body, JSON)
        return strict_json.load(answer.body, Preview, limit=EXPLANATION_MAX, prose=True)

    async def publish(
        self, draft: Draft, progress: Progress | None = None, told: Told | None = None
    ) -> Receipt:
        """Seal, post, prove, and upload the attachments; `told` has the receipt before these.

        Raises `NotAllowed` ("withheld", with the explanation) if a policy refuses, `Conflict` if
        keys are stale even after fetching them anew, `BrokerFault` if the link does not hold, and
        `NotUploaded`, with the receipt, if only the attachments did not all arrive.
        Calling it again after a fault makes a new report; to repeat the same one, keep the
        sealed report and call `submit`.
        """
        try:
            return await self._publish(draft, progress, told)
        except Conflict as error:
            if error.slug != "stale-epoch":
                raise
        await self.follower.sync()
        return await self._publish(draft, progress, told)

    async def _publish(self, draft: Draft, progress: Progress | None, told: Told | None) -> Receipt:
        sealed = await self.seal(draft)
        try:
            receipt = await self.submit(sealed)
            if told is not None:
                await told(receipt)
            try:
                await self.upload(sealed, progress)
            except TearlineError as why:
                raise NotUploaded(receipt, why) from why
        finally:
            for attachment in sealed.attachments:
                attachment.ciphertext.close()
        return receipt

    async def seal(self, draft: Draft) -> SealedReport:
        """The sealed report, to the newest keys of every nation named.

        The ciphertexts of its attachments are open files, and the caller's to close.
        """
        self.identity.check_signs()
        directory = await self.follower.sync(within=FRESH)
        lineage = await self._lineage(draft)
        return seal(
            draft,
            self.identity.keys,
            directory,
            now=self.transport.now(),
            random=self.random,
            spool=tempfile.TemporaryFile,
            lineage=lineage,
        )

    async def _lineage(self, draft: Draft) -> Lineage:
        """The sources that a draft names, fetched and verified, and the consents, proven.

        What is not there is left out; sealing says so.
        """
        named = [portion.label for portion in draft.all_portions]
        wanted = {identity for label in named for identity in label.consents}
        sources: dict[Source, KnownSource] = {}
        drawn_on = {s for label in named for s in (*label.derived_from, *label.cites)}
        for report in sorted({source.report for source in drawn_on}):
            try:
                verified = await self._own_or_got(report)
            except NotAllowed as error:
                if error.slug != "not-found":
                    raise
                continue
            for portion in verified.portions:
                source = Source(report=report, portion=portion.frame.commitment)
                sources[source] = KnownSource(verified.originator, portion.label)
        if wanted:
            await self.follower.sync()  # a consent may be a moment old
        said = self.follower.said("report.release") if wanted else ()
        consents = {
            statement.identity: Given(statement.head.nation, statement.body(ReportRelease))
            for _, _, statement in said
            if statement.identity in wanted and statement.body_bytes is not None
        }
        return Lineage(sources, consents)

    async def submit(self, sealed: SealedReport) -> Receipt:
        """Post sealed bytes and check the proof; the same bytes give the same receipt again."""
        answer = await self.transport.send("POST", "/v1/reports", sealed.raw, REPORT)
        accepted = strict_json.load(answer.body, Accepted, limit=MAX_EVIDENCE_BYTES, prose=True)
        entry = await self.proven(accepted.evidence, "report.accepted", self.identity.nation)
        if entry.view is None:
            detail = "it was accepted, and your nation had erased what the journal says of it"
            raise Malformed("bad-proof", detail)
        view = entry.view
        if view.get("report") != sealed.identity or accepted.report != sealed.identity:
            raise Malformed("bad-proof", "the receipt is for another report")
        sent.note(self.store, self.follower.log, entry.index, sealed.identity)
        return Receipt(
            report=sealed.identity,
            index=entry.index,
            size=entry.checkpoint.checkpoint.size,
            duplicate=accepted.duplicate,
            portions=_outcomes(view, sealed.places),
            evidence=accepted.evidence,
            raw=parse(sealed.raw).shared(),
        )

    async def upload(self, sealed: SealedReport, progress: Progress | None = None) -> None:
        """Send what the broker does not have yet of each attachment; resumes after any break."""
        for attachment in sealed.attachments:
            path = f"/v1/attachments/{sealed.identity}/{attachment.id}"
            total = attachment.len
            stored = await self._put(path, b"", f"bytes */{total}")
            while not stored.complete:
                at = stored.received
                if at >= total:
                    raise BrokerFault("unreachable", "the upload of an attachment does not end")
                attachment.ciphertext.seek(at)
                chunk = attachment.ciphertext.read(min(CHUNK, total - at))
                last = at + len(chunk) - 1
                stored = await self._put(path, chunk, f"bytes {at}-{last}/{total}")
                if stored.received <= at:
                    raise BrokerFault("unreachable", "the upload of an attachment does not advance")
                if progress:
                    progress(attachment.name, stored.received, total)

    async def _put(self, path: str, chunk: bytes, span: str) -> Offset:
        """Send a piece; one that arrived though its answer did not is not sent again."""
        try:
            return await self._sent(path, chunk, span)
        except TearlineError as error:
            if error.slug != "bad-range":
                raise
            return await self._sent(path, b"", f"bytes */{span.rpartition('/')[2]}")

    async def _sent(self, path: str, chunk: bytes, span: str) -> Offset:
        media = "application/octet-stream"
        answer = await self.transport.send("PUT", path, chunk, media, {"content-range": span})
        return strict_json.load(answer.body, Offset)


def _outcomes(view: Mapping[str, Any], places: tuple[int, ...]) -> tuple[Mapping[str, str], ...]:
    """Nation -> outcome, for the portion at each of these places.

    Raises `Malformed` ("bad-proof") if the journal took in other portions than were sent.
    """
    portions = strict_json.dump({"portions": view.get("portions")})
    try:
        said = strict_json.load(portions, PortionsAccepted)
    except Malformed as error:
        raise Malformed(
            "bad-proof", "the receipt does not say who may have which portion"
        ) from error
    found = {portion.index: portion.nations for portion in said.portions}
    if found.keys() != set(places):
        raise Malformed("bad-proof", "the receipt is for other portions than were sent")
    return tuple(found[place] for place in places)
