"""An analyst's client: what is there, what comes, each of it once.

What `clients.receiving` verified and opened is stored before it is shown, and shown once, however
often the link breaks.
"""

import hashlib
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import BinaryIO, Final

import anyio

from clients import amended
from clients.delivery import End, Heartbeat, Page, Recall, Release, Unsupported, Wanted
from clients.follower import Recalled
from clients.identity import Identity
from clients.officer import Officer
from clients.open import OpenedAttachment
from clients.received import Notable, Notice, Unopened, unnoticed
from clients.received import Received as Received
from clients.receiving import ANSWERED, Receiving
from clients.shown import Place, Shown
from clients.terms import check_terms
from clients.transport import JSON, PASSING, ServerEvent
from wire import base64_strict, labels, report, statements
from wire.bodies import RecallConfirm
from wire.errors import BrokerFault, Malformed, NotAllowed, TearlineError

PAGE: Final = 50  # reports of one page
PAUSES: Final = (0.5, 1, 2, 5, 10, 30)  # seconds between tries to get a broken stream back
ANYWHERE: Final = "anywhere"  # the list of what was shown by any subscription, or by `fetch`
VERIFIED: Final = 512  # deliveries whose verification is remembered, for other subscriptions
VERIFIED_MAX: Final = 64 * 1024  # bytes of a delivery that is


class Subscriber(Receiving):
    """An analyst's way to the reports that matter.

    async with Subscriber(identity) as subscriber:
        async for report in subscriber.watch(regions={"014"}, threats={"explosive"}):
            print(report.banner, report.title)

    `keeps` declares what its user keeps of a label's duties: {"DISPLAY", "WATERMARK"} for one that
    shows with a watermark and leaves no copy. What asks for more is not given to it.
    Asking for the next report says that the one before was taken. Several subscriptions may be
    watched by one object at once.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        keeps: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(identity, keeps=keeps, clock=clock, random=random)
        self._lists: dict[str, Shown] = {}
        self._verified: OrderedDict[bytes, Received] = OrderedDict()
        self._opening = anyio.Lock()

    async def watch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        purpose: str | None = None,
        name: str | None = None,
        notice: Notice = unnoticed,
    ) -> AsyncGenerator[Received, None]:
        """Every matching report, from the first that this member may have, then live.

        The subscription is durable: the next `watch` with the same words (or `name`) goes on
        where this one stopped. A broken link is tried again for ever; what fails to verify
        raises, and so does the end of this member's own right to listen.
        """
        wanted = Wanted.of(regions, threats, precedence, purpose)
        body = wanted.encode()
        # Another declaration brings other portions, so it has a place of its own.
        filled = body + "".join(f"\0{word}" for word in self._keeps).encode()
        name = name or "w-" + hashlib.sha256(filled).hexdigest()[:16]
        await self._check(wanted)
        await self.transport.send("PUT", f"/v1/subscriptions/{name}", body, JSON)
        place = Place(self.store, f"{name}:{hashlib.sha256(filled).hexdigest()}")
        path, failures = f"/v1/subscriptions/{name}/stream", 0
        while True:
            try:
                if failures:  # what was taken back while the link was broken
                    await self.follower.sync()
                await self.take_back(notice)
                stream = self.transport.events(path, place.last, keeps=self._keeps)
                async with aclosing(stream) as events:
                    async for event in events:
                        failures = 0
                        received = await self._delivered(event, name, notice)
                        if received is not None:
                            with self._showing(received, name, ANYWHERE):
                                yield received
                        place.reach(event.id)
                        if event.kind == "heartbeat":
                            place.write()
            except TearlineError as error:
                _check_passing(error, place)
                notice(error)
            finally:
                place.write()
            await anyio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def fetch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        again: bool = False,
        notice: Notice = unnoticed,
    ) -> AsyncGenerator[Received, None]:
        """Every matching report that this member may have now and has not been shown yet.

        `again` gives also what was shown before. FLASH comes first within a page.
        """
        wanted = Wanted.of(regions, threats, precedence)
        await self._check(wanted)
        await self.take_back(notice)
        shown, given = self._shown(ANYWHERE), set[tuple[str, tuple[int, ...]]]()
        cursor: str | None = None
        more = True
        while more:
            answer = await self.transport.page(
                "/v1/reports",
                PAGE,
                region=list(wanted.regions),
                threat=list(wanted.threats),
                precedence=list(wanted.precedence),
                keeps=self._keeps,
                after=cursor,
            )
            page = Page.read(answer.body)
            for unsupported in page.unsupported:
                notice(unsupported)
            fresh = [r for r in page.releases if again or not _is_shown(r, shown)]
            opened = [await self._received(release, notice) for release in fresh]
            for read in sorted(filter(None, opened), key=_urgency):
                received = self._marked(read)  # what amends it may stand on the same page
                what = (received.identity, received.portions)
                if what not in given:  # a broker may say a thing twice
                    given.add(what)
                    with self._showing(received, ANYWHERE):
                        yield received
            cursor, more = page.cursor, page.more

    async def fetch_one(self, identity: str) -> Received:
        """One report by its identity. Raises `NotAllowed` ("not-found") for whatever reason, and
        what keeps it from being opened.
        """
        await self.follower.sync()
        await self.take_back(unnoticed)
        answer = await self.transport.get(f"/v1/reports/{identity}", keeps=self._keeps)
        unopened: list[Notable] = []
        received = await self._received(Release.read(answer.body), unopened.append)
        for what in unopened:
            assert isinstance(what, Unopened)
            raise what.reason
        assert received is not None
        if received.identity != identity:
            raise Malformed("bad-proof", "another report than was asked for")
        return received

    async def attachment(
        self, received: Received, attachment: OpenedAttachment, into: BinaryIO
    ) -> int:
        """Fetch an attachment, decrypt it into an empty file nobody reads yet; gives its length.

        Resumes where the link breaks. Raises `Malformed` ("undecryptable") and leaves `into`
        empty unless everything is right to the last byte, and `NotAllowed`
        ("obligation-unsupported") for what belongs to a portion that may not be kept.
        """
        kept = (p for p in received.report.portions if p.index in received.may_keep)
        if attachment.id not in {a.id for portion in kept for a in portion.attachments}:
            raise NotAllowed("obligation-unsupported", "a file is a copy, and none may be kept")
        path = f"/v1/attachments/{received.identity}/{attachment.id}"
        with tempfile.TemporaryFile() as ciphertext:
            while (at := ciphertext.tell()) < attachment.len:
                answer = await self.transport.download(path, at, keeps=self._keeps)
                if not answer.body:
                    raise BrokerFault("unreachable", "an empty piece of an attachment")
                ciphertext.write(answer.body)
            ciphertext.seek(0)
            return attachment.decrypt(ciphertext, into)

    @property
    def _keeps(self) -> list[str]:
        """The declaration, as it stands in every signed query."""
        return sorted(self.keeps)

    async def _check(self, wanted: Wanted) -> None:
        """Refuse a word that the newest registry does not have, as a draft does."""
        vocabulary = (await self.follower.sync()).terms
        check_terms("place", wanted.regions, vocabulary.regions.names)
        check_terms("threat type", wanted.threats, vocabulary.threats.names)

    # -- showing

    def _shown(self, name: str) -> Shown:
        """The list of one subscription, read once."""
        if name not in self._lists:
            self._lists[name] = Shown(self.store, name)
        return self._lists[name]

    @contextmanager
    def _showing(self, received: Received, *names: str) -> Iterator[None]:
        """Note that it was shown once the caller had it, however the caller left."""
        try:
            yield
        finally:
            for name in names:
                self._shown(name).add(received.identity, received.portions)

    # -- what was amended or taken back

    def _marked(self, received: Received) -> Received:
        newest = amended.newest(self.store, received.identity, received.originator)
        return replace(received, superseded_by=newest)

    async def take_back(self, notice: Notice) -> None:
        """Destroy what is kept here of reports that their originators took back.

        A system that kept one answers for its nation, unless that was done; what keeps it from it
        goes to `notice`, and it tries again the next time.
        """
        for identity, recalled in self._destroy(notice):
            try:
                await self._answer(identity, recalled)
            except TearlineError as error:
                notice(error)
            else:
                self.store.put(f"recalled:{identity}", ANSWERED)

    async def _answer(self, identity: str, recalled: Recalled) -> None:
        """Say for the nation that it was destroyed, if this member is a system of it."""
        nation, members = self.identity.nation, self.directory.members
        said = (statement for _, _, statement in self.follower.said("recall.confirm"))
        ours = [statement for statement in said if statement.head.nation == nation]
        answered = {statement.body(RecallConfirm).recall for statement in ours}
        member = members.get(self.identity.kid)
        if member is None or member.kind != "system" or recalled.statement in answered:
            return
        async with Officer(self.identity, clock=self.clock, random=self.random) as speaker:
            await speaker.confirm(identity, "destroyed")

    async def _recalled(self, recall: Recall, notice: Notice) -> None:
        """Believe a recall once it is proven: a statement of the originator, in its chain."""
        statement = statements.parse(base64_strict.decode(recall.statement))
        await self.follower.sync(at_least=recall.index)
        if statement.identity not in self.follower.filed("report.recall"):
            raise Malformed("bad-proof", "a recall that does not stand in the journal")
        self._verified.clear()
        await self.take_back(notice)

    # -- one event

    async def _beside(self, event: ServerEvent, notice: Notice) -> None:
        """What comes beside the reports. Raises why the stream ends."""
        if event.kind == "end":
            raise End.why(event.data)
        if event.kind == "heartbeat":
            await self.follower.observe(Heartbeat.read(event.data).checkpoint)
            self.follower.trees.keep()
        if event.kind == "recall":
            await self._recalled(Recall.read(event.data), notice)
        if event.kind == "unsupported":
            notice(Unsupported.read(event.data))

    async def _delivered(self, event: ServerEvent, name: str, notice: Notice) -> Received | None:
        """What an event brings that this subscription has not shown yet."""
        if event.kind != "report":
            await self._beside(event, notice)
            return None
        digest = hashlib.sha256(event.data).digest()
        async with self._opening:  # several subscriptions may bring the same at once
            received = self._verified.get(digest)
            if received is None:
                release = Release.read(event.data)
                if _is_shown(release, self._shown(name)):
                    return None
                received = await self._received(release, notice)
            whole = received is not None and received.proof.use == "release"
            if received is not None and whole and len(event.data) <= VERIFIED_MAX:
                self._verified[digest] = received
                self._verified.move_to_end(digest)
                if len(self._verified) > VERIFIED:
                    self._verified.popitem(last=False)
        if received is None or self._shown(name).has(received.identity, received.portions):
            return None
        return received


def _check_passing(error: TearlineError, place: Place) -> None:
    """Raise what will not pass by itself, so that nobody waits for it."""
    if error.slug == "bad-cursor" and place.last is not None:
        place.forget()  # from the beginning, then; nothing is shown twice
    elif error.slug == "too-large" or not (isinstance(error, BrokerFault) or error.slug in PASSING):
        raise error


def _is_shown(release: Release, shown: Shown) -> bool:
    """Whether all of it was shown before: then it need not even be verified."""
    frame = report.parse(base64_strict.decode(release.report))
    return shown.has(frame.identity, (p.index for p in frame.portions))


def _urgency(received: Received) -> int:
    return labels.PRECEDENCES.index(received.precedence)
