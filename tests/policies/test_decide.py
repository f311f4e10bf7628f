"""How layers combine, what is asked, and what withholds."""

import dataclasses
from dataclasses import replace
from itertools import pairwise

import pytest
from msgspec import structs

from policies.decide import Decision, Outcome, PolicyBook
from policies.facts import LAST_SECOND, Circumstances, ReportFacts
from tests.policies.world import (
    LEVELS,
    MISSION,
    NATIONS,
    analyst,
    layers_of,
    library,
    mission,
    moment,
    open_book,
    permit_all,
    report,
    words,
)
from wire.errors import Malformed

MINE = report("KEN", "GBR")
TO_GBR = analyst("GBR")


def stack(decision: Decision) -> list[tuple[str, str]]:
    return [(verdict.kind, verdict.owner) for verdict in decision.verdicts]


def test_a_report_goes_to_whom_every_layer_grants_it() -> None:
    decision = mission().decide(TO_GBR, MINE, moment())
    assert decision.outcome is Outcome.RELEASE
    assert stack(decision) == [
        ("handle", "COALITION"),
        ("release", "KEN"),
        ("carry", MISSION),
        ("accept", "GBR"),
    ]
    assert decision.alarms == ()


@pytest.mark.parametrize(
    ("kind", "owner"),
    [("handle", "COALITION"), ("release", "KEN"), ("carry", MISSION), ("accept", "GBR")],
)
def test_a_missing_layer_withholds_and_alarms(kind: str, owner: str) -> None:
    book = open_book().without(kind, owner)
    decision = book.decide(TO_GBR, MINE, moment())
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.alarms == ("missing-layer",)
    assert book.decide_uncached(TO_GBR, MINE, moment()) == decision


@pytest.mark.parametrize(
    ("kind", "owner"),
    [("handle", "COALITION"), ("release", "KEN"), ("carry", MISSION), ("accept", "GBR")],
)
def test_any_one_layer_can_withhold(kind: str, owner: str) -> None:
    refusal = f'@id("{owner}/no") forbid (principal, action == Action::"{kind}", resource);'
    decision = open_book().with_layer(kind, owner, refusal).decide(TO_GBR, MINE, moment())
    assert decision.outcome is Outcome.WITHHOLD
    assert [verdict.outcome for verdict in decision.verdicts].count(Outcome.WITHHOLD) == 1


def test_every_contributing_originator_but_the_recipients_own_nation_is_asked() -> None:
    derived = report("FRA", "GBR", derived=True, contributors=frozenset({"SEN", "GBR", "FRA"}))
    assert stack(open_book().decide(TO_GBR, derived, moment()))[1:3] == [
        ("release", "FRA"),
        ("release", "SEN"),
    ]


def test_a_nations_own_reports_need_no_release_policy_of_its_own() -> None:
    book = layers_of("GBR").without("release", "GBR")
    assert book.decide(analyst("GBR"), report("GBR"), moment()).outcome is Outcome.RELEASE


def test_an_empty_book_withholds_everything() -> None:
    decision = PolicyBook.empty(words()).decide(TO_GBR, MINE, moment())
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.alarms == ("missing-layer",) * 4


REFERRAL = """
    @id("KEN/plain") permit (principal, action == Action::"release", resource in UpTo::"SECRET");
    @id("KEN/officer") forbid (principal, action == Action::"release", resource in UpTo::"SECRET")
    unless { context.approvals >= %d };
"""


@pytest.mark.parametrize("needed", [1, 2])
def test_a_layer_that_officers_could_open_refers(needed: int) -> None:
    book = open_book().with_layer("release", "KEN", REFERRAL % needed)
    for signed in range(needed):
        found = book.decide(TO_GBR, MINE, moment(approvals={("release", "KEN"): signed}))
        assert found.outcome is Outcome.REFER
        assert found.verdicts[1].rules == ("KEN/officer",)
        assert found.verdicts[1].approvals_needed == needed
    found = book.decide(TO_GBR, MINE, moment(approvals={("release", "KEN"): needed}))
    assert found.outcome is Outcome.RELEASE


def test_more_than_two_officers_are_never_asked() -> None:
    book = open_book().with_layer("release", "KEN", REFERRAL % 3)
    assert book.decide(TO_GBR, MINE, moment()).outcome is Outcome.WITHHOLD


@pytest.mark.parametrize(
    "foreign", [("release", "GBR"), ("accept", "GBR"), ("accept", "KEN"), ("handle", "COALITION")]
)
def test_officers_of_another_layer_do_not_count(foreign: tuple[str, str]) -> None:
    book = open_book().with_layer("release", "KEN", REFERRAL % 1)
    assert book.decide(TO_GBR, MINE, moment(approvals={foreign: 2})).outcome is Outcome.REFER


def test_the_outcome_is_the_minimum_of_the_layers() -> None:
    book = open_book().with_layer("release", "KEN", REFERRAL % 1).without("accept", "GBR")
    assert book.decide(TO_GBR, MINE, moment()).outcome is Outcome.WITHHOLD


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        {"regions": frozenset({"XX"})},
        {"regions": frozenset[str]()},
        {"regions": frozenset({"KE", "Sahleel"})},
        {"threats": frozenset({"explosive.min"})},
        {"threats": frozenset[str]()},
        {"caveats": frozenset({"NOFRON"})},
        {"communities": frozenset({"UNKNOWN"})},
        {"release_to": frozenset({"KEN", "GBR", "USA"})},
        {"display_to": frozenset({"USA"})},
        {"contributors": frozenset({"USA"})},
        {"originator": "USA"},
        {"precedence": "URGENT"},
        {"level": 5},
        {"level": -1},
    ],
)
def test_a_report_with_an_unknown_word_is_withheld_with_an_alarm(
    changed: dict[str, object],
) -> None:
    """A word that no rule can name would pass every prohibition."""
    strange: ReportFacts = structs.replace(MINE, **changed)
    for decide in (open_book().decide, open_book().decide_uncached):
        decision = decide(TO_GBR, strange, moment())
        assert decision.outcome is Outcome.WITHHOLD
        assert decision.alarms == ("unknown-term",)


@pytest.mark.parametrize(
    "stranger", [analyst("USA"), analyst("GBR", clearance=5), analyst("GBR", clearance=-1)]
)
def test_a_recipient_whom_the_vocabulary_does_not_know_gets_nothing(stranger: object) -> None:
    decision = open_book().decide(stranger, MINE, moment())  # type: ignore[arg-type]
    assert (decision.outcome, decision.alarms) == (Outcome.WITHHOLD, ("unknown-term",))


def test_an_unknown_purpose_is_withheld_with_an_alarm() -> None:
    book, curious = open_book(), moment(purpose="CURIOSITY")
    for decide in (book.decide, book.decide_uncached):
        decision = decide(TO_GBR, MINE, curious)
        assert (decision.outcome, decision.alarms) == (Outcome.WITHHOLD, ("unknown-term",))


def test_a_community_that_no_longer_exists_is_of_no_use_to_its_members() -> None:
    former = analyst("GBR", communities=frozenset({"DISBANDED"}))
    book = open_book().with_layer("handle", "COALITION", library("coalition-baseline"))
    assert book.decide(former, MINE, moment()).outcome is Outcome.RELEASE
    kept = structs.replace(MINE, communities=frozenset({"CYBER"}))
    assert book.decide(former, kept, moment()).outcome is Outcome.WITHHOLD


@pytest.mark.parametrize(
    ("recipient", "facts", "rule"),
    [
        (analyst("FRA"), MINE, ""),
        (analyst("GBR", LEVELS["R"]), MINE, "COALITION/clearance"),
        (
            TO_GBR,
            structs.replace(MINE, communities=frozenset({"CYBER"})),
            "COALITION/need-to-know",
        ),
        (TO_GBR, structs.replace(MINE, exercise=True), "COALITION/exercise"),
        (analyst("GBR", exercise=True), MINE, "COALITION/exercise"),
    ],
)
def test_the_floor_holds_what_the_label_demands(
    recipient: object, facts: ReportFacts, rule: str
) -> None:
    decision = mission().decide(recipient, facts, moment())  # type: ignore[arg-type]
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.verdicts[0].outcome is Outcome.WITHHOLD
    assert decision.verdicts[0].rules == ((rule,) if rule else ())


def test_a_nation_on_the_display_list_is_served_too() -> None:
    shown = structs.replace(MINE, display_to=frozenset({"FRA"}))
    assert mission().decide(analyst("FRA"), shown, moment()).outcome is Outcome.RELEASE


# -- the book


def test_a_decision_cannot_be_made_by_hand() -> None:
    decision = mission().decide(TO_GBR, MINE, moment())
    with pytest.raises(TypeError):
        dataclasses.replace(decision, outcome=Outcome.RELEASE)
    with pytest.raises(TypeError):
        Decision(Outcome.RELEASE, (), TO_GBR, MINE, moment(), "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.outcome = Outcome.RELEASE  # type: ignore[misc]


def test_a_change_makes_a_new_book_and_leaves_the_old_one_as_it_was() -> None:
    old = mission()
    new = old.without("accept", "GBR")
    assert old.decide(TO_GBR, MINE, moment()).outcome is Outcome.RELEASE
    assert new.decide(TO_GBR, MINE, moment()).outcome is Outcome.WITHHOLD
    assert old.digest != new.digest
    assert new.layers["release", "KEN"] is old.layers["release", "KEN"]


def test_a_key_of_an_older_book_is_prepared_again() -> None:
    """A tightened policy takes effect at the next decision, also on streams that stay open."""
    old = mission()
    recipient, about = old.recipient_key(TO_GBR), old.report_key(MINE)
    assert old.decide_keyed(recipient, about, moment()).outcome is Outcome.RELEASE
    new = old.with_layer(
        "release", "KEN", '@id("KEN/no") forbid (principal, action == Action::"release", resource);'
    )
    assert new.decide_keyed(recipient, about, moment()).outcome is Outcome.WITHHOLD
    assert old.decide_keyed(recipient, about, moment()).outcome is Outcome.RELEASE


def test_a_recipient_prepared_under_older_reference_data_is_prepared_again() -> None:
    """Who left a coalition loses what its members get, also on a stream that stays open."""
    text = (
        '@id("GBR/c") permit (principal in Coalition::"AFRICAN", action == Action::"release",'
        " resource);"
    )
    old = open_book().with_layer("release", "GBR", text)
    recipient, facts = old.recipient_key(analyst("SEN")), report("GBR", "SEN")
    assert old.decide_keyed(recipient, old.report_key(facts), moment()).outcome is Outcome.RELEASE
    new, _ = old.with_vocabulary(replace(words(), groups={"AFRICAN": ("KEN",)}))
    after = new.decide_keyed(recipient, new.report_key(facts), moment())
    assert after.outcome is Outcome.WITHHOLD


def test_adopting_the_same_text_again_changes_nothing() -> None:
    book = mission()
    assert book.with_layer("carry", MISSION, library("mission-carry")) is book


def test_the_digest_follows_every_layer_and_the_reference_data() -> None:
    books = [open_book(), open_book().without("accept", "GBR"), mission()]
    books.append(books[0].with_layer("accept", "GBR", permit_all("accept", "GBR") + "\n"))
    books.append(books[0].with_vocabulary(replace(words(), digest="1" * 64))[0])
    books.append(books[0].with_vocabulary(replace(words(), levels=words().levels[1:]))[0])
    assert all(one.digest != other.digest for one, other in pairwise(books))
    assert len({book.digest for book in books}) == len(books)


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        ("handle", "KEN"),
        ("carry", "KEN"),
        ("release", "COALITION"),
        ("release", "USA"),
        ("accept", MISSION),
        ("readJournal", "KEN"),
    ],
)
def test_nobody_can_own_a_layer_that_is_not_his(kind: str, owner: str) -> None:
    with pytest.raises(Malformed, match="policy-refused"):
        open_book().with_layer(kind, owner, permit_all(kind, owner))


def test_a_text_with_errors_is_refused_with_the_rules_that_it_breaks() -> None:
    text = "".join(
        f'@id("FRA/x{n}") permit (principal, action == Action::"accept", resource);\n'
        for n in range(4)
    )
    with pytest.raises(Malformed) as refused:
        open_book().with_layer("release", "KEN", text)
    assert refused.value.slug == "policy-refused"
    assert "id-prefix at `FRA/x0`, action at `FRA/x0`" in refused.value.detail
    assert refused.value.detail.endswith("and 3 more")


def test_a_text_that_the_parser_refuses_is_refused_without_its_words() -> None:
    with pytest.raises(Malformed) as refused:
        open_book().with_layer("release", "KEN", "permit (secret")
    assert refused.value.detail == "syntax"


def test_new_reference_data_drops_only_the_texts_that_it_no_longer_fits() -> None:
    fewer = replace(words(), caveats={"SOURCE SENSITIVE": "x"})
    book, refused = mission().with_vocabulary(fewer)
    assert set(refused) == {
        ("release", "GBR"),
        ("release", "FRA"),
        ("release", "SEN"),
        ("accept", "KEN"),
        ("accept", "GBR"),
        ("accept", "FRA"),
    }
    assert set(book.layers) == set(mission().layers) - set(refused)
    decision = book.decide(analyst("SEN"), report("BGD", "SEN", level=LEVELS["R"]), moment())
    assert decision.outcome is Outcome.RELEASE


def test_the_book_knows_every_layer_that_there_can_be() -> None:
    assert len(mission().owners) == 2 + 2 * len(NATIONS)
    assert mission().owners == set(mission().layers)


# -- circumstances


@pytest.mark.parametrize(("now", "age"), [(-1, 0), (LAST_SECOND + 1, 0), (0, LAST_SECOND + 1)])
def test_times_that_cedar_cannot_name_are_refused(now: int, age: int) -> None:
    with pytest.raises(Malformed, match="bad-input"):
        Circumstances(now, age, "PLANNING", {})


def test_negative_approvals_are_refused() -> None:
    with pytest.raises(Malformed, match="bad-input"):
        moment(approvals={("release", "KEN"): -1})


def test_approvals_cannot_be_changed_after_the_circumstances_were_made() -> None:
    """What is remembered about a moment must stay true of it."""
    counts = {("release", "KEN"): 1}
    circumstances = moment(approvals=counts)
    counts["release", "KEN"] = 2
    assert circumstances.approvals == {("release", "KEN"): 1}
    with pytest.raises(TypeError):
        circumstances.approvals["release", "KEN"] = 2  # type: ignore[index]


@pytest.mark.parametrize("now", [0, LAST_SECOND])
@pytest.mark.parametrize("age", [-LAST_SECOND, 0, LAST_SECOND])
def test_the_ends_of_time_are_decided_too(now: int, age: int) -> None:
    late = '@id("KEN/e") permit (principal, action == Action::"release", resource) when {%s};'
    condition = 'context.now >= datetime("1970-01-01") || context.age >= duration("1d")'
    book = open_book().with_layer("release", "KEN", late % condition)
    assert book.decide(TO_GBR, MINE, moment(age, now=now)).outcome is Outcome.RELEASE
