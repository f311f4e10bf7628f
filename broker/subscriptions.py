"""Named subscriptions: what a member asks for, kept through restarts, and how far it has read."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from broker import audit
from broker.answers import Event
from broker.cursors import CursorSeal
from broker.journal import THIS_INDEX, Change, Entry, Journal, Record
from broker.matching import Filter, check
from broker.release import Asker
from broker.sequencer import Act, Moment, Sequencer
from broker.state import State
from broker.streams import Streams
from wire.entries import Random
from wire.errors import Conflict, Malformed, NotAllowed
from wire.members import Member

NAME_LIMIT: Final = 64
NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def encode(wanted: Filter) -> str:
    """The one text of a filter: what is stored, and what its cursors are bound to."""
    return wanted.canonical.model_dump_json()


class SubscribeAct(Act[None]):
    """A member asks for something under a name, in place of what it asked for before."""

    def __init__(self, state: State, member: Member, name: str, wanted: Filter, quota: int) -> None:
        self._state, self._member, self._quota = state, member, quota
        self._place = (member.kid, name)
        self._wanted = wanted.canonical
        self._changed = False

    def plan(self, moment: Moment) -> Sequence[Record]:
        """Nothing if it asks for the same already."""
        state, nation, (kid, name) = self._state, self._member.nation, self._place
        check(self._wanted, state.standing.directory.terms)
        before = state.subscriptions.get(self._place)
        if before == self._wanted:
            return ()
        if before is None:
            self._check_quota(moment)
        self._changed = True
        event = audit.subscription(
            "subscription.set", nation, kid, name, self._wanted.model_dump(mode="json")
        )
        body = encode(self._wanted).encode()
        # Who asks for more wants what lies behind as well, so the old place is forgotten.
        changes = (
            Change("subscription.put", (kid, name, body, THIS_INDEX)),
            Change("cursor.drop", self._place),
        )
        return (Record(event, (), changes),)

    def _check_quota(self, moment: Moment) -> None:
        state, nation = self._state, self._member.nation
        members = state.standing.directory.members
        ours = {place for place in state.subscriptions if members[place[0]].nation == nation}
        claimed = {c for c in moment.claimed if c[:2] == ("subscription", nation)}
        if len(ours) + len(claimed) >= self._quota:
            raise Conflict("quota", f"{self._quota} subscriptions")
        moment.claimed.add(("subscription", nation, *self._place))

    def settle(self, entries: Sequence[Entry]) -> None:
        """It holds."""
        if entries:
            self._state.subscriptions[self._place] = self._wanted
            self._state.cursors.pop(self._place, None)


class UnsubscribeAct(Act[None]):
    """A member asks for something no more."""

    def __init__(self, state: State, member: Member, name: str) -> None:
        self._state, self._member, self._place = state, member, (member.kid, name)

    def plan(self, moment: Moment) -> Sequence[Record]:
        """Raises `NotAllowed` ("not-found") if there is no such subscription."""
        wanted = self._state.subscriptions.get(self._place)
        claim = ("unsubscribe", *self._place)
        if wanted is None or claim in moment.claimed:
            raise NotAllowed("not-found")
        moment.claimed.add(claim)
        event = audit.subscription(
            "subscription.deleted",
            self._member.nation,
            *self._place,
            wanted.model_dump(mode="json"),
        )
        changes = (Change("subscription.drop", self._place), Change("cursor.drop", self._place))
        return (Record(event, (), changes),)

    def settle(self, entries: Sequence[Entry]) -> None:
        """It is gone."""
        del entries
        self._state.subscriptions.pop(self._place, None)
        self._state.cursors.pop(self._place, None)


class Subscriptions:
    """What members ask for, and their place in it."""

    def __init__(
        self,
        state: State,
        journal: Journal,
        sequencer: Sequencer,
        streams: Streams,
        cursor_key: bytes,
        random: Random,
        quota: int,
    ) -> None:
        self._state, self._journal = state, journal
        self._sequencer, self._streams = sequencer, streams
        self._cursor_key, self._random, self._quota = cursor_key, random, quota

    async def put(self, member: Member, name: str, wanted: Filter) -> None:
        """Ask for something under a name. Raises `Malformed`, or `Conflict` ("quota")."""
        if not 0 < len(name) <= NAME_LIMIT or not NAME_LETTERS.issuperset(name):
            raise Malformed("bad-fields", f"a name is 1 to {NAME_LIMIT} of a-z, 0-9 and -")
        before = self._state.subscriptions.get((member.kid, name))
        await self._sequencer.do(SubscribeAct(self._state, member, name, wanted, self._quota))
        if before is not None and before != wanted.canonical:
            self._streams.end(member.kid, name, "replaced")

    async def drop(self, member: Member, name: str) -> None:
        """Ask for it no more. Raises `NotAllowed` ("not-found")."""
        await self._sequencer.do(UnsubscribeAct(self._state, member, name))
        self._streams.end(member.kid, name, "not-found")

    def get(self, member: Member, name: str) -> Filter:
        """What a member asks for under a name. Raises `NotAllowed` ("not-found")."""
        found = self._state.subscriptions.get((member.kid, name))
        if found is None:
            raise NotAllowed("not-found")
        return found

    def all(self, member: Member) -> dict[str, Filter]:
        """Everything that a member asks for, by name."""
        found = self._state.subscriptions.items()
        return {name: wanted for (kid, name), wanted in sorted(found) if kid == member.kid}

    async def set_cursor(self, member: Member, name: str, cursor: str) -> None:
        """Keep how far a member has come. Raises `NotAllowed`, or `Malformed` ("bad-cursor")."""
        position = self._seal(member, name).open(cursor)
        await self._journal.set_cursor(member.kid, name, position)
        self._state.cursors[member.kid, name] = position

    def stream(
        self, member: Member, asker: Asker, name: str, cursor: str | None
    ) -> AsyncGenerator[Event, None]:
        """The events after `cursor`, else after the stored one, else all.

        Raises `NotAllowed`, `Malformed` ("bad-cursor") or `Conflict` ("quota") at once.
        """
        wanted, seal = self.get(member, name), self._seal(member, name)
        stored = self._state.cursors.get((member.kid, name), -1)
        position = stored if cursor is None else seal.open(cursor)
        return self._streams.open(member, name, asker, wanted, seal, position)

    def _seal(self, member: Member, name: str) -> CursorSeal:
        """What seals the cursors of a subscription for as long as it asks for the same."""
        wanted = encode(self.get(member, name))
        return CursorSeal(self._cursor_key, self._random, "stream", member.kid, name, wanted)
