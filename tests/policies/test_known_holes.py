"""The holes of the engine that were found by trying, one test for each; none may open again."""

import cedarpy
import pytest

from policies.decide import Outcome
from policies.lint import lint
from policies.observe import observe_circumstances, observe_recipient, observe_report
from policies.schema import schema_json
from tests.policies.world import (
    analyst,
    moment,
    open_book,
    permit_all,
    report,
    words,
)
from wire.errors import Malformed

GRANT = permit_all("release", "KEN")


def forbid(condition: str = "", resource: str = "resource", name: str = "f") -> str:
    when = f" when {{ {condition} }}" if condition else ""
    return (
        f'@id("KEN/{name}") @says("x") forbid'
        f' (principal, action == Action::"release", {resource}){when};'
    )


def errors(text: str) -> set[str]:
    found = lint(text, "release", "KEN", words())
    return {finding.rule for finding in found if finding.severity == "error"}


def test_a_there_are_no_optional_attributes_to_skip_on() -> None:
    assert '"required": false' not in schema_json(words())
    assert errors(forbid("resource has delay && resource.delay > 3")) == {"expression"}


@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_b_there_is_no_arithmetic_to_overflow(sign: str) -> None:
    assert errors(forbid(f"context.approvals {sign} 9223372036854775807 > 3")) == {"symbol"}


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        (forbid(resource='resource in Touching::"Sahleel"'), ""),
        (forbid('resource in Touching::"MLI"'), "`ML`"),
        (forbid('resource in Caveat::"SOURCE-SENSITIVE"'), "`SOURCE SENSITIVE`"),
        (forbid('resource.communities.contains(Community::"CYBR")'), "`CYBER`"),
        (forbid('principal.nation == Nation::"GRB"'), "`GBR`"),
        (forbid('principal in [Nation::"KEN", Nation::"XXX"]'), ""),
        (forbid('context.purpose == Purpose::"PLANING"'), "`PLANNING`"),
    ],
)
def test_c_a_misspelt_word_is_an_error_and_not_a_rule_that_never_applies(
    text: str, correct: str
) -> None:
    (finding,) = (f for f in lint(text, "release", "KEN", words()) if f.severity == "error")
    assert finding.rule == "unknown-term"
    assert correct in finding.message


def test_c_cedar_itself_knows_every_word_of_the_vocabulary() -> None:
    """Should our own check ever miss one, the validator has the same enumerations."""
    schema = cedarpy.Schema.from_json_str(schema_json(words()))
    result = cedarpy.validate_policies(forbid('resource in Touching::"Sahleel"'), schema)
    assert not result.validation_passed


def test_d_a_report_in_a_region_that_nobody_knows_is_withheld() -> None:
    strange = report("KEN", "GBR", regions=frozenset({"Sahleel"}))
    book = open_book().with_layer("release", "KEN", GRANT + forbid('resource in Touching::"KE"'))
    decision = book.decide(analyst("GBR"), strange, moment())
    assert (decision.outcome, decision.alarms) == (Outcome.WITHHOLD, ("unknown-term",))


def test_d_hierarchies_arrive_flattened() -> None:
    """With a graph, a missing link would make a prohibition on the whole miss its part."""
    parents = observe_report(report("KEN", "GBR"), words()).parents
    assert {("Touching", "KE"), ("Touching", "014"), ("Touching", "002")} <= parents


@pytest.mark.parametrize(
    "action",
    [
        "action",
        'action in Action::"release"',
        'action in [Action::"release"]',
        'action == Action::"x"',
    ],
)
def test_e_f_a_rule_names_the_one_action_of_its_layer(action: str) -> None:
    assert "action" in errors(f'@id("KEN/x") permit (principal, {action}, resource);')


def test_f_an_action_of_another_type_is_not_the_layers_action() -> None:
    text = '@id("KEN/x") permit (principal, action == Evil::Action::"release", resource);'
    assert "action" in errors(text)


@pytest.mark.parametrize("text", ["// \u202erelease", GRANT.replace("KEN/all", "K\u0395N/all")])
def test_g_mixed_scripts_and_direction_marks_are_refused(text: str) -> None:
    assert errors(text) == {"not-ascii"}


def test_h_names_are_unique_and_carry_their_owner() -> None:
    assert errors(GRANT + GRANT) == {"id-twice"}
    assert errors(GRANT.replace("KEN/all", "FRA/all")) == {"id-prefix"}
    assert errors(GRANT.replace('@id("KEN/all") ', "")) == {"id-form"}
    assert errors(GRANT.replace('@id("KEN/all") ', "@id ")) == {"id-form"}


def test_h_rules_are_named_by_their_id_and_not_by_their_position() -> None:
    text = forbid("resource.exercise", name="first") + GRANT
    decision = (
        open_book()
        .with_layer("release", "KEN", text)
        .decide(analyst("GBR"), report("KEN", "GBR"), moment())
    )
    assert decision.verdicts[1].rules == ("KEN/all",)


@pytest.mark.parametrize(
    "condition", ["(" * 1_000 + "true" + ")" * 1_000, " && ".join(["true"] * 2_000), "!" * 1_000]
)
def test_j_nested_text_is_refused_before_it_is_parsed(condition: str) -> None:
    assert errors(forbid(condition)) & {"too-deep", "too-long"}
    with pytest.raises(Malformed, match="policy-refused"):
        open_book().with_layer("release", "KEN", forbid(condition))


def test_m_templates_are_refused() -> None:
    text = '@id("KEN/t") permit (principal in ?principal, action == Action::"release", resource);'
    assert errors(text) == {"symbol"}


def test_entity_escapes_cannot_arise_in_attributes() -> None:
    """`__entity` and `__extn` are Cedar's escapes inside JSON: no foreign text may become one."""
    for evil in ("__entity", '{"__entity": {"type": "Nation", "id": "KEN"}}', 'GBR", "x": "'):
        with pytest.raises(Malformed, match="unknown-term"):
            observe_recipient(analyst(evil), words())
        with pytest.raises(Malformed, match="unknown-term"):
            observe_report(report("KEN", evil), words())
        decision = open_book().decide(analyst("GBR"), report("KEN", "GBR"), moment(purpose=evil))
        assert decision.alarms == ("unknown-term",)


def test_officers_are_counted_for_their_own_layer_alone() -> None:
    signed = moment(approvals={("release", "KEN"): 2})
    assert observe_circumstances(signed, "release", "KEN")["context.approvals"] == 2
    assert observe_circumstances(signed, "release", "FRA")["context.approvals"] == 0
    assert observe_circumstances(signed, "accept", "KEN")["context.approvals"] == 0


def test_a_carve_out_holds_for_reports_that_name_more_or_larger_places() -> None:
    """With a plain "in region", a report on Mali and Kenya, or on Western Africa, would slip by."""
    text = GRANT + forbid(resource='resource in Touching::"ML"')
    book = open_book().with_layer("release", "KEN", text)
    for places in ({"ML"}, {"011"}, {"KE", "ML"}, {"001"}, {"mission:liptako"}):
        about = report("KEN", "GBR", regions=frozenset(places))
        assert book.decide(analyst("GBR"), about, moment()).outcome is Outcome.WITHHOLD, places
    for places in ({"KE"}, {"014", "GH"}):
        about = report("KEN", "GBR", regions=frozenset(places))
        assert book.decide(analyst("GBR"), about, moment()).outcome is Outcome.RELEASE, places


def test_a_grant_for_a_region_does_not_release_what_lies_partly_elsewhere() -> None:
    grant = GRANT.replace("resource);", 'resource in Within::"014");')
    book = open_book().with_layer("release", "KEN", grant)
    inside = report("KEN", "GBR", regions=frozenset({"KE", "SO"}))
    across = report("KEN", "GBR", regions=frozenset({"KE", "ML"}))
    assert book.decide(analyst("GBR"), inside, moment()).outcome is Outcome.RELEASE
    assert book.decide(analyst("GBR"), across, moment()).outcome is Outcome.WITHHOLD
