"""What a quorum of witnesses stands behind, as the last line of an evidence file."""

import pytest

from tests.refusal import refused
from tests.wire.evidence_files import (
    NEW_KEY,
    SOON,
    WITNESSES,
    Pen,
    confirmed,
    pulled,
    receipt,
    shown,
    witnessed,
)
from wire import evidence_file
from wire.evidence_file import Proven
from wire.evidence_lines import Line

KEN, GBR, FRA = (WITNESSES[nation] for nation in ("KEN", "GBR", "FRA"))


def verified(pen: Pen) -> Proven:
    return evidence_file.verify(pen.written(), pen.charter.identity, now_ms=SOON)


def test_a_history_says_up_to_where_and_by_whom_it_is_confirmed() -> None:
    pen = confirmed()
    found = verified(pen).confirmed
    assert found is not None
    assert found.checkpoint.size == pen.size
    assert set(found.cosigned_by) == {"ken.example/w", "gbr.example/w"}
    assert verified(pulled()).confirmed is None


def test_the_line_tells_of_which_tree_it_is() -> None:
    pen = confirmed()
    line = Line.model_validate_json(pen.written()[-1]).confirmed
    assert line is not None
    assert line.size == pen.size


def test_the_keys_are_those_of_the_tree() -> None:
    """Of a tree before the appointment the charter's keys, both of Kenya's; after it the new."""
    pen, at = witnessed()
    before = max(size for size in pen.log.notes if size <= at)
    found = verified(pen.confirms(*KEN, *FRA, size=before)).confirmed
    assert found is not None
    assert found.checkpoint.size == before
    pen, _ = witnessed()
    with refused("bad-checkpoint", "1 of 2 witnesses.*does not count for this tree"):
        verified(pen.confirms(*KEN, *FRA))


def test_a_receipt_may_be_confirmed_by_a_later_tree() -> None:
    pen, at = witnessed()
    index = next(i for i, e in enumerate(pen.log.entries["MISSION"]) if e.index == at)
    short = receipt(pen, [0], mission=[index])
    pen.log.append()
    short.confirms(NEW_KEY, *GBR, size=pen.log.tree.size)
    found = verified(shown(short, pen)).confirmed
    assert found is not None
    assert found.checkpoint.size > short.size


def test_whose_keys_count_must_be_known_up_to_the_tree() -> None:
    """Expect refusal: the mission's channel is followed to an older tree only."""
    pen, _ = witnessed()
    pen.log.append()
    with refused("behind", "statements are known here up to"):
        verified(pen.confirms(NEW_KEY, *GBR, size=pen.log.tree.size))


def test_nothing_comes_after_it_and_a_tree_before() -> None:
    """Expect refusal."""
    pen = confirmed()
    pen.lines.append(pen.lines[-1])
    with refused("bad-fields", "the last line"):
        verified(pen)
    pen = confirmed()
    pen.lines = pen.lines[-1:]
    with refused("bad-fields", "before any tree"):
        verified(pen)


def test_another_history_with_the_same_witnesses_confirms_nothing() -> None:
    """Expect refusal: a quorum that colluded shows two histories, and the proof fails."""
    pen, other = witnessed()[0], witnessed()[0]
    other.log.append()
    other.confirms(NEW_KEY, *GBR, size=other.log.tree.size)
    other_line = other.lines[-1]
    pen.log.random = lambda count: b"x" * count
    pen.log.append()
    pen.pull()
    pen.lines.append(Line(confirmed=other_line.confirmed))
    with refused("bad-proof"):
        verified(pen)


@pytest.mark.parametrize("by", ["GBR", ""])
def test_a_log_cannot_appoint_witnesses_of_its_own(by: str) -> None:
    """Expect refusal of the whole file, whoever would cosign."""
    like, _ = witnessed()
    pen = shown(Pen(like.log), like)
    how = {"by": by} if by else {"mission": "MINUSY"}
    pen.appoints("KEN", NEW_KEY, seq=9, **how)
    pen.pull()
    with refused("unknown-signer" if by else "bad-signature"):
        verified(pen)


def test_the_appointment_must_be_shown() -> None:
    """Expect refusal: without it a replaced key would count on."""
    pen, _ = witnessed()
    pen.lines = [line for line in pen.lines if line.statement is None]
    with refused("broken-chain", "the witness.set is not shown"):
        verified(pen.confirms(NEW_KEY, *GBR))


def test_the_same_statement_twice_is_refused() -> None:
    """Expect refusal: in a receipt, positions only grow."""
    pen, at = witnessed()
    index = next(i for i, e in enumerate(pen.log.entries["MISSION"]) if e.index == at)
    with refused("statement-conflict", "positions only grow"):
        verified(shown(receipt(pen, [0], mission=[index, index]), pen))
