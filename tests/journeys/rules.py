"""Five nations' rules, twice: as Cedar for the broker, and by hand as a model of what they mean.

The model knows nothing of the code under test: it reads the standard tree of regions as a file and
compares, one report, one reader and one filter at a time. Whatever the two sides disagree on shows
as a report that is missing or one too many.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from clients.founding import Policies

NATIONS = ("KEN", "GBR", "FRA", "SEN", "BGD")
LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET")
CLEARANCES = {"FRA/analyst": "CONFIDENTIAL", "SEN/analyst": "RESTRICTED"}
COMMUNITIES = {"GBR/analyst": ("PROTECTION OF CIVILIANS",)}
USUAL_CLEARANCE = "SECRET"
USUAL_PURPOSE = "FORCE PROTECTION"
REGIONS = Path(__file__).parents[2] / "clients/standard/regions.json"
POLICIES = {nation: Path(__file__).with_name("policies") / f"{nation}.cedar" for nation in NATIONS}

WITHHOLD, REFER, RELEASE = 0, 1, 2


@dataclass(frozen=True)
class Facts:
    """One portion, as its label says."""

    originator: str
    classification: str
    release_to: frozenset[str]
    regions: frozenset[str]
    threats: frozenset[str]
    precedence: str
    display_to: frozenset[str] = frozenset()
    caveats: frozenset[str] = frozenset()
    communities: frozenset[str] = frozenset()

    @property
    def level(self) -> int:
        return LEVELS.index(self.classification)

    @property
    def recipients(self) -> frozenset[str]:
        return self.release_to | self.display_to | {self.originator}

    def up_to(self, level: str) -> bool:
        return self.level <= LEVELS.index(level)

    def within(self, area: str) -> bool:
        return all(area in lineage(code) for code in self.regions)

    def touches(self, area: str) -> bool:
        return any(overlap(area, code) for code in self.regions)

    def touches_threat(self, threat: str) -> bool:
        return any(overlap_threat(threat, code) for code in self.threats)


@dataclass(frozen=True)
class Reader:
    """Who would read."""

    nation: str
    analyst: bool
    clearance: str
    communities: frozenset[str]

    @classmethod
    def analyst_of(cls, nation: str) -> "Reader":
        who = f"{nation}/analyst"
        clearance = CLEARANCES.get(who, USUAL_CLEARANCE)
        return cls(nation, True, clearance, frozenset(COMMUNITIES.get(who, ())))

    @classmethod
    def gateway_of(cls, nation: str, facts: Facts) -> "Reader":
        """The nation as a whole, as it is asked about when a report comes in."""
        return cls(nation, False, USUAL_CLEARANCE, facts.communities)


@dataclass(frozen=True)
class Subscription:
    """What one analyst asks for."""

    nation: str
    name: str
    regions: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()
    precedence: tuple[str, ...] = ()
    purpose: str | None = None
    also: dict[str, Any] = field(default_factory=dict, compare=False)

    def asks_for(self, facts: Facts) -> bool:
        return (
            (not self.regions or any(facts.touches(area) for area in self.regions))
            and (not self.threats or any(facts.touches_threat(t) for t in self.threats))
            and (not self.precedence or facts.precedence in self.precedence)
        )


# -- places and threats


@cache
def _parents() -> dict[str, str | None]:
    tree = json.loads(REGIONS.read_text())
    return {code: term["parent"] for code, term in tree.items()}


@cache
def lineage(code: str) -> frozenset[str]:
    """A place and everything that it lies in."""
    parent = _parents()[code]
    return frozenset({code}) | (lineage(parent) if parent else frozenset())


def overlap(a: str, b: str) -> bool:
    return a in lineage(b) or b in lineage(a)


def overlap_threat(a: str, b: str) -> bool:
    return f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")


# -- what the nations' rules mean; compare tests/journeys/policies


def kenya_releases(r: Facts, to: Reader, approvals: int) -> bool:
    granted = (to.nation in {"GBR", "FRA"} and r.up_to("SECRET")) or (
        to.nation in {"SEN", "BGD"} and r.up_to("RESTRICTED")
    )
    mexico = r.touches("MX") and not (to.nation == "GBR" or approvals >= 1)
    sources = "SOURCE SENSITIVE" in r.caveats and approvals < 1
    return granted and not mexico and not sources


def britain_releases(r: Facts, to: Reader, approvals: int) -> bool:
    granted = (
        (to.nation == "FRA" and r.up_to("SECRET"))
        or (to.nation == "KEN" and r.within("002") and r.up_to("SECRET"))
        or (to.nation in {"KEN", "SEN", "BGD"} and r.up_to("CONFIDENTIAL"))
    )
    syria = r.touches("SY") and to.nation != "FRA"
    sources = "SOURCE SENSITIVE" in r.caveats and not (to.nation == "FRA" or approvals >= 2)
    return granted and not syria and not sources


def france_releases(r: Facts, to: Reader, approvals: int) -> bool:
    granted = (
        (to.nation == "GBR" and r.up_to("SECRET"))
        or (to.nation == "SEN" and r.within("002") and r.up_to("SECRET"))
        or (to.nation in {"KEN", "SEN", "BGD"} and r.up_to("CONFIDENTIAL"))
    )
    middle_africa = r.touches("017") and to.nation == "BGD"
    civilians = r.touches_threat("civilians") and to.analyst and to.nation not in {"GBR", "KEN"}
    flash = r.precedence == "FLASH" and to.nation == "KEN" and approvals < 1
    return granted and not middle_africa and not civilians and not flash


def kenya_accepts(r: Facts, reader: Reader, _purpose: str) -> bool:
    return r.up_to("SECRET") and not ("PERSONAL DATA" in r.caveats and reader.analyst)


def britain_accepts(r: Facts, reader: Reader, purpose: str) -> bool:
    children = "CHILDREN" in r.caveats and "PROTECTION OF CIVILIANS" not in reader.communities
    return purpose != "LAW ENFORCEMENT" and not (children and reader.analyst)


def france_accepts(r: Facts, reader: Reader, purpose: str) -> bool:
    personal = "PERSONAL DATA" in r.caveats and purpose != USUAL_PURPOSE
    return r.up_to("SECRET") and not personal


def senegal_accepts(r: Facts, _reader: Reader, _purpose: str) -> bool:
    return r.up_to("UNCLASSIFIED") or (r.within("002") and r.up_to("SECRET"))


def bangladesh_accepts(r: Facts, _reader: Reader, purpose: str) -> bool:
    return purpose in {USUAL_PURPOSE, "HUMANITARIAN"} and r.up_to("CONFIDENTIAL")


Releases = Callable[[Facts, Reader, int], bool]
RELEASES: dict[str, Releases] = {
    "KEN": kenya_releases,
    "GBR": britain_releases,
    "FRA": france_releases,
}
ACCEPTS: dict[str, Callable[[Facts, Reader, str], bool]] = {
    "KEN": kenya_accepts,
    "GBR": britain_accepts,
    "FRA": france_accepts,
    "SEN": senegal_accepts,
    "BGD": bangladesh_accepts,
}


# -- the model


def outcome(facts: Facts, reader: Reader, purpose: str = USUAL_PURPOSE, takes_all: str = "") -> int:
    """What happens to one portion for one reader: the least of what all layers say.

    `takes_all` is a nation that takes in whatever it is given.
    """
    floor = (
        reader.nation in facts.recipients
        and LEVELS.index(reader.clearance) >= facts.level
        and reader.communities >= facts.communities
    )
    carried = facts.up_to("SECRET") and purpose != "TARGETING"
    accepted = reader.nation == takes_all or ACCEPTS[reader.nation](facts, reader, purpose)
    if not (floor and carried and accepted):
        return WITHHOLD
    if reader.nation == facts.originator:
        return RELEASE
    rule = RELEASES[facts.originator]
    if rule(facts, reader, 0):
        return RELEASE
    return REFER if rule(facts, reader, 1) or rule(facts, reader, 2) else WITHHOLD


def withheld_from(facts: Facts) -> frozenset[str]:
    """The nations named that must not have it: one is enough for the report to be refused."""
    asked = {n: outcome(facts, Reader.gateway_of(n, facts)) for n in facts.recipients}
    return frozenset(nation for nation, found in asked.items() if found == WITHHOLD)


def is_accepted(portions: Collection[Facts]) -> bool:
    """Whether the broker takes the report."""
    return not any(withheld_from(facts) for facts in portions)


def shown(portions: dict[str, Facts], to: Subscription) -> frozenset[str]:
    """The portions (by name) that a subscription is shown; none if nothing it may have matches."""
    reader, purpose = Reader.analyst_of(to.nation), to.purpose or USUAL_PURPOSE
    visible = {n: f for n, f in portions.items() if outcome(f, reader, purpose) == RELEASE}
    return frozenset(visible) if any(map(to.asks_for, visible.values())) else frozenset()


def policies() -> dict[str, Policies]:
    """The same rules as the nations wrote them: what leaves, a line of dashes, what comes in."""
    texts = {nation: path.read_text().split("// ----\n") for nation, path in POLICIES.items()}
    return {nation: Policies(release, accept) for nation, (release, accept) in texts.items()}
