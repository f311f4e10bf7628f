"""What auditors and followers read: pages of the mission's channel and of their own nation's.

Everybody sees every statement's head, so that no chain has holes; a body that is not for the
viewer is withheld, and the head's salted digest says nothing about it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from broker import audit
from broker.answers import StatementPage, ViewPage
from broker.consequences import parties
from broker.denials import Denials, Told
from broker.journal import Change, Entry, Journal, Record
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from wire import statements
from wire.entries import MISSION
from wire.errors import NotAllowed
from wire.members import Member
from wire.notes import Checkpoint
from wire.pages import MadePage

READS_VIEWS: Final = frozenset({"auditor", "officer"})
"""The kinds of member that read their nation's channel."""

PAGE_BYTES: Final = 8 << 20
"""Of statements on one page; a page has at least one entry, however long its statement is."""


class ReadAct(Act[None]):
    """Journals that somebody reads the journal, before it is read."""

    def __init__(self, denials: Denials, viewer: Member, after: int, limit: int) -> None:
        self._denials, self._viewer = denials, viewer
        self._after, self._limit = after, limit
        self._told: Told = ()
        self._left_out = 0

    def plan(self, moment: Moment) -> Sequence[Record]:
        """One entry, with what its nation is to be told of denials; another read of the same batch
        tells them already.
        """
        viewer, claim = self._viewer, ("denials", self._viewer.nation)
        if claim not in moment.claimed:
            moment.claimed.add(claim)
            self._told, self._left_out = self._denials.due(viewer.nation)
        told = [
            {**name.view, "first": t.first, "last": t.last, "times": t.times}
            for name, t in self._told
        ]
        event = audit.read(
            viewer.nation, viewer.kid, self._after, self._limit, told, self._left_out
        )
        return (Record(event, (), tuple(Change("denial.drop", name) for name, _ in self._told)),)

    def settle(self, entries: Sequence[Entry]) -> None:
        """They are told."""
        del entries
        self._denials.settle(self._viewer.nation, self._told, self._left_out)


class Pages:
    """Reads the journal for those who may."""

    def __init__(
        self, state: State, journal: Journal, sequencer: Sequencer, denials: Denials
    ) -> None:
        self._state, self._journal, self._sequencer = state, journal, sequencer
        self._denials = denials

    async def statements(
        self, viewer: Member, after: int, trusted_size: int, limit: int
    ) -> StatementPage:
        """A page of the mission's channel from entry number `after` on, and its statements.

        `trusted_size` is that of the tree that the viewer has verified before; the proof leads
        from it to the page's own. Raises `NotAllowed` ("not-found") if there is no such tree.
        """
        self._sequencer.check()
        limit = max(1, limit)
        while True:
            segment = await self._journal.segment(MISSION, max(0, after), limit)
            raws = await self._statements(segment)
            if limit == 1 or sum(map(len, raws.values())) <= PAGE_BYTES:
                break
            limit = max(1, len(segment.entries) // 2)
        shown = {identity: self._shown(raw, viewer.nation) for identity, raw in raws.items()}
        return StatementPage(segment, await self._consistency(segment, trusted_size), shown)

    async def views(self, viewer: Member, after: int, trusted_size: int, limit: int) -> ViewPage:
        """A page of the viewer's own nation's channel; that it is read is journalled first.

        Raises `NotAllowed` ("not-allowed") for kinds of member that do not audit.
        """
        if viewer.kind not in READS_VIEWS:
            raise NotAllowed("not-allowed", "auditors and officers read the journal")
        after, limit = max(0, after), max(1, limit)
        await self._sequencer.do(ReadAct(self._denials, viewer, after, limit))
        self._state.member(viewer.kid, self._journal.size)  # it may have been revoked meanwhile
        segment = await self._journal.segment(viewer.nation, after, limit)
        return ViewPage(segment, await self._consistency(segment, trusted_size))

    async def _statements(self, segment: MadePage) -> Mapping[str, bytes]:
        """The statements among a page's entries, by identity."""
        if not segment.entries:
            return {}
        indices = {entry.index for entry in segment.entries}
        params = (min(indices) - 1, len(indices))
        rows = await self._journal.rows("statements_after", params)
        return {identity: raw for index, identity, _, _, raw in rows if index in indices}

    async def _consistency(self, segment: MadePage, trusted_size: int) -> tuple[bytes, ...]:
        size = Checkpoint.parse(segment.checkpoint.rpartition("\n\n")[0] + "\n").size
        if not trusted_size:
            return ()
        return tuple(await self._journal.consistency(trusted_size, size))

    def _shown(self, raw: bytes, nation: str) -> bytes:
        """A statement as this nation may see it."""
        statement = statements.parse(raw)
        head = statement.head
        if head.scope == "mission" or head.nation == nation:
            return raw
        if nation in parties(statement, self._state.holdings):
            return raw
        return statements.without_body(statement)
