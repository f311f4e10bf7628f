"""Signatures checked elsewhere: a fault vouches for nothing, and the next report is checked."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import signatures
from broker.signatures import BAD, GOOD, Processes, Signatures, Signed, Threads
from tests.refusal import refused
from wire import composite
from wire.composite import PUBLIC_KEY, SigningKey

pytestmark = pytest.mark.anyio

KEY = SigningKey(bytes(range(80)))
OTHER = SigningKey(bytes(range(1, 81)))


def signed(head: bytes, key: SigningKey = KEY) -> Signed:
    return Signed(key.public.raw, head, key.sign(head, composite.REPORT))


@pytest.fixture(params=[Threads, Processes])
async def checking(request: pytest.FixtureRequest) -> AsyncIterator[Signatures]:
    made: Signatures = request.param()
    yield made
    await made.close()


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    made = Processes()
    yield made
    await made.close()


def children() -> set[int]:
    """The processes that check for this one."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    words = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in own}
    return {pid for pid, line in words.items() if b"broker.signatures" in line}


@pytest.mark.slow
async def test_each_signature_gets_its_own_answer(checking: Signatures) -> None:
    good, other = signed(b"one"), signed(b"two", OTHER)
    hop = [good, good._replace(head=b"two"), other, other._replace(key=good.key)]
    hop += [good._replace(signature=b""), good._replace(key=bytes(PUBLIC_KEY)), good]
    assert list(await checking.check(hop)) == [GOOD, BAD, GOOD, BAD, BAD, BAD, GOOD]


async def test_a_signature_over_a_statement_is_none_over_a_report(checking: Signatures) -> None:
    wrong = Signed(KEY.public.raw, b"one", KEY.sign(b"one", composite.STATEMENT))
    assert list(await checking.check([wrong])) == [BAD]


@pytest.mark.slow
async def test_many_hops_at_a_time_are_answered_in_their_own_order(checking: Signatures) -> None:
    good, bad = signed(b"one"), signed(b"one")._replace(head=b"two")
    hops = [[good] * (n % 3) + [bad] + [good] * (n % 2) for n in range(12)]
    found = await asyncio.gather(*map(checking.check, hops))
    assert [list(answers) for answers in found] == [
        [GOOD] * (n % 3) + [BAD] + [GOOD] * (n % 2) for n in range(12)
    ]


@pytest.mark.slow
async def test_a_process_that_dies_vouches_for_nothing_and_is_replaced(
    processes: Processes,
) -> None:
    """Expect refusal: whatever it was checking fails, and what comes later does not."""
    await processes.check([signed(b"one")])
    (first,) = children()
    os.kill(first, signal.SIGSTOP)  # so that it has not answered when it dies
    hops = [asyncio.ensure_future(processes.check([signed(b"one")])) for _ in range(4)]
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    found = await asyncio.gather(*hops, return_exceptions=True)
    assert any(isinstance(answer, Exception) for answer in found)
    assert list(await processes.check([signed(b"one")])) == [GOOD]
    assert first not in children()


@pytest.mark.parametrize(
    "code",
    [
        "print('x', end='')",  # an answer to nothing, or none at all
        "import sys; sys.stdin.buffer.read(9); sys.stdout.buffer.write(bytes([2]))",
        "import sys; sys.stdin.buffer.read(9); sys.stdout.buffer.write(bytes([255, 1]))",
        "import sys; sys.stdin.buffer.read(9)",
    ],
)
async def test_an_answer_of_another_kind_vouches_for_nothing(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Expect refusal: only one known byte for each is an answer."""
    liar = tmp_path / "liar"
    liar.write_text(f"#!{sys.executable}\n{code}\n", "utf-8")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    processes = Processes()
    with refused("internal"):
        await processes.check([signed(b"one")])
    await processes.close()


async def test_an_answer_before_its_question_is_not_kept_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Expect refusal: a byte too many ends the process, and stands for no later signature."""
    liar, once = tmp_path / "liar", tmp_path / "once"
    code = f"""#!{sys.executable}
import pathlib, sys, time
sys.stdin.buffer.read(9)
pathlib.Path({str(once)!r}).touch(exist_ok=False)
sys.stdout.buffer.write(bytes([1, 1]))
sys.stdout.buffer.flush()
time.sleep(60)
"""
    liar.write_text(code, "utf-8")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    processes = Processes()
    await processes.check([signed(b"one")])
    with refused("internal"):
        await processes.check([signed(b"one")._replace(head=b"two")])
    await processes.close()


@pytest.mark.slow
async def test_the_processes_end_with_the_broker(processes: Processes) -> None:
    assert not children(), "none runs before there is something to check"
    await processes.check([signed(b"one")])
    assert children()
    await processes.close()
    assert not children()


@given(st.lists(st.tuples(st.binary(max_size=64), st.binary(max_size=64)), max_size=4))
def test_a_hop_reads_as_it_was_written(pairs: list[tuple[bytes, bytes]]) -> None:
    hop = [Signed(bytes(PUBLIC_KEY), head, signature) for head, signature in pairs]
    encoded = signatures._encoded(hop)
    assert int.from_bytes(encoded[:4], "big") == len(encoded) - 4
    assert list(signatures._decoded(encoded[4:])) == hop
