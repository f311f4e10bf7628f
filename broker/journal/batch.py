"""From records to the rows of one transaction: pure, so that a refusal here changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from broker.journal.binding import bind
from broker.journal.records import THIS_INDEX, Record, Stated, Value
from broker.journal.schema import (
    CHANGES,
    INSERT_CHANNEL,
    INSERT_ENTRY,
    INSERT_HEAD,
    INSERT_LINK,
    INSERT_VIEW,
    INSERTS,
    place,
)
from broker.journal.state import Seals, State
from broker.journal.store import Step
from wire.entries import Random, SealedBatch, seal_batch
from wire.notes import Checkpoint, sign_checkpoint

Written = Sequence[tuple[str, tuple[Value, ...]]]
"""The new rows of one record: tables and values."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch, the statements that write it, and the state once they are durable."""

    sealed: SealedBatch
    steps: Sequence[Step]
    after: State


def seal(
    records: Sequence[Record],
    state: State,
    channels: tuple[str, ...],
    time_ms: int,
    seals: Seals,
    random: Random,
) -> Batch:
    """The next batch on top of a state; its heads leaf names all of `channels`.

    Raises what `wire.entries.seal_batch` raises.
    """
    events, secret = [record.event for record in records], seals.at(state.size)
    sealed = seal_batch(
        events, state.size, state.frontier, state.tips, channels, time_ms, secret, random
    )
    checkpoint = Checkpoint(seals.origin, sealed.frontier.size, sealed.frontier.root())
    note = sign_checkpoint(checkpoint, seals.signers, time_ms // 1000)
    admitted = [
        (position, name, state.size)
        for position, name in enumerate(channels)
        if position >= len(state.channels)
    ]
    written = [
        [(row.table, _filled(row.values, index)) for row in record.rows]
        for index, record in enumerate(records, state.size)
    ]
    steps = [
        *_log_steps(sealed, written, secret),
        *_row_steps(records, written, state.size),
        (INSERT_CHANNEL, admitted),
        (INSERT_HEAD, [(checkpoint.size, note)]),
    ]
    after = State(sealed.frontier, sealed.tips, channels, time_ms, note)
    return Batch(sealed, [step for step in steps if step[1]], after)


def _log_steps(sealed: SealedBatch, written: Sequence[Written], secret: bytes) -> list[Step]:
    """Leaves, links and views. The heads leaf comes last and writes no rows of its own."""
    leaves = [
        (index, leaf, hashes, bind(secret, index, rows))
        for (index, leaf, hashes), rows in zip(sealed.rows, [*written, []], strict=True)
    ]
    links, views = [], []
    for entry in sealed.entries:
        for channel, link in entry.links.items():
            at = place(entry.index, link.slot)
            links.append((at, channel, link.count, link.link))
            views.append((at, *entry.views[channel]))
    return [(INSERT_ENTRY, leaves), (INSERT_LINK, links), (INSERT_VIEW, views)]


def _row_steps(records: Sequence[Record], written: Sequence[Written], first: int) -> list[Step]:
    """All new rows, one statement a table; then the changes, in the order of their records."""
    rows: dict[str, list[tuple[Value, ...]]] = {table: [] for table in INSERTS}
    changes: list[tuple[str, tuple[Value, ...]]] = []
    for index, (record, new) in enumerate(zip(records, written, strict=True), first):
        for table, values in new:
            rows[table].append(values)
        changes += [(change.key, _filled(change.params, index)) for change in record.changes]
    runs = groupby(changes, key=lambda change: change[0])
    return [
        *((INSERTS[table], values) for table, values in rows.items()),
        *((CHANGES[key], [params for _, params in run]) for key, run in runs),
    ]


def _filled(values: Sequence[Stated], index: int) -> tuple[Value, ...]:
    return tuple([index if value is THIS_INDEX else value for value in values])
