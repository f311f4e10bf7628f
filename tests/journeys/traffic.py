"""Real events as reports: what a row says, and what the scenario assigns to it.

Place, time, kind and text come from the row. Who sends it, how it is classified and to whom it may
go no row can say; that follows from a digest of the row's own id, the same in every run.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from clients.draft import Draft, Label, Portion
from tests.journeys import rules
from tests.journeys.rules import Facts, Subscription

SENDERS = ("KEN", "GBR", "FRA")
T = TypeVar("T")
MARKER = "marker of "
ALPHA2 = Path(__file__).parents[2] / "clients/demo/alpha3.json"

SUBSCRIPTIONS = (
    Subscription("KEN", "all"),
    Subscription("KEN", "africa", regions=("002",)),
    Subscription("KEN", "urgent", precedence=("FLASH", "IMMEDIATE")),
    Subscription("KEN", "crime-in-mexico", regions=("MX",), threats=("crime",)),
    Subscription("GBR", "all"),
    Subscription("GBR", "syria", regions=("SY",)),
    Subscription("GBR", "civilians", threats=("civilians",)),
    Subscription("GBR", "flash", precedence=("FLASH",)),
    Subscription("FRA", "middle-africa", regions=("017",)),
    Subscription(
        "FRA", "fighting", threats=("conflict.clash",), precedence=("PRIORITY", "ROUTINE")
    ),
    Subscription("FRA", "planning", regions=("145", "035"), purpose="PLANNING"),
    Subscription("FRA", "attacks-on-civilians", threats=("civilians.attack",)),
    Subscription("SEN", "all"),
    Subscription("SEN", "africa-urgent", regions=("002",), precedence=("FLASH", "IMMEDIATE")),
    Subscription("SEN", "central-african-republic", regions=("CF",)),
    Subscription("SEN", "asia", regions=("142",)),
    Subscription("BGD", "all"),
    Subscription("BGD", "home", regions=("BD",)),
    Subscription("BGD", "neighbours", regions=("034", "035")),
    Subscription("BGD", "fighting-in-myanmar", regions=("MM",), threats=("conflict",)),
)


@dataclass(frozen=True)
class Report:
    """One row as a report: its portions by name, the first one first."""

    row: str
    portions: dict[str, Facts]
    text: str
    occurred: int

    @property
    def sender(self) -> str:
        return self.portions["main"].originator

    def draft(self) -> Draft:
        """What is posted; title and body say which row and which portion it is."""
        main, *others = (
            {"title": f"{self.row} {name}", "body": self.text, "label": label(facts, self.occurred)}
            for name, facts in self.portions.items()
        )
        return Draft(**main, portions=[Portion(**fields) for fields in others])  # type: ignore[arg-type]


def label(facts: Facts, occurred: int | None) -> Label:
    return Label(
        classification=facts.classification,
        release_to=facts.release_to,
        display_to=facts.display_to,
        regions=facts.regions,
        threats=facts.threats,
        caveats=facts.caveats,
        communities=facts.communities,
        precedence=facts.precedence,  # type: ignore[arg-type]
        occurred=occurred,
    )


def reports(path: Path, count: int) -> Iterator[Report]:
    """The first rows of a file of events."""
    with path.open() as lines:
        for number, line in enumerate(islice(lines, count)):
            yield _report(json.loads(line), number)


def marker(to: Subscription) -> Draft:
    """A report of the reader's own nation that only says: everything before me was sent."""
    last = to.precedence[-1] if to.precedence else "ROUTINE"
    facts = Facts(
        originator=to.nation,
        classification="UNCLASSIFIED",
        release_to=frozenset({to.nation}),
        regions=frozenset(to.regions[:1] or ("KE",)),
        threats=frozenset(to.threats[:1] or ("conflict.clash",)),
        precedence=last,
    )
    return Draft(title=f"{MARKER}{to.nation}/{to.name}", body="-", label=label(facts, None))


# -- one row

CLASSIFICATIONS = (
    (64, "UNCLASSIFIED"),
    (154, "RESTRICTED"),
    (218, "CONFIDENTIAL"),
    (256, "SECRET"),
)
"""What a die that shows less than the number means; likewise the next ones."""

RELEASES = (
    (90, rules.NATIONS),
    (150, rules.NATIONS[:3]),
    (200, ("GBR", "FRA", "SEN")),
    (256, ("KEN", "FRA", "BGD")),
)
CAVEATS = (
    (14, {"SOURCE SENSITIVE"}),
    (34, {"PERSONAL DATA"}),
    (54, {"CHILDREN"}),
    (256, set[str]()),
)


def _report(row: dict[str, Any], number: int) -> Report:
    dice = hashlib.sha256(row["id"].encode()).digest()
    originator = SENDERS[number % len(SENDERS)]
    display_to = frozenset({"BGD"}) if dice[4] < 25 else frozenset[str]()
    main = Facts(
        originator=originator,
        classification=_thrown(dice[0], CLASSIFICATIONS),
        release_to=frozenset(_thrown(dice[1], RELEASES)) - display_to | {originator},
        regions=_regions(row, dice[2]),
        threats=frozenset({_threat(row, dice[3])}),
        precedence=_precedence(row["fatalities"]["best"]),
        display_to=display_to,
        caveats=frozenset(_thrown(dice[5], CAVEATS)),
        communities=frozenset({"PROTECTION OF CIVILIANS"} if dice[6] < 10 else ()),
    )
    portions = {"main": _advised(main, dice[7])}
    if dice[8] < 32:  # a tear line: less of it, for more
        portions["below"] = _advised(_below(main), dice[7])
    when = datetime.fromisoformat(row["time"])
    return Report(row["id"], portions, _plain(row["text"]), max(0, int(when.timestamp())))


def _below(main: Facts) -> Facts:
    return replace(
        main,
        classification="UNCLASSIFIED",
        caveats=frozenset(),
        communities=frozenset(),
        display_to=frozenset(),
        release_to=frozenset(rules.NATIONS),
    )


def _advised(facts: Facts, die: int) -> Facts:
    """Nine senders in ten leave out whom a preview would show as withheld; the tenth is refused."""
    if die < 25:
        return facts
    without = rules.withheld_from(facts) - {facts.originator}
    return replace(
        facts, release_to=facts.release_to - without, display_to=facts.display_to - without
    )


def _regions(row: dict[str, Any], die: int) -> frozenset[str]:
    """The country; of one row in ten the area around it, of another Kenya as well."""
    code = _alpha2()[row["country"]]
    if die < 25:
        return frozenset({min(rules.lineage(code) & _sub_regions())})
    return frozenset({code, "KE"}) if die < 50 else frozenset({code})


def _threat(row: dict[str, Any], die: int) -> str:
    kind = {"state-based": "conflict.clash", "one-sided": "civilians.attack"}.get(row["event_type"])
    if kind is None:
        kind = "crime.extortion" if row["country"] == "MEX" else "civilians.intercommunal"
    return kind.partition(".")[0] if die < 25 else kind


def _precedence(deaths: int) -> str:
    for least, word in ((25, "FLASH"), (10, "IMMEDIATE"), (3, "PRIORITY")):
        if deaths >= least:
            return word
    return "ROUTINE"


def _thrown(die: int, table: Iterable[tuple[int, T]]) -> T:
    return next(choice for limit, choice in table if die < limit)


@cache
def _alpha2() -> dict[str, str]:
    known: dict[str, str] = json.loads(ALPHA2.read_text())
    return known


@cache
def _sub_regions() -> frozenset[str]:
    """Areas that hold countries directly."""
    parents = rules._parents()
    return frozenset(p for c, p in parents.items() if p and c.isalpha() and len(c) == 2)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
