"""Signatures of statements are verified once by a broker, and whatever differs from them anew."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from broker import valid
from broker.journal import recovery
from broker.valid import Verifying
from tests.broker.house import House
from tests.broker.remembering import shell
from tests.refusal import refused
from wire import statements
from wire.composite import STATEMENT, SigningKey, VerifyKey

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", folder=tmp_path) as found:
        yield found


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that are verified from here on."""
    found, verify = list[bytes](), VerifyKey.verify

    def noted(key: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
        found.append(signature)
        verify(key, signature, message, context)

    monkeypatch.setattr(VerifyKey, "verify", noted)
    return found


# -- what is verified


async def test_a_start_verifies_no_signature_again(house: House, verified: list[bytes]) -> None:
    """Those of this run and of the one before it."""
    await house.files(house["KEN"].opens_epoch())
    assert verified
    await house.restarts()
    await house.files(house["GBR"].opens_epoch())
    verified.clear()
    await house.restarts()
    assert verified == []
    assert len(house.broker._state.valid) >= len(house.broker._state.statements)


async def test_without_memory_all_are_verified_again(house: House, verified: list[bytes]) -> None:
    await house.broker.close()
    shell(house, "DELETE FROM memory")
    verified.clear()
    await house.opens()
    stated = (statements.parse(raw) for (raw,) in shell(house, "SELECT raw FROM statement")[0])
    assert {*verified} == {sig for statement in stated for sig in statement.signatures.values()}


async def test_attack_another_signature_under_a_statement_that_was_valid(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect no start: the statement is known, and this signature of it is not. So far back in the
    journal its row is compared with nothing.
    """
    monkeypatch.setattr(recovery, "RECHECKED", 1)
    statement = house["KEN"].opens_epoch()
    await house.files(statement)
    await house.restarts()
    await house.broker.close()
    (signature,) = statement.signatures.values()
    other = statement.raw.replace(signature, bytes([signature[0] ^ 1]) + signature[1:])
    assert statements.parse(other).identity == statement.identity
    with closing(sqlite3.connect(house.folder / "data" / "journal.db")) as database:
        database.execute("UPDATE statement SET raw = ? WHERE raw = ?", (other, statement.raw))
        database.commit()
    with refused("journal-damaged", "bad-signature"):
        await house.opens()


async def test_attack_a_refused_statement_leaves_nothing_behind(
    house: House, verified: list[bytes]
) -> None:
    """Expect a refusal, and that its valid signature takes no room: a member may post millions."""
    refused_one = house["KEN"].drafts("epoch.open", {**house["KEN"].epoch_body(), "epoch": 99})
    before = set(house.broker._state.valid)
    with refused("statement-conflict"):
        await house.broker.publish(refused_one.raw)
    assert {*refused_one.signatures.values()} <= {*verified}
    assert house.broker._state.valid == before


# -- a digest


KEY = SigningKey(bytes(range(80)))
VALUES = (KEY.public, KEY.sign(b"message", STATEMENT), b"message", STATEMENT)


def test_what_is_known_is_not_verified_again() -> None:
    first = Verifying(set())
    first.verify(*VALUES)
    again = Verifying(valid.read(valid.write(first.found)))
    assert again.found == set()
    again.verify(*VALUES)
    assert again.found == first.found


OTHERS = {
    "key": (SigningKey(bytes(range(1, 81))).public, *VALUES[1:]),
    "signature": (VALUES[0], VALUES[1][:-1] + bytes([VALUES[1][-1] ^ 1]), *VALUES[2:]),
    "message": (*VALUES[:2], b"massage", VALUES[3]),
    "context": (*VALUES[:3], b"tearline/report"),
    "a byte moved from message to context": (*VALUES[:2], b"messag", b"e" + VALUES[3]),
}


@pytest.mark.parametrize("other", OTHERS)
def test_attack_whatever_differs_is_verified(other: str) -> None:
    """Expect refusal, though the signature of something else is known."""
    first = Verifying(set())
    first.verify(*VALUES)
    again = Verifying(first.found)
    with refused("bad-signature"):
        again.verify(*OTHERS[other])
    assert again.found == set()
