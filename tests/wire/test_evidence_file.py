"""Evidence files: an honest one verifies, and says no more than it proves."""

import pytest

from tests.refusal import refused
from tests.wire.evidence_files import (
    SOON,
    Pen,
    admitted,
    continued,
    erased,
    pulled,
    receipt,
    stated,
)
from tests.wire.memory_log import MemoryLog, released
from wire import evidence_file
from wire.entries import MISSION
from wire.errors import TearlineError
from wire.evidence_file import Proven
from wire.evidence_lines import Line, read


def verified(pen: Pen) -> Proven:
    return evidence_file.verify(pen.written(), pen.pinned, now_ms=SOON)


def test_a_history_of_two_pulls_is_all_there_is() -> None:
    pen = pulled()
    proven = verified(pen)
    assert [e.count for e in proven.of("KEN")] == list(range(7))
    assert [e.count for e in proven.of(MISSION)] == [0, 1]
    assert proven.complete_at == {MISSION: pen.size, "KEN": pen.size}
    assert proven.newest.checkpoint.size == pen.size == proven.header.size


def test_pages_of_any_length_and_empty_ones_are_one_history() -> None:
    pen = pulled()
    pen.log.append(released("FRA"), *[released("KEN", report=i) for i in range(5)])
    for _ in range(3):
        pen.page("KEN", limit=2)
    pen.log.append(released("GBR"))
    pen.page("KEN")
    assert len(verified(pen).of("KEN")) == 12


def test_erased_views_prove_the_rest() -> None:
    ours = verified(erased()).of("KEN")
    assert [entry.view is None for entry in ours] == [True] * 3 + [False] * 4
    assert [entry.type for entry in ours[4:6]] == ["view.erased"] * 2


def test_a_nation_that_joined_later_has_the_place_that_its_admission_gave() -> None:
    pen = admitted()
    assert len(verified(pen).of("FRA")) == 1
    without = [line for line in pen.lines if line.statement is None]
    pen.lines = without
    with refused("broken-chain", "the nation.admit is not shown"):
        verified(pen)


def test_a_nation_that_was_never_admitted_has_no_place() -> None:
    pen = Pen(MemoryLog(), "SEN")
    pen.log.entries["SEN"] = []
    pen.log.channels = (*pen.log.channels, "SEN")
    pen.log.append(released("SEN"))
    pen.pull()
    with refused("broken-chain", "no nation of the mission"):
        verified(pen)


def test_a_receipt_proves_its_entries_and_says_nothing_about_others() -> None:
    proven = verified(receipt(pulled(), [5, 2]))
    assert [entry.count for entry in proven.entries] == [5, 2]
    assert proven.complete_at == {}


def test_a_receipt_cannot_pass_for_a_history_nor_a_history_for_a_receipt() -> None:
    """Expect refusal: what is missing would go unseen."""
    pen = pulled()
    pen.kind = "receipt"
    with refused("bad-proof", "line 2"):
        verified(pen)
    short = receipt(pulled(), [5])
    short.kind = "history"
    with refused("bad-proof", "line 2"):
        verified(short)


def test_a_receipt_of_nothing_is_refused() -> None:
    with refused("bad-fields", "a receipt of nothing"):
        verified(receipt(pulled(), []))


def test_the_charter_is_the_one_that_was_known_before() -> None:
    """Expect refusal: a file with a charter and a log of its own proves nothing."""
    with refused("bad-statement", "line 1"):
        evidence_file.verify(pulled().written(), "00" * 32, now_ms=SOON)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, len(pulled().written()) + 1))
def test_a_file_that_was_cut_off_is_refused(at: int) -> None:
    lines = pulled().written()
    charter = pulled().charter.identity
    with pytest.raises(TearlineError):
        evidence_file.verify(lines[:-at], charter, now_ms=SOON)
    with pytest.raises(TearlineError):
        evidence_file.verify([*lines[:-at], lines[-at][:-1]], charter, now_ms=SOON)


def test_a_line_is_of_one_kind() -> None:
    pen = pulled()
    both = pen.lines[0].model_copy(update={"page": pen.lines[1].page})
    with refused("bad-fields", "one kind"):
        read(Line(tree=both.tree, page=both.page).encode())
    with refused("bad-fields", "one kind"):
        read(b"{}\n")


# -- after a loss


def test_a_file_of_a_log_that_goes_on_after_a_loss_is_all_there_is() -> None:
    pen = continued()
    proven = verified(pen)
    assert [e.count for e in proven.of("KEN")] == [0, 1, 2]
    assert proven.header.continued == pen.continued
    with refused("bad-statement", "the charter is not the one that you know"):
        evidence_file.verify(pulled().written(), pen.pinned, now_ms=SOON)


def test_a_receipt_of_such_a_log_needs_the_same_to_be_known() -> None:
    pen = continued()
    told = receipt(pen, [1], [1])
    told.charter, told.continued = pen.charter, pen.continued
    assert [entry.channel for entry in verified(told).entries] == [MISSION, "KEN"]
    with refused("bad-statement", "say by which statement"):
        evidence_file.verify(told.written(), pen.charter.identity, now_ms=SOON)


def test_a_file_that_says_less_than_the_nations_agreed_to_is_refused() -> None:
    """Expect refusal: the log's name and keys alone are not what was agreed."""
    with refused("bad-statement", "not the one that was continued"):
        verified(continued(charter="ab" * 32))
    with refused("bad-proof"):
        verified(continued(root="ab" * 32))
    pen = continued()
    first = pen.lines[0].tree
    assert first is not None
    pen.lines[0] = Line(tree=first.model_copy(update={"consistency": ()}))
    with refused("bad-proof"):
        verified(pen)


def test_the_entry_behind_the_tree_must_be_the_statement() -> None:
    """Expect refusal where something else stands there, or nothing of the mission's."""
    other = Pen(MemoryLog())
    other.log.append(stated(other.charter), released("KEN", "GBR"))
    other.goes_on()
    other.log.append(stated(other.charter))
    other.pull()
    with refused("broken-chain", "does not continue the log"):
        verified(other)
    none = Pen(MemoryLog())
    none.log.append(stated(none.charter), released("KEN", "GBR"))
    statement = none.goes_on()
    none.log.append(released("KEN", report=2), stated(statement))
    none.pull()
    with refused("broken-chain", "the entry that continues the log is missing"):
        verified(none)


def test_the_tree_that_is_left_is_none_of_the_new_log() -> None:
    """Expect refusal: nothing was agreed there."""
    pen = Pen(MemoryLog())
    pen.log.append(stated(pen.charter), released("KEN", "GBR"))
    pen.goes_on()
    pen.size = 0
    pen.pull()
    with refused("bad-fields", "the same tree twice"):
        verified(pen)
