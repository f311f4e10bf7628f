"""Real events of many years, posted by three nations and read by five: exactly what should arrive.

What should arrive is what `tests.journeys.rules` predicts, a model written by hand that knows
nothing of the broker's matching and deciding. Nothing may be missing, nothing one too many, nothing
twice: also when the broker is killed in the middle. All clients are the real ones and verify all.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.auditor import Verdict
from tests.data import shared
from tests.journeys import rules, traffic
from tests.journeys.crew import Crew
from tests.journeys.rules import Subscription
from tests.journeys.traffic import Report
from tests.pilot import ROOT, BrokerProcess, Pilot, broker_process, wait_until

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

ALL_ROWS = 5_000
SOME_ROWS = 100
SOME = tuple(s for s in traffic.SUBSCRIPTIONS if s.nation in {"KEN", "SEN"})
PATIENCE = 600.0
"""Seconds after which something hangs; on two free cores all of it takes two minutes."""

Line = dict[str, Any]


def laid_out(folder: Path) -> Pilot:
    """The five nations with their own rules and clearances."""
    return Pilot.laid_out(
        *rules.NATIONS,
        folder=folder,
        clearances=rules.CLEARANCES,
        communities=rules.COMMUNITIES,
        policies=rules.policies(),
    )


def devices(pilot: Pilot) -> dict[str, Path]:
    people = [(n, k) for n in rules.NATIONS for k in ("system", "analyst")]
    return {f"{n}/{k}": pilot.device(n, k).folder for n, k in people}


def check_posted(posted: Iterable[Line], sent: dict[str, Report]) -> dict[str, str]:
    """Accepted and refused is what the model says; gives the row of each accepted report."""
    outcomes = {line["row"]: not line.get("refused") for line in posted}
    assert outcomes == {
        row: rules.is_accepted(report.portions.values()) for row, report in sent.items()
    }
    return {line["report"]: line["row"] for line in posted if "report" in line}


def check_shown(
    shown: Iterable[Line], accepted: dict[str, str], sent: dict[str, Report], to: Subscription
) -> set[str]:
    """One subscription was shown exactly what the model says, each once; gives the reports."""
    name = f"{to.nation}/{to.name}"
    ours = [line for line in shown if line["to"] == name]
    assert {line["report"]: line["row"] for line in ours}.items() <= accepted.items()
    twice = [row for row, n in Counter(line["row"] for line in ours).items() if n > 1]
    assert not twice, f"{name} was shown {len(twice)} twice: {twice[:3]}"
    found = {line["row"]: frozenset(line["portions"]) for line in ours}
    predicted = {row: rules.shown(sent[row].portions, to) for row in accepted.values()}
    predicted = {row: portions for row, portions in predicted.items() if portions}
    wrong = {row for row in found.keys() | predicted if found.get(row) != predicted.get(row)}
    assert not wrong, f"{name}: {len(wrong)} of {len(predicted)} differ: {sorted(wrong)[:3]}"
    return {line["report"] for line in ours}


def check_audit(
    verdict: Verdict, given: dict[str, set[str]], accepted: dict[str, Report], markers: int
) -> None:
    """A nation's journal says the same as its readers and its partners' readers saw.

    `given` are the reports that the readers of each nation were shown, without the markers.
    """
    nation = verdict.nation
    expected = Counter(
        (accepted[report].sender, to)
        for to, reports in given.items()
        for report in reports
        if nation in {to, accepted[report].sender}
    )
    expected[nation, nation] += markers
    assert dict(verdict.shared) == {pair: n for pair, n in expected.items() if n}
    assert verdict.findings == ()


async def audit(pilot: Pilot, nation: str) -> Verdict:
    async with pilot.auditor(nation) as auditor:
        return await auditor.verify()


def check_all(
    pilot: Pilot,
    sent: list[Report],
    posted: list[Line],
    shown: list[Line],
    subscriptions: Sequence[Subscription],
) -> None:
    """Every subscription and every auditor: exactly what the model says."""
    rows = {report.row: report for report in sent}
    accepted = check_posted(posted, rows)
    given: dict[str, set[str]] = {}
    for one in subscriptions:
        found = check_shown(shown, accepted, rows, one)
        given.setdefault(one.nation, set()).update(found)
    known = {report: rows[row] for report, row in accepted.items()}
    for nation in rules.NATIONS:
        markers = sum(one.nation == nation for one in subscriptions)
        check_audit(anyio.run(audit, pilot, nation), given, known, markers)


def test_every_subscriber_gets_exactly_what_the_model_predicts(tmp_path: Path) -> None:
    sent = list(traffic.reports(shared("ucdp-reports") / "reports.ndjson", SOME_ROWS))
    pilot, posted, shown = laid_out(tmp_path), list[Line](), list[Line]()
    with broker_process(pilot):

        async def play() -> None:
            senders = Crew(devices(pilot), posted.append)
            readers = Crew(senders.devices, shown.append)
            async with anyio.create_task_group() as group:
                group.start_soon(readers.subscribe, SOME)
                await senders.publish(sent)
                await senders.mark(SOME)

        anyio.run(play)
        check_all(pilot, sent, posted, shown, SOME)


# -- all of it, with a broker that is killed


class Worker:
    """A part of the crew in a process of its own; what it says is kept."""

    def __init__(self, job: str, plan: dict[str, Any], folder: Path) -> None:
        path = folder / f"{job}.json"
        path.write_text(json.dumps(plan))
        self.lines: list[Line] = []
        command = [sys.executable, "-m", "tests.journeys.crew", job, str(path)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(json.loads(line))

    def finish(self) -> list[Line]:
        assert self.process.wait(PATIENCE) == 0
        self._reading.join()
        return self.lines

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join()


@contextmanager
def working(job: str, plan: dict[str, Any], folder: Path) -> Iterator[Worker]:
    worker = Worker(job, plan, folder)
    try:
        yield worker
    finally:
        worker.stop()


def killed_when(broker: BrokerProcess, senders: "Worker", lines: int) -> None:
    wait_until(lambda: len(senders.lines) >= lines, PATIENCE)
    broker.kill()
    broker.start()


@pytest.mark.long
def test_nothing_is_missing_extra_or_twice_when_the_broker_is_killed_in_the_middle(
    tmp_path: Path,
) -> None:
    rows = shared("ucdp-reports") / "reports.ndjson"
    sent = list(traffic.reports(rows, ALL_ROWS))
    pilot = laid_out(tmp_path)
    with broker_process(pilot) as broker:
        homes = {who: str(path) for who, path in devices(pilot).items()}
        plan = {"devices": homes, "rows": str(rows), "count": len(sent), "nations": rules.NATIONS}
        with (
            working("subscribe", plan, tmp_path) as readers,
            working("publish", plan, tmp_path) as senders,
        ):
            for part in (0.3, 0.6):
                killed_when(broker, senders, int(part * len(sent)))
            posted = senders.finish()
            anyio.run(Crew(devices(pilot), posted.append).mark, traffic.SUBSCRIPTIONS)
            shown = readers.finish()
        check_all(pilot, sent, posted, shown, traffic.SUBSCRIPTIONS)
