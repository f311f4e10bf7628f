"""The pages of a channel as they come, one ahead of the one that is worked on.

A page is asked for as soon as the one before it is there: what it starts from is known then, though
nobody has verified it yet. Should that be refused, so is everything behind it.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from clients.auditor import Auditor
from clients.evidence.store import Tree
from clients.follower import StatementPage
from wire import base64_strict, merkle, pages, strict_json
from wire.entries import MISSION
from wire.errors import Malformed, TearlineError
from wire.links import Head
from wire.notes import OpenedCheckpoint
from wire.pages import Page, PageAnswer

PAGE: Final = 500  # entries a request: about a megabyte


@dataclass(frozen=True)
class Fetched:
    """A page, its checkpoint, and the proof that this extends the one of the page before."""

    page: Page
    opened: OpenedCheckpoint
    proof: tuple[str, ...]


class Coming:
    """The pages that come, in order."""

    def __init__(self, received: MemoryObjectReceiveStream[Fetched | TearlineError]) -> None:
        self._received = received
        self._failed: TearlineError | None = None

    async def next(self) -> Fetched:
        """The next page. Raises what kept it from coming."""
        found = self._failed or await self._received.receive()
        if isinstance(found, TearlineError):
            raise found
        return found

    def next_if_there(self) -> Fetched | None:
        """The next page if it has come; if something kept it from coming, `next` says what."""
        try:
            found = self._received.receive_nowait()
        except (anyio.WouldBlock, anyio.EndOfStream):
            return None
        if isinstance(found, TearlineError):
            self._failed = found
            return None
        return found


@asynccontextmanager
async def coming(
    auditor: Auditor, channel: str, after: int, newest: Tree
) -> AsyncGenerator[Coming, None]:
    """The pages of a channel from entry number `after` on, each under a tree that extends the one
    before it, the first one `newest`.
    """
    found, fetched = anyio.create_memory_object_stream[Fetched | TearlineError]()
    try:
        with fetched:
            async with anyio.create_task_group() as group:
                group.start_soon(_fetch, found, _pages(auditor, channel, after, newest))
                yield Coming(fetched)
                group.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None  # what ended the one ended the other


async def _fetch(
    found: MemoryObjectSendStream[Fetched | TearlineError], source: AsyncGenerator[Fetched, None]
) -> None:
    with found:
        try:
            async with aclosing(source) as each:
                async for page in each:
                    await found.send(page)
        except TearlineError as error:
            await found.send(error)


async def _pages(
    auditor: Auditor, channel: str, after: int, newest: Tree
) -> AsyncGenerator[Fetched, None]:
    exist = after + 1
    while after < exist:
        page, proof = await _asked(auditor, channel, after, newest.size)
        opened = await auditor.follower.trees.observe(page.checkpoint, proof, newest.size)
        _check_extends(newest, opened, proof)
        yield Fetched(page, opened, proof)
        newest = Tree(opened.checkpoint.size, opened.checkpoint.root)
        after += len(page.entries)
        exist = strict_json.load(base64_strict.decode(page.head.head), Head).count


async def _asked(
    auditor: Auditor, channel: str, after: int, size: int
) -> tuple[Page, tuple[str, ...]]:
    path = "/v1/statements" if channel == MISSION else "/v1/log/views"
    answer = await auditor.transport.page(path, PAGE, after=after, size=size)
    told, page = pages.read(answer.body, StatementPage if channel == MISSION else PageAnswer)
    return page, told.consistency


def _check_extends(newest: Tree, opened: OpenedCheckpoint, proof: tuple[str, ...]) -> None:
    """The tree came with the proof that it extends the evidence's newest one: what is kept, and
    later handed on, is this proof, whatever other one the client was convinced by.
    """
    tree = opened.checkpoint
    if tree.size < newest.size:
        raise Malformed("broken-chain", f"a tree of {tree.size}; {newest.size} were seen before")
    if newest.size:
        hashes = [base64_strict.decode(text) for text in proof]
        merkle.verify_consistency(newest.size, tree.size, hashes, newest.root, tree.root)
