import json
import os
import time
from typing import Any

import pytest

from clients.keystore import CHEAP, MEMORY_KIB_MIN, PASSES_MIN, STANDARD, Cost, lock, unlock
from tests.people import member_keys
from wire.errors import Malformed, NotAllowed

PRIVATE = member_keys("KEN", "system").private()


def locked(passphrase: str = "correct horse", **how: Any) -> bytes:
    return lock(PRIVATE, passphrase, **{"random": os.urandom, "cost": CHEAP, **how})


def test_the_passphrase_opens_what_it_locked() -> None:
    assert unlock(locked(), "correct horse") == PRIVATE


@pytest.mark.slow
def test_the_usual_cost_is_that_of_rfc_9106_and_works() -> None:
    fields = json.loads(locked("a correct horse", cost=STANDARD))
    assert fields["kdf"]["memory_kib"] == 65_536
    assert fields["kdf"]["passes"] == 3
    assert unlock(locked("a correct horse", cost=STANDARD), "a correct horse") == PRIVATE


@pytest.mark.parametrize("guess", ["correct hors", "Correct horse", "correct horse ", "x"])
def test_another_passphrase_does_not_open_it(guess: str) -> None:
    with pytest.raises(NotAllowed, match="bad-passphrase"):
        unlock(locked(), guess)


def test_an_empty_passphrase_locks_nothing() -> None:
    with pytest.raises(NotAllowed, match="bad-passphrase"):
        locked("")


@pytest.mark.parametrize("short", ["", "hello", "fourteen chars", "cafe\u0301 cre\u0300me 14"])
def test_a_short_passphrase_must_be_spelled_out(short: str) -> None:
    """Expect refusal: a letter with its accent counts as one, however it is typed."""
    with pytest.raises(Malformed, match="at least 15 characters"):
        locked(short, cost=Cost(MEMORY_KIB_MIN, PASSES_MIN, lanes=1))
    locked("fifteen letters", cost=Cost(MEMORY_KIB_MIN, PASSES_MIN, lanes=1))
    if short:
        locked(short, cost=CHEAP)


def test_the_same_passphrase_from_another_keyboard_opens_it() -> None:
    """Systems spell accents differently; NFC makes them one."""
    assert unlock(locked("caf\u00e9 cr\u00e8me"), "cafe\u0301 cre\u0300me") == PRIVATE


def test_no_key_stands_in_the_file_and_no_two_files_are_alike() -> None:
    one, two = locked(), locked()
    for secret in PRIVATE.values():
        assert secret.encode() not in one
    assert not {json.loads(one)["ciphertext"]} & {json.loads(two)["ciphertext"]}
    assert json.loads(one)["kdf"]["salt"] != json.loads(two)["kdf"]["salt"]


@pytest.mark.parametrize("cost", [(MEMORY_KIB_MIN - 1, PASSES_MIN), (MEMORY_KIB_MIN, 1)])
def test_a_weak_cost_must_be_spelled_out(cost: tuple[int, int]) -> None:
    with pytest.raises(Malformed, match="bad-input"):
        Cost(*cost, lanes=1)
    assert Cost(*cost, lanes=1, weak_on_purpose=True).memory_kib == cost[0]
    assert Cost(MEMORY_KIB_MIN, PASSES_MIN, lanes=1).passes == PASSES_MIN


@pytest.mark.parametrize(
    ("name", "value"), [("memory_kib", 72), ("passes", 2), ("lanes", 2), ("salt", "AAAA")]
)
def test_changed_parameters_do_not_open(name: str, value: object) -> None:
    fields = json.loads(locked())
    fields["kdf"][name] = value
    with pytest.raises((NotAllowed, Malformed), match=r"bad-passphrase|bad-identity"):
        unlock(json.dumps(fields).encode(), "correct horse")


@pytest.mark.parametrize(("name", "value"), [("memory_kib", 1 << 30), ("passes", 1 << 20)])
def test_a_planted_file_cannot_take_the_machine(name: str, value: int) -> None:
    fields = json.loads(locked())
    fields["kdf"][name] = value
    start = time.perf_counter()
    with pytest.raises(Malformed, match="bad-identity"):
        unlock(json.dumps(fields).encode(), "correct horse")
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"null", b"\xff", b'{"v":2}', b"[" * 50_000, b"x" * 100_000],
)
def test_what_is_no_key_file_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed, match="bad-identity"):
        unlock(raw, "correct horse")


def test_every_flipped_bit_of_the_ciphertext_is_noticed() -> None:
    fields = json.loads(locked())
    text = fields["ciphertext"]
    for at in (0, len(text) // 2, len(text) - 4):
        other = "A" if text[at] != "A" else "B"
        changed = {**fields, "ciphertext": text[:at] + other + text[at + 1 :]}
        with pytest.raises((NotAllowed, Malformed), match=r"bad-passphrase|bad-identity"):
            unlock(json.dumps(changed).encode(), "correct horse")
