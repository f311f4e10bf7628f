"""Old and new policy over reports that were really sent: what would have gone otherwise.

A difference says what can change; a replay says how much it would have mattered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policies.decide import PolicyBook
from policies.facts import Circumstances, Recipient, ReportFacts
from policies.verdicts import Outcome

EXAMPLES: Final = 3
"""Reports named for each way in which outcomes moved."""


@dataclass(frozen=True)
class Past:
    """One portion of a report that was sent, at `created` (seconds)."""

    report: str
    facts: ReportFacts
    created: int


@dataclass(frozen=True)
class Moved:
    """How many portions would have gone otherwise to one nation's members, and some of them."""

    nation: str
    before: Outcome
    after: Outcome
    count: int
    examples: tuple[str, ...]


def replay(before: PolicyBook, after: PolicyBook, past: Iterable[Past]) -> Sequence[Moved]:
    """Every outcome that differs, for a person of each nation who is cleared and read in.

    Asked as of the moment when each report was made, before any officer signed.
    """
    words = after.vocabulary
    found: dict[tuple[str, Outcome, Outcome], Moved] = {}
    for one in past:
        moment = Circumstances(one.created, 0, words.purposes[0], {})
        for nation in words.nations:
            if nation == one.facts.originator:
                continue
            top, read_in = len(words.levels) - 1, frozenset(words.communities)
            who = Recipient(nation, "Analyst", top, read_in, exercise=one.facts.exercise)
            was, will = (book.decide(who, one.facts, moment).outcome for book in (before, after))
            if was is not will:
                key = (nation, was, will)
                known = found.get(key) or Moved(nation, was, will, 0, ())
                some = (*known.examples, one.report)[:EXAMPLES]
                found[key] = replace(known, count=known.count + 1, examples=some)
    return tuple(found[key] for key in sorted(found))
