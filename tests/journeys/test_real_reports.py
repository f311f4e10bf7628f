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
from collections.abc import Callable, Iterable, Iterator
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

pytestmark = pytest.mark.real_data

ALL_ROWS = 5_000
SOME_ROWS = 300
SOME = tuple(s for s in traffic.SUBSCRIPTIONS if s.nation in {"KEN", "SEN"})
PATIENCE = 280.0
"""Seconds for all of it; the rest of five minutes is for the auditors."""

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
    verdicts: dict[str, Verdict], given: dict[str, set[str]], sent: dict[str, Report]
) -> None:
    """The journal says the same as the readers saw, for every pair of nations."""
    del sent
    for nation, verdict in verdicts.items():
        assert verdict.findings == ()
        assert {to for _, to in verdict.shared} <= set(given) | {nation}
