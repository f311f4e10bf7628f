"""What the journal makes of erased views: nothing passes for an erasure that is none."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.journal.anchor import Anchor
from broker.journal.store import Store
from tests.broker.house import House
from tests.broker.test_erasing import on_disk
from tests.broker.test_retention import FLOOR, days_pass, openings, order, sweeps, verified
from tests.refusal import refused
from wire.entries import MISSION
from wire.errors import BrokerFault

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


# -- the journal notices

EDITS = {
    "a view erased by no entry": """UPDATE view SET opening = NULL, body = NULL,
        erased = (SELECT idx FROM sweep) WHERE at IN (SELECT at FROM link
        WHERE channel = 'GBR' LIMIT 1)""",
    "a view erased by another entry": """UPDATE view SET erased = erased + 1
        WHERE erased IS NOT NULL""",
    "a younger view erased": """UPDATE view SET opening = NULL, body = NULL,
        erased = (SELECT idx FROM sweep) WHERE at IN (SELECT at FROM link
        WHERE channel = 'KEN' AND count = (SELECT until FROM sweep))""",
    "a longer stretch": "UPDATE sweep SET until = until + 1",
    "another channel": "UPDATE sweep SET channel = 'GBR'",
    "no sweep": "DELETE FROM sweep",
    "a sweep of nobody's": "INSERT INTO sweep SELECT idx - 1, 'GBR', 0, 1, 1, 1 FROM sweep",
    "an erased view that is there again": """UPDATE view SET erased = NULL, opening = (SELECT
        opening FROM view WHERE opening IS NOT NULL), body = x'7b7d' WHERE erased IS NOT NULL""",
}


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
async def test_what_no_entry_erased_is_missed(house: House, edit: str) -> None:
    """Who can write the file cannot pass a loss off as an erasure. Expect refusal."""
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await house.broker.views(house.member(house["GBR"].auditor), 0, 0, 9)
    await order(house)
    await days_pass(house, FLOOR + 1)
    await house.broker.close()
    with closing(sqlite3.connect(house.folder / "data/journal.db", isolation_level=None)) as shell:
        assert shell.execute(EDITS[edit]).rowcount > 0
    with pytest.raises(BrokerFault, match="journal-damaged"):
        await house.opens()


async def test_an_erased_view_that_was_put_back_is_noticed(house: House) -> None:
    """With its true text and opening, from an old copy. Expect refusal."""
    await house.submits(house["KEN"].seals(release_to="GBR"))
    await order(house)
    path, query = house.folder / "data/journal.db", "SELECT at, opening, body FROM view"
    with closing(sqlite3.connect(path)) as shell:
        old = {at: (opening, body) for at, opening, body in shell.execute(query)}
    await days_pass(house, FLOOR + 1)
    await house.broker.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        gone = [at for (at,) in shell.execute("SELECT at FROM view WHERE erased IS NOT NULL")]
        put = "UPDATE view SET erased = NULL, opening = ?, body = ? WHERE at = ?"
        shell.execute(put, (*old[gone[0]], gone[0]))
    with pytest.raises(BrokerFault, match="a view is there that an entry erased"):
        await house.opens()


# -- in the middle


@pytest.mark.slow
@pytest.mark.parametrize("broken", [(Anchor, "write"), (Store, "fold_all"), (Store, "commit")])
async def test_an_erasure_that_breaks_is_made_good_at_the_next_start(
    house: House, broken: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the commit nothing is erased, after it all of the stretch is, and in no file."""
    await house.submits(house["KEN"].seals(release_to="GBR"))
    secret = await openings(house, "KEN")
    await order(house)
    house.world.clock.forward(days=FLOOR + 1)

    async def fails(*_: object) -> None:
        raise OSError(5, "the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(*broken, fails)
        with refused("journal-stopped"):
            await house.broker.expire()
        await house.broker.close()
    await house.opens()
    assert on_disk(house, secret) == set()
    assert len(await sweeps(house, "KEN")) == len(await sweeps(house, MISSION)) == 1
    await house.broker.journal.scrub()
    await verified(house, "KEN")


@pytest.mark.slow
async def test_nobody_is_shown_a_missing_view_without_the_entry_that_explains_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit and the end of the erasure, a reader waits: else it would see a lie."""
    index = (await house.submits(house["KEN"].seals(release_to="GBR"))).index
    await order(house)
    house.world.clock.forward(days=FLOOR + 1)
    journal, committed, go_on = house.broker.journal, asyncio.Event(), asyncio.Event()
    write = Anchor.write

    async def waits(anchor: Anchor, note: str) -> None:
        committed.set()
        await go_on.wait()
        await write(anchor, note)

    monkeypatch.setattr(Anchor, "write", waits)
    erasing = asyncio.create_task(house.broker.expire())
    await committed.wait()
    reading = asyncio.create_task(journal.segment("KEN"))
    proving = asyncio.create_task(journal.prove("KEN", [index]))
    done, _ = await asyncio.wait([reading, proving], timeout=0.2)
    go_on.set()
    assert not done
    page, (proof,) = await reading, await proving
    await erasing
    (sweep,) = [e for e in page.entries if b'"type":"view.erased"' in e.link]
    assert page.entries[0].view is None
    assert int(page.checkpoint.splitlines()[1]) > sweep.index
    assert proof.view is None
    assert int((proof.checkpoint or "").splitlines()[1]) > sweep.index
