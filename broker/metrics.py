"""Counts for the operator, in the Prometheus text format (version 0.0.4).

How much, how fast and how often refused; never whose. No label is a nation, a member or a report,
so the series are few and what they tell is load.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets for how long answers take."""

Gauge = Callable[[], float]


class Metrics:
    """What this process counted since it started. Names and label values are our own words."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()
        self._gauges: dict[str, tuple[str, Gauge]] = {}
        started = time.time()
        self.gauge("tearline_start_time_seconds", "Unix time of the start", lambda: started)
        self.gauge("process_resident_memory_bytes", "memory in use", _resident)

    def request(self, area: str, status: int, seconds: float) -> None:
        """Count one answered request and how long it took; streams count when they end."""
        self._requests[area, status] += 1
        buckets = self._buckets.setdefault(area, [0] * (len(SECONDS) + 1))
        buckets[bisect_left(SECONDS, seconds)] += 1
        self._sums[area] += round(seconds * 1e6)

    def refusal(self, slug: str) -> None:
        """Count one refusal."""
        self._refusals[slug] += 1

    def dropped(self, reason: str) -> None:
        """Count one connection that was cut."""
        self._dropped[reason] += 1

    def gauge(self, name: str, words: str, value: Gauge) -> None:
        """Show a value that is asked for at every reading."""
        self._gauges[name] = (words, value)

    def text(self) -> bytes:
        """All series, in a stable order."""
        lines = [
            *_family("tearline_requests_total", "counter", "requests answered"),
            *(
                f'tearline_requests_total{{area="{area}",status="{status}"}} {count}'
                for (area, status), count in sorted(self._requests.items())
            ),
            *_family("tearline_refusals_total", "counter", "requests refused, by slug"),
            *_labelled("tearline_refusals_total", "slug", self._refusals),
            *_family("tearline_dropped_connections_total", "counter", "connections cut"),
            *_labelled("tearline_dropped_connections_total", "reason", self._dropped),
            *_family("tearline_request_seconds", "histogram", "time to answer"),
        ]
        for area in sorted(self._buckets):
            lines += self._histogram(area)
        for name, (words, value) in sorted(self._gauges.items()):
            lines += [*_family(name, "gauge", words), f"{name} {value()!r}"]
        return "\n".join([*lines, ""]).encode()

    def _histogram(self, area: str) -> list[str]:
        name, total, lines = "tearline_request_seconds", 0, []
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self._buckets[area], strict=True):
            total += count
            lines.append(f'{name}_bucket{{area="{area}",le="{bound}"}} {total}')
        lines.append(f'{name}_sum{{area="{area}"}} {self._sums[area] / 1e6!r}')
        lines.append(f'{name}_count{{area="{area}"}} {total}')
        return lines


def _family(name: str, kind: str, words: str) -> tuple[str, str]:
    return f"# HELP {name} {words}", f"# TYPE {name} {kind}"


def _labelled(name: str, label: str, counts: Mapping[str, int]) -> list[str]:
    return [f'{name}{{{label}="{word}"}} {counts[word]}' for word in sorted(counts)]


def _resident() -> float:
    """Bytes of this process in memory, where the system tells (Linux), else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * 4096.0
