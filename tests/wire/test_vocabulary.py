"""A mission's words: trees closed under within and touching, and words that cannot be confused."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import standard
from tests.wire.terms import AREAS, NATIONS, VOCABULARY, mission, registry
from wire import strict_json
from wire.errors import Malformed
from wire.vocabulary import (
    LEVELS_LIMIT,
    TREE_DEPTH,
    Level,
    RegistryBody,
    Term,
    Tree,
    vocabulary,
)

REGIONS, THREATS = VOCABULARY.regions, VOCABULARY.threats


def refused(slug: str, nations: tuple[str, ...] = NATIONS, **changes: Any) -> str:
    with pytest.raises(Malformed) as caught:
        mission(nations, **changes)
    assert caught.value.slug == slug
    return caught.value.detail


# -- trees


def test_a_place_lies_inside_itself_and_everything_above() -> None:
    assert REGIONS.ancestors("KE") == {"KE", "014", "202", "002", "001"}
    assert THREATS.ancestors("explosive.mine") == {"explosive.mine", "explosive"}


def test_a_place_holds_itself_and_everything_below() -> None:
    assert REGIONS.descendants("KE") == {"KE", "KE-30"}
    assert REGIONS.descendants("143") == {"143", "KZ", "KG", "TJ", "TM", "UZ"}
    assert REGIONS.descendants("001") == set(REGIONS.parents)


def test_within_is_what_holds_all_of_the_codes() -> None:
    assert REGIONS.within(["KE"]) == REGIONS.ancestors("KE")
    assert REGIONS.within(["KE", "TZ"]) == {"014", "202", "002", "001"}
    assert REGIONS.within(["KE", "FR"]) == {"001"}
    assert THREATS.within(["explosive.mine", "cyber.denial"]) == set()


def test_touching_is_what_overlaps_any_of_the_codes() -> None:
    assert REGIONS.touching(["KE"]) == {"KE-30", *REGIONS.ancestors("KE")}
    assert {"KE", "KE-30", "TZ", "014"} <= REGIONS.touching(["014"])
    assert REGIONS.touching(["KE", "FR"]) == REGIONS.touching(["KE"]) | REGIONS.touching(["FR"])


def test_a_prohibition_on_a_country_meets_a_report_about_its_continent() -> None:
    """With one plain relation "in region", a carve-out would not stop the wider report."""
    assert "ML" in REGIONS.touching(["002"])
    assert "ML" not in REGIONS.within(["002"])


def test_an_area_drawn_across_borders_may_overlap_everything_else_below_its_parent() -> None:
    """Nobody knows which countries a mission area cuts, so a prohibition meets all it may cut."""
    assert {"ML", "NE", "011", "mission:sable/east"} <= REGIONS.touching(["mission:sable"])
    assert {"mission:sable", "mission:sable/east"} <= REGIONS.touching(["ML"])
    assert {"mission:sable", "mission:sable/east", "ML"} <= REGIONS.touching(["011"])
    assert "mission:sable" not in REGIONS.touching(["KE"])
    assert "KE" not in REGIONS.touching(["mission:sable"])


def test_a_grant_does_not_count_what_only_may_overlap() -> None:
    assert "mission:sable" not in REGIONS.within(["ML"])
    assert REGIONS.within(["mission:sable/east"]) == {
        "mission:sable/east",
        "mission:sable",
        *REGIONS.ancestors("011"),
    }


def test_sectors_of_one_area_do_not_overlap() -> None:
    assert "mission:sable/west" not in REGIONS.touching(["mission:sable/east"])
    assert "ML" in REGIONS.touching(["mission:sable/east"])


def test_an_unknown_code_is_refused_by_every_question() -> None:
    questions: tuple[Callable[[], object], ...] = (
        lambda: REGIONS.ancestors("XK"),
        lambda: REGIONS.descendants("XK"),
        lambda: REGIONS.within(["KE", "XK"]),
        lambda: REGIONS.touching(["KE", "XK"]),
    )
    for question in questions:
        with pytest.raises(Malformed, match="unknown-term"):
            question()
    assert "XK" not in REGIONS
    assert "KE" in REGIONS


def test_no_codes_at_all_are_refused_because_everything_holds_nothing() -> None:
    for question in (REGIONS.within, REGIONS.touching):
        with pytest.raises(Malformed, match="unknown-term"):
            question([])


def test_a_tree_has_no_circle_and_no_unknown_parent() -> None:
    with pytest.raises(Malformed, match="no root"):
        Tree({"a": "b", "b": "a"}, {})
    with pytest.raises(Malformed, match="unknown-term"):
        Tree({"a": "b"}, {})


def test_a_path_has_a_longest_length() -> None:
    chain: Mapping[str, str | None] = {f"{n}": f"{n - 1}" if n else None for n in range(TREE_DEPTH)}
    assert len(Tree(chain, {}).ancestors(f"{TREE_DEPTH - 1}")) == TREE_DEPTH
    with pytest.raises(Malformed, match="no root"):
        Tree({**chain, "x": f"{TREE_DEPTH - 1}"}, {})


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Small trees of places, with areas and sectors among them."""
    parents: dict[str, str | None] = {"0": None}
    for number in range(1, draw(st.integers(2, 12))):
        parent = draw(st.sampled_from(sorted(parents)))
        area = parent.startswith("mission:") or draw(st.booleans())
        parents[f"mission:{number}" if area else f"{number}"] = parent
    return Tree(parents, {})


@pytest.mark.slow
@given(trees(), st.data())
def test_within_and_touching_hold_together(tree: Tree, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from(sorted(tree.parents)), min_size=1, max_size=4))
    within, touching = tree.within(codes), tree.touching(codes)
    assert within <= touching <= set(tree.parents)
    assert all(set(codes) <= tree.descendants(code) for code in within)
    for code in codes:
        assert tree.descendants(code) <= touching
        assert tree.ancestors(code) <= touching


@given(trees())
def test_touching_is_mutual_and_grows_with_the_place(tree: Tree) -> None:
    touching = {code: tree.touching([code]) for code in tree.parents}
    for code, parent in tree.parents.items():
        assert all(code in touching[other] for other in touching[code])
        if parent is not None:
            assert touching[code] <= touching[parent]


@given(trees())
def test_only_an_area_that_crosses_borders_overlaps_another_branch(tree: Tree) -> None:
    for code in tree.parents:
        for other in tree.touching([code]) - tree.ancestors(code) - tree.descendants(code):
            branches = tree.ancestors(code) ^ tree.ancestors(other)
            assert any(branch.startswith("mission:") for branch in branches)


# -- words


def test_a_level_has_its_place_in_the_scale() -> None:
    assert [VOCABULARY.level(level.token) for level in VOCABULARY.levels] == [0, 1, 2, 3, 4]
    assert VOCABULARY.level("SECRET") == 3
    for foreign in ("S", "secret", "COSMIC TOP SECRET", ""):
        with pytest.raises(Malformed, match="unknown-term"):
            VOCABULARY.level(foreign)


def test_groups_are_expanded_to_nations() -> None:
    assert VOCABULARY.expand(["KEN", "LAKE GROUP"]) == {"FRA", "GHA", "KEN", "TCD"}
    assert VOCABULARY.expand([]) == set()


def test_a_group_with_a_member_outside_the_mission_is_refused_not_shortened() -> None:
    """AUS is in FVEY but not in this mission: leaving it out would hide who was meant."""
    for names in (["FVEY"], ["KEN", "EYES"], ["AUS"]):
        with pytest.raises(Malformed, match="unknown-term"):
            VOCABULARY.expand(names)


def test_a_group_is_expanded_by_the_version_at_hand() -> None:
    """A nation that joins later gains nothing from what was already expanded."""
    later = mission(groups={"LAKE GROUP": ("FRA", "GHA", "KEN", "TCD")}, version=2)
    assert later.expand(["LAKE GROUP"]) - VOCABULARY.expand(["LAKE GROUP"]) == {"KEN"}


@pytest.mark.parametrize("group", ["AUS", "XYZ"])
def test_a_group_cannot_pass_for_a_nation(group: str) -> None:
    assert "nation" in refused("bad-fields", groups={group: ("FRA",)})


def test_a_group_has_members_and_names_each_once() -> None:
    assert "no members" in refused("bad-fields", groups={"EMPTY GROUP": ()})
    assert "twice" in refused("bad-fields", groups={"LAKE GROUP": ("FRA", "FRA")})


@pytest.mark.parametrize(
    "word",
    ["REL", "REL TO FRA", "REL FRA", "DISPLAY ONLY GHA", "FRA ONLY", "ONLY", "ORCON", "COI",
     "COI X", "EXERCISE", "EXERCISE X"],
)  # fmt: skip
def test_no_caveat_or_community_can_pass_for_another_part_of_a_banner(word: str) -> None:
    assert "banner" in refused("bad-fields", caveats={word: "x"})
    assert "banner" in refused("bad-fields", communities={word: "x"})


@pytest.mark.parametrize("word", ["SECRET ", "TOP  SECRET", "A-", "A_-B"])
def test_words_that_look_alike_are_refused(word: str) -> None:
    changes: list[dict[str, Any]] = [
        {"caveats": {word: "x"}},
        {"communities": {word: "x"}},
        {"purposes": (word,)},
        {"groups": {word: ("FRA",)}},
    ]
    for change in changes:
        assert "separators" in refused("bad-fields", **change)
    level = Level(token=word, mark="S")
    for name, levels in ((word, standard.levels()), ("MINUSX", (level,))):
        with pytest.raises(Malformed, match="separators"):
            vocabulary(name, NATIONS, levels, registry(), "0" * 64)


def test_a_scale_has_one_to_eight_levels_each_with_its_own_word_and_mark() -> None:
    def scale(*levels: tuple[str, str]) -> None:
        made = [Level(token=token, mark=mark) for token, mark in levels]
        vocabulary("MINUSX", NATIONS, made, registry(), "0" * 64)

    scale(("OPEN", "O"))
    for bad in (
        (),
        [(f"LEVEL {n}", "ABCDEFGHI"[n]) for n in range(LEVELS_LIMIT + 1)],
        [("SECRET", "S"), ("SECRET", "X")],
        [("SECRET", "S"), ("SENSITIVE", "S")],
    ):
        with pytest.raises(Malformed, match="bad-fields"):
            scale(*bad)


def test_nations_and_purposes_are_named_once() -> None:
    assert "nation" in refused("bad-fields", nations=("FRA", "FRA"))
    assert "purpose" in refused("bad-fields", purposes=("PLANNING", "PLANNING"))


@pytest.mark.parametrize(
    ("code", "parent"),
    [
        ("KE-30", "TZ"),  # a subdivision of another country
        ("KE-30", None),
        ("KE-30", "014"),
        ("QQ", "KE"),  # a country in a country
        ("QQ", "mission:sable"),
        ("899", "KE"),
        ("mission:north", None),  # an area that could be anywhere
        ("mission:north", "mission:sable"),
        ("mission:north/a", "mission:sable"),
        ("mission:north/a", "001"),
        ("mission:sable/x", None),
    ],
)
def test_a_place_whose_code_contradicts_its_parent_is_refused(
    code: str, parent: str | None
) -> None:
    regions = registry().regions | {code: Term(name="x", parent=parent)}
    assert code in refused("bad-fields", regions=regions)


def test_a_subdivision_may_lie_in_a_subdivision_of_the_same_country() -> None:
    regions = registry().regions | {"KE-ABC": Term(name="x", parent="KE-30")}
    assert "KE" in mission(regions=regions).regions.ancestors("KE-ABC")


@pytest.mark.parametrize(
    ("code", "parent"),
    [("cyber.new", None), ("cyber.new", "explosive"), ("fresh", "cyber"), ("cyber.a.b", "cyber")],
)
def test_a_threat_type_whose_path_contradicts_its_parent_is_refused(
    code: str, parent: str | None
) -> None:
    threats = registry().threats | {code: Term(name="x", parent=parent)}
    assert code in refused("bad-fields", threats=threats)


def test_a_mission_may_add_a_third_step_to_a_threat_type() -> None:
    threats = registry().threats | {"cyber.denial.dns": Term(name="x", parent="cyber.denial")}
    assert mission(threats=threats).threats.within(["cyber.denial.dns"]) == {
        "cyber.denial.dns",
        "cyber.denial",
        "cyber",
    }


def test_an_unknown_parent_is_refused() -> None:
    regions = registry().regions | {"QQ": Term(name="x", parent="899")}
    assert "899" in refused("unknown-term", regions=regions)


# -- the standard registry


def test_the_standard_registry_fits_its_statement() -> None:
    data = strict_json.dump(registry().model_dump(mode="json"))
    assert len(data) < 60 * 1024
    assert strict_json.load(data, RegistryBody) == registry()


def test_the_standard_registry_has_no_coalitions_of_its_own() -> None:
    assert standard.registry().groups == {}
    assert standard.registry(version=7).version == 7


def test_the_first_purpose_is_the_default() -> None:
    assert VOCABULARY.purposes[0] == "FORCE PROTECTION"


def test_an_area_or_group_is_added_once() -> None:
    with pytest.raises(Malformed, match="there already"):
        standard.registry(areas=[*AREAS, ("KE", "Kenya", "014")])
    with pytest.raises(Malformed, match="there already"):
        standard.registry(groups=[("LAKE GROUP", ("FRA",)), ("LAKE GROUP", ("GHA",))])


def test_an_area_without_the_form_of_one_is_refused() -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        standard.registry(areas=[("sector east", "Sector East", "011")])
