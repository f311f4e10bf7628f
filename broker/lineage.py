"""The third-party rule: what a derived portion draws on, and who agreed to what.

At intake, and in a preview, a derived portion must fit its sources as they are then. At every
release it is asked again who may have it: whatever it draws on, however far away, must be released
to that nation too, by its own list or by a consent of its originator that is in force, and must not
be recalled.

A source that the author's nation has not got does not exist for it: unknown, withheld, recalled
and misnamed sources get the same answer.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from broker.consents import Consents
from broker.held import Held, HeldPortion
from broker.holdings import Holdings
from broker.journal import Journal
from broker.standing import Standing
from wire import bodies, lattice, report
from wire.errors import Malformed, NotAllowed
from wire.labels import Label, Source
from wire.report import PortionLabel

Sources = Mapping[Source, Label]

ANCESTORS_LIMIT: Final = 512
"""Portions that a report may draw on in all, sources of sources too: each is asked at every
release, and what a contributor is told of them fits into one view."""


def may_go(
    held: Held,
    portion: HeldPortion,
    nation: str,
    holdings: Holdings,
    consents: Consents,
    now: int,
) -> bool:
    """Whether a nation stands on the portion's list, or was added to it, and everything that the
    portion draws on may go there too. What an author wrote stays its own nation's.
    """
    if nation == held.originator:
        return True
    added = not consents.is_empty and consents.opens(portion.commitment, nation, now)
    if not added and nation not in portion.recipients:
        return False
    keeps = added or nation in portion.facts.release_to
    return all(
        _allows(source, nation, held.originator, holdings, consents, now, keeps=keeps)
        for source in portion.ancestors
    )


def _allows(
    source: Source,
    nation: str,
    author: str,
    holdings: Holdings,
    consents: Consents,
    now: int,
    *,
    keeps: bool,
) -> bool:
    """Whether `author` may let a nation have, or see, what it derived from this source."""
    there = holdings.source(source)
    if there is None or there[0].recalled:
        return False
    portion = there[1]
    named = portion.facts.release_to if keeps else portion.recipients
    return nation in named or consents.allows(source, nation, author, now)


def check_extent(labels: Iterable[Label], holdings: Holdings) -> None:
    """Refuse a report that draws on too much. Raises `Malformed` ("bad-lineage")."""
    behind = frozenset[Source]().union(*(holdings.ancestors(label) for label in labels))
    if len(behind) > ANCESTORS_LIMIT:
        raise Malformed("bad-lineage", f"it draws on more than {ANCESTORS_LIMIT} portions")


def check_known(label: Label, author: str, holdings: Holdings) -> None:
    """Refuse sources that the author's nation has not got, and replacing what is not its own.

    Raises `Malformed` ("bad-lineage").
    """
    if not all(holdings.has_got(author, source) for source in label.derived_from):
        raise Malformed("bad-lineage")
    if label.supersedes is not None:
        old = holdings.by_identity(label.supersedes)
        if old is None or old.originator != author:
            raise Malformed("bad-lineage", "it supersedes no report of this originator")


async def read_sources(labels: Iterable[Label], holdings: Holdings, journal: Journal) -> Sources:
    """The labels of all sources, from the journal; those that there are not are left out."""
    wanted = {source for label in labels for source in label.derived_from}
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


def stored_label(raw: bytes, commitment: str) -> PortionLabel:
    """The label of one portion of an accepted report, as the journal has it."""
    (frame,) = (p for p in report.parse(raw).portions if p.commitment == commitment)
    return PortionLabel.model_validate_json(frame.label_bytes)


def check_allowed(
    label: Label,
    author: str,
    sources: Sources,
    holdings: Holdings,
    standing: Standing,
    now: int,
) -> None:
    """Refuse a derived portion that its sources, or theirs, do not allow at `now` (seconds).

    Raises `NotAllowed` ("third-party-rule") or `Malformed`.
    """
    if not label.derived_from:
        return
    if not all(source in sources for source in label.derived_from):
        raise Malformed("bad-lineage")
    origins = [lattice.Origin(source, sources[source]) for source in label.derived_from]
    agreed: dict[Source, frozenset[str]] = {}
    for identity in label.consents:
        source, to = _consent(standing.consents.in_force(identity, now), author)
        agreed[source] = agreed.get(source, frozenset()) | {to}
    lattice.check_lineage(label, author, origins, agreed, standing.directory.terms)
    _check_far(label, author, holdings, standing.consents, now)


def _check_far(label: Label, author: str, holdings: Holdings, consents: Consents, now: int) -> None:
    """Refuse what goes further than a source of a source allows: `may_go`, before it is held."""
    ancestors = holdings.ancestors(label)
    for nation in sorted(label.recipients - {author}):
        keeps = nation in label.release_to
        if not all(
            _allows(source, nation, author, holdings, consents, now, keeps=keeps)
            for source in ancestors
        ):
            raise NotAllowed("third-party-rule", "a source of a source does not allow it")


def _consent(body: bodies.ReportRelease | None, author: str) -> tuple[Source, str]:
    """What a consent is for; that it is by the source's originator was checked on arrival.

    One for another author is unknown here, like one that ended.
    """
    if body is None or body.author not in (None, author):
        raise Malformed("bad-lineage", "a consent is not known")
    return Source(report=body.report, portion=body.portion), body.to
