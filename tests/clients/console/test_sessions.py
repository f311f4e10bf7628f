"""One link, good once; one session of two halves. Attacks on both are refused alike."""

import itertools

import pytest

from clients.console.sessions import IDLE_S, LIFE_S, LINK_S, Sessions
from tests.clients.console.conftest import Clock
from tests.refusal import refused


def counting() -> "itertools.count[int]":
    return itertools.count(1)


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    number = counting()
    return Sessions(clock, lambda length: next(number).to_bytes(length, "big"))


def test_a_link_lets_its_first_bearer_in(sessions: Sessions) -> None:
    secrets = sessions.enter(sessions.invite())
    sessions.check(secrets.cookie, secrets.page)
    assert secrets.cookie != secrets.page


def test_a_link_is_good_once(sessions: Sessions) -> None:
    """Expect refusal of a replayed link: whoever saw it later gains nothing."""
    code = sessions.invite()
    first = sessions.enter(code)
    with refused("not-allowed"):
        sessions.enter(code)
    sessions.check(first.cookie, first.page)


def test_a_guess_is_refused_and_uses_nothing_up(sessions: Sessions) -> None:
    """Expect refusal; and no other program can void the auditor's link by guessing."""
    code = sessions.invite()
    for guess in ("", "0" * 64, code[:-1], code.upper() + "x", "\ud800"):
        with refused("not-allowed"):
            sessions.enter(guess)
    sessions.enter(code)


def test_an_old_link_is_refused_and_used_up(sessions: Sessions, clock: Clock) -> None:
    code = sessions.invite()
    clock.now += LINK_S + 1
    for _ in range(2):
        with refused("not-allowed"):
            sessions.enter(code)
        clock.now -= LINK_S


def test_a_new_link_voids_the_one_before(sessions: Sessions) -> None:
    before, code = sessions.invite(), sessions.invite()
    with refused("not-allowed"):
        sessions.enter(before)
    sessions.enter(code)


def test_neither_half_of_a_session_is_enough(sessions: Sessions) -> None:
    """Expect refusal: another port of this host may be handed the cookie, never the page's word."""
    secrets = sessions.enter(sessions.invite())
    for cookie, page in (
        (secrets.cookie, ""),
        ("", secrets.page),
        (secrets.page, secrets.cookie),
        (secrets.cookie, secrets.cookie),
        ("", ""),
    ):
        with refused("not-allowed"):
            sessions.check(cookie, page)


def test_nobody_is_in_before_anybody_entered(sessions: Sessions) -> None:
    with refused("not-allowed"):
        sessions.check("", "")
    sessions.invite()
    with refused("not-allowed"):
        sessions.check("", "")


def test_a_session_ends_when_nobody_asks(sessions: Sessions, clock: Clock) -> None:
    secrets = sessions.enter(sessions.invite())
    for _ in range(3):
        clock.now += IDLE_S
        sessions.check(*secrets)
    clock.now += IDLE_S + 1
    with refused("not-allowed"):
        sessions.check(*secrets)
    clock.now -= IDLE_S
    with refused("not-allowed"):
        sessions.check(*secrets)


def test_a_session_ends_with_the_day_however_busy(sessions: Sessions, clock: Clock) -> None:
    secrets = sessions.enter(sessions.invite())
    for _ in range(LIFE_S // 600):
        clock.now += 600
        sessions.check(*secrets)
    clock.now += 600
    with refused("not-allowed"):
        sessions.check(*secrets)


def test_who_left_is_out(sessions: Sessions) -> None:
    secrets = sessions.enter(sessions.invite())
    sessions.leave()
    with refused("not-allowed"):
        sessions.check(*secrets)


def test_entering_again_ends_the_session_before(sessions: Sessions) -> None:
    first = sessions.enter(sessions.invite())
    second = sessions.enter(sessions.invite())
    with refused("not-allowed"):
        sessions.check(*first)
    sessions.check(*second)
