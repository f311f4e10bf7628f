"""What a broker could try that withholds a view, or erases what it was not told to."""

from collections.abc import Callable

from tests.wire.evidence_files import Eraser, Pen, erased, receipt
from tests.wire.memory_log import released
from wire.entries import MISSION, Event

Lie = tuple[Callable[[], Pen], str]


def ordered(days: int = 31, views: int | None = 30) -> tuple[Eraser, str]:
    """A history in which erasure was ordered so many days ago, and nothing erased yet."""
    pen = Eraser()
    order = pen.orders(views).identity
    pen.waits(days)
    return pen, order


def shown(pen: Pen) -> Pen:
    pen.pull()
    return pen


def withheld() -> Pen:
    """A view is kept back, and no entry erased it."""
    pen = erased()
    pen.log.erased.add(("KEN", 3))
    return again(pen)


def again(pen: Pen) -> Pen:
    """Everything of a pen's log in one pull."""
    pen.lines, pen.size = [], 0
    pen.shown = dict.fromkeys(pen.shown, 0)
    return shown(pen)


def nobody_ordered() -> Pen:
    pen = Eraser()
    pen.waits(31)
    pen.erases("ab" * 32, 3)
    return shown(pen)


def another_nations_order() -> Pen:
    pen = Eraser()
    order = pen.orders(nation="GBR").identity
    pen.waits(31)
    pen.erases(order, 3)
    return shown(pen)


def another_nations_views() -> Pen:
    """Britain's order, told as Britain's, in Kenya's channel."""
    pen = Eraser()
    order = pen.orders(nation="GBR").identity
    pen.waits(31)
    pen.erases(order, 3, nation="GBR")
    return shown(pen)


def before_the_order_stood() -> Pen:
    pen, order = ordered(days=29)
    pen.erases(order, 3)
    return shown(pen)


def before_the_order() -> Pen:
    """The entry names an order that comes only after it."""
    pen = Eraser()
    pen.waits(31)
    later = Eraser()
    pen.erases(later.orders().identity, 3)
    pen.said |= later.said
    return shown(pen)


def too_young() -> Pen:
    """The entry says that it erased what is younger than the order says."""
    pen, order = ordered()
    pen.log.append(released("KEN", report=4))
    pen.erases(order, 4, before=pen.midnight)
    return shown(pen)


def younger_than_it_says() -> Pen:
    """What is missing is younger than the entry says it erased."""
    pen, order = ordered()
    pen.log.append(released("KEN", report=4))
    pen.erases(order, 4)
    return shown(pen)


def a_younger_order_keeps() -> Pen:
    """The nation has said since that it keeps views for longer."""
    pen, order = ordered(days=20)
    pen.orders(90, seq=10)
    pen.waits(11)
    pen.erases(order, 3)
    return shown(pen)


def a_younger_order_is_for_ever() -> Pen:
    pen, order = ordered(days=20)
    pen.orders(None, seq=10)
    pen.waits(11)
    pen.erases(order, 3)
    return shown(pen)


def an_older_order_is_named() -> Pen:
    """The order in force is another."""
    pen, first = ordered()
    pen.orders(35, seq=10)
    pen.waits(31)
    pen.log.time -= 22 * 86_400_000  # not in the future
    pen.erases(first, 3)
    return shown(pen)


def what_comes_after() -> Pen:
    pen, order = ordered()
    pen.erases(order, 3, until=9)
    return shown(pen)


def begins_in_the_middle() -> Pen:
    pen, order = ordered()
    pen.erases(order, 3, start=1)
    return shown(pen)


def twice() -> Pen:
    pen, order = ordered()
    pen.erases(order, 3)
    pen.erases(order, 3)
    return shown(pen)


def does_not_say_what() -> Pen:
    pen, order = ordered()
    pen.erases(order, 3, until="3")
    return shown(pen)


def the_erasure_is_withheld() -> Pen:
    """The entry that explains is itself without a view."""
    pen = erased()
    pen.log.erased.add(("KEN", 4))
    return again(pen)


def the_missions_view() -> Pen:
    pen = erased()
    pen.log.erased.add((MISSION, 2))
    return again(pen)


def told_to_the_mission_alone() -> Pen:
    """All others are told of an erasure that nobody ordered."""
    pen = Eraser()
    pen.waits(31)
    told = {"nation": "FRA", "order": "ab" * 32, "before": 0}
    pen.log.append(Event("view.erased", {MISSION: told}))
    return shown(pen)


def order_not_shown() -> Pen:
    pen = erased()
    pen.said.clear()
    return again(pen)


def no_floor() -> Pen:
    """The charter allows no erasure at all."""
    pen = Eraser(floor=None)
    order = pen.orders().identity
    pen.waits(31)
    pen.erases(order, 3)
    return shown(pen)


def receipt_without_erasure() -> Pen:
    """A receipt of an entry that was erased, without what erased it."""
    return receipt(erased(), [1])


LIES: dict[str, Lie] = {
    "a view withheld": (withheld, "entry 3 of KEN.*withheld"),
    "an erasure that nobody ordered": (nobody_ordered, "entry 1 of MISSION.*order"),
    "an erasure by another nation's order": (another_nations_order, "entry 2 of MISSION.*order"),
    "an erasure of another nation's views": (another_nations_views, "entry 3 of KEN.*another"),
    "an erasure before the order stood": (before_the_order_stood, "entry 2 of MISSION.*order"),
    "an erasure before the order": (before_the_order, "entry 1 of MISSION.*order"),
    "an erasure of what is too young": (too_young, "entry 2 of MISSION.*kept longer"),
    "an erasure of more than it says": (younger_than_it_says, "entry 3 of KEN.*withheld"),
    "an erasure against a younger order": (a_younger_order_keeps, "entry 3 of MISSION.*longer"),
    "an erasure of what is for ever": (a_younger_order_is_for_ever, "entry 3 of MISSION.*longer"),
    "an erasure of what comes after it": (what_comes_after, "entry 3 of KEN.*after"),
    "an erasure that begins in the middle": (begins_in_the_middle, "entry 3 of KEN.*from 0 on"),
    "an erasure told twice": (twice, "entry 4 of KEN.*from 3 on"),
    "an erasure that does not say what": (does_not_say_what, "entry 3 of KEN"),
    "an erasure that is withheld": (the_erasure_is_withheld, "entry 4 of KEN.*withheld"),
    "a view of the mission withheld": (the_missions_view, "entry 2 of MISSION.*withheld"),
    "an erasure told to the mission alone": (told_to_the_mission_alone, "entry 1 of MISSION"),
    "an order that is not shown": (order_not_shown, "entry 1 of MISSION.*not shown"),
    "an erasure where there is no floor": (no_floor, "entry 2 of MISSION.*order"),
    "a receipt of what was erased": (receipt_without_erasure, "entry 1 of KEN.*withheld"),
}
