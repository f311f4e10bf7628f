"""A log goes on after a loss as more than half of the nations sign, and in no other way."""

from typing import Any

import pytest

from tests.coalition import DAY, ORIGIN, Coalition
from tests.refusal import refused
from wire import continuing
from wire.errors import TearlineError
from wire.notes import Ed25519Signer
from wire.statements import Statement

NEXT = f"{ORIGIN}/2"


@pytest.fixture
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA", people=False)


def vkey(name: str = NEXT) -> str:
    return str(Ed25519Signer(name, bytes(32)).vkey)


def body(world: Coalition, **how: Any) -> dict[str, Any]:
    size = world.position
    return {
        "charter": world.directory.pinned_charter,
        "continues": ORIGIN,
        "size": size,
        "root": "ab" * 32,
        "seen": size + 8,
        "origin": NEXT,
        "log_keys": [vkey(how.get("origin", NEXT))],
        "reason": "the disk was lost",
        **how,
    }


def drafts(world: Coalition, *nations: str, **how: Any) -> Statement:
    signers = world.root_signers(nations or ("KEN", "GBR"))
    return world.together.drafts("mission.continue", body(world, **how), by=signers)


def test_a_majority_of_nations_gives_the_log_its_new_name(world: Coalition) -> None:
    position, charter = world.position, world.directory.founded
    statement = world.applies(drafts(world))
    founded = world.directory.founded
    assert (founded.origin, founded.log_keys) == (NEXT, (vkey(),))
    assert founded.witnesses == charter.witnesses
    (one,) = world.directory.continued
    assert (one.statement, one.position) == (statement.identity, position)
    again = drafts(world, continues=NEXT, origin=f"{ORIGIN}/3")
    world.applies(again)
    assert [c.body.origin for c in world.directory.continued] == [NEXT, f"{ORIGIN}/3"]


@pytest.mark.parametrize(
    "how",
    [
        {"charter": "00" * 32},
        {"continues": NEXT},
        {"size": 3},
        {"size": 999, "seen": 999},
        {"seen": 1},
        {"origin": ORIGIN},
        {"log_keys": [vkey(ORIGIN)]},
        {"log_keys": ["not a key"]},
    ],
    ids=str,
)
def test_what_does_not_fit_the_log_is_refused(world: Coalition, how: dict[str, Any]) -> None:
    """Expect refusal: another charter, log, size or name, or keys that do not bear the name."""
    with pytest.raises(TearlineError):
        world.applies(drafts(world, **how))
    assert world.directory.founded.origin == ORIGIN


def test_a_name_is_never_used_twice(world: Coalition) -> None:
    """Expect refusal: whoever left a log may not be led back to it."""
    world.applies(drafts(world))
    with refused("bad-statement", "new name"):
        world.applies(drafts(world, continues=NEXT, origin=ORIGIN))


def test_fewer_than_a_majority_continue_nothing_whatever_the_charter_asks_for() -> None:
    """Expect refusal: two halves of the nations could otherwise agree to two ways on."""
    world = Coalition.of("KEN", "GBR", "FRA", "SEN", people=False, admission_quorum=1)
    for signers in ((("KEN",)), ("KEN", "GBR")):
        with refused("not-allowed", f"{len(signers)} of 3 nations"):
            world.applies(drafts(world, *signers))
    world.applies(drafts(world, "KEN", "GBR", "SEN"))


def test_a_charter_that_asks_for_all_nations_gets_all() -> None:
    """Expect refusal by one signature less."""
    world = Coalition.of("KEN", "GBR", "FRA", people=False, admission_quorum=3)
    with refused("not-allowed", "2 of 3"):
        world.applies(drafts(world))
    assert continuing.quorum(world.directory) == 3


def test_a_root_that_was_replaced_in_what_is_lost_has_no_say_for_those_who_saw_it(
    world: Coalition,
) -> None:
    """Expect refusal: stolen keys that were replaced must not bring back the time before."""
    statement, left = drafts(world), world.copy()
    left.applies(statement)
    continuing.check_agreed(world.directory, statement, world.clock.now)
    world["KEN"].publishes_root(version=2)
    with refused("not-allowed", "1 of 2 nations"):
        continuing.check_agreed(world.directory, statement, world.clock.now)


def test_an_expelled_nation_or_an_expired_root_has_no_say(world: Coalition) -> None:
    """Expect refusal."""
    statement = drafts(world)
    with refused("not-allowed", "0 of 2 nations"):
        continuing.check_agreed(world.directory, statement, world.clock.now + 366 * DAY)
    world.expels("GBR")
    with refused("not-allowed", "1 of 2 nations"):
        continuing.check_agreed(world.directory, statement, world.clock.now)
