"""What an auditor finds: the whole history that concerns its nation, or the first thing wrong."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from broker import audit
from clients import auditor as auditing
from clients.auditor import Auditor
from clients.evidence import answers
from clients.evidence.answers import Asked
from clients.evidence.status import status_of
from clients.subscriber import Subscriber
from tests.cli.terminal import here
from tests.clients.evidence.little_history import desk
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {nation: open_policy(nation) for nation in NATIONS}


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Pilot]:
    with Pilot.of(*NATIONS, folder=tmp_path, policies=POLICIES) as found:
        yield found


async def share(pilot: Pilot, originator: str, *to: str, count: int = 1) -> list[str]:
    """Publish reports and let the readers fetch them."""
    async with pilot.publisher(originator) as publisher:
        reports = [(await publisher.publish(draft(release_to=to))).report for _ in range(count)]
    for nation in to:
        async with pilot.subscriber(nation) as subscriber:
            async for _ in subscriber.fetch():
                pass
    return reports


async def test_every_nation_finds_what_concerns_it_and_nothing_else(pilot: Pilot) -> None:
    await share(pilot, "KEN", "GBR", "FRA", count=2)
    await share(pilot, "GBR", "KEN")
    found = {}
    for nation in NATIONS:
        async with pilot.auditor(nation) as auditor:
            found[nation] = await auditor.verify()
    shared = {nation: dict(verdict.shared) for nation, verdict in found.items()}
    assert shared == {
        "KEN": {("KEN", n): 2 for n in NATIONS} | {("GBR", "KEN"): 1},  # its own reader too
        "GBR": {("KEN", "GBR"): 2, ("GBR", "KEN"): 1},
        "FRA": {("KEN", "FRA"): 2},
    }
    for nation, verdict in found.items():
        assert (verdict.nation, verdict.complete, verdict.findings) == (nation, True, ())
        assert verdict.entries == sum(verdict.by_type.values())
        assert verdict.by_type["audit.read"] == 1, "the reading itself is an entry"
        assert verdict.erased == 0
        assert verdict.newest_ms is not None
        assert verdict.entries < verdict.size
    assert found["KEN"].by_type["report.accepted"] == 2
    assert "report.accepted" not in found["FRA"].by_type


async def test_a_long_history_is_walked_page_by_page(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await share(pilot, "KEN", "GBR", count=6)
    async with pilot.auditor("KEN") as auditor:
        whole = await auditor.verify()
    monkeypatch.setattr(auditing, "PAGE", 3)
    told: list[int] = []
    async with pilot.auditor("KEN") as auditor:
        paged = await auditor.verify(told.append)
        entries = await auditor.entries()
    assert told == sorted(set(told))
    assert told[-1] == paged.entries
    assert len(told) > 5
    assert dict(paged.shared) == dict(whole.shared)
    assert [entry.count for entry in entries] == list(range(len(entries)))
    assert {entry.channel for entry in entries} == {"KEN"}


async def test_history_grows_while_it_is_walked(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of different trees: each must extend the one before."""
    monkeypatch.setattr(auditing, "PAGE", 2)
    await share(pilot, "KEN", "GBR", count=3)
    async with pilot.publisher("KEN") as publisher, pilot.auditor("KEN") as auditor:
        sizes = []
        async for trust, _ in auditor._pages():
            sizes.append(trust.size)
            if len(sizes) <= 3:
                await publisher.publish(draft())
        assert sizes == sorted(set(sizes))
        verdict = await auditor.verify()
    assert verdict.by_type["report.accepted"] == 6


async def test_readers_read_reports_and_auditors_the_journal(pilot: Pilot) -> None:
    """Expect refusal: neither can do the other's work."""
    (report,) = await share(pilot, "KEN", "GBR")
    async with Auditor(pilot.device("KEN", "analyst")) as pretender:
        with refused("not-allowed"):
            await pretender.verify()
    async with Subscriber(pilot.device("GBR", "auditor")) as reader:
        with refused("not-allowed"):
            await reader.fetch_one(report)
        with refused("not-allowed"):
            await anext(reader.fetch())


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"accepted": 1}, "releases a report that we are not known to send"),
        ({"accepted_time": 1}, "releases a report that we are not known to send"),
        ({"report": "0" * 64}, "releases other than what entry"),
        ({"portions": [0, 15]}, "releases other than what entry"),
        ({"to": "FRA"}, "releases other than what entry"),
    ],
)
async def test_a_release_in_our_name_that_we_never_made_is_found(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], finding: str
) -> None:
    """A broker with the log's key can journal what is not so; its readers cannot tell, we can."""
    honest = audit.released

    def lying(*what: Any) -> Any:
        event = honest(*what)
        views = {channel: {**view, **changed} for channel, view in event.views.items()}
        return type(event)(event.type, views)

    async with pilot.publisher("KEN") as publisher:
        await publisher.publish(draft())
    with monkeypatch.context() as patch:
        patch.setattr(audit, "released", lying)
        async with pilot.subscriber("GBR") as subscriber:
            await subscriber.transport.get("/v1/reports")
    async with pilot.auditor("KEN") as auditor:
        verdict = await auditor.verify()
    assert verdict.complete
    (found,) = verdict.findings
    assert finding in found


async def test_what_was_consented_to_later_is_no_finding(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it stands, for this report and this nation: then the officers named it."""
    async with pilot.publisher("KEN") as publisher:
        consented, other = [(await publisher.publish(draft())).report for _ in range(2)]
    async with pilot.officer("KEN") as officer, pilot.subscriber("FRA") as france:
        (consent,) = await officer.consent(consented, "FRA", life=3_600)
        await france.fetch_one(consented)
        keeper = desk(pilot, "KEN")
        await keeper.pull()
        with keeper.store() as store:
            assert status_of(store, "KEN", 0).findings == ()
            assert answers.ask(store, "KEN", answers.find("outside"), Asked()).rows == ()
        async with pilot.auditor("KEN") as auditor:
            assert (await auditor.verify()).findings == ()
        honest = audit.released

        def lying(*what: Any) -> Any:
            event = honest(*what)
            views = {channel: {**view, "to": "FRA"} for channel, view in event.views.items()}
            return type(event)(event.type, views)

        with monkeypatch.context() as patch:
            patch.setattr(audit, "released", lying)
            async with pilot.subscriber("GBR") as britain:
                await britain.transport.get(f"/v1/reports/{other}")
                await officer.withdraw(consent.identity, "given in error")
                await britain.transport.get(f"/v1/reports/{consented}")
    async with pilot.auditor("KEN") as auditor:
        found = (await auditor.verify()).findings
    await keeper.pull()
    with keeper.store() as store:
        assert status_of(store, "KEN", 0).findings == found
        assert len(answers.ask(store, "KEN", answers.find("outside"), Asked()).rows) == 2
    assert ["releases other than what entry" in one for one in found] == [True, True]
    words = ("audit", "verify", "--as", pilot.device("KEN", "auditor").folder)
    said = await anyio.to_thread.run_sync(partial(here, *words))
    assert (said.code, said.out.count("finding: entry")) == (1, 2)
    said = await anyio.to_thread.run_sync(partial(here, *words, "--json"))
    assert (said.code, said.row["findings"]) == (1, list(found))


async def test_an_entry_that_does_not_say_who_shared_what_breaks_the_walk(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = audit.released

    def silent(*what: Any) -> Any:
        event = honest(*what)
        return type(event)(event.type, {c: {"report": 1} for c in event.views})

    async with pilot.publisher("KEN") as publisher:
        await publisher.publish(draft())
    with monkeypatch.context() as patch:
        patch.setattr(audit, "released", silent)
        async with pilot.subscriber("GBR") as subscriber:
            await subscriber.transport.get("/v1/reports")
    async with pilot.auditor("KEN") as auditor:
        with refused("broken-chain", "does not say who shared what"):
            await auditor.verify()
