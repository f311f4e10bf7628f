"""What an auditor pulls is verified, kept, gone on with, and handed on as a file."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from clients.auditor import Auditor
from clients.evidence import examining, fetching, pull
from clients.evidence.pull import Progress
from clients.evidence.status import status_of
from clients.evidence.store import FILE, EvidenceStore
from tests.clients.evidence.little_history import LATER, NATIONS, Desk, desk, piloted, share
from tests.clients.evidence.test_examining import children
from tests.clients.liar import Doc, Liar
from tests.pilot import Pilot
from tests.refusal import refused
from wire import evidence_file
from wire.entries import MISSION
from wire.errors import BrokerFault, TearlineError

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
    monkeypatch.setattr(fetching, "PAGE", 3)
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
            "UPDATE line SET link = CAST('f' || substr(link, 2) AS BLOB) WHERE number = "
            "(SELECT line FROM fact WHERE channel = 'KEN' ORDER BY count DESC LIMIT 1)"
        )
    database.close()
    with refused("bad-input", "edited"), auditor.store():
        pass
    path.write_bytes(b"SQLite format 3\0 or not")
    with refused("bad-input", "not an evidence store"), auditor.store():
        pass


@pytest.mark.slow
async def test_evidence_that_was_removed_is_pulled_again_and_has_to_be_the_same(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a removed file is replaced by holds all that it held, however often the pull breaks.
    Expect refusal of one that somebody laid there meanwhile.
    """
    monkeypatch.setattr(fetching, "PAGE", 5)
    await share(pilot, "KEN", "GBR", count=3)
    auditor = desk(pilot, "KEN")
    await auditor.pull()
    path, held = auditor.identity.state / FILE, len(auditor.history())

    def breaks(channel: str, _done: int, _all: int) -> None:
        if channel == "KEN":
            raise BrokerFault("unreachable")

    async def nothing(*_: object) -> None: ...

    path.unlink()
    with refused("unreachable"):
        await auditor.pull(breaks)
    part = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(pull, "_follow", nothing)
        with refused("bad-input", "older than it was"):
            await auditor.pull()
    await auditor.pull()
    assert len(auditor.history()) > held
    path.write_bytes(part)
    with refused("bad-input", "older than it was"):
        await auditor.pull()


@pytest.mark.slow
async def test_two_pulls_at_once_do_not_disturb_each_other(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a push that goes on and a person may: one of them keeps a page, the other is told so."""
    monkeypatch.setattr(fetching, "PAGE", 5)
    await share(pilot, "KEN", "GBR", count=3)
    auditor = desk(pilot, "KEN")
    first, second = await asyncio.gather(auditor.pull(), auditor.pull(), return_exceptions=True)
    refusals = [each for each in (first, second) if isinstance(each, BaseException)]
    assert [each.slug for each in refusals if isinstance(each, TearlineError)] == ["busy"]
    assert len(refusals) == 1
    await auditor.pull()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


# -- long pulls: a process beside this one examines, and the next page is asked for early


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pull is a long one."""
    monkeypatch.setattr(fetching, "PAGE", 3)
    monkeypatch.setattr(pull, "MANY", 1)
    monkeypatch.setattr(examining, "STARTING", 0)


async def pulled(desk: Desk, progress: Progress) -> None:
    async with Auditor(desk.identity) as auditor:
        with EvidenceStore.open(desk.identity.state, pull.whose(auditor), new=True) as store:
            await pull.pull(auditor, store, progress)


def kept(desk: Desk) -> list[tuple[object, ...]]:
    """All entries but those of the pulls themselves."""
    names = ("channel", "idx", "time", "type", "view", "report", "recipient", "actor")
    with desk.store() as store:
        assert store.is_complete("KEN")
        rows = store.rows("SELECT * FROM entry WHERE type <> 'audit.read' ORDER BY channel, count")
        return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.slow
@pytest.mark.usefixtures("long")
async def test_a_long_pull_keeps_what_a_short_one_keeps(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await share(pilot, "KEN", "GBR", "FRA", count=3)
    auditor, seen = desk(pilot, "KEN"), list[tuple[str, int, int]]()
    await pulled(auditor, lambda *done: seen.append((*done[:2], len(children()))))
    ours = [each for each in seen if each[0] == "KEN"]
    assert [count for _, count, _ in ours] == [*range(3, ours[-1][1], 3), ours[-1][1]]
    assert [processes for *_, processes in ours] == [1] * len(ours)
    assert not children()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)
    monkeypatch.undo()
    other = desk(pilot, "KEN")
    assert other.identity.state != auditor.identity.state
    await other.pull()
    assert kept(other) == kept(auditor)


@pytest.mark.slow
@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("page", [3, 6])
async def test_a_lie_in_a_long_pull_is_refused_and_all_before_it_kept(
    pilot: Pilot, page: int
) -> None:
    """Expect refusal, naming the first bad entry; told the truth, the same pull goes on."""
    await share(pilot, "KEN", "GBR", count=6)
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])

    def bend(told: Doc) -> Doc:
        told["segment"]["entries"][1]["opening"] = "A" * 43 + "="
        return told

    async with Liar.at(door, pilot.port) as liar:
        liar.answers(f"/v1/log/views.*after={page}&", bend)
        with refused("broken-chain", f"entry {page + 1} of KEN, at index"):
            await auditor.pull()
        with auditor.store() as store:
            assert store.trust("KEN").tip.count == page
        assert not children()
        liar.honest()
        await auditor.pull()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
@pytest.mark.usefixtures("long")
async def test_a_process_that_dies_in_a_long_pull_loses_nothing(pilot: Pilot) -> None:
    await share(pilot, "KEN", "GBR", count=6)
    auditor = desk(pilot, "KEN")

    def kill(channel: str, *_: int) -> None:
        for process in children() if channel == "KEN" else ():
            os.kill(process, signal.SIGKILL)

    await pulled(auditor, kill)
    assert not children()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
@pytest.mark.usefixtures("long")
async def test_a_long_pull_that_is_stopped_goes_on_where_it_was(pilot: Pilot) -> None:
    """As Ctrl-C stops it: no process is left, and whole pages are kept."""
    await share(pilot, "KEN", "GBR", count=6)
    auditor = desk(pilot, "KEN")
    with anyio.CancelScope() as scope:
        await pulled(auditor, lambda channel, *_: scope.cancel() if channel == "KEN" else None)
    assert not children()
    with EvidenceStore.open(
        auditor.identity.state, pull.whose(Auditor(auditor.identity)), new=False
    ) as store:
        assert store.trust("KEN").tip.count == 3
    await auditor.pull()
    evidence_file.verify(auditor.history(), auditor.identity.charter, now_ms=LATER)


@pytest.mark.slow
@pytest.mark.usefixtures("long")
async def test_no_page_is_asked_for_in_vain(pilot: Pilot) -> None:
    """Each read of the journal is an entry that everybody sees."""
    await share(pilot, "KEN", "GBR", count=4)
    (door,) = pilot.doors
    auditor = desk(pilot, "KEN", port=door.getsockname()[1])
    async with Liar.at(door, pilot.port) as liar:
        await auditor.pull()
        asked = [a.query for a in liar.asked if a.path == "/v1/log/views"]
    with auditor.store() as store:
        pages = list(store.rows("SELECT number FROM page WHERE channel = 'KEN'"))
    assert len(asked) == len(pages) == len(set(asked))


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
