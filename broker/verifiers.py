"""Steps 2 to 4, off the loop: two threads check signatures while the loop does everything else.

A composite signature takes three quarters of a millisecond, and the library gives up the
interpreter meanwhile. Reports go to the threads a few at a time: a hop for each would cost more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from broker import logs
from wire.directory import Directory
from wire.errors import BrokerFault, TearlineError
from wire.verify import VerifiedReport, verify_submission

THREADS: Final = 2
"""As many as the smallest machine has cores."""

HOP: Final = 8
"""Reports of one hop to a thread: six milliseconds, so that no report waits long for another."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A report that verified, and the directory it was verified by."""

    raw: bytes
    report: VerifiedReport
    directory: Directory


@dataclass(frozen=True, slots=True)
class _Waiting:
    raw: bytes
    done: "asyncio.Future[Checked]"


class Verifiers:
    """A bounded queue of reports in front of two threads.

    `circumstances` gives the directory, the journal position and the time of now.
    """

    def __init__(
        self, circumstances: Callable[[], tuple[Directory, int, int]], *, inbox: int
    ) -> None:
        self._circumstances, self._inbox = circumstances, inbox
        self._waiting: deque[_Waiting] = deque()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="verify")
        self._idle, self._checking = THREADS, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        """Reports that wait for a signature check, or are in one."""
        return len(self._waiting) + self._checking

    async def verify(self, raw: bytes) -> Checked:
        """The report, verified as of now. Raises its refusal, or `BrokerFault` ("busy")."""
        if self._closed:
            raise BrokerFault("stopping")
        if len(self._waiting) >= self._inbox:
            raise BrokerFault("busy")
        done: asyncio.Future[Checked] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(raw, done))
        if self._idle:
            self._idle -= 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def close(self) -> None:
        """Finish what is waiting."""
        self._closed = True
        await asyncio.gather(*self._tasks)
        self._pool.shutdown(wait=False)

    async def _work(self) -> None:
        """One thread's work, until there is none."""
        try:
            while self._waiting:
                await self._hop()
        finally:
            self._idle += 1

    async def _hop(self) -> None:
        share = min(HOP, -(-len(self._waiting) // THREADS))
        taken = [self._waiting.popleft() for _ in range(share)]
        directory, position, time = self._circumstances()
        raws = [waiting.raw for waiting in taken]
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool, _verify_all, raws, directory, position, time)
        for waiting, outcome in zip(taken, found, strict=True):
            if waiting.done.done():  # its sender has gone
                continue
            if isinstance(outcome, TearlineError):
                waiting.done.set_exception(outcome)
            else:
                waiting.done.set_result(Checked(waiting.raw, outcome, directory))


def _verify_all(
    raws: Sequence[bytes], directory: Directory, position: int, time: int
) -> list[VerifiedReport | TearlineError]:
    return [_verify(raw, directory, position, time) for raw in raws]


def _verify(
    raw: bytes, directory: Directory, position: int, time: int
) -> VerifiedReport | TearlineError:
    try:
        return verify_submission(raw, directory, position, time)
    except TearlineError as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001 - the edge of a thread: one report, not its hop
        logs.failure("verify.failed", error)
        return BrokerFault("internal")
