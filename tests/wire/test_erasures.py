"""What an auditor believes of what is missing, entry by entry."""

from typing import Any

import pytest

from tests.refusal import refused
from tests.wire.evidence_files import DAY_S, FLOOR, SOON, Eraser, erased, receipt
from wire import evidence_file
from wire.entries import MISSION, Event
from wire.erasures import Erasures, Hole, Orders, erased_by
from wire.prove import VerifiedEntry
from wire.retention import Order


def proven(pen: Any) -> list[VerifiedEntry]:
    return evidence_file.verify(pen.written(), pen.charter.identity, now_ms=SOON).entries


def payloads_erased(pen: Eraser, order: object, accepted: object) -> Eraser:
    view = {"report": "ab", "accepted": 0, "accepted_time": accepted, "portions": [0]}
    pen.log.append(Event("report.erased", {"KEN": {**view, "order": order}}))
    pen.pull()
    return pen


def ordered(payloads: int | None) -> tuple[Eraser, str, int]:
    """A history in which the nation ordered for how long payloads are kept; and the limit now."""
    pen = Eraser()
    order = pen.orders(None, payloads=payloads).identity
    pen.waits(31)
    return pen, order, pen.midnight - (payloads or 0) * DAY_S


def test_payloads_that_their_nation_no_longer_keeps_are_deleted() -> None:
    pen, order, limit = ordered(7)
    assert proven(payloads_erased(pen, order, limit - 1))[-1].type == "report.erased"


@pytest.mark.parametrize("late", [0, DAY_S])
def test_payloads_that_are_too_young_are_not(late: int) -> None:
    """Expect refusal."""
    pen, order, limit = ordered(7)
    with refused("broken-chain", "entry 3 of KEN, at index 8: it erases what was to be kept"):
        proven(payloads_erased(pen, order, limit + late))


def test_payloads_are_deleted_by_no_order_that_keeps_them() -> None:
    """Expect refusal."""
    pen, order, limit = ordered(None)
    with refused("broken-chain", "to be kept longer"):
        proven(payloads_erased(pen, order, limit - 1))


@pytest.mark.parametrize(("order", "accepted"), [(None, 0), ("cd" * 32, "0"), ("cd" * 32, 0)])
def test_payloads_are_deleted_by_nobodys_order(order: object, accepted: object) -> None:
    """Expect refusal."""
    pen, _, _ = ordered(7)
    with refused("broken-chain", "entry 3 of KEN"):
        proven(payloads_erased(pen, order, accepted))


def test_each_missing_view_has_its_entry() -> None:
    entries = proven(erased())
    ours = [entry for entry in entries if entry.channel == "KEN"]
    found = [erased_by(entry, entries) for entry in ours]
    assert [by and by.index for by in found[:3]] == [ours[4].index, ours[4].index, ours[5].index]
    assert found[3:] == [None] * 4


def test_what_was_followed_before_is_gone_on_with() -> None:
    """A second pull begins in the middle, with what the first one left open."""
    pen = erased()
    ours = [entry for entry in proven(pen) if entry.channel == "KEN"]
    (order,) = pen.said
    known = Orders(FLOOR, {"KEN": [order_of(pen, order)]})
    whole, second = Erasures("KEN"), Erasures("KEN", 2, [Hole(2, 4, ours[2].time)])
    for entry in ours:
        whole.take(entry, known)
    for entry in ours[5:]:
        second.take(entry, known)
    whole.settle()
    second.settle()
    first = Erasures("KEN")
    for entry in ours[:5]:
        first.take(entry, known)
    with refused("broken-chain", "entry 2 of KEN, at index 4: its view is withheld"):
        first.settle()


def order_of(pen: Any, identity: str) -> Any:
    entry = next(e for e in proven(pen) if (e.view or {}).get("statement") == identity)
    return Order(identity, entry.index, entry.time // 1000, 30, None)


def test_a_receipt_of_an_erased_entry_brings_what_erased_it_and_the_order() -> None:
    pen = erased()
    entries = proven(receipt(pen, [1, 4], mission=[1]))
    assert [entry.view is None for entry in entries] == [False, True, False]
    assert erased_by(entries[1], entries) == entries[2]
    with refused("broken-chain", "entry 1 of KEN, at index 3: its view is withheld"):
        proven(receipt(pen, [1, 5], mission=[1]))
    pen.said.clear()  # the order's own entry is there, and what it says is not
    with refused("broken-chain", "entry 4 of KEN.*without an order"):
        proven(receipt(pen, [1, 4], mission=[1]))


def test_the_missions_views_are_never_missing() -> None:
    """Expect refusal."""
    (entry, *_) = (e for e in proven(erased()) if e.view is None)
    gone = VerifiedEntry._make(
        **{name: getattr(entry, name) for name in VerifiedEntry.__slots__} | {"channel": MISSION}
    )
    with refused("broken-chain", "never erased"):
        Erasures(MISSION).take(gone, Orders(FLOOR, {}))
