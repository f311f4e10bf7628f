"""An auditor who comes after an erasure: what is missing, and by whose order, is proven."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients import retention
from clients.auditor import Auditor
from clients.evidence import answers
from clients.evidence.answers import Asked
from clients.evidence.status import status_of
from clients.identity import Identity
from tests.broker.server import serving
from tests.clients.evidence.little_history import LATER, NATIONS, POLICIES, Desk, desk, share
from tests.clients.liar import Doc, Liar
from tests.pilot import PASSPHRASE, Pilot
from tests.refusal import refused
from tests.verifiers.verifying import HAS_NODE, VERIFIERS, alone
from wire import evidence_file
from wire.entries import MISSION
from wire.erasures import erased_by
from wire.retention import in_force

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FLOOR = 30
DAY = 86_400


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now

    def forward(self, days: float) -> None:
        self.now += days * DAY


@dataclass
class Mission:
    """A pilot whose broker is stopped and started, and erases when it starts."""

    pilot: Pilot
    clock: Clock

    @contextmanager
    def served(self) -> Iterator[None]:
        with serving(self.pilot.folder / "broker", self.clock) as server:
            self.pilot.port, self.pilot.server = server.port, server
            yield

    async def orders(
        self, nation: str = "KEN", views: int | None = FLOOR, payloads: int | None = None
    ) -> str:
        """The nation's root orders; gives the order's identity."""
        root = Identity.load(self.pilot.folder / nation / "root", PASSPHRASE).root
        async with self.pilot.officer(nation) as officer:
            (spoken,) = await officer.retain(views, payloads, [root])
        return spoken.identity


@pytest.fixture
def mission(tmp_path: Path) -> Iterator[Mission]:
    pilot = Pilot.laid_out(*NATIONS, folder=tmp_path, doors=1, policies=POLICIES)
    pilot.clock = clock = Clock()
    yield Mission(pilot, clock)
    for door in pilot.doors:
        door.close()


async def test_who_comes_late_knows_what_was_erased_and_by_whose_order(
    mission: Mission, tmp_path: Path
) -> None:
    pilot = mission.pilot
    with mission.served():
        (report,) = await share(pilot, "KEN", "GBR")
        early = desk(pilot, "KEN")
        await early.pull()
        order = await mission.orders()
    mission.clock.forward(FLOOR + 1)
    with mission.served():
        late, britain = desk(pilot, "KEN"), desk(pilot, "GBR")
        early = readdressed(early, pilot)
        for one in (early, late, britain):
            await one.pull()
        async with pilot.auditor("KEN") as auditor:
            verdict = await auditor.verify()

    with late.store() as store:
        status = status_of(store, "KEN", LATER)
        (row,) = [r for r in asked(late, "erased") if r["what"] == "view.erased"]
    assert (status.complete, status.findings) == (True, ())
    assert status.erased == verdict.erased == row["missing"] > 5
    assert [(one.order, one.views) for one in status.erased_by] == [(order, status.erased)]
    assert row["order"] == order
    assert row["by_order_of"] == "KEN"
    assert (row["first"], row["until"]) == (0, row["missing"])
    assert row["before_time"] == status.erased_by[0].before * 1000
    with early.store() as store:  # what was pulled before is kept
        assert status_of(store, "KEN", LATER).erased == 0
    (told,) = [r for r in asked(britain, "21") if r["what"] == "view.erased"]
    assert (told["by_order_of"], told["first"], told["missing"]) == ("KEN", None, 0)

    for one in (early, late, britain):
        proven = one.written(tmp_path / "all.tlev", one.history())
        assert {entry.channel for entry in proven.entries if entry.view is None} <= {"KEN"}
    await proves_an_erased_entry(late, order, tmp_path)
    assert report not in str(list(late.history()))


async def proves_an_erased_entry(late: Desk, order: str, folder: Path) -> None:
    """A receipt of what is gone shows which entry erased it, by which order."""
    with late.store() as store:
        (gone, *_) = store.rows("SELECT * FROM entry WHERE type = 'report.accepted'")
    lines = late.receipt(gone["idx"])
    proven = late.written(folder / "one.tlev", lines)
    (entry,) = [e for e in proven.entries if e.index == gone["idx"]]
    by = erased_by(entry, proven.entries)
    assert entry.view is None
    assert by is not None
    assert (by.view or {})["order"] == order
    charter = late.identity.charter
    for verifier in (*VERIFIERS.values(), *([alone] if HAS_NODE else [])):
        assert verifier(lines, charter, LATER) is None
        assert verifier(late.history(), charter, LATER) is None
        without = [line for line in lines if b'"index":%d,' % by.index not in line]
        assert verifier(without, charter, LATER) is not None


def asked(one: Desk, name: str) -> list[dict[str, Any]]:
    with one.store() as store:
        nation = one.identity.nation
        return [dict(r) for r in answers.ask(store, nation, answers.find(name), Asked()).rows]


async def test_a_view_that_is_withheld_stops_the_pull(mission: Mission) -> None:
    """A broker says of a view that it is erased, and no entry erased it. Expect refusal."""
    (door,) = mission.pilot.doors
    with mission.served():
        await share(mission.pilot, "KEN", "GBR")
        one = desk(mission.pilot, "KEN", port=door.getsockname()[1])

        def withhold(page: Doc) -> Doc:
            entry = page["segment"]["entries"][3]
            entry["view"] = entry["view_opening"] = None
            return page

        async with Liar.at(door, mission.pilot.port) as liar:
            liar.answers("/v1/log/views", withhold)
            with refused("broken-chain", "entry 3 of KEN.*withheld, and no entry erased it"):
                await one.pull()
            with one.store() as store:
                assert not store.is_complete("KEN")
            async with Auditor(one.identity) as auditor:
                with refused("broken-chain", "entry 3 of KEN"):
                    await auditor.verify()
            liar.honest()
            liar.answers("/v1/statements", withhold_a_start)
            with refused("broken-chain", "MISSION.*never erased"):
                await desk(mission.pilot, "KEN", port=door.getsockname()[1]).pull()


def withhold_a_start(page: Doc) -> Doc:
    """The mission's channel without the operator's last act."""
    page["segment"]["entries"][-1] |= {"view": None, "view_opening": None}
    return page


@pytest.mark.parametrize(
    ("lie", "days", "words"),
    [
        ("it does not wait", 10, "without an order of its nation that is in force"),
        ("it goes too far", FLOOR + 1, "it erases what was to be kept longer"),
    ],
)
async def test_a_broker_that_erases_more_than_was_ordered_is_found_out(
    mission: Mission, lie: str, days: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own log says so, signed. Expect refusal, naming the first bad entry."""
    with mission.served():
        await share(mission.pilot, "KEN", "GBR")
        await mission.orders()
    mission.clock.forward(days)
    liar = SimpleNamespace(
        in_force=lambda orders, floor, now: in_force(orders, 0 if "wait" in lie else floor, now),
        limit=lambda orders, _floor, _what, now: now // DAY * DAY if orders else None,
    )
    monkeypatch.setattr("broker.retention.retention", liar)
    with mission.served():
        for nation in NATIONS:  # the mission's channel tells everybody
            with refused("broken-chain", f"of MISSION, at index .*{words}"):
                await desk(mission.pilot, nation).pull()
        async with mission.pilot.auditor("KEN") as auditor:
            with refused("broken-chain", f"of KEN, at index .*{words}"):
                await auditor.verify()


async def test_an_auditor_who_looks_each_month_loses_nothing(mission: Mission) -> None:
    """And goes on where it was, over erasures that come between two pulls."""
    moved = desk(mission.pilot, "KEN")
    with mission.served():
        await share(mission.pilot, "KEN", "GBR")
        await mission.orders()
    for _ in range(3):
        with mission.served():
            moved = readdressed(moved, mission.pilot)
            await moved.pull()
        mission.clock.forward(FLOOR - 1)
    with moved.store() as store:
        status = status_of(store, "KEN", LATER)
        assert (status.erased, status.complete) == (0, True)
    assert len([r for r in asked(moved, "erased") if r["what"] == "view.erased"]) == 1
    evidence_file.verify(moved.history(), moved.identity.charter, now_ms=LATER)


def readdressed(one: Desk, pilot: Pilot) -> Desk:
    """The same device, told of the broker's new port."""
    public = one.identity.public.model_copy(
        update={"broker": f"http://127.0.0.1:{pilot.port}", "address_file": None}
    )
    object.__setattr__(one.identity, "public", public)
    return one


async def test_the_preview_says_what_an_order_would_erase(mission: Mission) -> None:
    with mission.served():
        (report,) = await share(mission.pilot, "KEN", "GBR")
    mission.clock.forward(FLOOR + 10)
    with mission.served():
        async with mission.pilot.auditor("KEN") as auditor:
            held = len(await auditor.entries())
            found = await retention.preview(auditor, FLOOR, 7)
            nothing = await retention.preview(auditor, 60, None)
        order = await mission.orders(payloads=7)
        assert (found.views, found.reports) == (held - 1, 1)  # all but the reading itself
        assert found.releases >= 1
        assert (nothing.views, nothing.releases, nothing.reports) == (0, 0, 0)
    mission.clock.forward(FLOOR + 1)
    with mission.served():
        late = desk(mission.pilot, "KEN")
        await late.pull()
        async with mission.pilot.auditor("KEN") as auditor:
            standing = await retention.standing(auditor)
        rows = {row["what"]: row for row in asked(late, "erased")}
        assert standing.current is not None
        assert standing.current.statement == order
        assert rows["report.erased"]["report"] == report
        assert rows["report.erased"]["order"] == order
        assert rows["view.erased"]["missing"] >= found.views
        evidence_file.verify(late.history(), late.identity.charter, now_ms=LATER)
        with late.store() as store:
            index = rows["report.erased"]["index"]
            assert store.trust(MISSION).head is not None
        assert len(late.receipt(index)) > 3
        evidence_file.verify(late.receipt(index), late.identity.charter, now_ms=LATER)
