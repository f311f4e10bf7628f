"""What a policy text must satisfy before a layer is made of it, in words for its author.

Order: prescan (characters), Cedar's parser, Cedar's strict validator with the mission's schema,
then the release profile rule by rule. An error keeps the text out; a warning does not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import cedarpy
from cedarpy import pst

from policies.formula import AtLeast, Flag, In, occurrences
from policies.naming import OutsideProfileError, Terms
from policies.prescan import prescan
from policies.profile import Rule, read_formula
from policies.schema import schema_json, terms
from wire.errors import Malformed, quoted
from wire.vocabulary import Vocabulary

Severity = Literal["error", "warning"]

OFFICERS_ASKED: Final = 2
"""A refusing layer is asked again with one and with two signed approvals, never with more."""

LINE_WIDTH: Final = 100
"""How wide `format` writes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark: the lint rule, how bad, what to write instead, and at which rule or line."""

    rule: str
    severity: Severity
    message: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.severity}: {place}{self.message} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Examined:
    """A policy text after all checks. Without errors, `policies` and `rules` are complete."""

    findings: tuple[Finding, ...]
    rules: tuple[Rule, ...] = ()
    policies: cedarpy.PolicySet | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the text out."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def lint(text: str, kind: str, owner: str, vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Every finding about a policy text for the layer `kind` of `owner`; none means clean."""
    schema = cedarpy.Schema.from_json_str(schema_json(vocabulary))
    return examine(text, kind, owner, terms(vocabulary), schema).findings


def format(text: str) -> str:  # noqa: A001 - the command's own name
    """The text in Cedar's canonical layout, comments kept.

    Raises `Malformed("policy-refused")` for a text that cannot be read.
    """
    prescan(text)
    try:
        cedarpy.PolicySet.from_str(text).to_pst()  # the formatter takes more than is Cedar
        return cedarpy.format_policies(text, LINE_WIDTH, 2)
    except ValueError:
        raise Malformed("policy-refused", "syntax") from None


def examine(text: str, kind: str, owner: str, known: Terms, schema: cedarpy.Schema) -> Examined:
    """The text, parsed and checked. The parser is reached only by what the prescan let through.

    Parser and validator leave the interpreter's lock, so that adoption can run beside decisions.
    """
    try:
        prescan(text)
    except Malformed as refused:
        limit, _, message = refused.detail.partition(" at ")
        where, _, message = message.partition(": ")
        return Examined((Finding(limit, "error", message, where),))
    try:
        policies = cedarpy.PolicySet.from_str(text, release_gil=True)
        tree = policies.to_pst()
    except ValueError as error:
        return Examined((Finding("syntax", "error", f"not Cedar: {_plain(error)}"),))
    findings: list[Finding] = []
    rules: dict[str, Rule] = {}
    seen: set[str] = set()
    for position, template in tree.static_policies.items():
        findings += [*_annotations(template, owner, seen), *_action(template, kind)]
        try:
            rules[position] = rule = _rule(position, template, known)
        except OutsideProfileError as outside:
            where = template.annotations.get("id", position)
            findings.append(Finding(outside.rule, "error", str(outside), where))
        else:
            findings += [*_meaning(rule), *_lineage(rule, kind)]
    explained = tree.static_policies.keys() - rules.keys()
    findings += _validated(text, schema, explained)
    if not any(rule.effect == "permit" for rule in rules.values()):
        findings.append(Finding("no-grant", "warning", "no rule permits: everything is withheld"))
    return Examined(tuple(dict.fromkeys(findings)), tuple(rules.values()), policies)


def _rule(position: str, template: pst.Template, known: Terms) -> Rule:
    annotations = template.annotations
    formula = read_formula(template, known)
    return Rule(
        position, annotations.get("id", ""), template.effect, annotations.get("says", ""), formula
    )


def _plain(error: object) -> str:
    """Cedar's own words, which may quote the author's text: printable, on one line, cut short."""
    text = " ".join(str(error).split())[:200]
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


def _validated(text: str, schema: cedarpy.Schema, explained: Iterable[str]) -> Iterator[Finding]:
    """What Cedar's strict validator says about rules on which we have said nothing yet."""
    result = cedarpy.validate_policies(text, schema, release_gil=True)
    names = result.id_annotations_by_policy_id
    for error in result.errors:
        if error.policy_id not in explained:
            where = names.get(error.policy_id, error.policy_id)
            yield Finding("schema", "error", f"not valid here: {_plain(error.error)}", where)


_ID: Final = re.compile(r"[A-Z][A-Z0-9-]{1,31}/[a-z0-9][a-z0-9/._-]{0,63}", re.ASCII)
_ANNOTATIONS: Final = ("id", "says")


def _annotations(template: pst.Template, owner: str, seen: set[str]) -> Iterator[Finding]:
    name = template.annotations.get("id", "")
    where = name or template.id
    if not _ID.fullmatch(name):
        yield Finding("id-form", "error", f'give every rule a name, @id("{owner}/border")', where)
    elif not name.startswith(f"{owner}/"):
        yield Finding("id-prefix", "error", f"the @id must start with {owner}/", where)
    elif name in seen:
        yield Finding("id-twice", "error", "the @id is used twice; name each rule once", where)
    seen.add(name)
    for annotation in sorted(set(template.annotations).difference(_ANNOTATIONS)):
        yield Finding(
            "annotation", "error", f"only @id and @says are known, not {quoted(annotation)}", where
        )
    if not template.annotations.get("says"):
        yield Finding(
            "says-missing", "warning", 'say why in @says("…"); explanations show it', where
        )


def _action(template: pst.Template, kind: str) -> Iterator[Finding]:
    match template.action:
        case pst.ActionEq(entity=uid) if str(uid) == f'Action::"{kind}"':
            return
        case _:
            yield Finding(
                "action",
                "error",
                f'rules of this layer say: action == Action::"{kind}"',
                template.annotations.get("id", template.id),
            )


_POLAR: Final[Mapping[str, tuple[str, bool]]] = {
    "Within": ("Touching", False),
    "Touching": ("Within", True),
    "Threat": ("ThreatTouching", False),
    "ThreatTouching": ("Threat", True),
}
"""The counterpart of each relation, and whether it is the wide one (any overlap)."""

_NUMBERED: Final = ("principal.clearance", "resource.level")


def _meaning(rule: Rule) -> Iterator[Finding]:
    """Slips that Cedar cannot know: each of them would release, or withhold, the wrong reports."""
    if rule.formula is False:
        yield Finding("never-applies", "warning", "this rule can never apply", rule.id)
    if rule.formula is True and rule.effect == "permit":
        yield Finding("grants-all", "warning", "this rule grants everything to everybody", rule.id)
    for atom, wanted in dict.fromkeys(occurrences(rule.formula)):
        match atom:
            case In("resource", (relation, word)) if relation in _POLAR:
                other, wide = _POLAR[relation]
                if wide is ((rule.effect == "permit") is wanted):
                    yield Finding("polarity", "error", _polarity(relation, other, word), rule.id)
            case AtLeast("context.approvals", bound):
                if (rule.effect == "permit") is not wanted:
                    yield Finding("approvals", "error", _APPROVALS, rule.id)
                elif bound > OFFICERS_ASKED:
                    yield Finding("officers", "warning", _OFFICERS, rule.id)
            case AtLeast(path, _) if path in _NUMBERED:
                yield Finding("numbers", "warning", _NUMBERS, rule.id)
            case _:
                pass


def _lineage(rule: Rule, kind: str) -> Iterator[Finding]:
    """Only those who know may ask: from others, sources may be protected (decision 30)."""
    if kind != "release" and any(atom == _DERIVED for atom, _ in occurrences(rule.formula)):
        yield Finding("derived", "error", _WHO_KNOWS, rule.id)


def _polarity(relation: str, other: str, word: str) -> str:
    why = (
        "a prohibition must also stop a report that lies only partly there"
        if relation in ("Within", "Threat")
        else "a grant must not release a report that lies only partly there"
    )
    return f'write {other}::"{word}", not {relation}::"{word}": {why}'


_DERIVED: Final = Flag("resource.derived")
_WHO_KNOWS: Final = "whether a report is derived is asked in release layers only: it may be hidden"
_APPROVALS: Final = "more signatures must never withhold: write context.approvals >= 1"
_OFFICERS: Final = f"at most {OFFICERS_ASKED} officers are ever asked; this rule needs more"
_NUMBERS: Final = 'name the level, resource in UpTo::"…": numbers change when the scale does'
