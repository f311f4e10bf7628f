"""Work with the broker, as an identity."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from clients.cli import freshness
from clients.cli.common import run_async
from clients.identity import Identity
from clients.session import Session

T = TypeVar("T")
S = TypeVar("S", bound=Session)


def using(
    client: Callable[[Identity], S], identity: Identity, work: Callable[[S], Coroutine[Any, Any, T]]
) -> T:
    """Run async work with a client of this identity, and warn of what of its nation ends soon."""

    async def run() -> T:
        async with client(identity) as opened:
            result = await work(opened)
            freshness.warn(opened)
            return result

    return run_async(run)
