"""Denials: what was asked for in vain. Silent to who asked, loud to those whose rules refused.

A denial must not show. An entry of its own in the log, or a slot more in a leaf, would tell who
asked that there is something; so would an entry that comes soon after. Denials therefore wait
here, and stand in the entry of their nation's own next read of its channel (`audit.read`), which
is written whether there are any or not. The log has the same entries, leaves and pace either way.

What waits is counted together by report, nation and rules, and bounded; it is written to the
database at every heartbeat, so that a crash loses a few seconds of it, and drops out in the
transaction of the read that tells it. Who can change that table can hide denials that were not
told yet, as the operator could by never writing them.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from broker.deciding import Deciding, Visible
from broker.held import ALL_PORTIONS, Held, HeldPortion
from broker.journal import Change, Journal
from broker.lineage import may_go
from broker.refusals import Attempt, Refusal, denied, told_to, unanswered
from broker.release import Asker
from broker.state import State
from policies.decide import Outcome
from wire import strict_json

PER_ENTRY: Final = 64
"""Denials that one read tells at most."""

ENTRY_CHARACTERS: Final = 32_768
"""Of denials in one read, about: half of what a view may hold."""

WAITING: Final = 256
"""Kinds of denial that wait for one nation because of one other; more are only counted."""

REPEAT_S: Final = 86_400
"""Seconds after which the same denial is told again, if it goes on: a poller is told of daily."""

REMEMBERED: Final = 16_384
"""Denials remembered as told."""

ONCE_A_SECOND: Final = 65_536
"""Passed-over reports remembered within one second."""


class Name(NamedTuple):
    """What is counted together: whom it is told, who asked, and all that does not change."""

    channel: str
    asker: str
    text: str

    @property
    def view(self) -> dict[str, strict_json.Json]:
        """What does not change, as it will be told."""
        view = strict_json.parse(self.text.encode())
        assert isinstance(view, dict)
        return view


@dataclass(slots=True)
class Tally:
    """How often, and when first and last, in seconds."""

    first: int
    last: int
    times: int


Told = Sequence[tuple[Name, Tally]]
"""Denials as one read tells them; the tallies are copies."""


class Denials:
    """All denials that were not told yet."""

    def __init__(self, state: State, deciding: Deciding) -> None:
        self._state, self._deciding = state, deciding
        self._waiting: dict[Name, Tally] = {}
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[str] = Counter()
        self._told: OrderedDict[Name, int] = OrderedDict()
        self._unsaved: dict[Name, None] = {}
        self._seen: set[tuple[object, ...]] = set()
        self._second = -1

    def __len__(self) -> int:
        return len(self._waiting)

    # -- what happens

    def asked(self, asker: Asker, how: str, identity: str, attachment: str | None = None) -> None:
        """Somebody asks for a report by its identity, or for an attachment of it.

        An identity that there is not is judged like the newest report, and takes as long.
        """
        holdings = self._state.holdings
        held = holdings.by_identity(identity)
        subject = held or holdings.newest()
        refusals: Mapping[str, Refusal] = {}
        got: Visible | None = None
        if subject is not None:
            keeps = subject.duties(asker.recipient.nation)  # a client's lack is no denial
            now = self._state.now()
            got = self._deciding.look(asker.recipient, subject, asker.purpose, now, keeps)
            wanted = _wanted(subject, attachment)
            refusals = self._refusals(asker, subject, wanted, got, by_name=True)
        attempt = Attempt(asker.recipient.nation, asker.recipient.kind, how, asker.purpose)
        if held is None or got is None:
            self._note(asker.recipient.nation, attempt, unanswered(attempt, asker.kid, identity))
        if held is not None:
            for channel, refusal in refusals.items():
                self._note(channel, attempt, denied(attempt, held, refusal))

    def passed_over(self, asker: Asker, how: str, held: Held, portions: int) -> None:
        """What a reader asks for has these portions (bits), for its nation, that it may not have.

        They are counted once a second, however many streams look at them. Never fails.
        """
        now = self._state.now()
        if now != self._second or len(self._seen) >= ONCE_A_SECOND:
            self._seen.clear()
            self._second = now
        seen = (held.position, asker.recipient, asker.purpose, how, portions)
        if held.recalled or seen in self._seen:
            return
        self._seen.add(seen)
        attempt = Attempt(asker.recipient.nation, asker.recipient.kind, how, asker.purpose)
        for channel, refusal in self._refusals(asker, held, portions, None, by_name=False).items():
            self._note(channel, attempt, denied(attempt, held, refusal))

    def _refusals(
        self, asker: Asker, held: Held, wanted: int, got: Visible | None, *, by_name: bool
    ) -> Mapping[str, Refusal]:
        """Why the reader may not have these portions, as far as each nation may know."""
        found: dict[str, Refusal] = {}
        nation, now = asker.recipient.nation, self._state.now()
        for portion in held.portions:
            if not wanted >> portion.index & 1 or (got and got.mask >> portion.index & 1):
                continue
            because = self._because(held, portion, nation)
            if because == "policy":
                question = (held.identity, held.created, portion, asker.purpose, now)
                ruling = self._deciding.ask(asker.recipient, *question)
                gateway = self._deciding.gateway(nation, portion.facts.communities)
                whole = self._deciding.ask(gateway, *question)
                if ruling.outcome is not Outcome.RELEASE:
                    for channel in told_to(held.originator, nation, ruling, whole):
                        refusal = found.setdefault(channel, Refusal(because))
                        refusal.take(portion.index, ruling, channel)
            elif because == "third-party" or (by_name and (because != "not-listed" or not got)):
                refusal = found.setdefault(held.originator, Refusal(because))
                refusal.take(portion.index, None, held.originator)
        return found

    def _because(self, held: Held, portion: HeldPortion, nation: str) -> str:
        """What stands between a nation and a portion, before any policy is asked; else `policy`."""
        now, standing = self._state.now(), self._state.standing
        if not held.names(nation, portion):
            return "not-listed"
        if held.recalled:
            return "recalled"
        over = portion.expires is not None and portion.expires <= now
        if over or held.erased >> portion.index & 1:
            return "expired"
        goes = may_go(held, portion, nation, self._state.holdings, standing.consents, now)
        return "policy" if goes else "third-party"

    def _note(self, channel: str, attempt: Attempt, told: Mapping[str, Any]) -> None:
        name = Name(channel, attempt.nation, strict_json.dump(told).decode())
        now, tally = self._state.now(), self._waiting.get(name)
        if tally is not None:
            tally.last, tally.times = now, tally.times + 1
        elif self._kinds[name[:2]] >= WAITING and not self._forget_told(name):
            self._left_out[channel] += 1
            return
        else:
            self._waiting[name] = Tally(now, now, 1)
            self._kinds[name[:2]] += 1
        self._unsaved[name] = None

    def _forget_told(self, new: Name) -> bool:
        """Make room by dropping one that is told already, and only goes on."""
        for name in self._waiting:
            if name[:2] == new[:2] and name in self._told:
                self._drop(name)
                return True
        return False

    def _drop(self, name: Name) -> None:
        del self._waiting[name]
        self._kinds[name[:2]] -= 1
        self._unsaved[name] = None

    # -- telling

    def due(self, channel: str) -> tuple[Told, int]:
        """What the next read of a channel tells, and how many more it had no room to keep."""
        now, found, size = self._state.now(), list[tuple[Name, Tally]](), 0
        for name, tally in self._waiting.items():
            fresh = now - self._told.get(name, -REPEAT_S) >= REPEAT_S
            if name.channel != channel or not fresh:
                continue
            size += len(name.text)
            if len(found) == PER_ENTRY or (found and size > ENTRY_CHARACTERS):
                break
            found.append((name, Tally(tally.first, tally.last, tally.times)))
        return found, self._left_out[channel]

    def settle(self, channel: str, told: Told, left_out: int) -> None:
        """They are told. What came meanwhile waits on. Must not fail."""
        self._left_out[channel] -= left_out
        for name, tally in told:
            self._told[name] = tally.last
            self._told.move_to_end(name)
            waiting = self._waiting.get(name)
            if waiting is None:
                continue
            waiting.times -= tally.times
            if waiting.times <= 0:
                self._drop(name)
            else:
                waiting.first = tally.last
                self._unsaved[name] = None
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    # -- through restarts

    async def keep(self, journal: Journal) -> None:
        """Write down what changed. Raises `BrokerFault` once the journal has stopped."""
        unsaved, self._unsaved = self._unsaved, {}
        for name in unsaved:
            tally = self._waiting.get(name)
            change = (
                Change("denial.forget", name)
                if tally is None
                else Change("denial.put", (*name, tally.first, tally.last, tally.times))
            )
            await journal.note_progress(change)

    async def load(self, journal: Journal) -> None:
        """Take up what was written down."""
        for channel, asker, text, *numbers in await journal.rows("denials"):
            name = Name(channel, asker, text)
            self._waiting[name] = Tally(*numbers)
            self._kinds[name[:2]] += 1


def _wanted(held: Held, attachment: str | None) -> int:
    """The portions that are asked for by name, as bits: all, or those with the attachment."""
    if attachment is None:
        return ALL_PORTIONS
    having = (p for p in held.portions if any(a.id == attachment for a in p.attachments))
    return sum(1 << portion.index for portion in having)
