"""What each nation may know of a denial: who tried, what for, and which of its own rules refused.

The originator learns of a nation, and of its reader what its policies can observe: a person or a
system. Whether a nation's people are cleared is that nation's business: where its system would get
the report and no rule of the originator's refuses the person, the originator hears nothing. And a
recipient hears of its own refusals only where nobody else refuses, for then the report was its own
to have; else the denial would tell that there is one.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from broker.audit import OPEN_LAYERS, concerned
from broker.held import Held
from broker.policybook import Ruling
from policies.decide import Outcome

KINDS: Final = {"Gateway": "system", "Analyst": "person"}
"""How a view calls the kinds of reader that policies tell apart."""

RULES_SHOWN: Final = 16
"""Rules of one layer that a view names; `tearline policy why` shows them all."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who asked, as far as others may know, and how: `fetch`, `attachment`, `pull`, `stream`."""

    nation: str
    kind: str
    how: str
    purpose: str


@dataclass(slots=True)
class Refusal:
    """Why portions of one report were withheld, as far as one nation may know.

    `because` is `policy`, `third-party`, `not-listed`, `recalled` or `expired`. `rules` are those
    that refused, by layer; a layer without any has none that grants it.
    """

    because: str
    outcome: Outcome = Outcome.REFER
    portions: list[int] = field(default_factory=list)
    rules: dict[str, set[str]] = field(default_factory=dict)
    another_party: bool = False

    def take(self, portion: int, ruling: Ruling | None, viewer: str) -> None:
        """One more portion; without a ruling it was not for the policies to say."""
        self.portions.append(portion)
        if ruling is None:
            self.outcome = Outcome.WITHHOLD
            return
        self.outcome = min(self.outcome, ruling.outcome)
        for verdict in ruling.verdicts:
            if verdict.outcome is Outcome.RELEASE:
                continue
            if verdict.owner == viewer or verdict.kind in OPEN_LAYERS:
                layer = f"{verdict.kind}/{verdict.owner}"
                self.rules.setdefault(layer, set()).update(verdict.rules)
            else:
                self.another_party = True


def told_to(originator: str, nation: str, ruling: Ruling, whole: Ruling) -> frozenset[str]:
    """The nations that hear that a reader of `nation` was refused.

    `ruling` is about that reader, `whole` about its nation as a whole.
    """
    owners = {v.owner for v in ruling.verdicts if v.kind == "release" and _refuses(v.outcome)}
    others = any(_refuses(v.outcome) and v.owner != nation for v in whole.verdicts)
    if _refuses(whole.outcome):
        owners.add(originator)
    recipient = set() if others else {nation}
    roles = concerned(
        "denial",
        {"originator": owners & {originator}, "contributor": owners, "recipient": recipient},
    )
    return frozenset(roles)


def _refuses(outcome: Outcome) -> bool:
    return outcome is not Outcome.RELEASE


def denied(attempt: Attempt, held: Held, refusal: Refusal) -> dict[str, Any]:
    """What a nation whose rules or report it is reads of a denial, but for when and how often."""
    rules = refusal.rules
    return {
        "report": held.identity,
        "originator": held.originator,
        "portions": refusal.portions,
        "to": attempt.nation,
        "kind": KINDS[attempt.kind],
        "how": attempt.how,
        "purpose": attempt.purpose,
        "because": refusal.because,
        "outcome": refusal.outcome.name,
        "rules": {name: sorted(found)[:RULES_SHOWN] for name, found in sorted(rules.items())},
        "another_party": refusal.another_party,
    }


def unanswered(attempt: Attempt, reader: str, identity: str) -> dict[str, Any]:
    """What the asking nation reads of it: the same, whether there is such a report or not."""
    return {
        "report": identity,
        "to": attempt.nation,
        "reader": reader,
        "how": attempt.how,
        "purpose": attempt.purpose,
    }
