"""Who follows a log is led on after a loss by the nations, and by nobody else."""

import base64
import json
import time
from pathlib import Path

import pytest

from clients import sent
from clients.auditor import Auditor
from clients.console import api
from clients.evidence import files, left, pull
from clients.evidence.store import EvidenceStore
from clients.session import Session
from clients.witness import attend
from clients.witness.folder import WitnessFolder
from tests.clients.console.proving import failed, proved
from tests.clients.console.serving import desk_of
from tests.falling_back import Falling
from tests.pilot import draft
from tests.refusal import refused
from tests.verifiers.verifying import HAS_NODE, alone, node, ours, script
from wire import evidence_file
from wire.evidence_file import Proven

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
async def pilot(tmp_path: Path) -> Falling:
    found = Falling.back(*NATIONS, folder=tmp_path)
    with found.serves():
        await found.begins()
    return found


async def follows(session: Session) -> Session:
    async with session:
        await session.follower.sync()
    return session


async def reports(pilot: Falling, number: int = 1) -> list[str]:
    async with pilot.publisher("KEN") as publisher:
        return [(await publisher.publish(draft())).report for _ in range(number)]


async def test_everybody_goes_on_once_the_nations_have_agreed(pilot: Falling) -> None:
    with pilot.serves():
        kept = await reports(pilot, 2)
        early = await follows(pilot.subscriber("GBR"))
    vault = await pilot.saves()
    with pilot.serves():
        gone = await reports(pilot, 2)
        late = pilot.subscriber("GBR")
        async with late:
            assert {r.identity async for r in late.fetch()} == {*kept, *gone}
        seen = late.follower.seen
    asleep = pilot.again(late)  # another process of the same member
    await pilot.loses(vault)
    statement = await pilot.goes_on()
    with pilot.serves():
        loss = await pilot_size(pilot)
        missing = seen.size - loss
        async with pilot.again(early) as first:
            await first.follower.sync()  # nothing that it saw is gone
            assert first.follower.log.origin == "tearline/minusx/2"
        async with pilot.again(late) as second:
            with refused("log-continued", f"from size {loss}: {missing} entries that you saw"):
                await second.follower.sync()
            await second.follower.sync()
            assert second.directory == first.directory
        assert (await follows(asleep)).directory == second.directory
        fresh = await reports(pilot)
        async with pilot.again(late) as third:
            assert {r.identity async for r in third.fetch(again=True)} == {*kept, *fresh}
    proof = json.loads((late.identity.state / f"continued-{loss}.json").read_text())
    assert base64.b64decode(proof["statement"]) == statement
    assert proof["seen"] == seen.note


async def test_an_auditors_evidence_of_both_logs_is_kept_apart(pilot: Falling) -> None:
    with pilot.serves():
        await reports(pilot, 2)
        auditor = pilot.auditor("KEN")
        await pulls(auditor)
    vault = await pilot.saves()
    with pilot.serves():
        gone = await reports(pilot, 2)
        seen = await pulls(pilot.again(auditor))
    await pilot.loses(vault)
    await pilot.goes_on()
    with pilot.serves():
        with refused("log-continued", "entries that you saw are gone"):
            await pulls(pilot.again(auditor))
        fresh = await pulls(pilot.again(auditor))
        await reports(pilot)
        await pulls(pilot.again(auditor))
    later = pilot.again(auditor)
    lost = list(left.gone(later))
    assert [one.report for one in lost if one.type == "report.accepted"] == gone
    assert {one.log for one in lost} == {"tearline/minusx"}
    assert seen.size > fresh.size
    assert [last(later).header.continued is None, last(later, 1).header.continued is None] == [
        False,
        True,
    ]
    assert last(later, 1).newest.checkpoint.size == seen.size


# -- what is handed on


async def test_a_file_of_the_new_log_is_verified_by_all_three(pilot: Falling) -> None:
    """Expect refusal of a file that says less than that, or is held against something else."""
    with pilot.serves():
        await reports(pilot, 2)
        auditor = pilot.auditor("KEN")
        await pulls(auditor)
    vault = await pilot.saves()
    with pilot.serves():
        await reports(pilot)
    await pilot.loses(vault)
    await pilot.goes_on()
    with pilot.serves():
        await pulls(pilot.again(auditor))
        await reports(pilot)
        later = pilot.again(auditor)
        await pulls(later)
    lines, pinned = history(later)
    old, charter = history(later, 1)
    first = json.loads(lines[0])
    bare = {name: value for name, value in first["evidence"].items() if name != "continued"}
    other = json.loads(lines[0])
    other["evidence"]["continued"] = other["evidence"]["charter"]
    unproven = json.loads(lines[1])
    unproven["tree"]["consistency"] = []
    asked = {
        "whole": (lines, pinned, True),
        "the old log": (old, charter, True),
        "against the charter": (lines, charter, False),
        "the old log against the statement": (old, pinned, False),
        "without the statement": ([_line({"evidence": bare}), *lines[1:]], charter, False),
        "with another statement": ([_line(other), *lines[1:]], pinned, False),
        "not from the tree that is left": ([lines[0], _line(unproven), *lines[2:]], pinned, False),
        "the old log's entries": ([lines[0], *old[1:]], pinned, False),
        "before any tree": ([lines[0], *lines[2:]], pinned, False),
    }
    now = time.time_ns() // 1_000_000
    for what, (file, known, holds) in asked.items():
        for verifier in (ours, script):
            assert (verifier(file, known, now) is None) == holds, (what, verifier.__name__)
    if HAS_NODE:
        verdicts = node([(file, known, now) for file, known, _ in asked.values()])
        assert [v is None for v in verdicts] == [holds for *_, holds in asked.values()]


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


async def test_a_receipt_of_the_new_log_is_small_and_verified_by_all_three(
    pilot: Falling,
) -> None:
    vault = await pilot.saves()
    with pilot.serves():
        await reports(pilot)
    await pilot.loses(vault)
    await pilot.goes_on()
    auditor = pilot.auditor("KEN")
    with pilot.serves():
        (report,) = await reports(pilot)
        await pulls(auditor)
    me = auditor.identity
    with EvidenceStore.open(me.state, left.whose(auditor), new=False) as store:
        row = store.one("SELECT idx FROM fact WHERE report = ?", report)
        assert row is not None
        lines = files.receipt(store, me.mission, me.nation, me.charter, row["idx"])
        now = time.time_ns() // 1_000_000
        for verifier in (ours, script, *([alone] if HAS_NODE else [])):
            assert verifier(lines, store.pinned, now) is None
            assert verifier(lines, me.charter, now) is not None
    desk = desk_of(me)
    assert desk.recheck == ""
    if HAS_NODE:
        told = api.answer(desk, f"entry/{row['idx']}", {})
        (true, lie) = proved([told, {**told, "continued": told["charter"]}])
        assert true["good"], true
        assert failed(lie) == ("charter", "the log was not continued by what was pinned")


# -- everybody's part


async def test_a_publisher_knows_what_to_send_again(pilot: Falling) -> None:
    publisher = pilot.publisher("KEN")
    with pilot.serves():
        async with publisher:
            await publisher.publish(draft())
    vault = await pilot.saves()
    with pilot.serves():
        async with pilot.again(publisher) as again:
            sealed = [await again.seal(draft()) for _ in range(2)]
            receipts = [await again.submit(report) for report in sealed]
    await pilot.loses(vault)
    await pilot.goes_on()
    with pilot.serves():
        async with pilot.again(publisher) as moved:
            with refused("log-continued"):
                await moved.publish(draft())
            found = sent.lost(moved.store, moved.follower.log)
            assert [one.report for one in found] == [one.report for one in receipts]
            assert {one.log for one in found} == {"tearline/minusx"}
            await moved.submit(sealed[0])
            found = sent.lost(moved.store, moved.follower.log)
            assert [one.report for one in found] == [receipts[1].report]


async def test_witnesses_go_with_their_log_and_leave_the_old_one(pilot: Falling) -> None:
    auditors = [pilot.auditor(code) for code in NATIONS]
    with pilot.serves():
        assert await cosigned(auditors) > 0
    vault = await pilot.saves()
    with pilot.serves():
        await reports(pilot)
    await pilot.loses(vault)
    await pilot.goes_on()
    auditors = [pilot.again(auditor) for auditor in auditors]
    with pilot.serves():
        start = await pilot_size(pilot)
        assert await cosigned(auditors) > start
    for auditor in auditors:
        home = WitnessFolder.load(auditor.identity.folder / "witness")
        assert home.logs.keys() == {"tearline/minusx/2"}


async def cosigned(auditors: list[Auditor]) -> int:
    """Every nation's witness cosigns the candidate; gives what is confirmed then."""
    for auditor in auditors:
        async with auditor:
            await attend.once(auditor)
            confirmed = await auditor.confirmed()
    assert confirmed is not None
    return confirmed.checkpoint.size


async def pulls(auditor: Auditor) -> pull.Pulled:
    async with auditor:
        await auditor.follower.sync()
        with EvidenceStore.open(auditor.identity.state, pull.whose(auditor), new=True) as store:
            return await pull.pull(auditor, store)


def history(auditor: Auditor, back: int = 0) -> tuple[list[bytes], str]:
    """The evidence of one log as a file, and what a verifier of it has to know."""
    me, whose = auditor.identity, left.whose(auditor, back)
    with EvidenceStore.open(me.state, whose, new=False) as store:
        return list(files.history(store, me.mission, me.nation, me.charter)), store.pinned


def last(auditor: Auditor, back: int = 0) -> Proven:
    """The same, verified."""
    lines, pinned = history(auditor, back)
    return evidence_file.verify(lines, pinned, now_ms=time.time_ns() // 1_000_000)


async def pilot_size(pilot: Falling) -> int:
    """From where the log goes on."""
    (path,) = (pilot.broker / "genesis").glob("continued-*")
    return int(path.name.split("-")[1])
