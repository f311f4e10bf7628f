"""A house whose disk is lost: an older copy is back, and its anchor knows that it is older."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from broker import continuing, custody
from broker.eras import seals_of
from broker.journal.state import Seals
from broker.settings import Settings
from tests.broker.house import House
from wire.continuing import Loss
from wire.statements import Statement


def told(done: int, size: int) -> None:
    assert 0 <= done <= size


def settings(house: House) -> Settings:
    return Settings.load(house.folder)


def seals(house: House) -> Seals:
    """How the log signs, by what lies in the broker's folder."""
    return seals_of(settings(house))


async def saved(house: House, name: str = "vault") -> Path:
    """A copy of what there is now."""
    target = house.folder.parent / name
    await custody.backup(settings(house), target, told)
    return target


async def falls_back(house: House, vault: Path) -> None:
    """The broker stops, its disk is lost, and an older copy takes its place."""
    await house.broker.close()
    shutil.rmtree(house.folder / "data")
    _, standing = await custody.restore(vault, settings(house), told)
    assert standing == "older"


async def loss(house: House, origin: str | None = None) -> Loss:
    """What the operator tells the nations."""
    return await continuing.loss(settings(house), origin, told)


def agreed(house: House, found: Loss, nations: Collection[str] = (), **how: object) -> Statement:
    """What the nations sign."""
    keep = ("charter", "continues", "size", "root", "seen", "origin", "log_keys")
    body = {name: value for name, value in found.model_dump(mode="json").items() if name in keep}
    body |= {"reason": "the disk was lost", **how}
    signers = house.world.root_signers(nations or house.world.directory.order)
    draft = house.world.together.drafts
    return draft("mission.continue", body, by=signers, seq=found.seq, prev=found.prev)


async def goes_on(
    house: House, statement: Statement, again: Collection[Path] = ()
) -> continuing.Gone:
    """What the operator does with it."""
    clock = house.world.clock
    return await continuing.go_on(settings(house), statement.raw, list(again), told, clock)


@dataclass(frozen=True)
class Handed:
    """Statements that a nation hands in, as `nation lost` writes them."""

    folder: Path

    def holds(self, statement: Statement, position: int) -> Path:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{position:012}-{statement.identity[:16]}.tlst"
        path.write_bytes(statement.raw)
        return path
