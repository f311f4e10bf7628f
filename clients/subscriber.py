"""Steps 8 and 9 from the reader's side: receive, verify everything, open, keep.

For each report that the broker releases: the journal proves the release to this nation; the
checkpoint extends every one seen before; the originator's key stood when the report was accepted;
its signature holds; the label is the one that was signed; only then it is opened. A report is
stored before it is shown and shown once, whatever breaks in between.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, BinaryIO, Final, Literal

import anyio
from pydantic import Field

from clients.open import OpenedAttachment, OpenedReport, open_report
from clients.session import Session
from clients.transport import JSON, ServerEvent, persist
from wire import base64_strict, labels, strict_json
from wire.errors import BrokerFault, Malformed, NotAllowed
from wire.evidence import Evidence
from wire.model import Strict
from wire.report import REPORT_MAX
from wire.verify import VerifiedReport, verify_delivery

RELEASE_MAX: Final = 2 * REPORT_MAX  # bytes of one release in JSON: a report in base64 and a proof
PAGE_MAX: Final = 24 * 1024 * 1024  # bytes of one page
PAGE: Final = 50  # reports of one page
PAUSES: Final = (0.5, 1, 2, 5, 10, 30)  # seconds between tries to get a broken stream back
FATAL: Final = frozenset({"unsigned-request", "fork-detected", "broken-chain", "bad-checkpoint"})


class Release(Strict):
    """A report as it is released to this nation, with the journal's proof of it."""

    report: Annotated[str, Field(max_length=RELEASE_MAX)]
    use: Literal["release", "display"]
    evidence: Evidence


class Page(Strict):
    """What `GET /v1/reports` answers."""

    releases: tuple[Release, ...]
    cursor: str
    more: bool


class Heartbeat(Strict):
    """The signed checkpoint that comes while nothing else does."""

    checkpoint: str
    time: int


class End(Strict):
    """Why a stream ended."""

    reason: str


@dataclass(frozen=True)
class ReleaseProof:
    """Where the journal proves the release: entry `index` of a signed tree of `size` entries."""

    index: int
    size: int
    root: str
    accepted: int
    accepted_time: int
    use: str


@dataclass(frozen=True)
class Received:
    """An opened report together with the proof that it was released to this nation."""

    report: OpenedReport
    proof: ReleaseProof
    raw: bytes = field(repr=False)
    """The sealed bytes as delivered: what a `.tlr` file holds."""

    @property
    def identity(self) -> str:
        """SHA-256 of the report's signed head, hex."""
        return self.report.identity

    @property
    def originator(self) -> str:
        """The nation that says it."""
        return self.report.originator

    @property
    def banner(self) -> str:
        """The marking of all its opened portions together."""
        return self.report.banner

    @property
    def title(self) -> str:
        """The title of the most highly classified portion."""
        return self.report.title

    @property
    def body(self) -> str:
        """The text of the most highly classified portion."""
        return self.report.body

    @property
    def precedence(self) -> labels.Precedence:
        """The most urgent precedence of its portions."""
        urgent = min(labels.PRECEDENCES.index(p.label.precedence) for p in self.report.portions)
        return labels.PRECEDENCES[urgent]


class Subscriber(Session):
    """An analyst's way to the reports that matter.

    async with Subscriber(identity) as subscriber:
        async for report in subscriber.watch(regions={"014"}, threats={"explosive"}):
            print(report.banner, report.title)
    """

    async def watch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        purpose: str | None = None,
        name: str | None = None,
    ) -> AsyncIterator[Received]:
        """Every matching report, from the first that this member may have, then live.

        The subscription is durable: the next `watch` with the same words (or `name`) goes on
        where this one stopped. A broken link is tried again for ever; what fails to verify
        raises, and so does the end of this member's own right to listen.
        """
        body = Wanted.of(regions, threats, precedence, purpose).encode()
        name = name or "w-" + hashlib.sha256(body).hexdigest()[:16]
        await self.follower.sync()
        await self.transport.send("PUT", f"/v1/subscriptions/{name}", body, JSON)
        failures = 0
        while True:
            try:
                async for event in self._events(name):
                    failures = 0
                    if event.kind == "report":
                        report = await self._received(_release(event.data))
                        if report is not None:
                            yield report
                    self._keep_cursor(name, event)
                    _check_end(event)
            except (BrokerFault, NotAllowed) as error:
                if error.slug in FATAL or isinstance(error, NotAllowed):
                    raise
            await anyio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def fetch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        again: bool = False,
    ) -> AsyncIterator[Received]:
        """Every matching report that this member may have now and has not been shown yet.

        `again` gives also what was shown before. FLASH comes first within a page.
        """
        await self.follower.sync()
        wanted = Wanted.of(regions, threats, precedence)
        cursor: str | None = None
        more = True
        while more:
            answer = await self.transport.get(
                "/v1/reports",
                region=list(wanted.regions),
                threat=list(wanted.threats),
                precedence=list(wanted.precedence),
                after=cursor,
                limit=PAGE,
            )
            page = strict_json.load(answer.body, Page, limit=PAGE_MAX, prose=True)
            opened = [await self._received(r, again=again) for r in page.releases]
            for report in sorted(filter(None, opened), key=_urgency):
                yield report
            cursor, more = page.cursor, page.more

    async def fetch_one(self, identity: str) -> Received:
        """One report by its identity. Raises `NotAllowed` ("not-found") for whatever reason."""
        await self.follower.sync()
        answer = await self.transport.get(f"/v1/reports/{identity}")
        release = strict_json.load(answer.body, Release, limit=RELEASE_MAX, prose=True)
        report = await self._received(release, again=True)
        assert report is not None
        return report

    async def attachment(
        self, report: Received, attachment: OpenedAttachment, into: BinaryIO
    ) -> int:
        """Fetch an attachment, decrypt it into an empty file nobody reads yet; gives its length.

        Resumes where the link breaks. Raises `Malformed` ("undecryptable") and leaves `into`
        empty unless everything is right to the last byte.
        """
        path = f"/v1/attachments/{report.identity}/{attachment.id}"
        with tempfile.TemporaryFile() as ciphertext:
            while (at := ciphertext.tell()) < attachment.len:
                answer = await persist(partial(self.transport.download, path, at))
                if not answer.body:
                    raise BrokerFault("unreachable", "an empty piece of an attachment")
                ciphertext.write(answer.body)
            ciphertext.seek(0)
            return attachment.decrypt(ciphertext, into)

    # -- one release

    async def _received(self, release: Release, *, again: bool = False) -> Received | None:
        """Verify, store, open; None if it was shown before."""
        verified, proof = await self._verified(release)
        shown = [f"shown:{verified.identity}:{p.index}" for p in verified.portions]
        if not again and all(name in self.store for name in shown):
            return None
        keyring = self.follower.keyring()
        report = open_report(verified, self.identity.nation, keyring, self.directory.terms)
        raw = base64_strict.decode(release.report)
        if release.use == "release":  # what may only be displayed leaves no copy behind
            self.store.put(f"report:{verified.identity}", raw)
        for name in shown:
            self.store.put(name, b"")
        return Received(report, proof, raw)

    async def _verified(self, release: Release) -> tuple[VerifiedReport, ReleaseProof]:
        entry = await self.proven(release.evidence, "release", self.identity.nation)
        view = entry.view or {}
        accepted, time = view.get("accepted"), view.get("accepted_time")
        if not isinstance(accepted, int) or not isinstance(time, int) or accepted > entry.index:
            raise Malformed("bad-proof", "the release does not say when the report was accepted")
        directory = await self.follower.sync(at_least=accepted)
        raw = base64_strict.decode(release.report)
        verified = verify_delivery(raw, directory, accepted, time, self.identity.nation)
        proven = view.get("portions")
        delivered = {p.index for p in verified.portions}
        if view.get("report") != verified.identity or not isinstance(proven, list):
            raise Malformed("bad-proof", "the release is of another report")
        if not delivered <= set(proven):
            raise Malformed("bad-proof", "more was sent than the journal says was released")
        if view.get("use") != release.use:
            raise Malformed("bad-proof", "released for another use than it was sent for")
        tree = entry.checkpoint.checkpoint
        proof = ReleaseProof(entry.index, tree.size, tree.root.hex(), accepted, time, release.use)
        return verified, proof

    # -- the stream

    async def _events(self, name: str) -> AsyncIterator[ServerEvent]:
        kept = self.store.get(f"cursor:{name}")
        path = f"/v1/subscriptions/{name}/stream"
        async for event in self.transport.events(path, kept.decode() if kept else None):
            if event.kind == "heartbeat":
                beat = strict_json.load(event.data, Heartbeat, prose=True)
                await self.follower.observe(beat.checkpoint)
            yield event

    def _keep_cursor(self, name: str, event: ServerEvent) -> None:
        if event.id:
            self.store.put(f"cursor:{name}", event.id.encode())


def _release(data: bytes) -> Release:
    return strict_json.load(data, Release, limit=RELEASE_MAX, prose=True)


def _check_end(event: ServerEvent) -> None:
    """Raise what ended the stream, if it did and it was not a passing thing."""
    if event.kind != "end":
        return
    reason = strict_json.load(event.data, End).reason
    if reason in {"stopping", "busy", "too-slow"}:
        raise BrokerFault(reason)
    raise NotAllowed(reason if reason in {"not-allowed", "unknown-signer"} else "not-allowed")


class Wanted(Strict):
    """What a subscription asks for; empty means any."""

    regions: tuple[str, ...]
    threats: tuple[str, ...]
    precedence: tuple[str, ...]
    purpose: str | None

    @classmethod
    def of(
        cls,
        regions: Iterable[str],
        threats: Iterable[str],
        precedence: Iterable[str],
        purpose: str | None = None,
    ) -> "Wanted":
        """From an analyst's words."""
        return cls(
            regions=tuple(sorted(set(regions))),
            threats=tuple(sorted(set(threats))),
            precedence=tuple(sorted(set(precedence))),
            purpose=purpose,
        )

    def encode(self) -> bytes:
        """Its JSON."""
        return strict_json.dump(self.model_dump(mode="json"))


def _urgency(received: Received) -> int:
    return labels.PRECEDENCES.index(received.precedence)
