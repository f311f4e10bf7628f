"""Kinds of portions: what many labels say alike is kept once."""

from collections.abc import Callable
from typing import NamedTuple

from broker.matching import Topic
from policies.facts import ReportFacts
from wire.labels import Precedence


class Kind(NamedTuple):
    """What all portions with the same facts share. The banner says nothing that is not in them, and
    the words of levels are the charter's. `recipients` are all who may see them, its author too.
    """

    facts: ReportFacts
    topic: Topic
    banner: str
    recipients: frozenset[str]


class Kinds:
    """All kinds there are. Equal topics are one object, also those of different kinds."""

    def __init__(self) -> None:
        self._kinds: dict[ReportFacts, Kind] = {}
        self._topics: dict[tuple[frozenset[str], frozenset[str], str], Topic] = {}

    def find(self, facts: ReportFacts, precedence: Precedence, banner: Callable[[], str]) -> Kind:
        """The kind with these facts, or a new one, which is not kept before it is shared."""
        kind = self._kinds.get(facts)
        if kind is None:
            topic = Topic(facts.regions, facts.threats, precedence)
            topic = self._topics.get(_about(topic), topic)
            recipients = facts.release_to | facts.display_to | {facts.originator}
            kind = Kind(facts, topic, banner(), recipients)
        return kind

    def share(self, kind: Kind) -> None:
        """Let others have it too."""
        self._kinds.setdefault(kind.facts, kind)
        self._topics.setdefault(_about(kind.topic), kind.topic)


def _about(topic: Topic) -> tuple[frozenset[str], frozenset[str], str]:
    return topic.regions, topic.threats, topic.precedence
