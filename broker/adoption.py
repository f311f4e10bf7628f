"""The first parse of a nation's policy text, and its proof, in a process that may die.

The engine's parser is native code, and known to crash on hostile texts. `policies.prescan` keeps
the known ones away; against the unknown ones the first parse happens in a child with little time
and memory, and only a text that the child survives is parsed here.

The same child proves what must hold before a policy comes into force: that the nation's standing
guarantees are kept, and, unless two officers signed, that nothing is released which was not before.
It is asked beside the decisions, never by one; no answer in time refuses.
"""

import asyncio
import resource
import sys
from typing import Final, NoReturn

from policies.adopting import Adoption, Found, question
from policies.decide import PolicyBook
from policies.prescan import prescan
from wire.errors import Malformed, NotAllowed

SECONDS: Final = 20
"""Of processor time, and to wait for; the largest honest text takes a few."""

MEMORY_BYTES: Final = 2 << 30
"""Of address space: an interpreter with both engines needs a quarter of it."""

OFFICERS: Final = 2
"""Different policy officers who must sign what releases more."""


async def check(adoption: Adoption, signatures: int) -> None:
    """Prove an adoption in a child process.

    Raises `Malformed` ("policy-refused") with the line that no parser may see, or if the child does
    not come back whole; `NotAllowed` ("guarantee-broken"), and ("needs-second-officer") if more is
    released and fewer than two officers signed.
    """
    for text in (*adoption.after.values(), adoption.guarantees):
        await asyncio.to_thread(prescan, text)
    match await _answer(question(adoption)):
        case Found.HOLDS:
            return
        case Found.GROWS:
            if signatures < OFFICERS:
                raise NotAllowed("needs-second-officer", f"{signatures} of {OFFICERS} signed")
        case Found.BREAKS:
            raise NotAllowed("guarantee-broken", adoption.owner)
        case Found.UNFIT:  # the child survived it, so its faults can be named here
            await asyncio.to_thread(_refuse, adoption)
        case _:
            raise Malformed("policy-refused", "the text cannot be read, or proved in time")


def _refuse(adoption: Adoption) -> NoReturn:
    """Raise the first refusal, of the texts in the order in which the child read them."""
    book = PolicyBook.empty(adoption.vocabulary)
    for kind, text in adoption.after.items():
        book.with_layer(kind, adoption.owner, text)
    if adoption.guarantees:
        book.with_layer("release", adoption.owner, adoption.guarantees)
    raise Malformed("policy-refused", "outside the release profile")


async def _answer(request: bytes) -> int | None:
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "policies.analyse.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=quiet,
        stderr=quiet,
        preexec_fn=_confine,
    )
    try:
        await asyncio.wait_for(child.communicate(request), SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
        return None
    return child.returncode


def _confine() -> None:
    """In the child, before it runs: no core file, bounded time and memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
