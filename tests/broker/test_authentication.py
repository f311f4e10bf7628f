"""Who asks: real members, real signatures, and a memory that forgets nothing too early."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authentication import REMEMBERED_S, Authenticator, ReplayMemory
from broker.settings import Limits
from tests.coalition import Coalition
from tests.people import Person
from wire.errors import BrokerFault, Conflict, NotAllowed, TearlineError
from wire.members import Member
from wire.request_signature import SKEW_S, RequestClaim, Target, sign

AUTHORITY = "127.0.0.1:8440"


class Desk:
    """The two things that authentication asks a broker, answered from the test world."""

    def __init__(self, world: Coalition) -> None:
        self.world = world

    def now(self) -> int:
        return self.world.clock.now

    def member(self, kid: str) -> Member:
        return self.world.directory.member(kid, self.world.position, self.now())


@pytest.fixture
def world() -> Coalition:
    return Coalition.of("KEN", "GBR")


@pytest.fixture
def door(world: Coalition) -> Authenticator:
    return Authenticator(Desk(world), Limits())


def asked(
    who: Person,
    created: int,
    *,
    body: bytes = b"",
    nonce: bytes = b"n" * 16,
    path: str = "/v1/reports",
    query: str = "",
    key: Any = None,
    kid: str | None = None,
    authority: str = AUTHORITY,
    method: str = "GET",
) -> dict[str, Any]:
    """The scope of a request that this person signed."""
    target = Target(method, authority, path, query)
    signed = sign(
        target, body, key or who.keys.request, kid or who.kid, created=created, nonce=nonce
    )
    fields = [(name.lower().encode(), value.encode()) for name, value in signed.items()]
    return {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", AUTHORITY.encode()), *fields],
    }


def refused(door: Authenticator, scope: dict[str, Any], body: bytes = b"") -> TearlineError:
    with pytest.raises(TearlineError) as caught:
        door.authenticate(scope, body)
    return caught.value


# -- who it is


def test_a_member_is_known_by_the_signature_of_its_request(
    world: Coalition, door: Authenticator
) -> None:
    analyst = world["GBR"].analyst
    member = door.authenticate(asked(analyst, world.clock.now), b"")
    assert (member.kid, member.nation, member.kind) == (analyst.kid, "GBR", "analyst")


def test_a_broker_has_several_names_in_any_case(world: Coalition, door: Authenticator) -> None:
    scope = asked(world["GBR"].analyst, world.clock.now, authority="localhost:8440")
    scope["headers"][0] = (b"host", b"LocalHost:8440")
    assert door.authenticate(scope, b"").nation == "GBR"


def test_a_request_counts_once(world: Coalition, door: Authenticator) -> None:
    scope = asked(world["GBR"].analyst, world.clock.now)
    door.authenticate(scope, b"")
    assert refused(door, scope).slug == "unsigned-request"


def test_the_same_nonce_of_another_member_is_another_request(
    world: Coalition, door: Authenticator
) -> None:
    for nation in ("KEN", "GBR"):
        door.authenticate(asked(world[nation].analyst, world.clock.now), b"")


@pytest.mark.parametrize("kind", ["unknown", "wrong key", "report key", "other nation's key"])
def test_strangers_and_forgers_get_the_same_answer(
    world: Coalition, door: Authenticator, kind: str
) -> None:
    analyst, now = world["GBR"].analyst, world.clock.now
    other = world["KEN"].analyst.keys.request
    scope = {
        "unknown": asked(analyst, now, kid="0" * 32),
        "wrong key": asked(analyst, now, key=world["GBR"].system.keys.request),
        "report key": asked(analyst, now, key=_ReportKey(analyst)),
        "other nation's key": asked(analyst, now, key=other),
    }[kind]
    error = refused(door, scope)
    assert (error.slug, error.detail) == ("unsigned-request", "the signature does not verify")
    assert len(door.memory) == 0


class _ReportKey:
    """Signs requests with what a member signs reports with."""

    def __init__(self, who: Person) -> None:
        self.who = who

    def sign(self, data: bytes) -> bytes:
        return self.who.sign.sign(data, b"tearline/report")[:64]


def test_a_revoked_member_and_an_expelled_nation_are_strangers(
    world: Coalition, door: Authenticator
) -> None:
    analyst, system = world["GBR"].analyst, world["KEN"].system
    world["GBR"].revokes(analyst)
    assert refused(door, asked(analyst, world.clock.now)).slug == "unsigned-request"
    door.authenticate(asked(system, world.clock.now), b"")
    world.expels("KEN")
    assert refused(door, asked(system, world.clock.now, nonce=b"2" * 16)).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/v1/other"},
        {"query": "region=KE"},
        {"method": "DELETE"},
        {"authority": "other.example:8440"},
        {"body": b"other"},
    ],
)
def test_a_signature_is_for_one_request_only(
    world: Coalition, door: Authenticator, change: dict[str, Any]
) -> None:
    sent = asked(world["GBR"].analyst, world.clock.now)
    signed = asked(world["GBR"].analyst, world.clock.now, **change)
    sent["headers"] = signed["headers"]
    assert refused(door, sent).slug == "unsigned-request"


@pytest.mark.parametrize("off", [SKEW_S + 1, -(60 + SKEW_S + 1)])
def test_a_clock_that_is_off_is_refused(world: Coalition, door: Authenticator, off: int) -> None:
    world.clock.forward(hours=1)
    scope = asked(world["GBR"].analyst, world.clock.now + off)
    assert "clock" in refused(door, scope).detail


# -- what is remembered


def test_a_request_from_before_the_start_is_refused(world: Coalition) -> None:
    started = Authenticator(Desk(world), Limits())
    early = asked(world["GBR"].analyst, world.clock.now - 1)
    assert refused(started, early).slug == "unsigned-request"
    started.authenticate(asked(world["GBR"].analyst, world.clock.now), b"")


def claim(number: int, created: int, keyid: str = "a" * 32) -> RequestClaim:
    return RequestClaim(keyid, f"{number:022}", created, created + 60)


def test_a_full_memory_refuses_and_forgets_nothing() -> None:
    memory = ReplayMemory(Limits(nonces=2, nonces_per_member=2), 0)
    memory.remember(claim(1, 100), 100)
    memory.remember(claim(2, 100, "b" * 32), 100)
    with pytest.raises(BrokerFault, match="busy"):
        memory.remember(claim(3, 100, "c" * 32), 100)
    with pytest.raises(NotAllowed, match="used before"):
        memory.remember(claim(1, 100), 100)


def test_one_member_cannot_use_up_the_memory_of_all() -> None:
    memory = ReplayMemory(Limits(nonces=10, nonces_per_member=1), 0)
    memory.remember(claim(1, 100), 100)
    with pytest.raises(Conflict, match="quota"):
        memory.remember(claim(2, 100), 100)
    memory.remember(claim(2, 100, "b" * 32), 100)
    memory.remember(claim(3, 500), 500)  # its share is free again


def test_the_memory_empties_itself() -> None:
    memory = ReplayMemory(Limits(), 0)
    for number in range(100):
        memory.remember(claim(number, 100), 100)
    memory.remember(claim(100, 101 + REMEMBERED_S), 101 + REMEMBERED_S)
    assert len(memory) == 1


def test_a_clock_that_was_ahead_for_a_while_does_not_let_a_replay_in() -> None:
    memory = ReplayMemory(Limits(), 0)
    memory.remember(claim(1, 1_000), 1_000)
    memory.remember(claim(2, 90_000), 90_000)  # the clock jumped a day ahead
    with pytest.raises(NotAllowed, match="used before"):
        memory.remember(claim(1, 1_000), 1_010)  # and came back
    memory.remember(claim(3, 1_010), 1_010)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5), st.integers(-SKEW_S, 60 + SKEW_S)))
)
def test_no_request_is_ever_served_twice(steps: list[tuple[int, int, int]]) -> None:
    """Whatever the clock does, among the requests that `verify` would let through."""
    memory, served = ReplayMemory(Limits(), 0), set[RequestClaim]()
    for now, number, age in steps:
        asked = claim(number, now - age)
        try:
            memory.remember(asked, now)
        except NotAllowed:
            continue
        assert asked not in served
        served.add(asked)
