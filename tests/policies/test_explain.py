"""Reasons in words, and to each viewer only his own."""

import pytest
from msgspec import structs

from policies.decide import Decision, Outcome, PolicyBook
from policies.explain import AUDITOR, Explanation, explain
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.formula import (
    AtLeast,
    Atom,
    Cross,
    Empty,
    Equals,
    Flag,
    Holds,
    In,
    Is,
)
from policies.schema import ATTRIBUTES
from policies.words import phrase
from tests.policies.world import (
    LEVELS,
    analyst,
    layers_of,
    mission,
    moment,
    open_book,
    report,
    words,
)

SENSITIVE = report("KEN", "GBR", "FRA", caveats=frozenset({"SOURCE SENSITIVE"}))


def explained(
    viewer: str,
    recipient: Recipient,
    facts: ReportFacts,
    circumstances: Circumstances | None = None,
    book: PolicyBook | None = None,
) -> Explanation:
    book, asked = book or mission(), circumstances or moment()
    decision = book.decide(recipient, facts, asked)
    return explain(book, decision, recipient, facts, asked, viewer)


def test_a_referral_names_rule_reason_and_officers_to_its_own_nation() -> None:
    found = explained("KEN", analyst("GBR"), SENSITIVE)
    assert found.outcome == "REFER"
    assert found.text.splitlines()[0] == "REFER: report of KEN to GBR"
    assert "  release of KEN: REFER" in found.text
    assert "    1 officer of KEN can release it" in found.text
    assert "because of KEN/source-sensitive: What could lead to a source goes" in found.text
    assert "KEN/source-sensitive would not apply if at least 1 officer signed" in found.text
    (line,) = (line for line in found.lines if line.outcome == "REFER")
    assert (line.owner, line.approvals_needed) == ("KEN", 1)


def test_another_nation_learns_only_that_another_party_withholds() -> None:
    found = explained("GBR", analyst("GBR"), SENSITIVE)
    assert "withheld by another party" in found.text
    dumped = found.model_dump_json()
    for secret in ("KEN/", "source", "officer", "accept of FRA"):
        assert secret not in dumped
    line = found.lines[-1]
    assert (line.layer, line.owner, line.rules, line.needs) == ("other", None, (), ())
    assert line.approvals_needed == 0


def test_how_many_others_withhold_is_not_told() -> None:
    one = report("KEN", "GBR", caveats=SENSITIVE.caveats, derived=True)
    two = structs.replace(one, contributors=frozenset({"FRA"}), caveats=one.caveats | {"HUMINT"})
    lines = [explained("GBR", analyst("GBR"), facts).lines for facts in (one, two)]
    assert lines[0] == lines[1]


def test_others_that_agree_are_not_mentioned_at_all() -> None:
    found = explained("GBR", analyst("GBR"), report("KEN", "GBR"))
    assert [line.layer for line in found.lines] == ["handle", "carry", "accept"]
    assert found.outcome == "RELEASE"
    assert "withheld" not in found.text


def test_the_recipients_nation_reads_its_own_intake_and_the_originator_does_not() -> None:
    personal = report("GBR", "KEN", caveats=frozenset({"PERSONAL DATA"}))
    own = explained("KEN", analyst("KEN"), personal)
    assert "KEN/data-protection" in own.text
    assert "would not apply if the recipient is a gateway" in own.text
    others = explained("GBR", analyst("KEN"), personal)
    assert "KEN/" not in others.text
    assert "withheld by another party" in others.text


def test_the_auditor_sees_everything() -> None:
    personal = report("SEN", "KEN", caveats=frozenset({"PERSONAL DATA"}))
    found = explained(AUDITOR, analyst("KEN"), personal)
    assert "KEN/data-protection" in found.text
    assert "SEN/personal-data" in found.text
    assert all(line.owner for line in found.lines)


def test_a_layer_that_releases_needs_nothing() -> None:
    found = explained(AUDITOR, analyst("GBR"), SENSITIVE)
    for line in found.lines:
        assert (line.needs == ()) is (line.outcome == "RELEASE"), line


def test_the_floor_and_the_mission_are_no_secret_to_members() -> None:
    low = explained("SEN", analyst("GBR", LEVELS["R"]), report("KEN", "GBR"))
    assert "because of COALITION/clearance" in low.text
    assert "the recipient's clearance reaches the report's level" in low.text


def test_a_default_refusal_names_the_nearest_grants_and_what_they_lack() -> None:
    beyond = report("KEN", "GBR", regions=frozenset({"ML"}), level=LEVELS["S"])
    found = explained("KEN", analyst("GBR"), beyond)
    (line,) = (line for line in found.lines if line.layer == "release")
    assert line.outcome == "WITHHOLD"
    assert set(line.needs) == {
        "KEN/eastern-africa would grant it if the report lies wholly inside Eastern Africa (014)",
        "KEN/rest-of-the-world would grant it if the report is at most CONFIDENTIAL",
    }


def test_a_layer_without_grants_says_so() -> None:
    book = open_book().with_layer("release", "KEN", "")
    found = explained("KEN", analyst("GBR"), report("KEN", "GBR"), book=book)
    assert "no rule of this layer grants anything" in found.text


def test_a_prohibition_without_exception_has_nothing_to_offer() -> None:
    text = '@id("KEN/no") forbid (principal, action == Action::"release", resource);'
    found = explained(
        "KEN",
        analyst("GBR"),
        report("KEN", "GBR"),
        book=open_book().with_layer("release", "KEN", text),
    )
    (line,) = (line for line in found.lines if line.layer == "release")
    assert line.needs == ()
    assert "because of KEN/no: (no reason given)" in found.text


def test_nobody_is_advised_to_take_a_mark_off_a_report() -> None:
    text = (
        '@id("KEN/sig") forbid (principal, action == Action::"release", resource)'
        ' when { resource in Caveat::"SIGINT" || resource.derived || resource.level >= 2 }'
        " unless { principal is Gateway && resource.communities.isEmpty() };"
    )
    facts = report("KEN", "GBR", caveats=frozenset({"SIGINT"}), communities=frozenset({"CYBER"}))
    book = open_book().with_layer("release", "KEN", text)
    found = explained("KEN", analyst("GBR"), facts, book=book)
    (line,) = (line for line in found.lines if line.layer == "release")
    assert [rule.id for rule in line.rules] == ["KEN/sig"]
    assert line.needs == ()


def test_the_least_change_is_the_smallest_of_the_ways() -> None:
    text = (
        '@id("KEN/g") permit (principal, action == Action::"release", resource)'
        ' when { (resource.derived && resource.exercise) || !(resource in Caveat::"SIGINT")'
        " && context.approvals >= 2 };"
    )
    book = open_book().with_layer("release", "KEN", text)
    found = explained("KEN", analyst("GBR"), report("KEN", "GBR"), book=book)
    assert "KEN/g would grant it if at least 2 officers signed" in found.text
    signals = report("KEN", "GBR", caveats=frozenset({"SIGINT"}), derived=True)
    found = explained("KEN", analyst("GBR"), signals, book=book)
    assert "KEN/g would grant it if the report is for exercise" in found.text


def test_two_officers_are_two() -> None:
    signals = report("GBR", "KEN", caveats=frozenset({"SIGINT"}))
    assert "2 officers of GBR can release it" in explained("GBR", analyst("KEN"), signals).text


def test_a_missing_layer_and_an_unknown_word_are_explained() -> None:
    missing = explained("KEN", analyst("GBR"), report("KEN", "GBR"), book=layers_of("GBR"))
    assert "no policy of this layer has been adopted" in missing.text
    strange = report("KEN", "GBR", regions=frozenset({"XX"}))
    found = explained("KEN", analyst("GBR"), strange)
    assert "a word that the mission's vocabulary does not have" in found.text


def test_a_decision_explains_only_its_own_pair_and_book() -> None:
    facts, asked = report("KEN", "GBR"), moment()
    decision: Decision = mission().decide(analyst("GBR"), facts, asked)
    assert decision.outcome is Outcome.RELEASE
    with pytest.raises(ValueError, match="another recipient"):
        explain(mission(), decision, analyst("FRA"), facts, asked, AUDITOR)
    with pytest.raises(ValueError, match="another recipient"):
        explain(mission(), decision, analyst("GBR"), report("FRA"), asked, AUDITOR)
    with pytest.raises(ValueError, match="another book"):
        explain(open_book(), decision, analyst("GBR"), facts, asked, AUDITOR)


@pytest.mark.parametrize(
    ("atom", "yes", "no"),
    [
        (Is("Gateway"), "the recipient is a gateway", "the recipient is a person"),
        (Is("Analyst"), "the recipient is a person", "the recipient is a gateway"),
        (In("principal", ("Nation", "KEN")), "the recipient is of KEN", "is not of KEN"),
        (In("resource", ("Touching", "ML")), "touches Mali (ML)", "does not touch Mali (ML)"),
        (In("resource", ("Threat", "cyber")), "(cyber)", "the threat is not wholly"),
        (In("resource", ("UpTo", "SECRET")), "is at most SECRET", "is above SECRET"),
        (AtLeast("context.approvals", 1), "at least 1 officer signed", "fewer than 1 officer"),
        (AtLeast("context.age", 93_784), "at least 1 d 2 h 3 min 4 s old", "less than 1 d"),
        (AtLeast("context.age", 0), "at least 0 s old", "less than 0 s old"),
        (AtLeast("context.now", 0), "from 1970-01-01 00:00 UTC", "before 1970-01-01"),
        (AtLeast("resource.level", 2), "at least level number 2", "below level number 2"),
        (Flag("resource.derived"), "is derived from others", "is not derived"),
        (Holds("resource.communities", "CYBER"), "CYBER is in the", "CYBER is not in the"),
        (Equals("context.purpose", "PLANNING"), "the purpose is PLANNING", "is not PLANNING"),
        (Empty("resource.displayTo"), "nothing in the display list", "something in the display"),
        (
            Cross("contains", "resource.releasableTo", "principal.nation"),
            "the release list names the recipient's nation",
            "the release list does not name the recipient's nation",
        ),
    ],
)
def test_every_kind_of_test_has_words_for_yes_and_for_no(atom: Atom, yes: str, no: str) -> None:
    assert yes in phrase(atom, words(), holds=True)
    assert no in phrase(atom, words(), holds=False)


def test_every_attribute_has_words() -> None:
    for path, (form, _) in ATTRIBUTES.items():
        atoms: dict[str, Atom] = {
            "entity": Equals(path, "X"),
            "set": Empty(path),
            "number": AtLeast(path, 1),
            "flag": Flag(path),
            "time": AtLeast(path, 1),
            "span": AtLeast(path, 1),
        }
        assert phrase(atoms[form], words(), holds=True) != phrase(atoms[form], words(), holds=False)
