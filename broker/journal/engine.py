"""Step 6 of a report's way: nothing is true until it is here, and then it stays true.

One writer. A batch is one SQLite transaction that holds the entries, the rows the broker serves
from and the signed checkpoint over all of it; then the anchor; then the callers are told.
Memory changes last. Whatever fails on the way stops the journal for good: what is on the disk is
then unknown, and the next start finds out (`recovery`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Self

from broker.journal import memory
from broker.journal.anchor import Anchor
from broker.journal.batch import seal
from broker.journal.evidence import FreshEvidence
from broker.journal.lock import FolderLock
from broker.journal.reading import Readable
from broker.journal.records import Change, Entry, Record
from broker.journal.recovery import compare_anchor, recover
from broker.journal.schema import ERASING, MEMORY, PROGRESS
from broker.journal.state import Era, Seals, State
from broker.journal.store import Store, faults
from wire.entries import Random
from wire.errors import BrokerFault
from wire.merkle import EMPTY_ROOT, Frontier
from wire.notes import Checkpoint, NoteSigner, sign_checkpoint


class Journal(Readable):
    """The log and the tables that follow from it. Made by `open`; safe for many tasks at once."""

    def __init__(
        self,
        store: Store,
        anchor: Anchor,
        lock: FolderLock,
        state: State,
        seals: Seals,
        channels: tuple[str, ...],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        super().__init__(store, state, seals)
        self._anchor, self._lock, self._channels = anchor, lock, channels
        self._clock, self._random = clock, random
        self._progress: list[Change] = []
        self._closed = False

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        anchor: Path,
        signers: Sequence[NoteSigner],
        origin: str,
        secret: bytes,
        channels: Sequence[str],
        clock: Callable[[], float],
        random: Random,
        eras: Sequence[Era] = (),
        accept_missing_anchor: bool = False,
    ) -> Self:
        """Recover the journal in `folder`, or start one there with these channels.

        `anchor` is the path of the anchor file, on another disk if there is one. `clock` gives
        Unix seconds. A journal that exists must begin with the channels given; those admitted
        later it knows by itself. `eras` are the losses after which it was continued. Accepting a
        missing anchor is for a restored machine only: a rollback then goes unseen until a witness
        is asked.

        Raises `BrokerFault` "locked", "journal-damaged", "rollback-detected", "bad-settings" if
        the channels are others, "disk-full" or "journal-stopped".
        """
        seals = Seals(origin, tuple(signers), secret, tuple(eras))
        async with AsyncExitStack() as undo:
            undo.enter_context(faults())
            lock = FolderLock.take(folder)
            undo.callback(lock.release)
            outside = Anchor(anchor)
            undo.callback(outside.close)
            store = await Store.open(folder)
            undo.push_async_callback(store.close, clean=False)
            state = await recover(store, seals) or _nothing(seals, clock)
            await compare_anchor(store, outside, state, seals, accept_missing=accept_missing_anchor)
            await store.fold_all()
            await outside.write(state.checkpoint)
            known = state.channels or tuple(channels)
            if known[: len(channels)] != tuple(channels):
                raise BrokerFault("bad-settings", "the channels are not those of this journal")
            undo.pop_all()
        return cls(store, outside, lock, state, seals, known, clock, random)

    async def close(self) -> None:
        """Finish the write under way, fold the log back if all is well, and let go of the files."""
        async with self._writing, AsyncExitStack() as closing:
            if self._closed:
                return
            clean, self._stopped, self._closed = not self._stopped, True, True
            closing.callback(self._lock.release)
            closing.callback(self._anchor.close)
            closing.push_async_callback(self._store.close, clean=clean)

    # -- writing

    async def append(self, records: Sequence[Record]) -> list[Entry]:
        """Make the records true, together; they take consecutive indices from `size` on.

        When this returns they are durable and anchored. If it raises while sealing (`Malformed`,
        or `BrokerFault` "journal-damaged" for an unknown channel) nothing was touched. Any later
        failure, a cancellation among them, stops the journal: `BrokerFault` "disk-full" or
        "journal-stopped".
        """
        async with self._writing:
            self._check_running()
            if not records:
                return []
            # An entry is never older than the one before it, whatever the clock does.
            time_ms = max(int(self._clock() * 1000), self._state.time_ms)
            batch = seal(records, self._state, self._channels, time_ms, self._seals, self._random)
            with self._stop_on_failure():
                await self._store.fold()
                await self._store.stage(batch.steps)
                await self._store.commit()  # from here on it is true
                await self._anchor.write(batch.after.checkpoint)
                if any(change.key in ERASING for record in records for change in record.changes):
                    await self._store.fold_all()  # what was deleted still stands in the log
            self._state = batch.after
        note = batch.after.checkpoint
        return [
            Entry(
                entry.index,
                time_ms,
                record.event.type,
                FreshEvidence(entry, batch.sealed, note, self._seals.at(entry.index)),
            )
            for entry, record in zip(batch.sealed.entries, records, strict=True)
        ]

    def add_channel(self, channel: str) -> None:
        """Give a newly admitted nation its chain, after all others, from the next batch on."""
        if channel not in self._channels:
            self._channels += (channel,)

    async def note_progress(self, change: Change) -> None:
        """Write a statement of `schema.PROGRESS`, outside the log; durable when this returns.

        Calls that wait for one another share a transaction. Raises like `append`.
        """
        self._check_running()
        assert change.key in PROGRESS, change.key
        self._progress.append(change)
        async with self._writing:
            self._check_running()
            noted, self._progress = self._progress, []
            if not noted:  # somebody who waited before us has written ours with his own
                return
            with self._stop_on_failure():
                runs = groupby(noted, key=lambda one: one.key)
                await self._store.stage(
                    [(PROGRESS[key], [one.params for one in run]) for key, run in runs]
                )
                await self._store.commit()

    async def remember(
        self, form: str, sheets: Mapping[int, bytes], count: int, *, shred: bool
    ) -> None:
        """Keep beside the log what is remembered of everything in it; durable when this returns.

        There are `count` sheets then: those of before, but for those that are given. With `shred`
        nothing of what they said before stays readable. Raises like `append`.
        """
        async with self._writing:
            self._check_running()
            digests = memory.digests(self._digests, sheets, count)
            note = self._state.checkpoint
            tag = memory.tag(self._seals.secret, form, note, digests)
            with self._stop_on_failure():
                await self._store.fold()
                await self._store.stage(
                    [
                        (MEMORY["sheet.put"], list(sheets.items())),
                        (MEMORY["sheet.cut"], [(count,)]),
                        (MEMORY["memory.set"], [(form, note, tag)]),
                    ]
                )
                await self._store.commit()
                if shred:
                    await self._store.fold_all()
            self._digests = digests

    async def set_cursor(self, member: str, name: str, position: int) -> None:
        """Remember how far a member has read one of its subscriptions."""
        await self.note_progress(Change("cursor.set", (member, name, position)))

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels in order of admission; the newest may wait for its first batch."""
        return self._channels

    # -- stopping

    @contextmanager
    def _stop_on_failure(self) -> Iterator[None]:
        try:
            with faults():
                yield
        except BaseException:
            self._stopped = True
            raise


def _nothing(seals: Seals, clock: Callable[[], float]) -> State:
    """The state before the first batch: an empty tree, signed, so that there is an anchor."""
    empty = Checkpoint(seals.origin, 0, EMPTY_ROOT)
    return State(Frontier(), {}, (), 0, sign_checkpoint(empty, seals.signers, int(clock())))
