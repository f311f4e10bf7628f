"""Live streams: who listens right now, and for what.

Streams that ask for the same as the same class of reader form a group; matching finds groups, so
its cost does not grow with the readers of one nation that want the same.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Final

from broker import logs
from broker.answers import Event
from broker.cursors import CursorSeal
from broker.denials import Denials
from broker.held import Held
from broker.journal import Journal
from broker.live import Group, LiveStream
from broker.matching import Filter, Index, Interest
from broker.release import Asker, Releases
from broker.settings import Limits
from broker.state import State
from policies.facts import Recipient
from wire import strict_json
from wire.base64_strict import encode
from wire.errors import Conflict, Malformed
from wire.members import Member
from wire.statements import Statement

GroupName = tuple[Recipient, str, frozenset[str], Filter]


class Streams:
    """All open streams."""

    def __init__(
        self,
        state: State,
        releases: Releases,
        denials: Denials,
        journal: Journal,
        limits: Limits,
    ) -> None:
        self._state, self._releases, self._journal = state, releases, journal
        self._denials = denials
        self._limits: Final = limits
        self._open: dict[tuple[str, str], LiveStream] = {}
        self._by_member: dict[str, int] = {}
        self._groups: dict[GroupName, Group] = {}
        self._index: Index[Group] | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._open)

    # -- opening and ending

    def open(
        self,
        member: Member,
        name: str,
        asker: Asker,
        wanted: Filter,
        seal: CursorSeal,
        position: int,
    ) -> AsyncGenerator[Event, None]:
        """A member's stream of one subscription; it takes the place of the one open before.

        Raises `Conflict` ("quota") if the member has too many.
        """
        others = self._by_member.get(member.kid, 0) - ((member.kid, name) in self._open)
        if others >= self._limits.streams_per_member:
            raise Conflict("quota", "too many open streams")
        return self._events(member, name, asker, wanted, seal, position)

    async def _events(
        self,
        member: Member,
        name: str,
        asker: Asker,
        wanted: Filter,
        seal: CursorSeal,
        position: int,
    ) -> AsyncGenerator[Event, None]:
        """Nothing is kept of a stream that nobody iterates: it begins with its first event."""
        group = self._group(asker, wanted.canonical)
        stream = LiveStream(
            member,
            name,
            group,
            seal,
            position,
            self._state,
            self._releases,
            self._denials,
            self._journal,
            int(self._limits.stream_seconds),
        )
        self._enter(stream)
        async with contextlib.aclosing(stream.events(self._leave)) as events:
            async for event in events:
                yield event

    def _enter(self, stream: LiveStream) -> None:
        place = (stream.member.kid, stream.name)
        before = self._open.get(place)
        if before is not None:
            before.end("replaced")
        self._open[place] = stream
        self._by_member[place[0]] = self._by_member.get(place[0], 0) + 1
        stream.group.streams[stream] = None
        self._empty.clear()
        if self._closing:
            stream.end("stopping")
        logs.event("stream.opened", member=place[0])

    def _leave(self, stream: LiveStream) -> None:
        place, group = (stream.member.kid, stream.name), stream.group
        group.streams.pop(stream, None)
        if not group.streams:
            self._groups.pop(_name(group.asker, group.wanted), None)
            if self._index is not None:
                self._index.discard(group)
        self._by_member[place[0]] -= 1
        if not self._by_member[place[0]]:
            del self._by_member[place[0]]
        if self._open.get(place) is stream:
            del self._open[place]
        if not self._by_member:
            self._empty.set()
        logs.event("stream.ended", member=place[0], reason=stream.ended)

    def end(self, kid: str, name: str, reason: str) -> None:
        """End the stream of a subscription that changed or is gone."""
        stream = self._open.get((kid, name))
        if stream is not None:
            stream.end(reason)

    def end_all(self, reason: str) -> None:
        """End every stream."""
        for stream in list(self._open.values()):
            stream.end(reason)

    async def drain(self, seconds: float) -> None:
        """End all streams, take no new ones, and wait so long for their last events to be taken."""
        self._closing = True
        self.end_all("stopping")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)

    # -- what happens

    def beat(self) -> None:
        """Let every stream send a heartbeat."""
        for stream in self._open.values():
            stream.beat()

    def words_changed(self) -> None:
        """A registry was published: filters mean what they mean under it."""
        self._index = None
        terms = self._state.standing.directory.terms
        for group in self._groups.values():
            group.read_by(Interest(group.wanted, terms))

    def askers(self, held: Held) -> Iterable[tuple[Asker, int]]:
        """One for each group that the report answers, with the portions by which it does.

        The journal will name it as the reader, so it is one that listens now and stands now.
        """
        found = []
        for group in self._matching(held):
            first = next((stream for stream in group.streams if stream.over() is None), None)
            if first is not None:
                found.append((first.asker, group.matching(held)))
        return found

    def offer(self, held: Held) -> None:
        """Wake those who asked for it and may have it. What others get cuts nobody off."""
        for group in self._matching(held):
            entitled, matching = self._releases.entitled(group.asker, held), group.matching(held)
            allowed = 0 if entitled is None else entitled.mask
            if matching & ~allowed:
                self._denials.passed_over(group.asker, "stream", held, matching & ~allowed)
            if entitled is not None and allowed & matching:
                visible = self._releases.look(group.asker, held) or entitled
                for stream in group.streams:
                    stream.wake(visible.size)

    def recalled(self, held: Held, statement: Statement, index: int) -> None:
        """Tell those who were sent a report that it is taken back, by whose word."""
        said = {"statement": encode(statement.raw), "index": index}
        notice = strict_json.dump(said, prose=True)
        for stream in self._open.values():
            if stream.member.nation in held.holders:
                stream.tell(notice)

    def wake(self, nation: str) -> None:
        """Something was offered once more to a nation, or somebody of it may have to leave."""
        for stream in self._open.values():
            if stream.member.nation == nation:
                stream.wake(0)

    def _matching(self, held: Held) -> list[Group]:
        if not self._groups:
            return []
        if self._index is None:
            self._index = Index(self._state.standing.directory.terms)
            for group in self._groups.values():
                self._index.add(group, group.wanted)
        found: dict[Group, None] = {}
        for portion in held.portions:
            with contextlib.suppress(Malformed):  # a word that the registry no longer has
                found.update(dict.fromkeys(self._index.match(portion.topic)))
        nations = held.nations
        return [group for group in found if group.asker.recipient.nation in nations]

    def _group(self, asker: Asker, wanted: Filter) -> Group:
        name = _name(asker, wanted)
        group = self._groups.get(name)
        if group is None:
            terms = self._state.standing.directory.terms
            group = self._groups[name] = Group(asker, wanted, Interest(wanted, terms))
            if self._index is not None:
                self._index.add(group, wanted)
        return group


def _name(asker: Asker, wanted: Filter) -> GroupName:
    return asker.recipient, asker.purpose, asker.keeps, wanted
