"""One run of the benchmarks: how much work it may be, where, and the mission it measures."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.mission import Mission


@dataclass(frozen=True)
class Bench:
    """How a run measures. `folder` is empty, on a real disk, and removed afterwards."""

    folder: Path
    quick: bool = False
    full: bool = False

    @cached_property
    def mission(self) -> Mission:
        """Founded when it is first asked for."""
        return Mission.found(self.folder / "mission")

    @property
    def rounds(self) -> int:
        """How often something cheap is measured."""
        return 2 if self.quick else 5

    @property
    def few(self) -> int:
        """How often something is measured for which a broker is started."""
        return 1 if self.quick else 3

    @property
    def seconds(self) -> float:
        """How long one measurement of a steady rate takes."""
        return 0.15 if self.quick else 0.5

    def of(self, usual: int, quick: int) -> int:
        """A number of things: as usual, or for a quick run."""
        return quick if self.quick else usual
