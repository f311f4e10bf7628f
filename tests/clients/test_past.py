"""Labels of what was sent, from saved files."""

from pathlib import Path

import pytest

from clients import past
from tests.clients.mission import NOW, draft, founded, sealed
from tests.refusal import refused


def test_every_portion_of_a_saved_report_is_read(tmp_path: Path) -> None:
    report = sealed(draft())
    (tmp_path / "one.tlr").write_bytes(report.raw)
    (found,) = past.read(tmp_path, founded().directory.terms)
    assert (found.report, found.created) == (report.id, NOW + 60)
    assert found.facts.release_to == {"KEN", "GBR"}
    assert found.facts.regions == {"KE"}


def test_a_folder_without_reports_is_refused(tmp_path: Path) -> None:
    with refused("bad-input", "no .tlr files"):
        list(past.read(tmp_path, founded().directory.terms))


@pytest.mark.parametrize("data", [b"", b"TLR1", b"x" * 100])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "one.tlr").write_bytes(data)
    with refused("bad-envelope"):
        list(past.read(tmp_path, founded().directory.terms))
