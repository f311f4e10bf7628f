"""Witnesses from end to end: a kit's auditors cosign, and a quorum confirms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.auditor import Auditor
from clients.identity import Identity
from clients.witness import attend
from clients.witness.bring import Brought
from tests.cli.terminal import here
from tests.pilot import PASSPHRASE, Pilot, draft
from wire.witness import quorum, tolerated

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA", "SEN")
QUORUM = quorum(4, tolerated(4))


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with Pilot.of(*NATIONS, folder=tmp_path_factory.mktemp("witnesses")) as running:
        yield running


def auditor(pilot: Pilot, nation: str) -> Path:
    return pilot.folder / nation / "auditor"


async def looks(pilot: Pilot, nation: str) -> Brought:
    """One look of a nation's witness."""
    async with Auditor(Identity.load(auditor(pilot, nation), PASSPHRASE)) as session:
        brought = await attend.once(session)
    assert brought is not None
    return brought


@pytest.mark.slow
async def test_nothing_is_published_below_the_quorum_and_writes_do_not_wait(pilot: Pilot) -> None:
    assert pilot.server is not None
    assert pilot.server.ask("GET /v1/log/checkpoint").status == 404
    async with pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft())
        assert await publisher.confirmed() is None
    first = pilot.server.ask("GET /v1/log/candidate").body
    for count, nation in enumerate(NATIONS[:QUORUM], 1):
        assert pilot.server.ask("GET /v1/log/checkpoint").status == 404
        brought = await looks(pilot, nation)
        assert (brought.witnesses, brought.confirmed) == (count, count >= QUORUM)
    published = pilot.server.ask("GET /v1/log/checkpoint")
    assert published.body.startswith(first), "the tree that all of them were shown"
    async with pilot.publisher("KEN") as publisher:
        confirmed = await publisher.confirmed()
        assert confirmed is not None
        assert confirmed.covers(receipt.index)
        assert len(confirmed.cosigned_by) == QUORUM
        newer = await publisher.publish(draft("Another"))
        assert not confirmed.covers(newer.index)


@pytest.mark.slow
def test_an_auditor_sees_what_is_confirmed(pilot: Pilot) -> None:
    home = auditor(pilot, "KEN")
    pulled = here("audit", "pull", "--json", "--as", home).done().row
    assert pulled["cosigned"]
    for count, nation in enumerate(NATIONS[1:], 2):
        words = ("witness", "follow", "--once", "--json", "--as", auditor(pilot, nation))
        row = here(*words).done().row
        assert (row["witnesses"], row["confirmed"]) == (count, count >= QUORUM)
        if row["confirmed"]:
            break
    assert here("audit", "pull", "--json", "--as", home).done().row["confirmed_size"] > 0
    status = here("audit", "status", "--json", "--as", home).done().row
    assert status["confirmed"]
    assert status["cosigned_age_s"] < 600
    assert "cosigned" in here("audit", "status", "--as", home).done().out
