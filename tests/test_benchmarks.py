"""Every benchmark runs and says what it promises; how fast it is here, no test may judge."""

import json
import subprocess
import sys
from math import isfinite
from pathlib import Path
from typing import Final

import pytest

from clients.evidence.questions import QUESTIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parent.parent
ROWS: Final = {
    "accept": {f"accept.{way}.{row}" for way in ("core", "http") for row in (1, 16, 256, "cpu")},
    "release": {f"release.{streams}{of}" for streams in (10, 100, 1000) for of in ("", ".cpu")},
    "latency": {"latency.p50", "latency.p99", "latency.half"},
    "memory": {"memory.idle"},
    "replay": {"replay.first", "replay.again"},
    "decide": {"decide.cold", "decide.warm", "decide.broker"},
    "analyse": {"analyse.matrix", "analyse.preview", "analyse.guarantees"},
    "match": {"match.1k", "match.10k", "match.100k"},
    "journal": {"journal.1", "journal.16", "journal.256"},
    "million": {
        *(
            "million.open",
            "million.start",
            "million.start.anew",
            "million.proof",
            "million.proof.http",
        ),
        *("million.verify", "million.pull", "million.pull.cpu", "million.pull.beside"),
        "million.pull.memory",
        *(f"million.ask.{question.name}" for question in QUESTIONS),
    },
    "seal": {"seal.1", "seal.3", "seal.5"},
}
"""The rows of each benchmark; `docs/performance.md` shows them all."""


def _run(*arguments: str) -> str:
    command = (sys.executable, "-m", "benchmarks", *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", ROWS)
def test_a_benchmark_measures_all_its_rows(name: str) -> None:
    rows = [json.loads(line) for line in _run(name, "--quick", "--json").splitlines()]
    assert {row["name"] for row in rows} == ROWS[name]
    for row in rows:
        samples = row["samples"]
        assert samples, row
        assert all(isfinite(sample) for sample in samples), row
        assert row["limit"] is None or row["ratio"] is not None, row


def test_there_is_no_other_benchmark_and_the_document_shows_every_row() -> None:
    assert ", ".join(ROWS) in " ".join(_run("--help").split())
    shown = (ROOT / "docs" / "performance.md").read_text()
    assert [row for rows in ROWS.values() for row in rows if f"`{row}`" not in shown] == []
