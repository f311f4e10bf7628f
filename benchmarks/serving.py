"""A broker in a process of its own, started as an operator starts it, and watched from outside."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.settings import ADDRESS_FILE

START_WITHIN: Final = 600.0  # seconds; a long journal takes its time
STOP_WITHIN: Final = 20.0
KIB_A_PAGE: Final = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True)
class Serving:
    """A process and the port it listens on."""

    pid: int
    port: int

    @property
    def processor(self) -> float:
        """Seconds of processor time that it has taken so far, with its helpers."""
        return processor_time(self.pid)

    @property
    def resident(self) -> int:
        """KiB of memory that it holds."""
        return resident(self.pid)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    """A broker on a free port of loopback; stopped at the end. Its log is `log` in the folder."""
    command = (sys.executable, "-m", "broker.serve", str(folder), "--port", "0")
    address = folder / ADDRESS_FILE
    with (folder / "log").open("wb") as log, started(command, log.fileno()) as process:
        end = time.monotonic() + START_WITHIN
        while not address.exists() or not (url := address.read_text("ascii").strip()):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the broker does not start: {(folder / 'log').read_text()}")
            time.sleep(0.02)
        yield Serving(process.pid, int(url.rpartition(":")[2]))


@contextlib.contextmanager
def started(
    command: tuple[str, ...], out: int, *, stdin: int | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, asked to stop at the end, and made to. What goes wrong is said on our own stderr,
    unless `out` is a file.
    """
    errors = None if out == subprocess.PIPE else out
    process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=errors)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processor_time(pid: int) -> float:
    """Seconds that a process has run so far, all its threads and those who check signatures for it:
    Linux's clock of each.
    """
    helpers = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return sum(time.clock_gettime(~one << 3 | 2) for one in (pid, *map(int, helpers)))


def resident(pid: int) -> int:
    """KiB of memory that a process holds."""
    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    return int(pages) * KIB_A_PAGE
