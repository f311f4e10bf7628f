"""The demonstration as a story: each report once, and under it who reads it.

Deliveries of several reports come in between each other. So a report is told when the next ones
are under way, with all who read it by then; who comes later gets a line of his own.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from clients.cli import output
from clients.subscriber import Received

HELD_BACK: Final = 2
"""Reports still waiting for their readers while the next ones are published."""


@dataclass
class _Chapter:
    """One report: its line, its title, and the nations that read it under each banner."""

    line: str
    title: str
    readers: dict[str, list[str]] = field(default_factory=dict)


class Story:
    """Tells what happens, a report at a time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._waiting: OrderedDict[str, _Chapter] = OrderedDict()
        self._early: dict[str, dict[str, list[str]]] = {}
        self._told: dict[str, str] = {}

    def published(self, identity: str, line: str, title: str) -> None:
        """A report was accepted; the oldest of those waiting is told."""
        self._waiting[identity] = _Chapter(line, title, self._early.pop(identity, {}))
        if len(self._waiting) > HELD_BACK:
            self._tell(next(iter(self._waiting)))

    def read(self, nation: str, received: Received) -> None:
        """A nation's analyst opened a report."""
        parts = len(received.report.portions)
        banner = output.clean(received.banner) + (f"  [dim]{parts} portions[/dim]" * (parts > 1))
        if (title := self._told.get(received.identity)) is not None:
            self._say(f"      {nation} reads [dim]{title}[/dim] {banner}")
            return
        chapter = self._waiting.get(received.identity)
        readers = (
            self._early.setdefault(received.identity, {}) if chapter is None else chapter.readers
        )
        readers.setdefault(banner, []).append(nation)

    def catch_up(self) -> None:
        """Everything that waits is told now."""
        for identity in tuple(self._waiting):
            self._tell(identity)

    def _tell(self, identity: str) -> None:
        chapter = self._waiting.pop(identity)
        self._told[identity] = chapter.title
        self._say(chapter.line)
        for banner, nations in chapter.readers.items():
            self._say(
                f"      {', '.join(sorted(nations))} read{'s' * (len(nations) == 1)} {banner}"
            )
