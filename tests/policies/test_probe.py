"""The first parse of a foreign text, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from policies.probe import probe, probe_request
from tests.policies.world import library, permit_all, words
from wire.errors import Malformed


def test_a_text_that_parses_passes_whatever_lint_may_say_of_it() -> None:
    for text in (library("named-partners"), permit_all("nonsense", "NOBODY"), ""):
        probe(probe_request([text], words()))


@pytest.mark.parametrize("text", ["permit (", "(" * 5_000, "permit (principal,\r action);"])
def test_a_text_that_does_not_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="policy-refused"):
        probe(probe_request([text], words()))


@pytest.mark.parametrize(("text", "status"), [(permit_all("release", "KEN"), 0), ("permit (", 1)])
def test_the_child_process_ends_with_the_answer(text: str, status: int) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "policies.probe"],
        input=probe_request([text], words()),
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert child.returncode == status
