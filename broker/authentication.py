"""Who asks: request signatures, and a memory against their being used twice.

A nonce is remembered only after its signature verified, so strangers cannot fill the memory, and
never forgotten before its request has expired: full means 503, for one member before for all.
Requests created before this process started are refused, because an earlier process may have
served them; what remains is a client whose clock runs ahead by up to `SKEW_S`.

Unknown, revoked and expelled members and wrong signatures get the same 401 after the same work.
"""

from collections import Counter, OrderedDict
from typing import Final, NamedTuple, Protocol

from broker.problems import Scope
from broker.settings import Limits
from wire.errors import BrokerFault, Conflict, NotAllowed
from wire.members import Member
from wire.request_signature import MAX_LIFETIME_S, SKEW_S, RequestClaim, Target, verify

REMEMBERED_S: Final = MAX_LIFETIME_S + 2 * SKEW_S
"""From its use on, a request can be acceptable for at most so long."""


class Members(Protocol):
    """What is needed of the broker: who stands now, and what time it is."""

    def now(self) -> int:
        """Unix seconds."""

    def member(self, kid: str) -> Member:
        """The member that stands now. Raises `NotAllowed`."""


class _Use(NamedTuple):
    until: int
    created: int


class ReplayMemory:
    """The signed requests that were served, for as long as they could be served again."""

    def __init__(self, limits: Limits, started: int) -> None:
        self._capacity, self._share = limits.nonces, limits.nonces_per_member
        self._uses: OrderedDict[tuple[str, str], _Use] = OrderedDict()
        self._by_member: Counter[str] = Counter()
        self._floor = started

    def __len__(self) -> int:
        return len(self._uses)

    def remember(self, claim: RequestClaim, now: int) -> None:
        """Note a verified request's use.

        Raises `NotAllowed` ("unsigned-request") if it was used before or is older than what is
        remembered, `Conflict` ("quota") if its member and `BrokerFault` ("busy") if all members
        together have used up the memory.
        """
        self._forget(now)
        key = (claim.keyid, claim.nonce)
        if key in self._uses or claim.created < self._floor:
            raise NotAllowed("unsigned-request", "the request was used before; sign a new one")
        if self._by_member[claim.keyid] >= self._share:
            raise Conflict("quota", "too many requests in three minutes")
        if len(self._uses) >= self._capacity:
            raise BrokerFault("busy")
        self._uses[key] = _Use(now + REMEMBERED_S, claim.created)
        self._by_member[claim.keyid] += 1

    def _forget(self, now: int) -> None:
        """Drop what can no longer be acceptable; entries stand in the order of their use.

        A clock that was ahead for a while would drop too early. Whatever is dropped therefore
        raises the floor under which nothing is accepted again.
        """
        while self._uses:
            key, use = next(iter(self._uses.items()))
            if use.until >= now:
                break
            del self._uses[key]
            self._floor = max(self._floor, use.created + 1)
            self._by_member[key[0]] -= 1
            if not self._by_member[key[0]]:
                del self._by_member[key[0]]


class Authenticator:
    """Finds the member behind a signed request."""

    def __init__(self, members: Members, limits: Limits) -> None:
        self._members = members
        self.memory = ReplayMemory(limits, members.now())

    def authenticate(self, scope: Scope, body: bytes) -> Member:
        """The member that signed this request, who stands now.

        Raises `NotAllowed` ("unsigned-request"), `Conflict` ("quota") or `BrokerFault` ("busy").
        """
        authority = next(value for name, value in scope["headers"] if name == b"host")
        target = Target(
            method=scope["method"],
            authority=authority.decode("latin-1").lower(),
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
        )
        now = self._members.now()
        claim = verify(scope["headers"], target, body, self._request_key, now=now)
        self.memory.remember(claim, now)
        return self._members.member(claim.keyid)

    def _request_key(self, kid: str) -> bytes | None:
        try:
            return self._members.member(kid).request_key
        except NotAllowed:
            return None
