"""A state as plain values, to be compared; and what a stopped broker's folder gives as one."""

import shutil
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

from broker import rebuilding
from broker.held import Held, HeldPortion, Lanes
from broker.holdings import Holdings
from broker.journal import Journal
from broker.journal.memory import Remembered
from broker.sequencer import BatchClock
from broker.settings import Settings
from broker.standing import Standing
from broker.state import State
from tests.broker.house import House
from wire.directory import Directory
from wire.entries import MISSION
from wire.notes import Ed25519Signer


async def journal_of(house: House) -> Journal:
    """The journal of a house whose broker is stopped."""
    settings = Settings.load(house.folder)
    return await Journal.open(
        settings.data_folder,
        anchor=settings.anchor_folder / "checkpoint",
        signers=(Ed25519Signer(settings.origin, settings.secret("log-key")),),
        origin=settings.origin,
        secret=settings.secret("journal-secret"),
        channels=(MISSION,),
        clock=house.world.clock,
        random=bytes,
    )


async def states(house: House) -> tuple[State, State, int]:
    """A stopped broker's state as a start builds it, and from the journal alone; and up to which
    entry memory was believed.
    """
    journal = await journal_of(house)
    try:
        believed, size = await _filled(house, journal, rebuilding.recalled(journal))
        read, _ = await _filled(house, journal, rebuilding.nothing())
    finally:
        await journal.close()
    return believed, read, size


async def _filled(
    house: House, journal: Journal, remembered: Awaitable[Remembered]
) -> tuple[State, int]:
    settings = Settings.load(house.folder)
    directory = Directory(settings.mission, settings.charter)
    state = State(Standing(directory), BatchClock(house.world.clock))
    return state, await rebuilding.fill(state, journal, remembered)


async def same(house: House) -> int:
    """A stopped broker's state is the same either way; gives up to which entry it is remembered."""
    believed, read, size = await states(house)
    assert image(believed) == image(read)
    return size


def image(state: State) -> dict[str, Any]:
    """Every field of a state that reports and statements fill."""
    return {
        "statements": state.statements,
        "directory": state.standing.directory,
        "consents": state.standing.consents,
        "approvals": state.standing.approvals,
        **_indexes(state.holdings),
        "reports": [_report(held) for held in state.holdings],
    }


def _indexes(all_: Holdings) -> dict[str, Any]:
    def lanes(one: Lanes) -> Any:
        return [
            [(o.position, o.held.identity, o.portions) for o in x] for x in (one.all, *one.lanes)
        ]

    return {
        "lanes": {nation: lanes(one) for nation, one in all_._lanes.items() if one.all},
        "ids": {
            (nation, name): held.position
            for nation, named in all_._by_id.items()
            for name, held in named.items()
        },
        "positions": [(position, all_.at(position).identity) for position in all_._positions],
        "expiring": sorted(all_._expiring),
        "aging": {n: [h.position for h in found] for n, found in all_._aging.items() if found},
        "drawn": {nation: list(found) for nation, found in all_._drawn.items() if found},
        "derived": {c: [(h.position, p.index) for h, p in d] for c, d in all_._derived.items()},
        "salts": dict(all_._salts),
    }


def _report(held: Held) -> dict[str, Any]:
    plain = ("position", "accepted", "identity", "id", "originator", "created", "erased", "recall")
    return {
        **{name: getattr(held, name) for name in plain},
        "added": dict(held.added),
        "released": list(held.released.items()),
        "binding": held.binding,
        "portions": [told(portion) for portion in held.portions],
    }


def told(portion: HeldPortion) -> dict[str, Any]:
    """Every field of a portion, and of its kind."""
    fields = {name: getattr(portion, name) for name in portion.__struct_fields__}
    facts, topic, *others = fields.pop("kind")
    return {**fields, "kind": (facts, topic.regions, topic.threats, topic.precedence, *others)}


async def dies(house: House) -> None:
    """The broker is killed where it stands: what is on the disk now, the next start finds."""
    found = house.folder.with_name("found")
    for name in ("data", "anchor"):
        shutil.copytree(house.folder / name, found / name)
    await house.broker.close()
    for name in ("data", "anchor"):
        shutil.rmtree(house.folder / name)
        (found / name).rename(house.folder / name)
    found.rmdir()


def shell(house: House, *lines: str) -> list[Any]:
    """Change a stopped broker's database as somebody would who has the file."""
    path: Path = house.folder / "data" / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        return [database.execute(line).fetchall() for line in lines]
