"""Step 3 elsewhere: signatures are checked in processes of their own, or in threads.

A composite signature takes three quarters of a millisecond. Threads share the interpreter with the
loop and wait for it after each half of a signature; processes do not, and accept a quarter more
reports. So a served broker has processes. They get public keys, heads and signatures, and answer
one byte for each: `GOOD` or `BAD`. Anything else, or no answer, is a fault and vouches for nothing.

    to a process    u32 length, then for each: key, u32 length, head, u32 length, signature
    from it         a byte for each, in order

    python -m broker.signatures     is such a process: it ends with its standard input
"""

import asyncio
import contextlib
import os
import resource
import signal
import struct
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import BinaryIO, Final, NamedTuple, Protocol

from broker import logs
from wire import composite
from wire.composite import PUBLIC_KEY, VerifyKey
from wire.errors import BrokerFault, Malformed

WORKERS: Final = 2
"""As many as the smallest machine has cores."""

DEEP: Final = 2
"""Hops that a worker is given at a time: while the loop is busy it goes on with the second."""

BEHIND: Final = 10
"""How far a process steps behind the loop (`nice`): what was verified waits for the loop, and then
a core would idle.
"""

GOOD: Final = 1
BAD: Final = 0

KEYS: Final = 1_024
"""Signers whose keys a process keeps ready: 15 MB."""

_LENGTH: Final = struct.Struct(">I")


class Signed(NamedTuple):
    """A public key, and the head and signature of a report that it is to have signed."""

    key: bytes
    head: bytes
    signature: bytes


class Signatures(Protocol):
    """Whoever checks signatures away from the loop, `lanes` hops at a time."""

    lanes: int

    async def check(self, hop: Sequence[Signed]) -> Sequence[int]:
        """`GOOD` or `BAD` for each, in order. Raises `BrokerFault` ("internal")."""

    async def close(self) -> None:
        """Let go of threads or processes; nothing is being checked any more."""


def check(signed: Signed) -> int:
    """Whether the key signed the head of a report."""
    try:
        _key(signed.key).verify(signed.signature, signed.head, composite.REPORT)
    except Malformed:
        return BAD
    return GOOD


@lru_cache(KEYS)
def _key(raw: bytes) -> VerifyKey:
    return VerifyKey(raw)


class Threads:
    """Checks in this process: for tools and tests, which accept few reports."""

    lanes = WORKERS

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="verify")

    async def check(self, hop: Sequence[Signed]) -> Sequence[int]:
        """See `Signatures.check`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: [check(signed) for signed in hop])

    async def close(self) -> None:
        """See `Signatures.close`."""
        self._pool.shutdown(wait=False)


class Processes:
    """Checks in processes that start with the first report; one that dies is replaced."""

    lanes = WORKERS * DEEP

    def __init__(self) -> None:
        self._workers = [_Worker() for _ in range(WORKERS)]

    async def check(self, hop: Sequence[Signed]) -> Sequence[int]:
        """See `Signatures.check`."""
        return await min(self._workers, key=lambda worker: worker.busy).check(hop)

    async def close(self) -> None:
        """See `Signatures.close`."""
        for worker in self._workers:
            await worker.close()


class _Worker:
    """One process and the hops it was given."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._waiting: deque[tuple[int, asyncio.Future[bytes]]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self.busy = 0

    async def check(self, hop: Sequence[Signed]) -> bytes:
        self.busy += 1
        try:
            process = await self._started()
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting.append((len(hop), answer))
            assert process.stdin is not None
            process.stdin.write(_encoded(hop))
            return await answer
        finally:
            self.busy -= 1

    async def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._reading is not None:
            await self._reading

    async def _started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None:
                pipe = asyncio.subprocess.PIPE
                command = (sys.executable, "-m", "broker.signatures")
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=pipe, stdout=pipe
                )
                self._reading = asyncio.create_task(self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand on what it answers, until it ends; it vouches for nothing that it left open."""
        assert process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            while (first := await process.stdout.read(1)) and self._waiting:
                count, answer = self._waiting[0]
                found = first + await process.stdout.readexactly(count - 1)
                if not set(found) <= {GOOD, BAD}:
                    break
                self._waiting.popleft()
                if not answer.done():
                    answer.set_result(found)
        self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if self._waiting:
            logs.event("signatures.failed", hops=len(self._waiting))
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(BrokerFault("internal"))
        await process.wait()


def _encoded(hop: Sequence[Signed]) -> bytes:
    parts = list[bytes]()
    for key, head, signature in hop:
        parts += (key, _LENGTH.pack(len(head)), head, _LENGTH.pack(len(signature)), signature)
    body = b"".join(parts)
    return _LENGTH.pack(len(body)) + body


def _decoded(body: bytes) -> Iterator[Signed]:
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return body[at - size : at]

    while at < len(body):
        key = take(PUBLIC_KEY)
        head = take(*_LENGTH.unpack(take(_LENGTH.size)))
        yield Signed(key, head, take(*_LENGTH.unpack(take(_LENGTH.size))))


def answer(requests: BinaryIO, answers: BinaryIO) -> None:
    """Check hop after hop until there are no more."""
    while len(length := requests.read(_LENGTH.size)) == _LENGTH.size:
        body = requests.read(*_LENGTH.unpack(length))
        answers.write(bytes(check(signed) for signed in _decoded(body)))
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the broker decides when to stop
    os.nice(BEHIND)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer(sys.stdin.buffer, sys.stdout.buffer)
