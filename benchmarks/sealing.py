"""What it costs an author to seal a report, by the number of nations that may read it.

Against its parts alone: one composite signature, and the content key wrapped once a nation. The
rest (labels checked, payload padded and encrypted, commitments, decoys) should be small beside it.

Bounded by: ML-KEM-1024 with P-384 once a nation, and one ML-DSA-87 signature, whose time varies.
Target: at most 1.3 times its parts.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Probe, Row, Target, interleave, timed
from benchmarks.mission import NATIONS, Mission
from clients.keys import seal_to
from wire import composite

COUNTS: Final = (1, 3, 5)
LEVEL: Final = 3  # SECRET
HEAD: Final = b"h" * 600
INFO: Final = b"i" * 80
MOST: Final = Target(1.3, at="most")


def run(bench: Bench) -> list[Row]:
    """Measure."""
    mission, repeat = bench.mission, bench.of(40, 10)
    probes = dict[str, Probe]()
    for count in COUNTS:
        probes[f"parts {count}"] = partial(_each, repeat, partial(_parts, mission, count))
        probes[f"seal {count}"] = partial(_each, repeat, partial(mission.seal, 2, NATIONS[:count]))
    found = interleave(bench.rounds, probes)
    return [
        Row(
            f"seal.{count}",
            f"one report to {count} nation{'s' if count > 1 else ''}",
            "ms",
            found[f"seal {count}"],
            found[f"parts {count}"],
            "signature and wraps alone",
            MOST,
        )
        for count in COUNTS
    ]


def _each(repeat: int, work: Callable[[], object]) -> float:
    """Milliseconds for doing it once."""
    return 1e3 * timed(lambda: [work() for _ in range(repeat)]) / repeat


def _parts(mission: Mission, count: int) -> None:
    directory = mission.founded.directory
    for nation in NATIONS[:count]:
        key = directory.epoch_key(nation, LEVEL, mission.now)
        seal_to(key.public, bytes(32), INFO)
    mission.author.sign.sign(HEAD, composite.REPORT)
