"""The third-party rule at intake: what a derived portion draws on, and who agreed to what.

A source that the author's nation has not got does not exist for it: unknown, withheld, recalled
and misnamed sources get the same answer.
"""

import json
from collections.abc import Mapping, Sequence

from broker.holdings import Holdings
from broker.journal import Journal
from broker.standing import Standing
from wire import bodies, lattice, report
from wire.errors import Malformed
from wire.labels import Label, Source
from wire.report import PortionLabel
from wire.verify import VerifiedPortion

Sources = Mapping[Source, Label]


def check_known(portions: Sequence[VerifiedPortion], author: str, holdings: Holdings) -> None:
    """Refuse sources that the author's nation has not got, and replacing what is not its own.

    Raises `Malformed` ("bad-lineage").
    """
    for portion in portions:
        if not all(holdings.has_got(author, source) for source in portion.label.derived_from):
            raise Malformed("bad-lineage")
        if portion.label.supersedes is not None:
            old = holdings.by_identity(portion.label.supersedes)
            if old is None or old.originator != author:
                raise Malformed("bad-lineage", "it supersedes no report of this originator")


async def read_sources(
    portions: Sequence[VerifiedPortion], holdings: Holdings, journal: Journal
) -> Sources:
    """The labels of all sources, from the journal; those that there are not are left out."""
    wanted = {source for portion in portions for source in portion.label.derived_from}
    if not wanted:
        return {}
    holds = {source.report: holdings.by_identity(source.report) for source in wanted}
    positions = sorted({held.position for held in holds.values() if held is not None})
    found: dict[Source, Label] = {}
    for _, raw in await journal.rows("reports_at", (json.dumps(positions),)):
        frame = report.parse(raw)
        for portion in frame.portions:
            source = Source(report=frame.identity, portion=portion.commitment)
            if source in wanted:
                found[source] = PortionLabel.model_validate_json(portion.label_bytes)
    return found


def check_allowed(
    portion: VerifiedPortion, author: str, sources: Sources, standing: Standing
) -> None:
    """Refuse a derived portion that its sources do not allow.

    Raises `NotAllowed` ("third-party-rule") or `Malformed`.
    """
    label = portion.label
    if not label.derived_from:
        return
    if not all(source in sources for source in label.derived_from):
        raise Malformed("bad-lineage")
    origins = [lattice.Origin(source, sources[source]) for source in label.derived_from]
    agreed: dict[Source, frozenset[str]] = {}
    for identity in label.consents:
        source, to = _consent(standing.consents.get(identity))
        agreed[source] = agreed.get(source, frozenset()) | {to}
    lattice.check_lineage(label, author, origins, agreed, standing.directory.terms)


def _consent(body: bodies.ReportRelease | None) -> tuple[Source, str]:
    """What a consent is for; that its author is the source's originator was checked on arrival."""
    if body is None:
        raise Malformed("bad-lineage", "a consent is not known")
    return Source(report=body.report, portion=body.portion), body.to
