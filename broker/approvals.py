"""What officers said about one case, and how many of them that is for the layer that asks.

(1) only the layer's own officers count; where the layer is the mission's, nations do, each once
(2) a yes counts for the rules it named, under the text it was given for, until it expires
(3) a no takes back every yes of the same officers' nation that stands before it in the journal
(4) emergencies count together with the rest, for whatever rules, once two officers signed them
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from broker.policybook import Ruling
from policies.decide import Outcome
from policies.verdicts import LayerVerdict
from wire import bodies
from wire.statements import Statement

Case = tuple[str, str, str]
"""What officers decide about: report, commitment of the portion, recipient nation."""

MISSION_LAYERS: Final = frozenset({"handle", "carry"})
"""The layers that belong to all nations together."""

EMERGENCY_OFFICERS: Final = 2
"""Officers who must agree that lives are at stake before any of them counts."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one statement said about a case: by officers of which nation, until when (seconds)."""

    nation: str
    officers: frozenset[str]
    verdict: Literal["approve", "reject"]
    layer: str
    text: str
    rules: frozenset[str]
    emergency: bool
    expires: int

    @classmethod
    def of(cls, statement: Statement) -> "tuple[Case, Word]":
        """From an approval that was accepted."""
        body = statement.body(bodies.Approval)
        word = cls(
            statement.head.nation,
            frozenset(statement.signatures),
            body.verdict,
            body.layer,
            body.text,
            frozenset(body.rules),
            body.emergency,
            body.expires,
        )
        return (body.report, body.portion, body.to), word

    def is_for(self, layer: LayerVerdict, rules: Iterable[str]) -> bool:
        """Whether it is about these rules, as they stand in the layer's text."""
        return self.emergency or (self.text == layer.digest and self.rules.issuperset(rules))


Standing = Callable[[frozenset[str]], frozenset[str]]
"""Those of some officers whose keys stand."""


def referred(ruling: Ruling) -> Mapping[LayerVerdict, frozenset[str]]:
    """The layers that refer, each at its lowest, with every rule that their officers decide about.

    A layer may be asked under older reference data too, and other rules may refer it there.
    """
    asked: dict[tuple[str, str], set[str]] = {}
    for verdict in (*ruling.decision.verdicts, *ruling.lowered):
        asked.setdefault((verdict.kind, verdict.owner), set()).update(verdict.asks)
    return {
        verdict: frozenset(asked[verdict.kind, verdict.owner])
        for verdict in ruling.verdicts
        if verdict.outcome is Outcome.REFER
    }


def counted(
    ruling: Ruling, words: Iterable[Word], standing: Standing, now: int
) -> dict[tuple[str, str], int]:
    """How many approvals each layer that refers has at `now` (seconds); none where it has none."""
    found = {}
    for verdict, rules in referred(ruling).items():
        if count := agreed(verdict, rules, words, standing, now):
            found[verdict.kind, verdict.owner] = count
    return found


def agreed(
    verdict: LayerVerdict,
    rules: frozenset[str],
    words: Iterable[Word],
    standing: Standing,
    now: int,
) -> int:
    """How many agree that this layer releases what these rules of it refer."""
    yes, urgent = dict[str, str](), dict[str, str]()  # who signed, for which nation
    for word in words:
        if word.layer != verdict.kind or not _speaks_for(word, verdict):
            continue
        if word.verdict == "reject":  # (3)
            yes = {who: nation for who, nation in yes.items() if nation != word.nation}
            urgent = {who: nation for who, nation in urgent.items() if nation != word.nation}
        elif now < word.expires and word.is_for(verdict, rules):  # (2)
            ours = word.layer not in MISSION_LAYERS
            who = standing(word.officers) if ours else {word.nation}  # (1)
            (urgent if word.emergency else yes).update(dict.fromkeys(who, word.nation))
    if len(urgent) >= EMERGENCY_OFFICERS:  # (4)
        yes |= urgent
    return len(yes)


def _speaks_for(word: Word, verdict: LayerVerdict) -> bool:
    return word.layer in MISSION_LAYERS or word.nation == verdict.owner
