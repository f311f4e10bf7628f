"""The ready rules and the examples are clean, canonical, and do what their comments say."""

from pathlib import Path

import pytest
from msgspec import structs

from clients import standard
from policies import bundle, lint
from policies.decide import Outcome, PolicyBook
from tests.policies.world import (
    LEVELS,
    MISSION,
    NATIONS,
    POLICIES,
    analyst,
    example,
    layers_of,
    library,
    moment,
    open_book,
    report,
    words,
)
from wire.errors import Malformed
from wire.vocabulary import vocabulary

TEXTS = sorted(POLICIES.rglob("*.cedar"))
READY = {
    "coalition-baseline": ("handle", "COALITION"),
    "mission-carry": ("carry", MISSION),
    "intake-limits": ("accept", "KEN"),
    "own-nation-only": ("release", "KEN"),
    "named-partners": ("release", "KEN"),
    "region-carve-out": ("release", "KEN"),
    "source-sensitive": ("release", "KEN"),
    "embargo": ("release", "KEN"),
    "officer-referral": ("release", "KEN"),
    "threat-to-life": ("release", "KEN"),
}
TAKES_ONLY_AWAY = {"own-nation-only", "region-carve-out", "source-sensitive", "embargo"}


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: "/".join(file.parts[-3:]))
def test_every_shipped_text_is_in_canonical_layout_and_commented(file: Path) -> None:
    text = file.read_text()
    assert lint.format(text) == text
    if file.parent.name == "library":
        assert text.startswith("//")


@pytest.mark.parametrize("name", READY)
def test_every_ready_rule_is_clean(name: str) -> None:
    kind, owner = READY[name]
    found = lint.lint(library(name), kind, owner, words())
    expected = {"no-grant"} if name in TAKES_ONLY_AWAY else set()
    assert {finding.rule for finding in found} == expected


def test_the_library_is_complete() -> None:
    assert {file.stem for file in (POLICIES / "library").glob("*.cedar")} == set(READY)


@pytest.mark.parametrize("nation", NATIONS)
def test_every_example_is_clean_under_the_plain_standard_vocabulary(nation: str) -> None:
    """Without the coalitions and areas that a mission may add."""
    plain = vocabulary(MISSION, NATIONS, standard.levels(), standard.registry(), "0" * 64)
    for kind, text in example(nation).items():
        assert lint.lint(text, kind, nation, plain) == ()


def ready_book(*names: str) -> PolicyBook:
    text = "\n".join(library(name) for name in names)
    return open_book().with_layer("release", "KEN", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "to", "changes", "context", "outcome"),
    [
        (["own-nation-only"], "GBR", {}, {}, "WITHHOLD"),
        (["own-nation-only"], "KEN", {}, {}, "RELEASE"),
        (["named-partners"], "GBR", {"level": LEVELS["S"], "regions": {"ML"}}, {}, "RELEASE"),
        (["named-partners"], "SEN", {"regions": {"ML"}}, {}, "WITHHOLD"),
        (["named-partners"], "SEN", {}, {}, "RELEASE"),
        (["named-partners", "region-carve-out"], "GBR", {"regions": {"ML"}}, {}, "REFER"),
        (["named-partners", "region-carve-out"], "GBR", {"regions": {"011"}}, {}, "REFER"),
        (["named-partners", "region-carve-out"], "FRA", {"regions": {"ML"}}, {}, "RELEASE"),
        (["named-partners", "region-carve-out"], "GBR", {}, {}, "RELEASE"),
        (["named-partners", "source-sensitive"], "GBR", {"caveats": {"HUMINT"}}, {}, "WITHHOLD"),
        (
            ["named-partners", "source-sensitive"],
            "GBR",
            {"caveats": {"SOURCE SENSITIVE"}, "derived": True},
            {"approvals": {("release", "KEN"): 1}},
            "REFER",
        ),
        (
            ["named-partners", "embargo"],
            "GBR",
            {"caveats": {"SIGINT"}},
            {"age": 86_399},
            "WITHHOLD",
        ),
        (["named-partners", "embargo"], "GBR", {"caveats": {"SIGINT"}}, {"age": 86_400}, "RELEASE"),
        (["named-partners", "embargo"], "GBR", {"regions": {"NE"}}, {}, "RELEASE"),
        (
            ["named-partners", "embargo"],
            "GBR",
            {"regions": {"NE"}},
            {"purpose": "PLANNING"},
            "WITHHOLD",
        ),
        (["officer-referral"], "BGD", {"level": LEVELS["S"]}, {}, "REFER"),
        (["officer-referral"], "BGD", {"level": LEVELS["TS"]}, {}, "WITHHOLD"),
        (
            ["named-partners", "officer-referral"],
            "GBR",
            {"threats": {"abduction"}},
            {},
            "REFER",
        ),
    ],
)
def test_the_ready_rules_do_what_they_say(
    names: list[str],
    to: str,
    changes: dict[str, object],
    context: dict[str, object],
    outcome: str,
) -> None:
    frozen = {k: frozenset(v) if isinstance(v, set) else v for k, v in changes.items()}
    facts = structs.replace(report("KEN", *NATIONS), **frozen)
    found = ready_book(*names).decide(analyst(to, 4), facts, moment(**context))  # type: ignore[arg-type]
    assert found.outcome is Outcome[outcome]


@pytest.mark.parametrize(
    ("changes", "purpose", "communities", "outcome"),
    [
        ({}, "PLANNING", set(), "RELEASE"),
        ({"level": LEVELS["TS"]}, "PLANNING", set(), "WITHHOLD"),
        ({"caveats": {"PERSONAL DATA"}}, "PLANNING", set(), "WITHHOLD"),
        ({"caveats": {"CHILDREN"}}, "PLANNING", set(), "WITHHOLD"),
        ({"caveats": {"CHILDREN"}}, "PLANNING", {"PROTECTION OF CIVILIANS"}, "RELEASE"),
        ({}, "LAW ENFORCEMENT", set(), "WITHHOLD"),
    ],
)
def test_the_ready_intake_limits_do_what_they_say(
    changes: dict[str, object], purpose: str, communities: set[str], outcome: str
) -> None:
    book = open_book().with_layer("accept", "KEN", library("intake-limits"))
    frozen = {k: frozenset(v) if isinstance(v, set) else v for k, v in changes.items()}
    facts = structs.replace(report("GBR", "KEN"), **frozen)
    reader = analyst("KEN", 4, communities=frozenset(communities))
    assert book.decide(reader, facts, moment(purpose=purpose)).outcome is Outcome[outcome]


def test_the_ready_rule_for_a_threat_to_life_asks_two_officers_and_keeps_to_the_list() -> None:
    book = open_book().with_layer("release", "KEN", library("threat-to-life"))
    flash = structs.replace(report("KEN", "GBR"), precedence="FLASH", level=LEVELS["TS"])

    def outcome(to: str, approvals: int, precedence: str = "FLASH") -> Outcome:
        signed = moment(approvals={("release", "KEN"): approvals})
        return book.decide(
            analyst(to, 4), structs.replace(flash, precedence=precedence), signed
        ).outcome

    assert [outcome("GBR", n) for n in range(3)] == [*[Outcome.REFER] * 2, Outcome.RELEASE]
    assert outcome("GBR", 2, "IMMEDIATE") is Outcome.WITHHOLD


# -- bundles


def test_the_files_of_a_layer_are_joined_in_order() -> None:
    texts = {"release/b.cedar": "// b", "release/a.cedar": "// a\n", "accept/law.cedar": "// l"}
    assert bundle.assemble(texts) == {"release": "// a\n\n// b\n", "accept": "// l\n"}
    assert bundle.assemble({}) == {"release": "", "accept": ""}


@pytest.mark.parametrize(
    "path",
    [
        "release.cedar",
        "relase/a.cedar",
        "release/a.txt",
        "release/../accept/a.cedar",
        "release/A.cedar",
        "handle/a.cedar",
        "release/sub/a.cedar",
    ],
)
def test_a_misplaced_file_is_refused_and_not_left_out(path: str) -> None:
    with pytest.raises(Malformed, match="policy-refused"):
        bundle.assemble({path: "// x"})


def test_a_book_is_made_from_all_texts_or_not_at_all() -> None:
    assert set(layers_of(*NATIONS).layers) == set(layers_of().owners)
    with pytest.raises(Malformed, match="policy-refused"):
        bundle.book(words(), "permit(", library("mission-carry"), {})


@pytest.mark.parametrize(
    ("codes", "place"),
    [
        ({}, "nation"),
        ({"nation": "ken"}, "nation"),
        ({"nation": 'KEN"'}, "nation"),
        ({"nation": "KEN\n"}, "nation"),
        ({"nation": "KEN", "mission": 'X") permit ('}, "mission"),
        ({"nation": "KEN", "mission": "X\n"}, "mission"),
    ],
)
def test_only_codes_can_be_filled_into_a_library_text(codes: dict[str, str], place: str) -> None:
    with pytest.raises(Malformed, match=place):
        bundle.fill("{NATION} {MISSION}", **codes)


def test_filling_leaves_cedars_own_braces_alone() -> None:
    text = "when { resource.derived } // {NATION} { NATION } {OTHER}"
    filled = bundle.fill(text, nation="KEN")
    assert filled == "when { resource.derived } // KEN { NATION } {OTHER}"


def test_the_starter_releases_to_partners_what_the_label_names() -> None:
    release, accept = bundle.starter("KEN", ["GBR", "FRA", "KEN"])
    for text, kind in ((release, "release"), (accept, "accept")):
        assert lint.lint(text, kind, "KEN", words()) == ()
    book = open_book().with_layer("release", "KEN", release).with_layer("accept", "KEN", accept)
    secret = report("KEN", "GBR", "SEN", level=LEVELS["S"], display_to=frozenset({"FRA"}))

    def outcome(to: str, **changes: object) -> Outcome:
        facts = structs.replace(secret, **changes)
        return book.decide(analyst(to, 4), facts, moment()).outcome

    assert outcome("GBR") is Outcome.RELEASE
    assert outcome("FRA") is Outcome.RELEASE
    assert outcome("SEN") is Outcome.WITHHOLD  # named in the label, not a partner
    assert outcome("FRA", display_to=frozenset()) is Outcome.WITHHOLD
    assert outcome("GBR", level=LEVELS["TS"]) is Outcome.WITHHOLD
    assert outcome("GBR", caveats=frozenset({"SOURCE SENSITIVE"})) is Outcome.REFER
    assert outcome("KEN") is Outcome.RELEASE


def test_the_starter_of_a_nation_without_partners_releases_nothing() -> None:
    release, _ = bundle.starter("KEN", [])
    assert [f.rule for f in lint.lint(release, "release", "KEN", words())] == ["no-grant"]


def test_the_starter_fits_the_largest_mission() -> None:
    nations = [f"{a}{b}{c}" for a in "ABCD" for b in "ABCD" for c in "ABCD"]
    many = vocabulary(MISSION, nations, standard.levels(), standard.registry(), "0" * 64)
    release, _ = bundle.starter(nations[0], nations)
    assert lint.lint(release, "release", nations[0], many) == ()


@pytest.mark.parametrize(
    ("nation", "partners", "up_to"),
    [("ken", [], "SECRET"), ("KEN", ["GBR", 'X"]'], "SECRET"), ("KEN", ["GBR"], 'S"')],
)
def test_the_starter_takes_only_codes(nation: str, partners: list[str], up_to: str) -> None:
    with pytest.raises(Malformed, match="bad-input"):
        bundle.starter(nation, partners, up_to=up_to)
