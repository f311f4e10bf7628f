"""Banners and portion marks: what people read must say what is so, and nothing twice."""

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.terms import VOCABULARY, label, mission
from wire.banner import banner, point_banner, portion_mark
from wire.errors import Malformed
from wire.labels import Label
from wire.lattice import Point, join, point


def shown(originator: str = "FRA", **changes: Any) -> str:
    return banner(label(**changes), originator, "MINUSX", VOCABULARY)


def mark(originator: str = "FRA", **changes: Any) -> str:
    return portion_mark(label(**changes), originator, VOCABULARY)


def test_a_banner_says_mission_level_originator_caveats_recipients_and_control() -> None:
    assert (
        shown(caveats=("SOURCE SENSITIVE",))
        == "MINUSX SECRET//FRA//SOURCE SENSITIVE//REL TO FRA, SEN, TCD//ORCON"
    )


def test_display_only_nations_stand_apart() -> None:
    assert (
        shown(display_to=("GHA",), derive="within_release")
        == "MINUSX SECRET//FRA//REL TO FRA, SEN, TCD/DISPLAY ONLY GHA"
    )


def test_the_own_nation_only_is_said_in_words() -> None:
    assert shown(release_to=("FRA",)) == "MINUSX SECRET//FRA//FRA ONLY//ORCON"
    assert (
        shown(release_to=("FRA",), display_to=("GHA", "KEN"))
        == "MINUSX SECRET//FRA//FRA ONLY/DISPLAY ONLY GHA, KEN//ORCON"
    )


def test_the_originator_is_named_first() -> None:
    assert "REL TO SEN, FRA, TCD" in shown(originator="SEN")


def test_caveats_and_communities_have_their_own_places() -> None:
    assert (
        shown(
            classification="TOP SECRET",
            caveats=("HUMINT", "LIMDIS"),
            communities=("CYBER", "MARITIME"),
        )
        == "MINUSX TOP SECRET//FRA//HUMINT/LIMDIS//COI CYBER/MARITIME//REL TO FRA, SEN, TCD//ORCON"
    )


def test_an_exercise_says_so_first() -> None:
    assert shown(exercise=True).startswith("EXERCISE MINUSX SECRET//")


def test_portions_together_carry_the_banner_of_their_roll_up() -> None:
    parts = [label(caveats=("HUMINT",)), label(release_to=("FRA", "SEN"), derive="within_release")]
    one, other = (point(part, VOCABULARY) for part in parts)
    assert (
        point_banner(join(one, other), "FRA", "MINUSX", VOCABULARY)
        == "MINUSX SECRET//FRA//HUMINT//REL TO FRA, SEN//ORCON"
    )


def test_nobody_is_said_in_words() -> None:
    nobody = Point(0, frozenset(), frozenset(), frozenset(), frozenset(), originator_control=False)
    assert (
        point_banner(nobody, "FRA", "MINUSX", VOCABULARY) == "MINUSX UNCLASSIFIED//FRA//REL TO NONE"
    )


def test_a_portion_mark_is_short() -> None:
    assert mark(release_to=("FRA", "SEN"), derive="within_release") == "(S//REL FRA, SEN)"
    assert mark(release_to=("FRA",)) == "(S//FRA ONLY//ORCON)"
    assert (
        mark(
            classification="TOP SECRET",
            caveats=("HUMINT",),
            communities=("CYBER",),
            display_to=("GHA",),
        )
        == "(TS//HUMINT//COI CYBER//REL FRA, SEN, TCD/DISPLAY ONLY GHA//ORCON)"
    )


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (label(), "(S//REL//ORCON)"),
        (label(classification="TOP SECRET", caveats=("HUMINT",)), "(S//REL//ORCON)"),
        (label(display_to=("GHA",)), "(S//REL FRA, SEN, TCD//ORCON)"),
        (label(release_to=("FRA", "SEN"), display_to=("TCD",)), "(S//REL FRA, SEN, TCD//ORCON)"),
        (label(release_to=("FRA",)), "(S//REL FRA, SEN, TCD//ORCON)"),
    ],
)
def test_recipients_are_cut_short_only_where_the_banner_says_the_same(
    above: Label, expected: str
) -> None:
    assert portion_mark(label(), "FRA", VOCABULARY, above) == expected


def test_the_own_nation_only_is_never_cut_short() -> None:
    own = label(release_to=("FRA",))
    assert portion_mark(own, "FRA", VOCABULARY, own) == "(S//FRA ONLY//ORCON)"


def subsets(*words: str) -> list[tuple[str, ...]]:
    return [some for size in range(len(words) + 1) for some in combinations(words, size)]


ALL_ACCESS_LABELS = [
    label(
        classification=level,
        caveats=caveats,
        communities=communities,
        release_to=tuple(sorted({"FRA", *release})),
        display_to=display,
        derive=derive,
    )
    for level, caveats, communities, release, display, derive in product(
        ("SECRET", "TOP SECRET"),
        subsets("HUMINT", "SIGINT"),
        subsets("CYBER", "HUMAN TERRAIN"),
        subsets("GBR", "GHA", "SEN"),
        subsets("GBR", "GHA", "SEN"),
        ("consent", "within_release"),
    )
    if not set(release) & set(display)
]
"""Every access label of a small world: 1,728 of them."""


def test_two_different_access_labels_never_have_the_same_banner() -> None:
    banners = {banner(each, "FRA", "MINUSX", VOCABULARY) for each in ALL_ACCESS_LABELS}
    assert len(banners) == len(ALL_ACCESS_LABELS) == 1_728


@pytest.mark.parametrize("above", [None, label(), label(display_to=("GHA",))])
def test_two_different_access_labels_never_have_the_same_portion_mark(above: Label | None) -> None:
    marks = {portion_mark(each, "FRA", VOCABULARY, above) for each in ALL_ACCESS_LABELS}
    assert len(marks) == len(ALL_ACCESS_LABELS)


WORDS = st.lists(
    st.sampled_from(["A", "REL", "TO", "FRA", "ONLY", "ORCON", "COI", "DISPLAY", "S"]),
    min_size=1,
    max_size=3,
).map(" ".join)


@pytest.mark.slow
@given(st.sets(WORDS, min_size=1, max_size=3), st.sets(WORDS, min_size=1, max_size=3))
def test_no_choice_of_words_makes_two_labels_look_the_same(
    caveats: set[str], communities: set[str]
) -> None:
    """A caveat `FRA ONLY` would read as a release; the vocabulary refuses such words."""
    try:
        vocabulary = mission(
            caveats=dict.fromkeys(caveats, "x"), communities=dict.fromkeys(communities, "x")
        )
    except Malformed:
        return
    access = [
        label(caveats=some, communities=others, release_to=release, derive=derive)
        for some, others, release, derive in product(
            subsets(*sorted(caveats)),
            subsets(*sorted(communities)),
            [("FRA",), ("FRA", "SEN")],
            ["consent", "within_release"],
        )
    ]
    assert len({banner(each, "FRA", "MINUSX", vocabulary) for each in access}) == len(access)


def test_banners_of_two_originators_differ() -> None:
    assert shown() != shown(originator="SEN")
