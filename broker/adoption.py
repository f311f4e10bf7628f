"""The first parse of a nation's policy text, in a process that may die.

The engine's parser is native code, and known to crash on hostile texts. `policies.prescan` keeps
the known ones away; against the unknown ones the first parse happens in a child with little time
and memory, and only a text that the child survives is parsed here.
"""

import asyncio
import resource
import sys
from typing import Final

from policies.prescan import prescan
from policies.probe import probe_request
from wire.bodies import PolicyPublish
from wire.errors import Malformed
from wire.vocabulary import Vocabulary

SECONDS: Final = 10
"""Of processor time, and to wait for; the largest honest text takes less than one."""

MEMORY_BYTES: Final = 2 << 30
"""Of address space: an interpreter with the engine needs a quarter of it."""


async def probe(policy: PolicyPublish, vocabulary: Vocabulary) -> None:
    """Parse both layers of a policy in a child process.

    Raises `Malformed` ("policy-refused"): with the line that no parser may see, or if the child
    does not come back whole.
    """
    texts = ["\n".join(lines) for lines in (policy.release, policy.accept)]
    for text in texts:
        await asyncio.to_thread(prescan, text)
    if not await _survives(probe_request(texts, vocabulary)):
        raise Malformed("policy-refused", "the text cannot be read")


async def _survives(request: bytes) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "policies.probe",
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
    return child.returncode == 0


def _confine() -> None:
    """In the child, before it runs: no core file, bounded time and memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
