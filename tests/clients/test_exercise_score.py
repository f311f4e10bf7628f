"""What an exercise counts as shared too widely, too narrowly, or too long."""

from hypothesis import given
from hypothesis import strategies as st

from clients.exercises.score import Ledger, Reading, Told, score

NATIONS = ("FRA", "GBR", "SEN")


def ledger(**opened: float) -> Ledger:
    """A report of Kenya's that is opened to nations at these times."""
    found = Ledger(own={"a": "KEN"})
    for nation, at in opened.items():
        found.opens("a", [nation], at)
    return found


def reads(found: Ledger, nation: str, at: float) -> None:
    found.readings.append(Reading("a", nation, at))


def test_who_should_read_and_does_is_timed_from_the_inject() -> None:
    found = ledger(GBR=10, FRA=10)
    for nation, at in (("GBR", 10.5), ("GBR", 99), ("FRA", 12)):
        reads(found, nation, at)
    result = score(found)
    assert result.passed
    assert {n: (d.count, d.median, d.longest) for n, d in result.delays.items()} == {
        "GBR": (1, 0.5, 0.5),
        "FRA": (1, 2, 2),
    }


def test_a_reader_outside_the_audience_is_over_sharing_and_the_own_nation_is_not() -> None:
    found = ledger(GBR=0)
    for nation in ("GBR", "SEN", "KEN"):
        reads(found, nation, 1)
    result = score(found)
    assert (result.over, result.under, result.passed) == ((("a", "SEN"),), (), False)


def test_who_should_read_and_does_not_is_under_sharing() -> None:
    found = ledger(GBR=0, FRA=0)
    reads(found, "GBR", 1)
    result = score(found)
    assert (result.over, result.under, result.passed) == ((), (("a", "FRA"),), False)


def test_who_reads_before_its_approval_got_too_much() -> None:
    found = ledger(SEN=10)
    reads(found, "SEN", 9)
    assert score(found).over == (("a", "SEN"),)


def test_a_recall_is_timed_to_the_last_who_is_refused() -> None:
    found = ledger(GBR=0, FRA=0)
    for nation in ("GBR", "FRA"):
        reads(found, nation, 1)
    found.recalled["a"] = 5
    found.closes("a", ["GBR", "FRA"], 5)
    found.stopped[("a", "GBR")] = 5.5
    (unfinished,) = score(found).recalls
    assert unfinished.seconds is None
    assert score(found).unstopped == (("a", "FRA"),)
    found.stopped[("a", "FRA")] = 7
    (recall,) = score(found).recalls
    assert (recall.nations, recall.seconds) == (2, 2)
    assert score(found).passed


def test_what_is_given_after_it_was_refused_is_over_sharing() -> None:
    """While it is being closed, what was under way may still arrive; later nothing may."""
    found = ledger(GBR=0)
    found.closes("a", ["GBR"], 5)
    found.stopped[("a", "GBR")] = 6
    reads(found, "GBR", 5.5)
    assert score(found).passed
    reads(found, "GBR", 6.5)
    assert score(found).over == (("a", "GBR"),)


def test_an_inject_that_went_otherwise_is_a_surprise() -> None:
    found = Ledger(told=[Told(0, "KEN", "report a", "accepted", expected=False)])
    assert not score(found).passed
    assert score(found).fields()["surprises"] == [{"inject": "report a", "outcome": "accepted"}]


TIMES = st.integers(0, 20)


@given(
    st.dictionaries(st.sampled_from(NATIONS), TIMES),
    st.lists(st.tuples(st.sampled_from((*NATIONS, "KEN")), TIMES), max_size=12),
)
def test_every_pair_is_judged_once_and_no_reading_is_forgotten(
    opened: dict[str, int], readings: list[tuple[str, int]]
) -> None:
    """By brute force: each nation on its own, without any of the score's own bookkeeping."""
    found = ledger(**opened)
    for nation, at in readings:
        reads(found, nation, at)
    result = score(found)
    for nation in NATIONS:
        times = [at for who, at in readings if who == nation]
        rightly = nation in opened and any(at >= opened[nation] for at in times)
        wrongly = any(nation not in opened or at < opened[nation] for at in times)
        assert (("a", nation) in result.over) == wrongly
        assert (("a", nation) in result.under) == (nation in opened and not rightly)
        assert (nation in result.delays) == rightly
    assert ("a", "KEN") not in (*result.over, *result.under)
