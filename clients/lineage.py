"""The third-party rule before anything is sealed: a draft must fit the sources it names.

The broker asks again, at intake and at every release. Here its author is told in plain words, and
before a byte leaves, which source stands against which nation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wire import lattice
from wire.bodies import ReportRelease
from wire.errors import Malformed, NotAllowed
from wire.labels import Label, Source
from wire.vocabulary import Vocabulary


@dataclass(frozen=True)
class KnownSource:
    """A source portion that this client has verified: whose it is, and its label."""

    originator: str
    label: Label


@dataclass(frozen=True)
class Given:
    """A consent that this client has proven: the nation that gave it, and what it says."""

    nation: str
    body: ReportRelease


@dataclass(frozen=True)
class Lineage:
    """What a draft names: its sources, and consents by the identity of their statement."""

    sources: Mapping[Source, KnownSource] = field(default_factory=dict)
    consents: Mapping[str, Given] = field(default_factory=dict)


NONE: Final = Lineage()
"""For a draft that is its author's own."""


def check_derived(label: Label, author: str, lineage: Lineage, terms: Vocabulary, now: int) -> None:
    """Refuse a label that goes further than its sources and their originators' consents allow.

    Raises `NotAllowed` ("third-party-rule") naming source and nations, `Malformed` ("bad-lineage")
    for a source or a consent that is not known, or what `lattice.check_lineage` raises.
    """
    added: dict[Source, frozenset[str]] = {}
    for identity in label.consents:
        source, to = _agreed(identity, label, author, lineage, now)
        added[source] = added.get(source, frozenset()) | {to}
    origins = []
    for source in label.derived_from:
        known = _known(source, lineage)
        more = added.get(source, frozenset())
        _check_reach(
            "release it", label.release_to, {*known.label.release_to, *more}, source, known
        )
        _check_reach("show it", label.display_to, known.label.recipients | more, source, known)
        origins.append(lattice.Origin(source, known.label))
    lattice.check_lineage(label, author, origins, added, terms)


def _check_reach(
    what: str, wanted: Iterable[str], allowed: Iterable[str], source: Source, known: KnownSource
) -> None:
    if beyond := sorted(set(wanted).difference(allowed)):
        detail = (
            f"the source {source.report[:12]} of {known.originator} does not let you {what} to "
            f"{', '.join(beyond)}"
        )
        raise NotAllowed("third-party-rule", detail)


def _known(source: Source, lineage: Lineage) -> KnownSource:
    known = lineage.sources.get(source)
    if known is None:
        raise Malformed("bad-lineage", f"you have not got the source {source.report[:12]}")
    return known


def _agreed(
    identity: str, label: Label, author: str, lineage: Lineage, now: int
) -> tuple[Source, str]:
    """What a consent adds, if it is in force, for this author, and by the source's originator."""
    given = lineage.consents.get(identity)
    if given is None or given.body.expires <= now or given.body.author not in (None, author):
        raise Malformed("bad-lineage", f"no such consent for you now: {identity[:12]}")
    source = Source(report=given.body.report, portion=given.body.portion)
    if source not in label.derived_from or _known(source, lineage).originator != given.nation:
        raise Malformed("label-lineage", f"{identity[:12]} is a consent for no source named")
    return source, given.body.to
