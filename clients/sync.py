"""The plain, synchronous face of the client, for scripts and notebooks.

    with BlockingPublisher(identity) as publisher:
        receipt = publisher.publish(draft)

Each object runs its async twin in one background thread.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from clients.auditor import Auditor, Verdict
from clients.draft import Draft
from clients.explained import Preview
from clients.identity import Identity
from clients.member_keys import MemberCard
from clients.officer import Officer, Spoken
from clients.open import OpenedAttachment
from clients.publisher import Publisher, Receipt
from clients.referral import Referral
from clients.session import Session
from clients.subscriber import Received, Subscriber
from wire.bodies import Kind

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

    def _each(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """One after the other; whoever stops early lets go of the stream at once."""
        try:
            while True:
                try:
                    yield self._call(items.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self._call(items.aclose)


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

    def __init__(self, identity: Identity, *, keeps: Collection[str] = ()) -> None:
        super().__init__(Subscriber(identity, keeps=keeps))

    def fetch(
        self,
        *,
        regions: Iterable[str] = (),
        threats: Iterable[str] = (),
        precedence: Iterable[str] = (),
        again: bool = False,
    ) -> Generator[Received, None, None]:
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
        purpose: str | None = None,
        name: str | None = None,
    ) -> Generator[Received, None, None]:
        """See `Subscriber.watch`; it goes on for ever."""
        return self._each(
            self._session.watch(
                regions=regions, threats=threats, precedence=precedence, purpose=purpose, name=name
            )
        )

    def fetch_one(self, identity: str) -> Received:
        """See `Subscriber.fetch_one`."""
        return self._call(self._session.fetch_one, identity)  # type: ignore[no-any-return]

    def attachment(self, received: Received, attachment: OpenedAttachment, into: BinaryIO) -> int:
        """See `Subscriber.attachment`."""
        return self._call(  # type: ignore[no-any-return]
            self._session.attachment, received, attachment, into
        )


class BlockingAuditor(_Blocking[Auditor]):
    """`Auditor`, waiting for the verdict."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(Auditor(identity))

    def verify(self) -> Verdict:
        """See `Auditor.verify`."""
        return self._call(self._session.verify)  # type: ignore[no-any-return]


class BlockingOfficer(_Blocking[Officer]):
    """`Officer`, waiting until what was said stands."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(Officer(identity))

    def add(
        self, card: MemberCard, kind: Kind, *, clearance: str, communities: Collection[str] = ()
    ) -> tuple[Spoken, ...]:
        """See `Officer.add`."""
        work = partial(self._session.add, clearance=clearance, communities=communities)
        return self._call(work, card, kind)  # type: ignore[no-any-return]

    def revoke(self, kid: str, reason: str) -> tuple[Spoken, ...]:
        """See `Officer.revoke`."""
        return self._call(self._session.revoke, kid, reason)  # type: ignore[no-any-return]

    def rotate(self) -> tuple[Spoken, ...]:
        """See `Officer.rotate`."""
        return self._call(self._session.rotate)  # type: ignore[no-any-return]

    def adopt(self, release: str, accept: str) -> tuple[Spoken, ...]:
        """See `Officer.adopt`."""
        return self._call(self._session.adopt, release, accept)  # type: ignore[no-any-return]

    def propose(self, release: str, accept: str) -> bytes:
        """See `Officer.propose`."""
        return self._call(self._session.propose, release, accept)  # type: ignore[no-any-return]

    def countersign(self, raw: bytes) -> Spoken:
        """See `Officer.countersign`."""
        return self._call(self._session.countersign, raw)  # type: ignore[no-any-return]

    def recall(self, report: str, reason: str) -> tuple[Spoken, ...]:
        """See `Officer.recall`."""
        return self._call(self._session.recall, report, reason)  # type: ignore[no-any-return]

    def queue(self) -> tuple[Referral, ...]:
        """See `Officer.queue`."""
        return self._call(self._session.queue)  # type: ignore[no-any-return]

    def approve(
        self, case: Referral, *, life: int, reason: str = "", emergency: bool = False
    ) -> tuple[Spoken, ...]:
        """See `Officer.approve`."""
        work = partial(self._session.approve, life=life, reason=reason, emergency=emergency)
        return self._call(work, case)  # type: ignore[no-any-return]

    def reject(self, case: Referral, reason: str, *, life: int) -> tuple[Spoken, ...]:
        """See `Officer.reject`."""
        work = partial(self._session.reject, life=life)
        return self._call(work, case, reason)  # type: ignore[no-any-return]

    def consent(
        self, report: str, to: str, *, life: int, author: str | None = None
    ) -> tuple[Spoken, ...]:
        """See `Officer.consent`."""
        work = partial(self._session.consent, life=life, author=author)
        return self._call(work, report, to)  # type: ignore[no-any-return]

    def withdraw(self, release: str, reason: str) -> tuple[Spoken, ...]:
        """See `Officer.withdraw`."""
        return self._call(self._session.withdraw, release, reason)  # type: ignore[no-any-return]
