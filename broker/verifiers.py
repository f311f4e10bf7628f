"""Steps 1 to 4, with the signatures checked away from the loop, which does everything else.

    the loop          bounds, layout, the signer
    elsewhere         its signature (`broker.signatures`)
    the loop again    commitments, labels, recipients, wraps, payloads

Signatures go there a few at a time: a hop for each would cost more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker import logs
from broker.signatures import GOOD, Signatures, Signed
from wire.directory import Directory
from wire.errors import BrokerFault, Malformed, TearlineError
from wire.verify import Claim, VerifiedReport, check_submission, read_claim

HOP: Final = 16
"""Signatures of one hop at most: a dozen milliseconds, when so many wait."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A report that verified, and the directory it was verified by."""

    raw: bytes
    report: VerifiedReport
    directory: Directory


@dataclass(frozen=True, slots=True)
class _Waiting:
    claim: Claim
    done: "asyncio.Future[int]"


class Verifiers:
    """A bounded queue of reports in front of those who check signatures.

    `circumstances` gives the directory, the journal position and the time of now.
    """

    def __init__(
        self,
        circumstances: Callable[[], tuple[Directory, int, int]],
        signatures: Signatures,
        *,
        inbox: int,
    ) -> None:
        self._circumstances, self._signatures, self._inbox = circumstances, signatures, inbox
        self._waiting: deque[_Waiting] = deque()
        self._idle, self._checking = signatures.lanes, 0
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
        directory, position, time = self._circumstances()
        claim = read_claim(raw, directory, position, time)
        if await self._checked(claim) != GOOD:
            raise Malformed("bad-signature")
        return Checked(raw, check_submission(claim, directory, time), directory)

    async def close(self) -> None:
        """Finish what is waiting."""
        self._closed = True
        await asyncio.gather(*self._tasks)
        await self._signatures.close()

    async def _checked(self, claim: Claim) -> int:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(claim, done))
        if self._idle:
            self._idle -= 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def _work(self) -> None:
        """One lane's work, until there is none."""
        try:
            while self._waiting:
                await self._hop()
        finally:
            self._idle += 1

    async def _hop(self) -> None:
        share = min(HOP, -(-len(self._waiting) // self._signatures.lanes))
        taken = [self._waiting.popleft() for _ in range(share)]
        self._checking += share
        try:
            found = await self._signatures.check([_signed(waiting.claim) for waiting in taken])
            _settle(taken, found)
        except TearlineError as fault:
            _fail(taken, fault)
        except Exception as error:  # noqa: BLE001 - the edge: this hop fails, not its lane
            logs.failure("verify.failed", error)
            _fail(taken, BrokerFault("internal"))
        finally:
            self._checking -= share


def _signed(claim: Claim) -> Signed:
    return Signed(claim.signer.verify_key.raw, claim.frame.head, claim.frame.signature)


def _settle(taken: Sequence[_Waiting], found: Sequence[int]) -> None:
    for waiting, verdict in zip(taken, found, strict=True):
        if not waiting.done.done():  # else its sender has gone
            waiting.done.set_result(verdict)


def _fail(taken: Sequence[_Waiting], fault: TearlineError) -> None:
    for waiting in taken:
        if not waiting.done.done():
            waiting.done.set_exception(fault)
