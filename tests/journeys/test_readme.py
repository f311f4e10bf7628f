"""The Python that the README shows runs as it stands there, and so do the examples."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pilot import ROOT, Pilot, environment

pytestmark = pytest.mark.slow
SHOWN = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("readme") / "kit"
    with Pilot.of("KEN", "GBR", "FRA", folder=folder) as found:
        yield found


def run(pilot: Pilot, *words: str | Path) -> str:
    told = environment() | {"PYTHONPATH": os.pathsep.join([str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=told,
        cwd=pilot.folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_the_readme_shows(pilot: Pilot) -> None:
    (text,) = SHOWN
    assert "is proven at entry" in run(pilot, "-c", text)


def test_the_examples(pilot: Pilot) -> None:
    examples = ROOT / "examples"
    assert "accepted as" in run(pilot, examples / "post_a_report.py", "kit/KEN/system")
    assert "Elwak" in run(pilot, examples / "follow_reports.py", "kit/GBR/analyst")
    assert "KEN -> GBR: " in run(pilot, examples / "verify_history.py", "kit/KEN/auditor")
