"""The plain, synchronous face of the client, for scripts and notebooks.

    with BlockingPublisher(identity) as publisher:
        receipt = publisher.publish(draft)

Each object runs its async twin in one background thread.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from clients.auditor import Auditor, Verdict
from clients.draft import Draft
from clients.explained import Preview
from clients.identity import Identity
from clients.publisher import Publisher, Receipt
from clients.session import Session
from clients.subscriber import Received, Subscriber

S = TypeVar("S", bound=Session)
T = TypeVar("T")


class _Blocking(Generic[S]):
    """One async client in a background thread."""

    def __init__(self, session: S) -> None:
        self._session, self._stack = session, ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._session))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _call(self, work: Callable[..., Any], *args: object) -> Any:
        assert self._portal is not None, "use it in a with statement"
        return self._portal.call(work, *args)

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        while True:
            try:
                yield self._call(items.__anext__)
            except StopAsyncIteration:
                return


class BlockingPublisher(_Blocking[Publisher]):
    """`Publisher`, waiting for each answer."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(Publisher(identity))

    def preview(self, draft: Draft) -> Preview:
        """See `Publisher.preview`."""
        return self._call(self._session.preview, draft)  # type: ignore[no-any-return]

    def publish(self, draft: Draft) -> Receipt:
        """See `Publisher.publish`."""
        return self._call(self._session.publish, draft)  # type: ignore[no-any-return]


class BlockingSubscriber(_Blocking[Subscriber]):
    """`Subscriber`, waiting for each report."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(Subscriber(identity))

    def fetch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        again: bool = False,
    ) -> Iterator[Received]:
        """See `Subscriber.fetch`."""
        return self._each(
            self._session.fetch(
                regions=regions, threats=threats, precedence=precedence, again=again
            )
        )

    def watch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
    ) -> Iterator[Received]:
        """See `Subscriber.watch`; it goes on for ever."""
        return self._each(
            self._session.watch(regions=regions, threats=threats, precedence=precedence)
        )


class BlockingAuditor(_Blocking[Auditor]):
    """`Auditor`, waiting for the verdict."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(Auditor(identity))

    def verify(self) -> Verdict:
        """See `Auditor.verify`."""
        return self._call(self._session.verify)  # type: ignore[no-any-return]
