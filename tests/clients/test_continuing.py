"""Who follows a log is led on after a loss by the nations, and by nobody else."""

import base64
import json
import time
from pathlib import Path

import pytest

from clients.auditor import Auditor
from clients.evidence import files, left, pull
from clients.evidence.store import EvidenceStore
from clients.session import Session
from clients.witness import attend
from clients.witness.folder import WitnessFolder
from tests.falling_back import Falling
from tests.pilot import draft
from tests.refusal import refused
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
    assert history(later).header.continued is not None
    assert history(later, back=1).newest.checkpoint.size == seen.size


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
        with EvidenceStore.open(auditor.identity.state, pull.whose(auditor), new=True) as store:
            return await pull.pull(auditor, store)


def history(auditor: Auditor, back: int = 0) -> Proven:
    """The evidence of one log, verified as anybody would."""
    me, whose = auditor.identity, left.whose(auditor, back)
    with EvidenceStore.open(me.state, whose, new=False) as store:
        lines = list(files.history(store, me.mission, me.nation, me.charter))
        return evidence_file.verify(lines, store.pinned, now_ms=time.time_ns() // 1_000_000)


async def pilot_size(pilot: Falling) -> int:
    """From where the log goes on."""
    (path,) = (pilot.broker / "genesis").glob("continued-*")
    return int(path.name.split("-")[1])
