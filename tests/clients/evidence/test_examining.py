"""Pages examined in a process beside this one: the same is found, and nothing rests on it alone."""

import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.evidence import examining
from clients.evidence.examining import Answer, Examined, Examiner, Job, Question, examine
from tests.refusal import refused
from tests.wire.evidence_files import erased
from tests.wire.memory_log import CHANNELS, MemoryLog, released
from wire.base64_strict import decode, encode
from wire.entries import Event
from wire.errors import Malformed
from wire.evidence import Segment
from wire.notes import open_checkpoint
from wire.pages import Page
from wire.prove import Trust

pytestmark = pytest.mark.anyio


def log() -> MemoryLog:
    found = MemoryLog()
    found.append(*[released("KEN", "GBR", report=n) for n in range(5)])
    found.append(released("KEN", report=5), released("FRA"), released("KEN", report=7))
    return found


LOG = log()


def job(log: MemoryLog = LOG, trust: Trust = Trust(), limit: int = 1_000, **page: Any) -> Job:  # noqa: B008 - frozen
    segment: Segment = log.segment("KEN", after=trust.tip.count, limit=limit)
    told = Page(segment.checkpoint, segment.channel, segment.entries, segment.head)
    opened = open_checkpoint(segment.checkpoint, [log.signer.vkey])
    return Job(replace(told, **page), opened, "KEN", CHANNELS.index("KEN"), trust)


def same(one: Examined, other: Examined) -> bool:
    return all(
        getattr(one, name) == getattr(other, name) for name in ("trust", "complete", "notable")
    ) and list(one.rows) == list(other.rows)


def children() -> set[int]:
    """The processes that examine for this one."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    found = set()
    for pid in own:
        with suppress(FileNotFoundError, ProcessLookupError):  # it may be gone by now
            if b"clients.evidence.examining" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(int(pid))
    return found


async def the_process() -> int:
    """The one that examines: started, and known to the system by its command a moment later."""
    while not (found := children()):
        await anyio.sleep(0)
    (pid,) = found
    return pid


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is asked from the first page on."""
    monkeypatch.setattr(examining, "STARTING", 0)


@pytest.fixture
async def examiner(at_once: None) -> AsyncIterator[Examiner]:
    async with Examiner([LOG.signer.vkey]) as made:
        await made.start()
        yield made
    assert not children()


async def asked(examiner: Examiner, job: Job) -> Examined:
    await examiner.begin(job)
    return await examiner.end()


@pytest.mark.slow
async def test_beside_the_same_is_found_page_after_page(examiner: Examiner) -> None:
    trust, rows = Trust(), list[Any]()
    while not (rows and rows[-1].complete):
        page = job(trust=trust, limit=3)
        found = await asked(examiner, page)
        assert same(found, examine(page))
        trust = found.trust
        rows.append(found)
    assert [row.count for found in rows for row in found.rows] == list(range(7))
    assert len(children()) == 1


@pytest.mark.slow
async def test_what_was_erased_is_told_with_its_proof(examiner: Examiner) -> None:
    page = job(erased().log)
    found = await asked(examiner, page)
    assert same(found, examine(page))
    assert [one.count for one in found.notable] == [0, 1, 2, 4, 5]


def bent(change: Callable[[bytes], bytes], field: str, number: int = 2) -> dict[str, Any]:
    """The page with the bytes of a field of one entry changed."""
    entries = list(LOG.segment("KEN").entries)
    text = encode(change(decode(getattr(entries[number], field))))
    entries[number] = entries[number].model_copy(update={field: text})
    return {"entries": entries}


LIES: dict[str, dict[str, Any]] = {
    "a hidden entry": {
        "entries": [*LOG.segment("KEN").entries[:2], *LOG.segment("KEN").entries[3:]]
    },
    "no entries": {"entries": []},
    "another view": bent(lambda _: b'{"report":99}', "view"),
    "another link": bent(lambda link: link.replace(b"released", b"refused."), "link"),
    "another leaf": bent(lambda leaf: leaf[:-1] + b"\0", "leaf"),
    "another opening": bent(lambda _: bytes(32), "opening"),
    "another channel's head": {"head": LOG.segment("GBR").head},
    "another channel's page": {"channel": "GBR"},
    "stray bits in base64": {
        "entries": [
            LOG.segment("KEN").entries[0].model_copy(update={"opening": "A" * 42 + "B="}),
        ]
    },
}


@pytest.mark.slow
async def test_a_lie_is_refused_in_the_same_words(examiner: Examiner) -> None:
    """Expect refusal, naming the first bad entry, and no process that does not go on after it."""
    for name, lie in LIES.items():
        told = job(**lie)
        with pytest.raises(Malformed) as here:
            examine(told)
        with refused(here.value.slug, f"^{re.escape(here.value.detail)}$"):
            await asked(examiner, told)
        assert name.startswith("another channel") or "entry " in here.value.detail
    assert same(await asked(examiner, job()), examine(job()))


@pytest.mark.slow
async def test_a_page_under_another_key_is_refused_beside_too(examiner: Examiner) -> None:
    """Expect that the process opens the checkpoint itself."""
    question = examiner._question(job())
    other = replace(job(), page=replace(job().page, checkpoint=MemoryLog(seed=8).checkpoint))
    answers = BytesIO()
    told = examining._framed(question)
    examining.answer(BytesIO(told), answers)
    assert examining._ANSWER.decode(answers.getvalue()[4:]).refused is None
    with refused("bad-checkpoint"):
        examining._answered(examiner._question(other))


@pytest.mark.slow
async def test_a_process_that_dies_loses_nothing(examiner: Examiner) -> None:
    """Its page is examined here, and so are those that come."""
    first = await asked(examiner, job(limit=3))
    process = await the_process()
    os.kill(process, signal.SIGSTOP)  # so that it has not answered when it dies
    second = job(trust=first.trust, limit=3)
    await examiner.begin(second)
    os.kill(process, signal.SIGKILL)
    found = await examiner.end()
    assert same(found, examine(second))
    assert not children()
    last = job(trust=found.trust)
    assert same(await asked(examiner, last), examine(last))


@pytest.mark.slow
async def test_a_process_that_died_between_two_pages_loses_nothing(examiner: Examiner) -> None:
    process = await the_process()
    os.kill(process, signal.SIGKILL)
    while children():
        await anyio.sleep(0)
    large = MemoryLog()  # more than a pipe takes in before it is found to be broken
    large.append(*[Event("large", {"KEN": {"x": "y" * 60_000}}) for _ in range(9)])
    assert same(await asked(examiner, job(large)), examine(job(large)))
    assert not children()


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "sys.stdout.write('x')",
        "sys.stdin.buffer.read(9); sys.stdout.buffer.write(bytes(4))",
        "sys.stdin.buffer.read(9); sys.stdout.buffer.write(bytes([0, 0, 0, 1, 7]))",
    ],
)
@pytest.mark.usefixtures("at_once")
async def test_an_answer_of_another_kind_stands_for_nothing(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    liar = tmp_path / "liar"
    liar.write_text(f"#!{sys.executable}\nimport sys; {code}\n", "utf-8")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    async with Examiner([LOG.signer.vkey]) as examiner:
        await examiner.start()
        assert same(await asked(examiner, job()), examine(job()))


@pytest.mark.usefixtures("at_once")
async def test_where_no_process_can_be_had_pages_are_examined_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with Examiner([LOG.signer.vkey]) as examiner:
        await examiner.start()
        assert same(await asked(examiner, job()), examine(job()))


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
async def test_who_stops_waiting_leaves_no_process_behind() -> None:
    """As Ctrl-C does in the middle of a page."""
    with anyio.move_on_after(5) as scope:
        async with Examiner([LOG.signer.vkey]) as examiner:
            await examiner.start()
            process = await the_process()
            os.kill(process, signal.SIGSTOP)
            await examiner.begin(job())
            scope.cancel()
            await examiner.end()
    assert not children()


@pytest.mark.slow
async def test_while_the_process_starts_pages_are_examined_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(examining, "STARTING", 2)
    here = list[Job]()

    def noted(job: Job) -> Examined:
        here.append(job)
        return examine(job)

    monkeypatch.setattr(examining, "examine", noted)
    async with Examiner([LOG.signer.vkey]) as examiner:
        await examiner.start()
        for number in range(4):
            await examiner.start()
            assert same(await asked(examiner, job()), examine(job()))
            assert len(here) == min(number + 1, 2)


async def test_a_short_pull_starts_no_process() -> None:
    async with Examiner([LOG.signer.vkey]) as examiner:
        assert same(await asked(examiner, job()), examine(job()))
        assert not children()


def test_what_was_examined_is_made_by_examining_only() -> None:
    with pytest.raises(TypeError, match="proof of a check"):
        Examined(Trust(), True, [], ())


def test_messages_come_out_as_they_went_in() -> None:
    page = job(erased().log)
    examiner = Examiner([LOG.signer.vkey])
    question = examiner._question(page)
    assert examining._QUESTION.decode(examining._framed(question)[4:]) == question
    assert isinstance(question, Question)
    found = examining._answered(question)
    assert examining._ANSWER.decode(examining._framed(found)[4:]) == found
    assert isinstance(found, Answer)
