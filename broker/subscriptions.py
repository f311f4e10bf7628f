"""Named subscriptions: what a member asks for, kept through restarts, and how far it has read."""

from collections.abc import Sequence
from typing import Final

from broker import audit
from broker.cursors import CursorSeal
from broker.journal import THIS_INDEX, Change, Entry, Record
from broker.matching import Filter, check
from broker.sequencer import Act, Moment
from broker.state import State
from wire.entries import Random
from wire.errors import Conflict, Malformed, NotAllowed
from wire.members import Member

NAME_LIMIT: Final = 64
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def check_name(name: str) -> None:
    """Refuse a name of another form than [a-z0-9-]{1,64}. `Malformed` ("bad-fields")."""
    if not 0 < len(name) <= NAME_LIMIT or not _NAME.issuperset(name):
        raise Malformed("bad-fields", f"a name is 1 to {NAME_LIMIT} of a-z, 0-9 and -")


def encode(wanted: Filter) -> str:
    """The one text of a filter: what is stored, and what its cursors are bound to."""
    return wanted.canonical.model_dump_json()


def stream_seal(key: bytes, random: Random, kid: str, name: str, wanted: Filter) -> CursorSeal:
    """What seals the cursors of one subscription, for as long as it asks for the same."""
    return CursorSeal(key, random, "stream", kid, name, encode(wanted))


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
