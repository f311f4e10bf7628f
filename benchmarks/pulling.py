"""An auditor's first pull, in a process of its own, so that its memory and time are its own.

    python -m benchmarks.pulling IDENTITY

Prints one JSON object: entries verified and kept, seconds by the clock on the wall and of processor
time, KiB of memory before the pull and at its most.
"""

import asyncio
import json
import resource
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
            took = time.perf_counter() - start, time.process_time() - processor
    return Pulling(pulled.new, *took, before, _most_kib())


def _most_kib() -> int:
    """Memory that this process held at its most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(vars(asyncio.run(_pull(Identity.load(Path(sys.argv[1]), PASSPHRASE))))))
