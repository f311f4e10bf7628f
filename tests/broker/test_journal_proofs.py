"""Everything that leaves the journal can be checked without it."""

import asyncio
from pathlib import Path

import pytest

from broker.journal import Record
from broker.journal.evidence import _NAMED
from broker.journal.nodes import inclusion_proofs
from tests.broker.journal_world import (
    CHANNELS,
    LOG_KEYS,
    World,
    event,
    follow,
    leaves_of,
    plain_root,
    records,
    root_of,
    some_batches,
)
from tests.refusal import refused
from wire.entries import Event
from wire.merkle import leaf_hash, verify_consistency, verify_inclusion
from wire.prove import Trust, verify_entry, walk

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.slow
async def test_every_leaf_is_proven_in_every_tree(world: World) -> None:
    async with world.journal() as journal:
        for batch in some_batches(seed=1, batches=8):
            await journal.append(batch)
        leaves = await leaves_of(journal)
        assert root_of(journal.checkpoint) == plain_root(leaves)
        for size in range(1, journal.size + 1):
            root = plain_root(leaves[:size])
            proofs = await inclusion_proofs(journal._store, range(size), size)
            for index, proof in enumerate(proofs):
                verify_inclusion(index, size, leaf_hash(leaves[index]), proof, root)
        (alone,) = await inclusion_proofs(journal._store, [3], 9)
        assert await journal.inclusion(3, 9) == list(alone)


@pytest.mark.slow
async def test_every_tree_is_proven_to_start_with_every_older_one(world: World) -> None:
    async with world.journal() as journal:
        for batch in some_batches(seed=2, batches=4):
            await journal.append(batch)
        leaves = await leaves_of(journal)
        for new in range(1, len(leaves) + 1):
            for old in range(1, new + 1):
                proof = await journal.consistency(old, new)
                roots = plain_root(leaves[:old]), plain_root(leaves[:new])
                verify_consistency(old, new, proof, *roots)


async def test_what_the_log_does_not_have_is_not_found(world: World) -> None:
    async with world.journal() as journal:
        await journal.append(records(1, 3))
        size = journal.size
        for index, of in ((-1, size), (size, size), (0, size + 1), (0, 0)):
            with refused("not-found"):
                await journal.inclusion(index, of)
        for old, new in ((-1, size), (2, 1), (1, size + 1)):
            with refused("not-found"):
                await journal.consistency(old, new)
        for index in (-1, size):
            with refused("not-found"):
                await journal.leaf(index)
        with refused("not-found"):
            await journal.segment("USA")
        with refused("not-found"):
            await journal.prove("FRA", [0])
        for asked in [(0, 0), (0, 0, 0), (0, 0, -1), (0, -1, 4), (0, 1, 1), (-1, 0, 1), (8, 0, 1)]:
            with refused("not-found"):
                await journal.tile(*asked)
        with refused("not-found"):
            await journal.bundle(0, size + 1)


# -- pages of a chain


@pytest.mark.slow
async def test_pages_of_any_length_walk_to_the_end(world: World) -> None:
    async with world.journal() as journal:
        for batch in some_batches(seed=3, batches=20):
            await journal.append(batch)
        whole = await follow(journal, "FRA")
        for limit in (1, 2, 7):
            assert await follow(journal, "FRA", limit=limit) == whole


@pytest.mark.slow
async def test_a_walk_goes_on_from_where_it_stopped(world: World) -> None:
    trust, numbers = None, []
    for number, batch in enumerate(some_batches(seed=4, batches=10)):
        async with world.journal() as journal:
            await journal.append([*batch, Record(event(number, "SEN"))])
            trust, found = await follow(journal, "SEN", trust)
            numbers += [entry.count for entry in found]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 10


async def test_a_channel_without_entries_is_proven_to_have_none(world: World) -> None:
    async with world.journal() as journal:
        await journal.append(records(1, 2, "KEN"))
        trust, found = await follow(journal, "SEN")
        assert found == []
        assert trust.size == journal.size


async def test_a_page_ends_before_it_gets_too_large(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.evidence.PAGE_BYTES", 50_000)
    long = Event("release", {"KEN": {"text": "x" * 60_000}})
    async with world.journal() as journal:
        await journal.append([Record(long) for _ in range(5)])
        assert len((await journal.segment("KEN")).entries) == 1
        _, found = await follow(journal, "KEN")
        assert len(found) == 5


async def test_a_page_never_has_more_entries_than_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.evidence.PAGE_ENTRIES", 10)
    async with world.journal() as journal:
        await journal.append(records(1, 30, "KEN"))
        assert len((await journal.segment("KEN", 0, 10_000)).entries) == 10
        assert (await journal.segment("KEN", 0, -1)).entries == ()
        assert (await journal.segment("KEN", 30, 5)).entries == ()


async def test_named_entries_are_proven_under_the_newest_checkpoint(world: World) -> None:
    async with world.journal() as journal:
        for batch in some_batches(seed=5, batches=10):
            await journal.append(batch)
        _, found = await follow(journal, "GBR")
        wanted = [entry.index for entry in found[::2]]
        shown = await journal.prove("GBR", wanted[::-1])
        proven = [verify_entry(evidence, LOG_KEYS, "GBR") for evidence in shown]
        assert [entry.view for entry in proven] == [entry.view for entry in found[::2]]
        assert {evidence.checkpoint for evidence in shown} == {journal.checkpoint}


@pytest.mark.slow
async def test_a_page_read_while_others_append_is_of_one_checkpoint(world: World) -> None:
    async with world.journal() as journal:
        await journal.append(records(1, 40))

        async def append() -> None:
            for number in range(10):
                await journal.append(records(number, 5))

        async def read() -> None:
            for _ in range(15):
                page = await journal.segment("KEN", 0, 500)
                _, found, complete = walk(Trust(), page, LOG_KEYS, "KEN", 1, len(CHANNELS), [])
                assert complete
                assert len(found) >= 40

        await asyncio.gather(append(), read(), read())


# -- tiles


@pytest.mark.slow
async def test_tiles_and_bundles_are_the_leaves(world: World) -> None:
    async with world.journal() as journal:
        for number in range(5):
            await journal.append(records(number, 130))
        size = journal.size
        leaves = await leaves_of(journal)
        assert size == 655
        rebuilt: list[bytes] = []
        for tile, width in ((0, 256), (1, 256), (2, size - 512)):
            hashes = _split(await journal.tile(0, tile, width), 32)
            bundle = _unpacked(await journal.bundle(tile, width))
            assert [leaf_hash(leaf) for leaf in bundle] == hashes
            rebuilt += bundle
        assert rebuilt == leaves
        upper = _split(await journal.tile(1, 0, 2), 32)
        assert upper == [plain_root(leaves[:256]), plain_root(leaves[256:512])]
        assert await journal.tile(0, 2, 7) == (await journal.tile(0, 2, size - 512))[: 7 * 32]
        with refused("not-found"):
            await journal.tile(1, 0, 3)
        with refused("not-found"):
            await journal.tile(0, 2)


def _split(data: bytes, width: int) -> list[bytes]:
    return [data[at : at + width] for at in range(0, len(data), width)]


def _unpacked(bundle: bytes) -> list[bytes]:
    leaves = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2], "big")
        leaves.append(bundle[2:end])
        bundle = bundle[end:]
    return leaves


async def test_proving_named_entries_never_reads_the_rest_of_the_chain(world: World) -> None:
    """Else a reader who comes back costs more with every report that there ever was."""
    async with world.journal() as journal:
        plan = await journal._store.read(f"EXPLAIN QUERY PLAN {_NAMED}", ("[1]", "GBR"))
        steps = [step for *_, step in plan]
        assert "SEARCH link USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in steps, steps
