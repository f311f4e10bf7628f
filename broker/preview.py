"""Who would be able to read it, who not, and why: what a sender may know before it posts."""

from collections.abc import Mapping, Sequence
from typing import Final

from broker.answers import NationPreview, PortionPreview, Preview
from broker.audit import OPEN_LAYERS
from broker.deciding import Deciding
from broker.lineage import Sources, check_allowed, check_extent, check_known
from broker.policybook import OF_NATIONS, Policies, Ruling
from broker.state import State
from policies.decide import LayerVerdict, Outcome
from policies.explain import Line, OutcomeWord, explain
from policies.facts import Circumstances, ReportFacts
from wire.errors import Malformed
from wire.freshness import lasting
from wire.labels import Label, check_in_force, check_report
from wire.members import Member

LABELS_LIMIT: Final = 16
"""Labels of one preview: the portions of one report."""

_WORDS: Final[Mapping[Outcome, OutcomeWord]] = {
    Outcome.WITHHOLD: "WITHHOLD",
    Outcome.REFER: "REFER",
    Outcome.RELEASE: "RELEASE",
}
_PINNED: Final = "signed under older reference data; its owner must publish again"


def preview(
    state: State,
    deciding: Deciding,
    viewer: Member,
    labels: Sequence[Label],
    sources: Sources,
) -> Preview:
    """What a report of the viewer's nation with these labels would come to.

    Raises what posting it would: `Malformed` with what is wrong with a label, `NotAllowed`
    ("third-party-rule") if its sources do not let it go so far.
    """
    if not 0 < len(labels) <= LABELS_LIMIT:
        raise Malformed("bad-fields", f"from 1 to {LABELS_LIMIT} labels")
    standing, now, nation = state.standing, state.now(), viewer.nation
    check_report(labels, nation, standing.directory.terms)
    check_extent(labels, state.holdings)
    portions = []
    for label in labels:
        check_in_force(label, now)
        check_known(label, nation, state.holdings)
        check_allowed(label, nation, sources, state.holdings, standing, now)
        found = rulings(state, deciding, nation, label)
        portions.append(portion_preview(state.policies, found, nation))
    return Preview(portions=tuple(portions))


def rulings(
    state: State, deciding: Deciding, originator: str, label: Label
) -> Mapping[str, Ruling]:
    """What the policies say of a portion with this label, sealed now, by nation of its lists."""
    terms, purpose = state.standing.directory.terms, deciding.purpose(None)
    moment = Circumstances(now=state.now(), age=0, purpose=purpose, approvals={})
    facts = ReportFacts.from_label(label, originator, terms, state.holdings.contributors(label))
    return {
        nation: deciding.rule(deciding.gateway(nation, facts.communities), facts, moment)
        for nation in sorted(label.recipients | {originator})
    }


def portion_preview(
    policies: Policies, rulings: Mapping[str, Ruling], viewer: str
) -> PortionPreview:
    """What each recipient nation would get, as far as the viewer's nation may know."""
    return PortionPreview(
        nations={n: _explained(policies, ruling, viewer) for n, ruling in rulings.items()}
    )


def _explained(policies: Policies, ruling: Ruling, viewer: str) -> NationPreview:
    asked = ruling.decision
    found = explain(
        policies.book, asked, asked.recipient, asked.report, asked.circumstances, viewer
    )
    ended, now = policies.expired.get(viewer), asked.circumstances.now
    told = (
        found.lines
        if ended is None
        else (_stale(line, viewer, now - ended) for line in found.lines)
    )
    lines = (*told, *(_pinned(verdict, viewer) for verdict in ruling.lowered))
    return NationPreview(outcome=_WORDS[ruling.outcome], lines=lines)


def _stale(line: Line, viewer: str, seconds: int) -> Line:
    """A layer of the viewer's own that is missing because its policy has ended, said as that."""
    if line.owner != viewer or line.layer not in OF_NATIONS:
        return line
    return line.model_copy(update={"needs": (f"policy-expired: it ended {lasting(seconds)} ago",)})


def _pinned(verdict: LayerVerdict, viewer: str) -> Line:
    """That a nation's own pin of older reference data lowers its layer."""
    ours = viewer == verdict.owner or verdict.kind in OPEN_LAYERS
    return Line(
        layer=verdict.kind if ours else "other",
        owner=verdict.owner if ours else None,
        outcome=_WORDS[verdict.outcome],
        rules=(),
        needs=(_PINNED,) if ours else (),
        approvals_needed=0,
    )
