"""Every lint rule, with the text that breaks it and the words that help."""

import json

import cedarpy
import pytest

from policies import lint as lint_module
from policies.formula import AllOf, AnyOf, Flag, Formula, Holds, Not
from policies.lint import examine, lint
from policies.schema import schema_json, terms
from tests.policies.world import permit_all, words
from wire.errors import Malformed

GRANT = '@id("KEN/g") @says("why") permit (principal, action == Action::"release", resource'


def permit(condition: str = "", resource: str = "") -> str:
    when = f" when {{ {condition} }}" if condition else ""
    return f"{GRANT}{resource}){when};"


def findings(text: str, severity: str = "error") -> dict[str, str]:
    found = lint(text, "release", "KEN", words())
    return {finding.rule: finding.message for finding in found if finding.severity == severity}


def test_a_good_rule_has_no_findings() -> None:
    assert lint(permit('resource in Within::"KE"'), "release", "KEN", words()) == ()


@pytest.mark.parametrize(
    ("text", "rule", "says"),
    [
        ("permit (", "syntax", "not Cedar: unexpected end of input"),
        (permit("context.nonsense"), "expression", "not in the release profile"),
        (permit("true").replace('@says("why")', '@because("x")'), "annotation", "@id and @says"),
        (permit().replace("KEN/g", "kidal"), "id-form", '@id("KEN/border")'),
        (permit().replace("KEN/g", "FRA/g"), "id-prefix", "must start with KEN/"),
        (permit() + permit(), "id-twice", "name each rule once"),
        (permit().replace('"release"', '"accept"'), "action", 'action == Action::"release"'),
        (permit().replace("(principal", '(principal == Gateway::"x"'), "scope", "never with `==`"),
        (permit(resource=' == Report::"x"'), "scope", "never with `==`"),
        (permit('resource in Nation::"KEN"'), "unknown-term", "`resource` is `in` Within"),
        (permit('context in Nation::"KEN"'), "unknown-term", "is `in` nothing"),
        (permit("principal is Auditor"), "unknown-term", "a Gateway or an Analyst"),
        (permit("resource is Gateway"), "unknown-term", "the resource a Report"),
        (permit('resource in Within::"0141"'), "unknown-term", "did you mean `014`"),
        (
            permit('resource.communities.contains(Nation::"KEN")'),
            "unknown-term",
            "expected a Community here, not `Nation`",
        ),
        (
            permit('principal in [Nation::"KEN", Coalition::"AFRICAN"]'),
            "mixed-list",
            "two tests, joined with ||",
        ),
        (permit('context.now < datetime("2026-1-5")'), "time", "write times as 2026-01-31"),
        (permit('context.now < datetime("2026-13-05")'), "time", "write times as 2026-01-31"),
        (permit('context.now < datetime("20260105")'), "time", "write times as 2026-01-31"),
        (permit('context.now < datetime("2026-01-05T12:00Z")'), "time", "write times as 2026"),
        (permit('context.age > duration("1w")'), "time", "write spans as 24h"),
        (permit('context.age > duration("")'), "time", "write spans as 24h"),
        (permit("context.approvals < 1"), "approvals", "more signatures must never withhold"),
        (permit("context.approvals == 1"), "approvals", "more signatures must never withhold"),
    ],
)
def test_each_error_says_what_to_write_instead(text: str, rule: str, says: str) -> None:
    assert says in findings(text)[rule]


@pytest.mark.parametrize(
    "condition",
    [
        "principal has nation",
        'resource.origin like "K*"',
        "principal == principal",
        "principal in principal",
        "resource in []",
        'resource in [Within::"KE", resource]',
        "context.age.toHours() > 1",
        'context.now.offset(duration("1d")) > context.now',
        'ip("10.0.0.1").isLoopback()',
        'decimal("1.0").lessThan(decimal("2.0"))',
        "1 < 2",
        "1 == 2",
        "context.now < context.now",
        "context.approvals >= principal.clearance",
        "context.purpose == context.purpose",
        "principal.communities == resource.communities",
        "principal.nation == context.purpose",
        "principal.nation == true",
        'principal.clearance == "3"',
        "principal.communities.contains(resource.origin)",
        "principal.communities.containsAll(resource.releasableTo)",
        "principal.communities.contains(true)",
        "principal.communities.containsAll([])",
        "resource.level",
        '"text" == "text"',
        "principal.nation.communities.isEmpty()",
        "resource.exercise.isEmpty()",
        "context.now < 5",
        'context.age < datetime("2026-01-01")',
        "principal.nation < resource.origin",
    ],
)
def test_whatever_else_cedar_has_is_outside_the_profile(condition: str) -> None:
    assert "expression" in findings(permit(condition)) or "schema" in findings(permit(condition))


def test_what_only_cedars_validator_refuses_is_a_finding_too() -> None:
    """Should our reading ever accept more than Cedar does, the text stays out all the same."""
    other = json.loads(schema_json(words()))
    del other[""]["entityTypes"]["Report"]["shape"]["attributes"]["derived"]
    schema = cedarpy.Schema.from_json_str(json.dumps(other))
    found = examine(permit("resource.derived"), "release", "KEN", terms(words()), schema).errors
    assert [(finding.rule, finding.where) for finding in found] == [("schema", "KEN/g")]
    unnamed = permit("resource.derived").replace('@id("KEN/g")', "")
    found = examine(unnamed, "release", "KEN", terms(words()), schema).errors
    assert [(finding.rule, finding.where) for finding in found] == [
        ("id-form", "policy0"),
        ("schema", "policy0"),
    ]


def test_what_our_own_reading_explained_is_not_said_twice() -> None:
    assert set(findings(permit('resource in Within::"KEN"'))) == {"unknown-term"}


POLARITY = [
    ("permit", "when", "Within", None),
    ("permit", "when", "Touching", "Within"),
    ("permit", "unless", "Touching", None),
    ("permit", "unless", "Within", "Touching"),
    ("forbid", "when", "Touching", None),
    ("forbid", "when", "Within", "Touching"),
    ("forbid", "unless", "Within", None),
    ("forbid", "unless", "Touching", "Within"),
]


@pytest.mark.parametrize(("effect", "clause", "relation", "instead"), POLARITY)
@pytest.mark.parametrize(("suffix", "word"), [("", "KE"), ("Threat", "cyber")])
def test_grants_are_narrow_and_prohibitions_wide(
    effect: str, clause: str, relation: str, instead: str | None, suffix: str, word: str
) -> None:
    names = {"Within": "Threat", "Touching": "ThreatTouching"} if suffix else {}
    wrote = names.get(relation, relation)
    text = (
        f'@id("KEN/p") @says("x") {effect} (principal, action == Action::"release", resource)'
        f' {clause} {{ resource in {wrote}::"{word}" }};'
    )
    found = findings(text)
    if instead is None:
        assert found == {}
    else:
        assert f'write {names.get(instead, instead)}::"{word}"' in found["polarity"]
        why = "must also stop" if relation == "Within" else "must not release"
        assert f"{why} a report that lies only partly there" in found["polarity"]


A_AND_B = '[Nation::"KEN", Nation::"FRA"]'
RELEASABLE = "resource.releasableTo"
READ: dict[str, Formula] = {
    f"{RELEASABLE}.containsAny({A_AND_B})": AnyOf(
        (Holds(RELEASABLE, "KEN"), Holds(RELEASABLE, "FRA"))
    ),
    f"{RELEASABLE}.containsAll({A_AND_B})": AllOf(
        (Holds(RELEASABLE, "KEN"), Holds(RELEASABLE, "FRA"))
    ),
    "resource.derived == true": Flag("resource.derived"),
    "resource.derived == false": Not(Flag("resource.derived")),
}


@pytest.mark.parametrize("condition", READ)
def test_a_rule_is_read_as_it_is_written(condition: str) -> None:
    """Our own evaluation rests on it: where it disagrees with Cedar, everything is withheld."""
    known, schema = terms(words()), cedarpy.Schema.from_json_str(schema_json(words()))
    (rule,) = examine(permit(condition), "release", "KEN", known, schema).rules
    assert rule.formula == READ[condition]


@pytest.mark.parametrize(
    "condition",
    [
        "resource.releasableTo.containsAny(resource.communities)",
        "resource.releasableTo.contains(resource.releasableTo)",
        "resource.communities.contains(principal.nation)",
    ],
)
def test_sets_of_different_things_are_not_compared(condition: str) -> None:
    """Expect refusal."""
    known, schema = terms(words()), cedarpy.Schema.from_json_str(schema_json(words()))
    examined = examine(permit(condition), "release", "KEN", known, schema)
    assert examined.rules == ()
    assert "expression" in {finding.rule for finding in examined.findings}


def test_polarity_follows_the_meaning_through_negations_and_conditions() -> None:
    assert findings(permit('!(resource in Touching::"KE")')) == {}
    assert findings(permit('!(!(resource in Within::"KE") || resource.derived)')) == {}
    assert set(findings(permit('!(resource in Within::"KE")'))) == {"polarity"}
    both_ways = 'if resource in Within::"KE" then resource.derived else resource.exercise'
    assert set(findings(permit(both_ways))) == {"polarity"}


def test_scopes_have_polarity_too() -> None:
    assert findings(permit(resource=' in Within::"KE"')) == {}
    assert findings(permit(resource=' is Report in Within::"KE"')) == {}
    assert set(findings(permit(resource=' in Touching::"KE"'))) == {"polarity"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (permit().replace('@says("why") ', ""), "says-missing"),
        (permit(), "grants-all"),
        (permit("false"), "never-applies"),
        (permit("true").replace("permit", "forbid"), "no-grant"),
        ("// nothing", "no-grant"),
        (permit("context.approvals >= 3"), "officers"),
        (permit("principal.clearance >= 2"), "numbers"),
        (permit("resource.level < 2"), "numbers"),
    ],
)
def test_each_warning_does_not_keep_the_text_out(text: str, rule: str) -> None:
    assert rule in findings(text, "warning")
    assert findings(text) == {}


def test_a_finding_prints_as_one_line() -> None:
    first = lint(permit().replace("KEN/g", "FRA/g"), "release", "KEN", words())[0]
    assert str(first) == "error: FRA/g: the @id must start with KEN/ [id-prefix]"
    assert str(lint("permit (", "release", "KEN", words())[0]).startswith("error: not Cedar")
    line = lint("\n\t", "release", "KEN", words())[0]
    assert str(line).startswith("error: line 2: no tabs")


def test_cedars_own_words_are_cut_short_and_printable() -> None:
    (finding,) = lint(f"permit {'x' * 500}", "release", "KEN", words())
    assert len(finding.message) < 250
    assert finding.message.isprintable()


@pytest.mark.parametrize("kind", ["handle", "carry", "accept"])
def test_only_release_layers_ask_whether_a_report_is_derived(kind: str) -> None:
    """To everybody else the rule's name, or what it lets through, would show a protected source."""
    for condition in ("resource.derived", "!(principal is Gateway && resource.derived)"):
        text = permit(condition)
        assert "derived" not in {f.rule for f in lint(text, "release", "KEN", words())}
        other = text.replace('Action::"release"', f'Action::"{kind}"')
        (found,) = [f for f in lint(other, kind, "KEN", words()) if f.severity == "error"]
        assert (found.rule, found.where) == ("derived", "KEN/g")


@pytest.mark.parametrize("kind", ["handle", "release", "carry", "accept"])
def test_each_layer_has_its_own_action(kind: str) -> None:
    text = permit_all(kind, "KEN")
    assert not [f for f in lint(text, kind, "KEN", words()) if f.severity == "error"]
    other = "release" if kind != "release" else "accept"
    assert [f.rule for f in lint(text, other, "KEN", words()) if f.severity == "error"] == [
        "action"
    ]


def test_recipients_can_be_named_by_kind_and_nation_in_one_test() -> None:
    assert findings(permit('principal is Gateway in Nation::"KEN"')) == {}
    both = '(principal is Gateway in [Nation::"KEN", Nation::"GBR"]) || principal is Analyst'
    assert findings(permit(both)) == {}


def test_format_keeps_comments_and_meaning_and_is_stable() -> None:
    text = "// why\n" + permit('resource in Within::"KE" && context.approvals >= 1')
    formatted = lint_module.format(text)
    assert formatted.startswith("// why\n@id(")
    assert lint_module.format(formatted) == formatted


@pytest.mark.parametrize(
    "text", ["permit (", rf"permit {'(' * 50}", "\t", permit("context.isMulticast(1)")]
)
def test_format_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(Malformed, match="policy-refused"):
        lint_module.format(text)
