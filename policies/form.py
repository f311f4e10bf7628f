"""A first policy from a short form, for the nine rules in ten that say the same few things.

    nation = "KEN"
    nations = ["KEN", "GBR", "FRA"]

    [[rule]]
    id = "region"
    says = "Partners receive what lies inside Eastern Africa, up to SECRET."
    does = "release"
    to = ["GBR", "AFRICAN"]
    regions = ["014"]
    up_to = "SECRET"

The form knows which relation is meant: a release is for reports wholly inside the places and threat
types named, withholding is for reports that touch them. What is signed is the text that comes out.
The form has a meaning of its own, so that the two can be compared.
"""

import tomllib
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from policies.formula import AtLeast, Formula, In, Is, every, negated, some
from policies.lint import OFFICERS_ASKED
from policies.lint import format as tidy
from wire import strict_json
from wire.errors import Malformed
from wire.model import NationCode, Place, Strict, ThreatType, Token
from wire.vocabulary import Title, Vocabulary

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\z")]
Said = Annotated[Title, StringConstraints(pattern=r'^[^"\\]*\z')]

FORM_MAX: Final = 65_536
"""Bytes; a thousand rules would be a form for nobody."""


class FormRule(Strict):
    """One line of the form. What is left out is not asked.

    `to` names nations and groups, `but_to` who is not withheld from; `officers` is how many have to
    sign: for a release always, for withholding to lift it.
    """

    id: Name
    says: Said
    does: Literal["release", "withhold"]
    to: tuple[Token, ...] = ()
    but_to: tuple[Token, ...] = ()
    only: Literal["gateways", "people"] | None = None
    regions: tuple[Place, ...] = ()
    threats: tuple[ThreatType, ...] = ()
    up_to: Token | None = None
    marked: tuple[Token, ...] = ()
    officers: Annotated[int, Field(ge=0, le=OFFICERS_ASKED)] = 0


class Form(Strict):
    """A nation's first release policy, and the nations of the mission that it was written for."""

    nation: NationCode
    nations: tuple[NationCode, ...]
    rule: Annotated[tuple[FormRule, ...], Field(min_length=1, max_length=100)]


def parse(text: str) -> Form:
    """A form. Raises `Malformed` ("bad-input", "bad-fields") for one that cannot be read."""
    if len(text) > FORM_MAX:
        raise Malformed("too-large", f"a form has at most {FORM_MAX} bytes")
    try:
        fields = tomllib.loads(text)
        form = strict_json.load(strict_json.dump(fields), Form, limit=2 * FORM_MAX)
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise Malformed("bad-input", "the form is not TOML of words, numbers and lists") from error
    for rule in form.rule:
        if rule.but_to and rule.does == "release":
            raise Malformed("bad-input", f"{rule.id}: but_to is for what is withheld")
    return form


def cedar(form: Form, vocabulary: Vocabulary) -> str:
    """The release layer in Cedar, as it is reviewed and signed."""
    return tidy("\n".join(_cedar(form.nation, rule, vocabulary) for rule in form.rule))


def meaning(form: Form, vocabulary: Vocabulary) -> Formula:
    """Where the form releases: read from the form itself, not from the text."""
    formulas = {rule.id: _formula(rule, vocabulary) for rule in form.rule}
    releases = some(*(formulas[rule.id] for rule in form.rule if rule.does == "release"))
    withheld = some(*(formulas[rule.id] for rule in form.rule if rule.does == "withhold"))
    return every(releases, negated(withheld))


def _cedar(nation: str, rule: FormRule, vocabulary: Vocabulary) -> str:
    release = rule.does == "release"
    kind = {"gateways": "principal is Gateway", "people": "principal is Analyst"}.get(
        rule.only or "", "principal"
    )
    clauses = [
        _whom(rule.to, vocabulary),
        _which("Within" if release else "Touching", rule.regions),
        _which("Threat" if release else "ThreatTouching", rule.threats),
        _which("UpTo", () if rule.up_to is None else (rule.up_to,)),
        _which("Caveat", rule.marked),
    ]
    officers = f"context.approvals >= {rule.officers}" if rule.officers else ""
    lifted = [_whom(rule.but_to, vocabulary), "" if release else officers]
    if release:
        clauses.append(officers)
    return "\n".join(
        [
            f'@id("{nation}/{rule.id}")',
            f'@says("{rule.says}")',
            f'{"permit" if release else "forbid"} ({kind}, action == Action::"release", resource)',
            *(f"when {{ {clause} }}" for clause in clauses if clause),
            *(f"unless {{ {clause} }}" for clause in lifted if clause),
            ";",
        ]
    )


def _whom(names: Iterable[str], vocabulary: Vocabulary) -> str:
    tests = []
    for kind, known in (("Nation", vocabulary.nations), ("Coalition", vocabulary.groups)):
        listed = ", ".join(f'{kind}::"{name}"' for name in names if name in known)
        if listed:
            tests.append(f"principal in [{listed}]")
    return " || ".join(tests)


def _which(relation: str, words: Iterable[str]) -> str:
    listed = ", ".join(f'{relation}::"{word}"' for word in words)
    return f"resource in [{listed}]" if listed else ""


def _formula(rule: FormRule, vocabulary: Vocabulary) -> Formula:
    release = rule.does == "release"
    place, threat = ("Within", "Threat") if release else ("Touching", "ThreatTouching")
    up_to = () if rule.up_to is None else (rule.up_to,)
    signed: Formula = AtLeast("context.approvals", rule.officers) if rule.officers else release
    return every(
        Is("Gateway" if rule.only == "gateways" else "Analyst") if rule.only else True,
        _member(rule.to, vocabulary) if rule.to else True,
        *(
            some(*(In("resource", (relation, word)) for word in words)) if words else True
            for relation, words in (
                (place, rule.regions),
                (threat, rule.threats),
                ("UpTo", up_to),
                ("Caveat", rule.marked),
            )
        ),
        negated(_member(rule.but_to, vocabulary)),
        signed if release else negated(signed),
    )


def _member(names: Iterable[str], vocabulary: Vocabulary) -> Formula:
    found = []
    for name in names:
        if name not in vocabulary.nations and name not in vocabulary.groups:
            raise Malformed("unknown-term", f"{name} is neither a nation nor a group")
        kind = "Nation" if name in vocabulary.nations else "Coalition"
        found.append(In("principal", (kind, name)))
    return some(*found)
