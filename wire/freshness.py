"""What ends by itself: roots, policies, epochs and members' keys, and how near or how long ago.

Whatever has ended counts no more: a policy that expired is a missing layer, an expired epoch no key
to seal to. So people are told in good time, and afterwards for how long it has been so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from wire.directory import Directory

HOUR: Final = 3_600
DAY: Final = 86_400
SOON_S: Final = 30 * DAY
"""Seconds before its end from which on something ends soon."""
URGENT_S: Final = 7 * DAY
"""Seconds before its end from which on it is urgent. What lives shorter than that is soon to end
in its last quarter, and urgent in its last eighth."""

State = Literal["fresh", "soon", "urgent", "expired"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Something of a nation that ends at `expires`; `life` is how long it lives, if that is known.

    Times are Unix seconds.
    """

    nation: str
    what: Literal["root", "policy", "epoch", "member"]
    name: str
    expires: int
    life: int = 1 << 40

    def state(self, now: int) -> State:
        """How near its end is."""
        left = self.expires - now
        if left <= 0:
            return "expired"
        if left <= min(URGENT_S, self.life // 8):
            return "urgent"
        return "soon" if left <= min(SOON_S, self.life // 4) else "fresh"

    def words(self, now: int) -> str:
        """The same for people: `ends in 6 days`, `ended 3 hours ago`."""
        left = self.expires - now
        return f"ends in {lasting(left)}" if left > 0 else f"ended {lasting(-left)} ago"


def lasting(seconds: int) -> str:
    """A length of time, rounded down: days, or hours of a single day."""
    count, unit = (seconds // DAY, "day") if seconds >= DAY else (seconds // HOUR, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}" if count else "less than an hour"


def endings(directory: Directory, code: str) -> Iterator[Ending]:
    """All that a nation has and that ends by itself, as far as the directory's viewer knows it."""
    state = directory.nations[code]
    if state.root_version:
        yield Ending(code, "root", str(state.root_version), state.root_expires)
    if state.policy is not None:
        yield Ending(code, "policy", str(state.policy.version), state.policy.expires)
    if state.epochs:
        last = max(state.epochs.values(), key=lambda epoch: epoch.expires)
        yield Ending(code, "epoch", str(last.epoch), last.expires, last.expires - last.opens)
    for member in directory.members.values():
        if member.nation == code and member.revoked is None:
            yield Ending(code, "member", member.kid, member.expires)
