"""Matching: who asked for a report, found without looking at those who did not."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from broker.matching import CELLS_LIMIT, TERMS_LIMIT, Filter, Index, Interest, Topic, check
from clients import standard
from wire.errors import Malformed
from wire.labels import Precedence
from wire.vocabulary import vocabulary

AREAS = (("mission:sable", "Area", "014"), ("mission:sable/east", "East", "mission:sable"))
TERMS = vocabulary("MINUSX", ["KEN"], standard.levels(), standard.registry(areas=AREAS), "0" * 64)
REGIONS = sorted(["001", "002", "014", "202", "KE", "SO", "FR", "150", *(a[0] for a in AREAS)])
THREATS = sorted(code for code in TERMS.threats.parents if code.startswith(("explosive", "cyber")))
PRECEDENCES = get_args(Precedence)


def topic(regions: str = "KE", threats: str = "explosive", precedence: str = "ROUTINE") -> Topic:
    return Topic(frozenset(regions.split()), frozenset(threats.split()), precedence)  # type: ignore[arg-type]


def matches(about: Topic, **wanted: tuple[str, ...]) -> bool:
    """Whether a filter asks for a topic; the index and the single comparison must agree."""
    asked = Filter(**wanted)  # type: ignore[arg-type]
    index: Index[str] = Index(TERMS)
    index.add("one", asked)
    found = "one" in index.match(about)
    assert found == (about in Interest(asked, TERMS))
    return found


def test_a_region_matches_what_lies_inside_it_and_what_it_lies_inside() -> None:
    assert matches(topic("KE"), regions=("014",))
    assert matches(topic("014"), regions=("KE",))
    assert matches(topic("KE"), regions=("KE",))
    assert not matches(topic("KE"), regions=("SO",))
    assert not matches(topic("FR"), regions=("002",))


def test_an_area_that_the_mission_drew_may_lie_in_any_country_of_its_region() -> None:
    assert matches(topic("mission:sable/east"), regions=("SO",))
    assert matches(topic("SO"), regions=("mission:sable",))
    assert not matches(topic("mission:sable"), regions=("FR",))


def test_a_threat_matches_up_and_down_its_path() -> None:
    assert matches(topic(threats="explosive.ied_emplaced"), threats=("explosive",))
    assert matches(topic(threats="explosive"), threats=("explosive.ied_emplaced",))
    assert not matches(topic(threats="explosive"), threats=("cyber",))


def test_all_three_must_match_and_an_empty_list_asks_for_all() -> None:
    about = topic("KE", "explosive", "FLASH")
    assert matches(about)
    assert matches(about, regions=("KE",), threats=("explosive",), precedence=("FLASH",))
    assert not matches(about, regions=("SO",), threats=("explosive",), precedence=("FLASH",))
    assert not matches(about, regions=("KE",), threats=("cyber",), precedence=("FLASH",))
    assert not matches(about, regions=("KE",), threats=("explosive",), precedence=("ROUTINE",))


FILTERS = st.builds(
    Filter,
    regions=st.lists(st.sampled_from(REGIONS), max_size=4).map(tuple),
    threats=st.lists(st.sampled_from(THREATS), max_size=4).map(tuple),
    precedence=st.lists(st.sampled_from(PRECEDENCES), max_size=2).map(tuple),
)
TOPICS = st.builds(
    Topic,
    st.frozensets(st.sampled_from(REGIONS), min_size=1, max_size=3),
    st.frozensets(st.sampled_from(THREATS), min_size=1, max_size=3),
    st.sampled_from(PRECEDENCES),
)


@pytest.mark.slow
@given(st.lists(FILTERS, max_size=30), st.lists(TOPICS, min_size=1, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_the_index_finds_exactly_what_comparing_each_filter_finds(
    filters: list[Filter], topics: list[Topic], data: st.DataObject
) -> None:
    index: Index[int] = Index(TERMS)
    for key, wanted in enumerate(filters):
        index.add(key, wanted)
    gone = data.draw(st.sets(st.sampled_from(range(len(filters))))) if filters else set()
    for key in gone:
        index.discard(key)
    for about in topics:
        expected = {
            key
            for key, wanted in enumerate(filters)
            if key not in gone and about in Interest(wanted, TERMS)
        }
        assert index.match(about) == expected


@given(st.lists(FILTERS, max_size=20))
@settings(max_examples=30, deadline=None)
def test_an_index_that_everybody_left_is_empty(filters: list[Filter]) -> None:
    index: Index[int] = Index(TERMS)
    for key, wanted in enumerate(filters):
        index.add(key, wanted)
        index.add(key, wanted)  # asking twice leaves no second trace
    for key in range(len(filters)):
        index.discard(key)
    assert len(index) == 0
    assert not index._cells


def test_long_lists_match_as_exactly_as_short_ones() -> None:
    """Lists whose product is too large are indexed by region alone; the result is the same."""
    many = tuple(code for code in TERMS.regions.parents if len(code) == 2 and code != "SO")[:40]
    threats = tuple(THREATS[:20])
    assert len(many) * len(threats) > CELLS_LIMIT
    assert matches(topic(many[0], threats[0]), regions=many, threats=threats)
    outside = next(code for code in TERMS.threats.parents if code.startswith("maritime"))
    assert not matches(topic(many[0], outside), regions=many, threats=threats)
    assert not matches(topic("SO", threats[0]), regions=many, threats=threats)


def test_a_match_looks_only_at_cells_that_the_report_touches() -> None:
    """However many others ask for something else, the same filters are looked at."""
    index: Index[object] = Index(TERMS)
    about = topic("KE", "explosive.ied_emplaced")
    index.add("ours", Filter(regions=("KE",), threats=("explosive",)))
    others = [code for code in TERMS.regions.parents if code not in TERMS.regions.touching(["KE"])]
    assert index.match(about) == {"ours"}

    class Counted(dict[object, Interest | None]):
        looked = 0

        def items(self) -> object:  # type: ignore[override]
            Counted.looked += 1
            return super().items()

    for number in range(2_000):
        index.add(number, Filter(regions=(others[number % len(others)],), threats=("explosive",)))
    for by_threat in index._cells.values():
        for by_precedence in by_threat.values():
            for precedence, keys in by_precedence.items():
                by_precedence[precedence] = Counted(keys)
    assert index.match(about) == {"ours"}
    assert Counted.looked == 1


def test_unknown_words_and_endless_lists_are_refused() -> None:
    """A filter is looked at for every report, so its cost is bounded before it is taken."""
    for wanted in (Filter(regions=("ZZ",)), Filter(threats=("magic",)), Filter(purpose="LEISURE")):
        with pytest.raises(Malformed, match="unknown-term"):
            check(wanted, TERMS)
    check(Filter(regions=("KE",), threats=("explosive",), purpose=TERMS.purposes[0]), TERMS)
    with pytest.raises(ValidationError):
        Filter(regions=("KE",) * (TERMS_LIMIT + 1))


def test_a_term_that_the_registry_lost_matches_nothing_any_more() -> None:
    assert topic("KE") not in Interest(Filter(regions=("ZZ",)), TERMS)
    assert topic("KE") in Interest(Filter(regions=("ZZ", "KE")), TERMS)


def test_order_and_repetition_make_no_other_filter() -> None:
    one = Filter(regions=("SO", "KE", "KE"), precedence=("ROUTINE", "FLASH"))
    other = Filter(regions=("KE", "SO"), precedence=("FLASH", "ROUTINE"))
    assert one.canonical == other.canonical
