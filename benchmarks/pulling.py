"""An auditor's first pull, in a process of its own, so that its memory and time are its own.

    python -m benchmarks.pulling IDENTITY

Prints one JSON object: entries verified and kept, seconds by the clock on the wall and of processor
time, those of them that the process beside it took, KiB of memory before the pull and at its most.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mission import PASSPHRASE
from clients.auditor import Auditor
from clients.evidence import pull
from clients.evidence.store import EvidenceStore
from clients.identity import Identity


@dataclass(frozen=True)
class Pulling:
    """What a pull took."""

    entries: int
    seconds: float
    processor: float
    beside: float
    before_kib: int
    most_kib: int

    @classmethod
    def of(cls, identity: Path) -> "Pulling":
        """Pull everything, in another process."""
        command = (sys.executable, "-m", __name__, str(identity))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return cls(**json.loads(done.stdout))


async def _pull(identity: Identity) -> Pulling:
    async with Auditor(identity) as auditor:
        await auditor.follower.sync()
        with EvidenceStore.open(identity.state, pull.whose(auditor), new=True) as store:
            before = _most_kib()
            start, processor = time.perf_counter(), time.process_time()
            pulled = await pull.pull(auditor, store)
            seconds, processor = time.perf_counter() - start, time.process_time() - processor
    beside = sum(os.times()[2:4])  # of processes that have ended
    took = seconds, processor + beside, beside
    return Pulling(pulled.new, *took, before, _most_kib())


def _most_kib() -> int:
    """Memory that this process held at its most; `getrusage` would count its parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    print(json.dumps(vars(asyncio.run(_pull(Identity.load(Path(sys.argv[1]), PASSPHRASE))))))
