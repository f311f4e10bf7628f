"""`python -m benchmarks [NAME …] [--quick | --full] [--json]`: how fast it is, as ratios.

Loopback and a temporary folder only; stops by itself after a few minutes, with `--quick` after
less than one. A ratio under its target is shown as `below`; the exit code stays 0, because a busy
machine is no fault of the program's.
"""

import argparse
import gc
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import (
    accept,
    analysis,
    decisions,
    journal,
    latency,
    matching,
    memory,
    million,
    release,
    replay,
    sealing,
)
from benchmarks.bench import Bench
from benchmarks.measure import Row, table

BENCHMARKS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    "accept": accept.run,
    "release": release.run,
    "latency": latency.run,
    "memory": memory.run,
    "replay": replay.run,
    "decide": decisions.run,
    "analyse": analysis.run,
    "match": matching.run,
    "journal": journal.run,
    "million": million.run,
    "seal": sealing.run,
}


def main() -> int:
    """Run what was asked for and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="two rounds of everything, smaller")
    size.add_argument(
        "--full", action="store_true", help="a million entries, and replay 100,000 reports"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, all samples")
    given = parser.parse_args()
    unknown = set(given.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that brokers are stopped then, too
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tearline-bench-") as folder:
        bench = Bench(Path(folder), quick=given.quick, full=given.full)
        for name in given.names or BENCHMARKS:
            start = time.monotonic()
            measured = BENCHMARKS[name](bench)
            gc.collect()
            sys.stderr.write(f"{name}: {time.monotonic() - start:.0f} s\n")
            if given.json:
                print("\n".join(json.dumps(row.as_json()) for row in measured), flush=True)
            rows += measured
    if not given.json:
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
