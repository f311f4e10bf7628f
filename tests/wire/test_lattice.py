"""The order of labels, its join, and the third-party rule."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.terms import NATIONS, VOCABULARY, label
from wire.errors import Malformed, NotAllowed, TearlineError
from wire.labels import Label, Source
from wire.lattice import Origin, Point, check_lineage, flows_into, join, point, roll_up


def subset(words: tuple[str, ...], bits: int) -> frozenset[str]:
    return frozenset(word for number, word in enumerate(words) if bits >> number & 1)


def made(bits: int) -> Point:
    """Every point of a small world has its own number."""
    release = subset(NATIONS, bits)
    return Point(
        level=(bits >> 14) % 5,
        caveats=subset(("HUMINT", "LIMDIS", "SIGINT"), bits >> 17),
        communities=subset(("CYBER", "MARITIME"), bits >> 20),
        release=release,
        display=release | subset(NATIONS, bits >> 7),
        originator_control=bool(bits >> 22 & 1),
    )


POINTS = st.integers(0, (1 << 23) - 1).map(made)


# -- the order


@pytest.mark.slow
@given(POINTS, POINTS, POINTS)
def test_it_is_an_order(one: Point, two: Point, three: Point) -> None:
    assert flows_into(one, one)
    if flows_into(one, two) and flows_into(two, one):
        assert one == two
    if flows_into(one, two) and flows_into(two, three):
        assert flows_into(one, three)


@pytest.mark.slow
@given(POINTS, POINTS, POINTS)
def test_the_join_is_the_least_point_above_both(one: Point, two: Point, three: Point) -> None:
    both = join(one, two)
    assert flows_into(one, both)
    assert flows_into(two, both)
    if flows_into(one, three) and flows_into(two, three):
        assert flows_into(both, three)


@given(POINTS, POINTS, POINTS)
def test_the_order_of_joining_does_not_matter(one: Point, two: Point, three: Point) -> None:
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))
    assert join(one, one) == one


@given(POINTS, POINTS)
def test_no_reader_is_gained_by_joining(one: Point, two: Point) -> None:
    both = join(one, two)
    assert both.release <= one.release & two.release
    assert both.display <= one.display & two.display


RAISED = {
    "level": 4,
    "caveats": frozenset({"HUMINT", "SIGINT"}),
    "communities": frozenset({"CYBER", "MARITIME"}),
    "release": frozenset({"FRA"}),
    "display": frozenset({"FRA", "SEN"}),
    "originator_control": True,
}
MIDDLE = Point(
    3,
    frozenset({"HUMINT"}),
    frozenset({"CYBER"}),
    frozenset({"FRA", "SEN"}),
    frozenset({"FRA", "GHA", "SEN"}),
    originator_control=False,
)


@pytest.mark.parametrize("field", sorted(RAISED))
def test_each_part_alone_decides_the_order(field: str) -> None:
    higher = replace(MIDDLE, **{field: RAISED[field]})  # type: ignore[arg-type]
    assert flows_into(MIDDLE, higher)
    assert not flows_into(higher, MIDDLE)


def test_who_may_keep_it_may_see_it() -> None:
    with pytest.raises(ValueError, match="may see it"):
        replace(MIDDLE, display=frozenset({"FRA"}))


def test_the_point_of_a_label() -> None:
    found = point(
        label(
            display_to=("GHA",),
            caveats=("HUMINT",),
            communities=("CYBER",),
            derive="within_release",
        ),
        VOCABULARY,
    )
    assert found == Point(
        3,
        frozenset({"HUMINT"}),
        frozenset({"CYBER"}),
        frozenset({"FRA", "SEN", "TCD"}),
        frozenset({"FRA", "GHA", "SEN", "TCD"}),
        originator_control=False,
    )
    assert point(label(), VOCABULARY).originator_control


# -- putting together


def test_an_empty_intersection_leaves_the_author_alone() -> None:
    parts = [label(release_to=("FRA", "GBR")), label(release_to=("FRA", "SEN"))]
    assert roll_up((point(part, VOCABULARY) for part in parts), "FRA").release == {"FRA"}


def test_an_author_outside_a_part_may_not_put_it_together() -> None:
    parts = [label(release_to=("FRA", "GBR")), label(release_to=("GBR", "SEN"))]
    with pytest.raises(NotAllowed, match="third-party-rule"):
        roll_up((point(part, VOCABULARY) for part in parts), "FRA")


def test_display_is_the_intersection_of_who_may_see() -> None:
    """Release to CAN and display to CAN make display to CAN."""
    parts = [label(release_to=("FRA", "GHA")), label(release_to=("FRA",), display_to=("GHA",))]
    together = roll_up((point(part, VOCABULARY) for part in parts), "FRA")
    assert together.display - together.release == {"GHA"}


# -- the third-party rule

FIRST, SECOND = Source(report="1" * 64, portion="a" * 64), Source(report="2" * 64, portion="b" * 64)
ORIGINS = (
    Origin(FIRST, label(release_to=("FRA", "SEN", "TCD"), derive="within_release")),
    Origin(
        SECOND,
        label(
            release_to=("FRA", "GHA", "SEN"),
            display_to=("TCD",),
            classification="CONFIDENTIAL",
            derive="within_release",
        ),
    ),
)


def derived(**changes: Any) -> Label:
    """SEN's report from a source of FRA and one of its own, as wide as it may be."""
    fields = {
        "derived_from": (FIRST, SECOND),
        "release_to": ("FRA", "SEN"),
        "display_to": ("TCD",),
        "derive": "within_release",
    }
    return label(**(fields | changes))


def with_first(**changes: Any) -> tuple[Origin, ...]:
    return (Origin(FIRST, ORIGINS[0].label.model_copy(update=changes)), ORIGINS[1])


def refused(
    made: Label,
    origins: tuple[Origin, ...] = ORIGINS,
    consents: dict[Source, frozenset[str]] | None = None,
    author: str = "SEN",
) -> TearlineError:
    with pytest.raises(TearlineError) as caught:
        check_lineage(made, author, origins, consents or {}, VOCABULARY)
    return caught.value


def test_a_derived_report_within_its_sources_passes() -> None:
    check_lineage(derived(), "SEN", ORIGINS, {}, VOCABULARY)
    check_lineage(derived(release_to=("SEN",), display_to=()), "SEN", ORIGINS, {}, VOCABULARY)


def test_a_report_without_sources_has_no_lineage_to_check() -> None:
    check_lineage(label(), "FRA", (), {}, VOCABULARY)


@pytest.mark.parametrize(
    "wider",
    [
        {"release_to": ("FRA", "SEN", "TCD"), "display_to": ()},  # display became release
        {"release_to": ("FRA", "GHA", "SEN")},  # outside the first source
        {"release_to": ("FRA", "KEN", "SEN")},  # outside both
        {"display_to": ("KEN", "TCD")},
    ],
)
def test_82_a_derived_report_wider_than_its_sources_is_refused(wider: dict[str, Any]) -> None:
    error = refused(derived(**wider))
    assert isinstance(error, NotAllowed)
    assert (error.slug, error.status) == ("third-party-rule", 403)


def test_82_the_refusal_names_the_source_by_its_digest_only() -> None:
    detail = refused(derived(release_to=("FRA", "KEN", "SEN"))).detail
    assert "aaaaaaaaaaaa" in detail
    assert not any(word in detail for word in ("FRA", "KEN", "TCD", "SECRET", "CONFIDENTIAL"))


@pytest.mark.parametrize(
    "source",
    [
        {"classification": "TOP SECRET"},
        {"caveats": ("HUMINT",)},
        {"communities": ("CYBER",)},
        {"derive": "consent"},
        {"obligations": ("NO PRINT",)},
        {"expires": 1_800_000_000},
    ],
)
def test_a_derived_report_is_never_labelled_lower_or_laxer_than_a_source(
    source: dict[str, Any],
) -> None:
    """A caveat that was dropped on the way cannot be recovered by any policy."""
    assert refused(derived(), with_first(**source)).slug == "third-party-rule"
    check_lineage(derived(**source), "SEN", with_first(**source), {}, VOCABULARY)


def test_a_derived_report_is_passed_on_no_further_than_its_sources() -> None:
    for onward in ("national", "release_list"):
        assert refused(derived(onward=onward)).slug == "third-party-rule"
    national = tuple(
        Origin(o.source, o.label.model_copy(update={"onward": "national"})) for o in ORIGINS
    )
    for onward in ("none", "national"):
        check_lineage(derived(onward=onward), "SEN", national, {}, VOCABULARY)
    assert refused(derived(onward="release_list"), national).slug == "third-party-rule"


def test_a_derived_report_does_not_outlive_a_source() -> None:
    origins = with_first(expires=1_800_000_000)
    check_lineage(derived(expires=1_799_999_999), "SEN", origins, {}, VOCABULARY)
    assert refused(derived(expires=1_800_000_001), origins).slug == "third-party-rule"


def test_an_author_to_whom_a_source_was_not_released_may_not_use_it() -> None:
    for author, made in (
        ("TCD", derived(release_to=("FRA", "TCD"), display_to=())),
        ("KEN", derived()),
        ("TCD", derived()),  # may look at the second source, not keep it
    ):
        assert "not released to the author" in refused(made, author=author).detail


def test_a_consent_adds_exactly_its_nations_for_its_source_alone() -> None:
    wide = derived(release_to=("FRA", "KEN", "SEN"), consents=("c" * 64,))
    both = {FIRST: frozenset({"KEN"}), SECOND: frozenset({"KEN"})}
    check_lineage(wide, "SEN", ORIGINS, both, VOCABULARY)
    for too_few in (
        {FIRST: frozenset({"KEN"})},
        {SECOND: frozenset({"KEN"})},
        {FIRST: frozenset({"GBR"}), SECOND: frozenset({"KEN"})},
    ):
        assert refused(wide, consents=too_few).slug == "third-party-rule"


def test_a_consent_lets_nobody_lower_the_label() -> None:
    everyone = frozenset(NATIONS)
    low = derived(classification="RESTRICTED")
    assert refused(low, consents={FIRST: everyone, SECOND: everyone}).slug == "third-party-rule"


def test_a_consent_can_release_a_source_to_the_author() -> None:
    made = derived(release_to=("FRA", "SEN"), display_to=())
    origins = with_first(release_to=("FRA",))
    assert "author" in refused(made, origins).detail
    check_lineage(made, "SEN", origins, {FIRST: frozenset({"SEN"})}, VOCABULARY)


def test_a_consent_for_something_else_is_refused() -> None:
    other = Source(report="9" * 64, portion="a" * 64)
    error = refused(derived(), consents={other: frozenset({"KEN"})})
    assert isinstance(error, Malformed)
    assert error.slug == "label-lineage"


@pytest.mark.parametrize(
    "origins", [(), ORIGINS[:1], ORIGINS[::-1], (*ORIGINS, ORIGINS[1]), ORIGINS[:1] * 2]
)
def test_exactly_the_sources_named_are_compared(origins: tuple[Origin, ...]) -> None:
    """A source that is named and not looked up would pass unseen."""
    assert refused(derived(), origins).slug == "label-lineage"


def test_exercise_and_live_do_not_mix_along_a_lineage() -> None:
    assert refused(derived(exercise=True)).slug == "label-exercise"
    assert refused(derived(), with_first(exercise=True)).slug == "label-exercise"


NATION_SETS = st.frozensets(st.sampled_from(NATIONS)).map(lambda some: some | {"SEN"})


@pytest.mark.slow
@given(NATION_SETS, NATION_SETS, NATION_SETS, NATION_SETS)
def test_the_audience_is_inside_every_source_with_its_consent(
    released: frozenset[str], first: frozenset[str], second: frozenset[str], added: frozenset[str]
) -> None:
    origins = [
        Origin(
            source,
            origin.label.model_copy(
                update={"release_to": tuple(sorted(nations)), "display_to": ()}
            ),
        )
        for source, nations, origin in zip((FIRST, SECOND), (first, second), ORIGINS, strict=True)
    ]
    made = derived(release_to=tuple(sorted(released)), display_to=())
    if released <= (first | added) & second:
        check_lineage(made, "SEN", origins, {FIRST: added}, VOCABULARY)
    else:
        assert refused(made, tuple(origins), {FIRST: added}).slug == "third-party-rule"
