"""Cases that a policy must keep: a request, and the outcome, rules and alarms it must have.

Nations ship cases with their policies, so that a change that breaks a promise is seen before it is
signed. Words, not numbers, name levels; times and spans are written as in policies:

    {"name": "…",
     "recipient": {"nation": "FRA", "kind": "Gateway", "clearance": "SECRET"},
     "report": {"originator": "KEN", "classification": "SECRET", "release_to": ["FRA", "KEN"], …},
     "circumstances": {"now": "2026-06-01", "age": "2h", "purpose": "PLANNING",
                       "approvals": {"release/KEN": 1}},
     "outcome": "RELEASE", "rules": ["KEN/partners", …]}

`rules` are the @ids that determined the layers with the worst outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from policies.decide import PolicyBook
from policies.facts import Circumstances, PrincipalKind, Recipient, ReportFacts
from policies.times import read_span, read_time
from wire import strict_json
from wire.errors import Malformed
from wire.labels import Precedence
from wire.model import NationCode, Place, Strict, ThreatType, Token
from wire.vocabulary import Vocabulary

CASES_LIMIT: Final = 1_000_000
"""Bytes of one file of cases: a thousand cases; checking them takes about a second."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
LayerPath = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,16}/[A-Z0-9-]{1,32}\z")]


class RecipientCase(Strict):
    """Who would receive; the clearance as a word of the scale."""

    nation: NationCode
    kind: PrincipalKind = "Gateway"
    clearance: Token
    communities: tuple[Token, ...] = ()
    exercise: bool = False


class ReportCase(Strict):
    """What the label says; what is left out is none, live, routine and under originator control."""

    originator: NationCode
    classification: Token
    release_to: tuple[NationCode, ...]
    display_to: tuple[NationCode, ...] = ()
    regions: tuple[Place, ...]
    threats: tuple[ThreatType, ...]
    caveats: tuple[Token, ...] = ()
    communities: tuple[Token, ...] = ()
    contributors: tuple[NationCode, ...] = ()
    derived: bool = False
    exercise: bool = False
    precedence: Precedence = "ROUTINE"
    originator_control: bool = True


class CircumstancesCase(Strict):
    """The moment; approvals by layer, such as `release/KEN`."""

    now: str = "2026-06-01"
    age: str = "0s"
    purpose: Token
    approvals: dict[LayerPath, Annotated[int, Field(ge=0, le=99)]] = Field(default_factory=dict)


class Case(Strict):
    """One request and what must come of it."""

    name: Title
    recipient: RecipientCase
    report: ReportCase
    circumstances: CircumstancesCase
    outcome: Literal["WITHHOLD", "REFER", "RELEASE"]
    rules: tuple[str, ...]
    alarms: tuple[str, ...] = ()


class _File(Strict):
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a case came out otherwise: `field` is outcome, rules or alarms."""

    case: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.case}: {self.field} should be {self.expected}, is {self.found}"


def parse(data: bytes) -> tuple[Case, ...]:
    """The cases of one file, `{"cases": […]}`. Raises `Malformed`."""
    return strict_json.load(data, _File, limit=CASES_LIMIT).cases


def run(book: PolicyBook, case: Case) -> tuple[Mismatch, ...]:
    """Everything in which the book's decision differs from the case; nothing if it keeps it.

    Raises `Malformed` for a case whose level or time cannot be read.
    """
    decision = book.decide(*request(case, book.vocabulary))
    worst = [verdict for verdict in decision.verdicts if verdict.outcome is decision.outcome]
    compared = (
        ("outcome", case.outcome, decision.outcome.name),
        ("rules", _listed(case.rules), _listed(rule for v in worst for rule in v.rules)),
        ("alarms", _listed(case.alarms), _listed(decision.alarms)),
    )
    return tuple(
        Mismatch(case.name, field, expected, found)
        for field, expected, found in compared
        if expected != found
    )


def request(case: Case, vocabulary: Vocabulary) -> tuple[Recipient, ReportFacts, Circumstances]:
    """The request of a case in the decision's own types. Raises `Malformed`."""
    about, report, moment = case.recipient, case.report, case.circumstances
    recipient = Recipient(
        nation=about.nation,
        kind=about.kind,
        clearance=vocabulary.level(about.clearance),
        communities=frozenset(about.communities),
        exercise=about.exercise,
    )
    facts = ReportFacts(
        originator=report.originator,
        level=vocabulary.level(report.classification),
        regions=frozenset(report.regions),
        threats=frozenset(report.threats),
        release_to=frozenset(report.release_to),
        display_to=frozenset(report.display_to),
        caveats=frozenset(report.caveats),
        communities=frozenset(report.communities),
        contributors=frozenset(report.contributors),
        derived=report.derived,
        exercise=report.exercise,
        precedence=report.precedence,
        originator_control=report.originator_control,
    )
    try:
        now, age = read_time(moment.now), read_span(moment.age)
    except ValueError as error:
        raise Malformed("bad-input", str(error)) from None
    approvals = {_layer_name(path): count for path, count in moment.approvals.items()}
    return recipient, facts, Circumstances(now, age, moment.purpose, approvals)


def _layer_name(path: str) -> tuple[str, str]:
    kind, _, owner = path.partition("/")
    return kind, owner


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words))) or "none"
