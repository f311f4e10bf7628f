"""The broker's core: everything the service does, without HTTP.

Read `broker.intake` for a report's way in, `broker.release` for its way out, and `broker.sequencer`
for how both become true. This file puts them together, starts them, and stops them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from broker import logs, rebuilding, startup
from broker.answers import (
    Download,
    Event,
    Page,
    Preview,
    Progress,
    Receipt,
    ReferralPage,
    Release,
    StatementPage,
    StatementReceipt,
    ViewPage,
)
from broker.attachments import Attachments
from broker.cosignatures import Cosignatures
from broker.cursors import CursorSeal
from broker.deciding import NOTHING, Deciding
from broker.denials import Denials
from broker.eras import seals_of
from broker.erasing import Eraser
from broker.intake import Intake
from broker.journal import Journal
from broker.lineage import read_sources
from broker.matching import Filter, check
from broker.memory import Memory
from broker.pages import Pages
from broker.preview import preview
from broker.publishing import Publishing
from broker.pull import Pull
from broker.referrals import Referrals
from broker.release import Asker, Releases
from broker.retention import Retention
from broker.sequencer import BatchClock, Sequencer
from broker.settings import Settings
from broker.signatures import Signatures, Threads
from broker.standing import Standing
from broker.state import State
from broker.streams import Streams
from broker.subscriptions import Subscriptions, encode
from broker.verifiers import Verifiers
from wire.directory import Directory
from wire.entries import MISSION, Random
from wire.errors import BrokerFault, NotAllowed
from wire.freshness import Ending, endings
from wire.labels import Label
from wire.members import Member
from wire.witness_keys import Witnesses


class Broker:
    """A running broker. Made by `open`; every method may be called from many tasks at once.

    Whatever a caller gets was journalled before. Besides what they say, all methods raise
    `BrokerFault` "journal-stopped" once the journal cannot be written, and those for a member
    `NotAllowed` "unknown-signer" once it does not stand any more.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        clock: BatchClock,
        random: Random,
        cursor_key: bytes,
        signatures: Signatures,
    ) -> None:
        self.settings, self.journal = settings, journal
        self._random, self._cursor_key = random, cursor_key
        limits = settings.limits
        self._state = state = State(Standing(Directory(settings.mission, settings.charter)), clock)
        self._deciding = deciding = Deciding(state)
        self._verifiers = Verifiers(self._circumstances, signatures, inbox=limits.inbox)
        upcoming = self._verifiers.__len__
        self._sequencer = sequencer = Sequencer(journal, clock, upcoming, inbox=limits.inbox)
        self._releases = Releases(state, deciding, journal, sequencer)
        self._denials = denials = Denials(state, deciding)
        self._streams = Streams(state, self._releases, denials, journal, limits)
        ring = self._releases.ring
        self._intake = Intake(
            state, deciding, self._streams, ring, journal, sequencer, self._verifiers
        )
        folder = settings.data_folder / startup.ATTACHMENTS_FOLDER
        self._attachments = Attachments(folder, state, self._releases, journal)
        self._eraser = eraser = Eraser(state, journal, sequencer, ring, self._attachments)
        self._retention = Retention(state, journal, sequencer, ring)
        self._publishing = Publishing(state, deciding, journal, sequencer, self._streams, eraser)
        self._subscriptions = Subscriptions(
            state,
            journal,
            sequencer,
            self._streams,
            cursor_key,
            random,
            limits.subscriptions_per_nation,
        )
        self._pull = Pull(state, self._releases, denials, limits)
        self._pages = Pages(state, journal, sequencer, denials)
        self._memory = Memory(state, journal, sequencer)
        self._referrals = Referrals(state, deciding, journal, sequencer)
        self.cosignatures: Cosignatures
        """What witnesses have signed; there from `open` on."""
        self._beating: asyncio.Task[None] | None = None
        self._closed = False
        sequencer.on_stop = lambda: self._streams.end_all("journal-stopped")

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        signatures: Signatures | None = None,
    ) -> Self:
        """Recover the journal, or begin one with the genesis statements, and start to serve.

        Reports' signatures are checked by `signatures`, or else by threads of this process.
        Raises `BrokerFault`: "bad-settings", "locked", "rollback-detected", "journal-damaged".
        """
        seals = seals_of(settings)
        startup.make_folders(settings)
        still = BatchClock(clock)
        async with AsyncExitStack() as undo:
            journal = await Journal.open(
                settings.data_folder,
                anchor=settings.anchor_folder / startup.ANCHOR_FILE,
                signers=seals.signers,
                origin=seals.origin,
                secret=seals.secret,
                eras=seals.eras,
                channels=(MISSION,),
                clock=still,
                random=random,
            )
            undo.push_async_callback(journal.close)
            # What was lost may have led further than there is now: its cursors lead nowhere.
            cursor_key = seals.newest(settings.secret("cursor-key"))
            broker = cls(settings, journal, still, random, cursor_key, signatures or Threads())
            broker._memory.size = await rebuilding.rebuild(broker._state, journal, still)
            await broker._denials.load(journal)
            broker._sequencer.start()
            undo.push_async_callback(broker._sequencer.close)
            await startup.genesis(settings.genesis_folder, broker._state, broker._publishing)
            startup.check_founded(broker._state, seals.origin, seals.log_keys)
            broker.cosignatures = Cosignatures(
                journal, seals.log_keys, broker._witnesses, settings.anchor_folder, broker.now()
            )
            await broker._sequencer.do(startup.OperatorAct("operator.start"))
            await broker._eraser.make_good()
            await broker.expire()
            await broker._memory.keep_if_due()
            undo.pop_all()
        broker._beating = asyncio.get_running_loop().create_task(broker._beat())
        logs.event("broker.started", size=journal.size, reports=len(broker._state.holdings))
        return broker

    async def close(self) -> None:
        """End all streams with a cursor, finish what is under way, write it down, let go."""
        if self._closed:
            return
        self._closed = True
        await self._streams.drain(self.settings.limits.drain_seconds)
        await self._verifiers.close()
        with contextlib.suppress(BrokerFault):  # a stopped journal takes no last words
            await self._denials.keep(self.journal)
            await self._sequencer.do(startup.OperatorAct("operator.stop"))
            await self._memory.keep()
        await self._sequencer.close()
        if self._beating is not None:
            self._beating.cancel()
        await self.journal.close()
        logs.event("broker.stopped", size=self.journal.size)

    def _witnesses(self) -> Witnesses:
        """Whose cosignatures count, as the whole journal says."""
        return self.directory.witnesses

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.limits.heartbeat_seconds)
            self.beat()
            with contextlib.suppress(BrokerFault):  # it stopped; who needs it will hear that
                await self.expire()
                await self._denials.keep(self.journal)
                await self._memory.keep_if_due()

    async def expire(self) -> None:
        """Delete what is over by now, and what nations ordered to be kept no longer: serving it
        stopped at its time. Raises `BrokerFault`.
        """
        await self._eraser.expire()
        await self._retention.carry_out()

    def beat(self) -> None:
        """Let every stream send a heartbeat now."""
        self._streams.beat()

    # -- who and when

    @property
    def directory(self) -> Directory:
        """Who is who, up to the newest statement."""
        return self._state.standing.directory

    def now(self) -> int:
        """Unix seconds, never before the newest entry."""
        return self._state.now()

    def member(self, kid: str) -> Member:
        """The member that stands now. Raises `NotAllowed` ("unknown-signer")."""
        return self._state.member(kid, self.journal.size)

    def check_ready(self) -> None:
        """Raises `BrokerFault` unless reports can be accepted and released."""
        self._sequencer.check()
        if self._closed:
            raise BrokerFault("stopping")

    def stale(self) -> list[Ending]:
        """What of any nation has ended by itself, or is about to: for the operator alone."""
        now, directory = self.now(), self.directory
        found = (ending for code in directory.standing for ending in endings(directory, code))
        return [ending for ending in found if ending.state(now) != "fresh"]

    def _circumstances(self) -> tuple[Directory, int, int]:
        return self.directory, self.journal.size, self.now()

    def _asker(
        self, reader: Member, purpose: str | None = None, keeps: frozenset[str] = NOTHING
    ) -> Asker:
        """As whom a member asks. Raises `NotAllowed` ("not-allowed") for an auditor."""
        self.check_ready()
        member = self.member(reader.kid)
        recipient = self._deciding.recipient(member)
        return Asker(recipient, member.kid, self._deciding.purpose(purpose), keeps)

    # -- in

    async def submit(self, raw: bytes) -> Receipt:
        """Accept a sealed report: see `Intake.submit`."""
        self.check_ready()
        return await self._intake.submit(raw)

    async def publish(self, raw_statement: bytes) -> StatementReceipt:
        """Accept a statement: see `Publishing.publish`."""
        self.check_ready()
        return await self._publishing.publish(raw_statement)

    async def preview(self, viewer: Member, labels: Sequence[Label]) -> Preview:
        """Who could read a report of the viewer's nation with these labels."""
        self.check_ready()
        sources = await read_sources(labels, self._state.holdings, self.journal)
        return preview(self._state, self._deciding, self.member(viewer.kid), labels, sources)

    # -- out

    async def fetch(
        self, reader: Member, identity: str, keeps: frozenset[str] = NOTHING
    ) -> Release:
        """One report, for a client that keeps these duties: see `Releases.one`."""
        asker = self._asker(reader, keeps=keeps)
        self._denials.asked(asker, "fetch", identity)  # unknown takes as long as forbidden
        return await self._releases.one(asker, self._state.holdings.by_identity(identity))

    async def pull(
        self,
        reader: Member,
        wanted: Filter,
        cursor: str | None,
        limit: int,
        keeps: frozenset[str] = NOTHING,
    ) -> Page:
        """The next page of what the reader may have. Raises `Malformed` ("bad-cursor")."""
        asker = self._asker(reader, wanted.purpose, keeps)
        check(wanted, self.directory.terms)
        seal = CursorSeal(self._cursor_key, self._random, "pull", reader.kid, encode(wanted))
        return await self._pull.page(asker, wanted, seal, cursor, limit)

    # -- subscriptions

    async def subscribe(self, reader: Member, name: str, wanted: Filter) -> None:
        """Ask for something under a name: see `Subscriptions.put`."""
        self._asker(reader, wanted.purpose)
        await self._subscriptions.put(reader, name, wanted)

    async def unsubscribe(self, reader: Member, name: str) -> None:
        """Ask for it no more. Raises `NotAllowed` ("not-found")."""
        self._asker(reader)
        await self._subscriptions.drop(reader, name)

    async def subscription(self, reader: Member, name: str) -> Filter:
        """What the reader asks for under a name. Raises `NotAllowed` ("not-found")."""
        self._asker(reader)
        return self._subscriptions.get(reader, name)

    async def subscriptions(self, reader: Member) -> dict[str, Filter]:
        """Everything the reader asks for, by name."""
        self._asker(reader)
        return self._subscriptions.all(reader)

    async def set_cursor(self, reader: Member, name: str, cursor: str) -> None:
        """Keep how far the reader has come. Raises `NotAllowed`, or `Malformed` ("bad-cursor")."""
        self._asker(reader)
        await self._subscriptions.set_cursor(reader, name, cursor)

    def stream(
        self, reader: Member, name: str, cursor: str | None, keeps: frozenset[str] = NOTHING
    ) -> AsyncGenerator[Event, None]:
        """The events of a subscription: see `Subscriptions.stream`. Refuses at once."""
        self._asker(reader)
        asker = self._asker(reader, self._subscriptions.get(reader, name).purpose, keeps)
        return self._subscriptions.stream(self.member(reader.kid), asker, name, cursor)

    # -- the journal, read

    async def statements(
        self, viewer: Member, after: int, trusted_size: int, limit: int
    ) -> StatementPage:
        """A page of the mission's channel: see `Pages.statements`."""
        self.check_ready()
        return await self._pages.statements(self.member(viewer.kid), after, trusted_size, limit)

    async def views(self, viewer: Member, after: int, trusted_size: int, limit: int) -> ViewPage:
        """A page of the viewer's nation's channel: see `Pages.views`."""
        self.check_ready()
        return await self._pages.views(self.member(viewer.kid), after, trusted_size, limit)

    async def continuation(self) -> bytes:
        """The statement by which the log was continued last. Raises `NotAllowed` ("not-found")."""
        if not self.directory.continued:
            raise NotAllowed("not-found")
        newest = self.directory.continued[-1].statement
        ((*_, raw),) = await self.journal.rows("statement_by_identity", (newest,))
        return bytes(raw)

    async def referrals(self, viewer: Member, cursor: str | None, limit: int) -> ReferralPage:
        """A page of what waits for the viewer's nation's officers: see `Referrals.page`."""
        self.check_ready()
        seal = CursorSeal(self._cursor_key, self._random, "referrals", viewer.kid)
        return await self._referrals.page(self.member(viewer.kid), seal, cursor, limit)

    # -- attachments

    async def attachment_status(
        self, uploader: Member, identity: str, attachment: str, total: int
    ) -> Progress:
        """How much of an own attachment is stored: see `Attachments.status`."""
        self.check_ready()
        return await self._attachments.status(
            self.member(uploader.kid), identity, attachment, total
        )

    async def put_chunk(
        self, uploader: Member, identity: str, attachment: str, start: int, total: int, chunk: bytes
    ) -> Progress:
        """Store a piece of an own attachment: see `Attachments.put`."""
        self.check_ready()
        member = self.member(uploader.kid)
        return await self._attachments.put(member, identity, attachment, start, total, chunk)

    async def read_attachment(
        self,
        reader: Member,
        identity: str,
        attachment: str,
        start: int = 0,
        end: int | None = None,
        keeps: frozenset[str] = NOTHING,
    ) -> Download:
        """Ciphertext of an attachment: see `Attachments.read`."""
        asker = self._asker(reader, keeps=keeps)
        self._denials.asked(asker, "attachment", identity, attachment)
        return await self._attachments.read(asker, identity, attachment, start, end)
