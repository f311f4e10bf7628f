"""How the benchmarks measure: subject and limit in turn, and ratios within each turn.

On a machine that others use, a single number means little: a fixed loop takes anything between
once and twice its time. So every measurement is repeated, a limit is measured right before what it
limits, and what is compared with a target is the median of the ratios of the single rounds.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

DASH: Final = "\N{EN DASH}"
TIMES: Final = "\N{MULTIPLICATION SIGN}"

Probe = Callable[[], float]
"""Measures once and gives a rate, a time or a size."""


@dataclass(frozen=True, slots=True)
class Target:
    """What should be reached: of the ratio to the limit, or of the value itself."""

    bound: float
    of: Literal["ratio", "value"] = "ratio"
    at: Literal["least", "most"] = "least"

    def met(self, value: float, ratio: float | None) -> bool | None:
        """Whether it is; None if there is nothing to compare."""
        found = ratio if self.of == "ratio" else value
        if found is None:
            return None
        return found >= self.bound if self.at == "least" else found <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at == "least" else "≤"
        return f"{sign} {_ratio(self.bound) if self.of == 'ratio' else short(self.bound)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, how often, and what it is compared with."""

    name: str
    what: str
    unit: str
    samples: Sequence[float]
    limit: Sequence[float] = ()
    limit_what: str = ""
    target: Target | None = None

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios to their limits."""
        if not self.limit:
            return None
        pairs = zip(self.samples, self.limit, strict=True)
        return statistics.median(sample / limit for sample, limit in pairs)

    @property
    def verdict(self) -> str:
        """Whether the target is met: ok, below, or nothing without a target."""
        met = self.target.met(self.value, self.ratio) if self.target else None
        return "" if met is None else ("ok" if met else "below")

    def as_json(self) -> dict[str, object]:
        """The same for machines."""
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "median": self.value,
            "samples": list(self.samples),
            "limit": statistics.median(self.limit) if self.limit else None,
            "limit_what": self.limit_what,
            "ratio": self.ratio,
            "target": str(self.target) if self.target else None,
            "verdict": self.verdict or None,
        }


def interleave(rounds: int, probes: Mapping[str, Probe]) -> dict[str, list[float]]:
    """Every probe once a round, in order; the samples of each, by its name."""
    found: dict[str, list[float]] = {name: [] for name in probes}
    for _ in range(rounds):
        for name, probe in probes.items():
            found[name].append(probe())
    return found


def rate(work: Callable[[], int], seconds: float) -> float:
    """Things a second of this thread's processor time, so that neighbours count for little.

    Calls `work`, which says how many it did, for about so long.
    """
    start = time.thread_time()
    end, done = start + seconds, 0
    while (now := time.thread_time()) < end:
        done += work()
    return done / (now - start)


def busy(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time that it takes; for work that waits for nothing."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes by the clock on the wall."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(rows: Sequence[Row]) -> str:
    """All rows, aligned."""
    head = ("name", "what", "median", f"min{DASH}max", "limit", "ratio", "target", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in _ruled(lines, widths)
    )


def _ruled(lines: Sequence[tuple[str, ...]], widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    yield lines[0]
    yield tuple("─" * width for width in widths)
    yield from lines[1:]


def _cells(row: Row) -> tuple[str, ...]:
    limit = f"{short(statistics.median(row.limit))} {row.limit_what}" if row.limit else ""
    return (
        row.name,
        row.what,
        f"{short(row.value)} {row.unit}",
        f"{short(min(row.samples))}{DASH}{short(max(row.samples))}",
        limit,
        "" if row.ratio is None else _ratio(row.ratio),
        "" if row.target is None else str(row.target),
        row.verdict,
    )


def short(value: float) -> str:
    """Three figures, thousands as k and M."""
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if letter == "k" else 1e6)
            return f"{scaled:.3g}{letter}" if scaled < 1000 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float) -> str:
    return f"{value:,.1f} {TIMES}" if value >= 2 else f"{value:.0%}"
