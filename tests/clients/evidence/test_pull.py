"""What an auditor pulls is verified, kept, gone on with, and handed on as a file."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.auditor import Auditor
from clients.evidence import pull
from clients.evidence.status import status_of
from clients.evidence.store import FILE
from tests.clients.evidence.little_history import LATER, NATIONS, Desk, desk, piloted, share
from tests.clients.liar import Doc, Liar
from tests.pilot import Pilot
from tests.refusal import refused
from wire import evidence_file
from wire.entries import MISSION
from wire.errors import TearlineError

pytestmark = pytest.mark.anyio


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Pilot]:
    with piloted(tmp_path, doors=1) as found:
        yield found


@pytest.mark.slow
async def test_every_nation_keeps_what_concerns_it_and_hands_it_on(
    pilot: Pilot, tmp_path: Path
) -> None:
    await share(pilot, "KEN", "GBR", "FRA", count=2)
    await share(pilot, "GBR", "KEN")
    released = {"KEN": 7, "GBR": 3, "FRA": 2}
    for nation in NATIONS:
        auditor = desk(pilot, nation)
        pulled = await auditor.pull()
        proven = auditor.written(tmp_path / f"{nation}.tlev", auditor.history())
        ours = proven.of(nation)
        assert pulled.entries == len(ours)
        assert sum(entry.type == "release" for entry in ours) == released[nation]
        assert {entry.channel for entry in proven.entries} == {MISSION, nation}
        assert proven.newest.checkpoint.size == pulled.size


@pytest.mark.slow
async def test_a_second_pull_asks_for_what_is_new_only(pilot: Pilot) -> None:
    await share(pilot, "KEN", "GBR")
    auditor = desk(pilot, "KEN")
    first = await auditor.pull()
    await share(pilot, "KEN", "FRA")
    second = await auditor.pull()
    assert first.new > second.new > 0
    assert second.size > first.size
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
async def test_a_pull_that_breaks_goes_on_where_it_was(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await share(pilot, "KEN", "GBR", count=4)
    monkeypatch.setattr(pull, "PAGE", 3)
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])
    async with Liar.at(door, pilot.port) as liar:
        liar.refuses("/v1/log/views.*after=3", 403, "not-allowed")
        with refused("not-allowed"):
            await auditor.pull()
        with auditor.store() as store:
            assert store.trust("KEN").tip.count == 3
            status = status_of(store, "KEN", LATER)
            assert not status.good
            assert "did not reach the end" in status.verdict
        with refused("bad-input", "did not reach the end"):
            auditor.history()
        liar.honest()
        await auditor.pull()
        asked = [a.query for a in liar.asked if a.path == "/v1/log/views"]
    assert sum("after=0" in query for query in asked) == 1
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
async def test_a_hidden_entry_stops_the_pull(pilot: Pilot) -> None:
    """Expect refusal, and nothing of the page is kept."""
    await share(pilot, "KEN", "GBR", count=2)
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])

    def hide(page: Doc) -> Doc:
        page["segment"]["entries"].pop(1)
        return page

    async with Liar.at(door, pilot.port) as liar:
        liar.answers("/v1/log/views", hide)
        with refused("broken-chain", "entry 1 of KEN"):
            await auditor.pull()
    with auditor.store() as store:
        assert store.trust("KEN").tip.count == 0


@pytest.mark.slow
async def test_a_journal_that_was_set_back_is_refused(pilot: Pilot) -> None:
    """Expect refusal: a page under an older tree than the evidence has."""
    await share(pilot, "KEN", "GBR")
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])
    async with Liar.at(door, pilot.port) as liar:
        await auditor.pull()
        await share(pilot, "KEN", "GBR")
        old = liar.heard("/v1/log/views")[-1]
        await auditor.pull()
        liar.answers("/v1/log/views", lambda _: old)
        with refused("broken-chain"):
            await auditor.pull()


@pytest.mark.slow
async def test_a_proof_that_others_could_not_check_is_not_kept(pilot: Pilot) -> None:
    """Expect refusal, though the client has seen newer trees, and was shown a right proof."""
    await share(pilot, "KEN", "GBR")
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])

    def bend(page: Doc) -> Doc:
        page["consistency"] = page["consistency"][::-1] or ["A" * 43 + "="]
        return page

    async with Liar.at(door, pilot.port) as liar:
        size = (await auditor.pull()).size
        await share(pilot, "KEN", "GBR", count=3)
        async with Auditor(auditor.identity) as looking:
            await looking.verify()
        liar.answers(f"/v1/statements.*size={size}(&|$)", bend)
        with refused("bad-proof"):
            await auditor.pull()
        liar.honest()
        await auditor.pull()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
async def test_evidence_that_was_put_back_or_edited_is_not_believed(
    pilot: Pilot,
) -> None:
    """Expect refusal: who can write the file cannot make the auditor forget or believe."""
    await share(pilot, "KEN", "GBR")
    auditor = desk(pilot, "KEN")
    await auditor.pull()
    path = auditor.identity.state / FILE
    old = path.read_bytes()
    await share(pilot, "KEN", "GBR")
    await auditor.pull()
    new = path.read_bytes()
    path.write_bytes(old)
    with refused("bad-input", "older than it was"), auditor.store():
        pass
    path.write_bytes(new)
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE line SET link = 'f' || substr(link, 2) WHERE number = "
            "(SELECT line FROM fact WHERE channel = 'KEN' ORDER BY count DESC LIMIT 1)"
        )
    database.close()
    with refused("bad-input", "edited"), auditor.store():
        pass
    path.write_bytes(b"SQLite format 3\0 or not")
    with refused("bad-input", "not an evidence store"), auditor.store():
        pass


@pytest.mark.slow
async def test_two_pulls_at_once_do_not_disturb_each_other(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a push that goes on and a person may: one of them keeps a page, the other is told so."""
    monkeypatch.setattr(pull, "PAGE", 5)
    await share(pilot, "KEN", "GBR", count=3)
    auditor = desk(pilot, "KEN")
    first, second = await asyncio.gather(auditor.pull(), auditor.pull(), return_exceptions=True)
    refusals = [each for each in (first, second) if isinstance(each, BaseException)]
    assert [each.slug for each in refusals if isinstance(each, TearlineError)] == ["busy"]
    assert len(refusals) == 1
    await auditor.pull()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
async def test_a_store_of_somebody_else_is_not_used(pilot: Pilot) -> None:
    await share(pilot, "KEN", "GBR")
    kenya, britain = desk(pilot, "KEN"), desk(pilot, "GBR")
    await kenya.pull()
    with refused("bad-input", "nothing was pulled yet"), britain.store():
        pass
    britain.identity.state.mkdir(exist_ok=True)
    (britain.identity.state / FILE).write_bytes((kenya.identity.state / FILE).read_bytes())
    with refused("bad-input", "of another member"), britain.store():
        pass


@pytest.mark.slow
async def test_the_status_is_green_while_it_is_fresh(pilot: Pilot) -> None:
    await share(pilot, "KEN", "GBR", "FRA")
    auditor = desk(pilot, "KEN")
    await auditor.pull()
    with auditor.store() as store:
        checked = status_of(store, "KEN", 0).checked_ms
        fresh, late = (status_of(store, "KEN", checked + ms) for ms in (5_000, 90_000_000))
    assert (fresh.good, fresh.complete, fresh.age_s, fresh.erased) == (True, True, 5, 0)
    assert (late.good, late.verdict.endswith("pull again")) == (False, True)
    assert fresh.entries == store_count(auditor, "KEN")


def store_count(auditor: Desk, channel: str) -> int:
    with auditor.store() as store:
        row = store.one("SELECT count(*) AS n FROM entry WHERE channel = ?", channel)
    assert row is not None
    return int(row["n"])
