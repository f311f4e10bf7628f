"""What an exercise measured, against what it expected. Pure: times in seconds are given.

A nation may read a report while it is on its audience: from the inject that opens it, or its
approval, to the recall or the change of policy that closes it. What was read outside is
over-sharing; who could have read and did not is under-sharing. The own nation always may.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

Pair = tuple[str, str]
"""A report's name and a nation."""

FOREVER: Final = float("inf")


@dataclass(frozen=True)
class Reading:
    """That a nation was given a report at this time."""

    report: str
    nation: str
    at: float


@dataclass(frozen=True)
class Told:
    """One inject as it was played: what was expected of it, and what came of it."""

    at: int
    nation: str
    what: str
    outcome: str
    expected: bool = True


@dataclass
class Ledger:
    """Who may read what, from when until when, and who did. Filled in while an exercise runs."""

    opened: dict[Pair, float] = field(default_factory=dict)
    closed: dict[Pair, float] = field(default_factory=dict)
    stopped: dict[Pair, float] = field(default_factory=dict)
    """When a nation that had been able to get a report was first refused it."""
    recalled: dict[str, float] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def opens(self, report: str, nations: Iterable[str], now: float) -> None:
        """From now on these nations should be able to read a report."""
        for nation in nations:
            self.opened.setdefault((report, nation), now)

    def closes(self, report: str, nations: Iterable[str], now: float) -> None:
        """From now on they should not get it any more."""
        for nation in nations:
            self.closed.setdefault((report, nation), now)

    def waited_for(self, reports: Iterable[str] | None = None) -> set[Pair]:
        """Who should have read by now and has not, of these reports or of all."""
        read = {(r.report, r.nation) for r in self.readings}
        wanted = None if reports is None else set(reports)
        return {
            pair
            for pair in self.opened
            if pair not in read and pair not in self.closed and (not wanted or pair[0] in wanted)
        }


@dataclass(frozen=True)
class Delay:
    """Times from an inject to a nation's first reading, in seconds."""

    count: int
    median: float
    longest: float


@dataclass(frozen=True)
class Recall:
    """How long it took until the last nation that could get a report was refused it; `None` if one
    never was.
    """

    report: str
    nations: int
    seconds: float | None


@dataclass(frozen=True)
class Score:
    """The result of one exercise."""

    delays: Mapping[str, Delay]
    over: tuple[Pair, ...]
    under: tuple[Pair, ...]
    unstopped: tuple[Pair, ...]
    recalls: tuple[Recall, ...]
    surprises: tuple[Told, ...]

    @property
    def passed(self) -> bool:
        """Whether everything went as the exercise expects."""
        return not (self.over or self.under or self.unstopped or self.surprises)

    def fields(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "passed": self.passed,
            "release": {
                nation: {"reports": d.count, "p50": round(d.median, 3), "max": round(d.longest, 3)}
                for nation, d in sorted(self.delays.items())
            },
            "over_sharing": [{"report": report, "to": nation} for report, nation in self.over],
            "under_sharing": [{"report": report, "to": nation} for report, nation in self.under],
            "not_stopped": [{"report": report, "to": nation} for report, nation in self.unstopped],
            "recalls": [
                {
                    "report": r.report,
                    "nations": r.nations,
                    "seconds": None if r.seconds is None else round(r.seconds, 3),
                }
                for r in self.recalls
            ],
            "surprises": [{"inject": t.what, "outcome": t.outcome} for t in self.surprises],
        }


def score(ledger: Ledger) -> Score:
    """What the ledger says once the exercise is over."""
    first: dict[Pair, float] = {}
    over = set[Pair]()
    for reading in sorted(ledger.readings, key=lambda r: r.at):
        pair = (reading.report, reading.nation)
        opened = ledger.opened.get(pair, FOREVER)
        # What was under way when it was closed may still arrive until it is refused.
        closed = ledger.stopped.get(pair, FOREVER) if pair in ledger.closed else FOREVER
        if opened <= reading.at <= closed:
            first.setdefault(pair, reading.at)
        elif ledger.own.get(reading.report) != reading.nation:
            over.add(pair)
    waits: dict[str, list[float]] = {}
    for (report, nation), at in first.items():
        waits.setdefault(nation, []).append(at - ledger.opened[report, nation])
    return Score(
        delays={nation: _delay(times) for nation, times in waits.items()},
        over=tuple(sorted(over)),
        under=tuple(sorted(pair for pair in ledger.opened if pair not in first)),
        unstopped=tuple(sorted(pair for pair in ledger.closed if pair not in ledger.stopped)),
        recalls=tuple(_recall(ledger, *each) for each in ledger.recalled.items()),
        surprises=tuple(told for told in ledger.told if not told.expected),
    )


def _delay(times: Sequence[float]) -> Delay:
    return Delay(len(times), median(times), max(times))


def _recall(ledger: Ledger, report: str, at: float) -> Recall:
    pairs = [pair for pair in ledger.closed if pair[0] == report]
    ends = [ledger.stopped.get(pair, FOREVER) for pair in pairs]
    last = max(ends, default=at)
    return Recall(report, len(pairs), None if last == FOREVER else last - at)
