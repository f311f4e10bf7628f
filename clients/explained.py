"""What the broker may tell a nation about decisions: previews, and why a report was refused.

A nation reads its own layers in full; of others it learns only that another party withholds.
"""

from collections.abc import Iterator
from typing import Final

from wire.model import Strict

EXPLANATION_MAX: Final = 4 * 1024 * 1024  # bytes: 16 portions, 64 nations, their reasons


class NationPreview(Strict):
    """What one nation would get of one portion, and why."""

    outcome: str
    lines: tuple[str, ...]


class PortionPreview(Strict):
    """What every nation named would get of one portion."""

    nations: dict[str, NationPreview]


class Preview(Strict):
    """Who will be able to read a report, who not and why; portion by portion."""

    portions: tuple[PortionPreview, ...]

    def rows(self) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
        """(portion from 1, nation, outcome, reasons), in order."""
        for number, portion in enumerate(self.portions, 1):
            for nation, says in sorted(portion.nations.items()):
                yield number, nation, says.outcome, says.lines

    def __str__(self) -> str:
        return "\n".join(
            f"portion {number}  {nation}  {outcome}  {'; '.join(why)}".rstrip()
            for number, nation, outcome, why in self.rows()
        )
