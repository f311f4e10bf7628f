"""After a loss the log goes on under a new name, as the nations sign, and never without them."""

import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker import continuing
from broker.settings import Settings
from tests.broker import lost
from tests.broker.house import House
from tests.coalition import ORIGIN
from tests.refusal import refused
from wire import links
from wire.entries import MISSION
from wire.errors import BrokerFault, TearlineError
from wire.notes import Checkpoint, open_checkpoint
from wire.statements import Statement

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR", "FRA")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of(*NATIONS, folder=tmp_path) as found:
        yield found


async def reports(house: House, number: int = 1) -> list[str]:
    found = [await house.submits(house["KEN"].seals(release_to="GBR")) for _ in range(number)]
    return [receipt.report for receipt in found]


async def loses(house: House) -> str:
    """Two reports are in the copy, three are lost; gives the checkpoint that everybody saw."""
    await reports(house, 2)
    vault = await lost.saved(house)
    await reports(house, 3)
    await house.pulls(house["GBR"].analyst)
    await lost.falls_back(house, vault)
    return house.broker.journal.checkpoint


async def test_the_log_goes_on_from_the_copy_under_its_new_name(house: House) -> None:
    seen = await loses(house)
    found = await lost.loss(house)
    assert (found.continues, found.origin) == (ORIGIN, f"{ORIGIN}/2")
    assert found.seen == int(seen.splitlines()[1]) > found.size
    done = await lost.goes_on(house, lost.agreed(house, found))
    assert (done.origin, done.size, done.again) == (found.origin, found.size, 0)
    broker = await house.opens()
    first, *_ = [kind for kind, _ in (await house.channel(MISSION))[-2:]]
    assert first == "statement"
    assert broker.directory.continued[0].position == found.size
    note = broker.journal.checkpoint
    keys = lost.seals(house).log_keys
    assert open_checkpoint(note, keys).checkpoint.origin == found.origin
    assert len(await house.pulls(house["GBR"].analyst)) == 2
    await reports(house)
    await broker.journal.scrub()
    await house.restarts()
    assert len(await house.pulls(house["GBR"].analyst)) == 3
    kept = house.folder / "anchor" / f"before-{found.size}" / "checkpoint"
    assert kept.read_text().startswith(f"{ORIGIN}\n")


async def test_a_log_is_lost_a_second_time(house: House) -> None:
    await loses(house)
    await lost.goes_on(house, lost.agreed(house, await lost.loss(house)))
    await house.opens()
    vault = await lost.saved(house, "second")
    await reports(house)
    await lost.falls_back(house, vault)
    found = await lost.loss(house)
    assert (found.continues, found.origin) == (f"{ORIGIN}/2", f"{ORIGIN}/3")
    await lost.goes_on(house, lost.agreed(house, found))
    broker = await house.opens()
    assert [c.body.origin for c in broker.directory.continued] == [f"{ORIGIN}/2", f"{ORIGIN}/3"]
    await reports(house)
    await broker.journal.scrub()
    await house.restarts()


async def test_what_was_lost_is_said_again_before_anything_is_served(house: House) -> None:
    """A member who was revoked in what is lost is not served for a moment."""
    vault = await lost.saved(house)
    analyst = house["GBR"].analyst
    revoked = house["GBR"].revokes(analyst)
    position = (await house.files(revoked)).index
    await lost.falls_back(house, vault)
    handed = lost.Handed(house.folder.parent / "GBR")
    statement = lost.agreed(house, await lost.loss(house))
    stray = handed.holds(house["KEN"].drafts("report.recall", recall()), position + 1)
    done = await lost.goes_on(house, statement, [handed.holds(revoked, position), stray])
    assert done.again == 2
    broker = await house.opens()
    kinds = [kind for kind, _ in await house.channel(MISSION)]
    assert kinds[-3:] == ["statement", "statement", "operator.start"]
    assert broker.directory.members[analyst.kid].revoked == done.size + 2
    with refused("unknown-signer"):
        house.member(analyst)


def recall() -> dict[str, str]:
    return {"report": "ab" * 32, "reason": "nobody has it any more"}


async def test_openings_that_were_shown_before_the_loss_open_nothing_new(house: House) -> None:
    """Expect refusal: a nation that was shown an opening of what is lost could otherwise test
    guesses about what another nation is told in the same place."""
    vault = await lost.saved(house)
    await reports(house)
    before = (await house.broker.journal.segment("KEN")).entries[-1]
    await lost.falls_back(house, vault)
    done = await lost.goes_on(house, lost.agreed(house, await lost.loss(house)))
    broker = await house.opens()
    while broker.journal.size <= before.index:
        await reports(house)
    entries = (await broker.journal.segment(MISSION)).entries
    entries += (await broker.journal.segment("KEN")).entries
    openings = {(e.index, e.slot): e.opening for e in entries}
    assert openings[done.size, 0] != before.opening
    leaf = await broker.journal.leaf(before.index)
    with pytest.raises(TearlineError):
        links.open_link(leaf, before.slot, before.opening, before.link)
    assert openings.get((before.index, before.slot)) != before.opening


async def test_a_cursor_that_led_into_what_is_lost_leads_nowhere(house: House) -> None:
    """Expect refusal: it would pass over reports that take the lost places."""
    vault = await lost.saved(house)
    await reports(house, 3)
    following = await house.follows(house["GBR"].analyst)
    for _ in range(3):
        await following.report()
    cursor = following.cursor
    await following.closes()
    await lost.falls_back(house, vault)
    await lost.goes_on(house, lost.agreed(house, await lost.loss(house)))
    await house.opens()
    with refused("bad-cursor"):
        await house.follows(house["GBR"].analyst, cursor=cursor)
    sent = await reports(house, 2)
    assert await (await house.follows(house["GBR"].analyst)).rest() == sent


# -- the operator alone


async def test_fewer_nations_than_more_than_half_move_nothing(house: House) -> None:
    """Expect refusal, and the copy as it was."""
    await loses(house)
    files = {p: p.read_bytes() for p in house.folder.rglob("*") if p.is_file()}
    statement = lost.agreed(house, await lost.loss(house), ["KEN"])
    with refused("not-allowed", "1 of 2 nations"):
        await lost.goes_on(house, statement)
    assert {p: p.read_bytes() for p in house.folder.rglob("*") if p.is_file()} == files
    with refused("rollback-detected"):
        await house.opens()


async def test_a_statement_about_another_tree_or_key_moves_nothing(house: House) -> None:
    """Expect refusal."""
    await loses(house)
    found = await lost.loss(house)
    with refused("rollback-detected", "another tree"):
        await lost.goes_on(house, lost.agreed(house, found, root="ab" * 32))
    with refused("statement-conflict", f"after the first {found.size - 1}"):
        await lost.goes_on(house, lost.agreed(house, found, size=found.size - 1))
    with refused("bad-settings", "another `log-key`"):
        await lost.goes_on(house, lost.agreed(house, found, log_keys=[str(house.log_key)]))
    with refused("bad-statement", "does not continue"):
        await lost.goes_on(house, house["KEN"].drafts("head.seen", head()))


def head() -> dict[str, object]:
    return {"size": 1, "root": "ab" * 32}


async def test_a_journal_that_misses_nothing_is_not_given_up(house: House) -> None:
    """Expect refusal: there is nothing to agree about."""
    with refused("locked"):
        await lost.loss(house)
    await house.broker.close()
    with refused("bad-input", "nothing is missing"):
        await lost.loss(house)


async def test_a_new_name_that_no_statement_gives_is_not_served(house: House) -> None:
    """Expect refusal, at every point at which the operator could break off."""
    await loses(house)
    statement = lost.agreed(house, await lost.loss(house))
    await lost.goes_on(house, statement)
    (path,) = (house.folder / "genesis").glob("continued-*")
    path.rename(house.folder / "aside")
    with refused("journal-damaged"):
        await house.opens()
    await lost.goes_on(house, statement)  # what was broken off is made good
    await house.opens()


async def test_a_log_key_that_was_lost_is_replaced(house: House) -> None:
    await loses(house)
    (house.folder / "log-key").write_text("ab" * 32 + "\n")
    found = await lost.loss(house)
    assert found.log_keys != (str(house.log_key),)
    await lost.goes_on(house, lost.agreed(house, found))
    broker = await house.opens()
    assert broker.directory.founded.log_keys == found.log_keys
    tree = Checkpoint.parse(broker.journal.checkpoint.rpartition("\n\n")[0] + "\n")
    assert tree.origin == found.origin
    assert Settings.load(house.folder).origin == ORIGIN


async def test_the_statement_stands_only_right_behind_the_tree_it_names(house: House) -> None:
    """Expect refusal where somebody posts it to a broker that has lost nothing."""
    found: Statement
    vault = await lost.saved(house)
    await reports(house)
    shutil.copytree(house.folder, house.folder.parent / "twin")
    await lost.falls_back(house, vault)
    found = lost.agreed(house, await lost.loss(house))
    shutil.rmtree(house.folder)
    (house.folder.parent / "twin").rename(house.folder)
    await house.opens()
    with refused("statement-conflict", "before it is served"):
        await house.files(found)


async def test_a_stolen_log_key_is_replaced_though_nothing_is_lost(house: House) -> None:
    await reports(house, 2)
    await house.broker.close()
    (house.folder / "log-key").write_text("cd" * 32 + "\n")
    found = await lost.loss(house)
    assert (found.seen, found.size) == (house.broker.journal.size, house.broker.journal.size)
    await lost.goes_on(house, lost.agreed(house, found))
    await house.opens()
    assert len(await house.pulls(house["GBR"].analyst)) == 2


@pytest.mark.parametrize("happened", [False, True], ids=["failed", "failed but happened"])
@pytest.mark.parametrize("step", ["outside.rename", "_file", "_keep_old", "write_anchor"])
async def test_what_is_broken_off_is_not_served_and_is_made_good(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str, happened: bool
) -> None:
    """Expect a broker that does not start, at whatever write the operator's machine dies."""
    await loses(house)
    statement = lost.agreed(house, await lost.loss(house))
    owner: object = continuing
    *path, name = step.split(".")
    for part in path:
        owner = getattr(owner, part)
    whole = getattr(owner, name)

    def dies(*given: Any, **how: Any) -> Any:
        done = whole(*given, **how) if happened else None
        if done is not None:
            return dies_after(done)
        raise OSError(errno.EIO, "gone")

    async def dies_after(done: Any) -> None:
        await done
        raise OSError(errno.EIO, "gone")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with refused("journal-stopped"):
            await lost.goes_on(house, statement)
        if (step, happened) != ("write_anchor", True):
            with pytest.raises(BrokerFault):
                await house.opens()
    done = await lost.goes_on(house, statement)
    broker = await house.opens()
    assert broker.directory.founded.origin == done.origin
    await broker.journal.scrub()
