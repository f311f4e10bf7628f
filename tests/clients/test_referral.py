"""What a broker may not make an officer sign: a case under another text, a consent for another
report. The broker lies; the officer's client has proven what it compares with.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from clients.founding import Policies
from clients.officer import Officer
from tests.clients.liar import Liar
from tests.clients.test_officer import OFFICER_FIRST
from tests.pilot import Pilot, draft, open_policy, permit_all
from tests.refusal import refused

pytestmark = pytest.mark.anyio

RELEASE = f"{permit_all('KEN', 'release')}\n{OFFICER_FIRST}"
POLICIES = {
    "KEN": Policies(RELEASE, permit_all("KEN", "accept")),
    **{nation: open_policy(nation) for nation in ("GBR", "FRA")},
}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("referral")
    with Pilot.of("KEN", "GBR", "FRA", folder=folder, doors=1, policies=POLICIES) as found:
        yield found


@pytest.fixture
async def liar(pilot: Pilot) -> AsyncIterator[Liar]:
    (door,) = pilot.doors
    async with Liar.at(door, pilot.port) as found:
        yield found


def officer(pilot: Pilot) -> Officer:
    """Kenya's officer, who has to go through the liar."""
    (door,) = pilot.doors
    return Officer(pilot.device("KEN", "officer", port=door.getsockname()[1]))


async def published(pilot: Pilot, **how: Any) -> str:
    async with pilot.publisher("KEN") as publisher:
        return (await publisher.publish(draft(**how))).report


@pytest.mark.slow
async def test_a_case_under_another_text_is_not_signed(pilot: Pilot, liar: Liar) -> None:
    """The officer reads a rule by its name; it has to be the rule that stands in the policy."""
    await published(pilot, caveats={"SOURCE SENSITIVE"})

    def other(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "referrals": [{**case, "text": "0" * 64} for case in page["referrals"]]}

    async with officer(pilot) as found:
        assert await found.queue()
        liar.answers("^/v1/referrals", other)
        with refused("statement-conflict", "another text"):
            await found.queue()


@pytest.mark.slow
async def test_a_consent_is_for_the_report_that_was_asked_for(pilot: Pilot, liar: Liar) -> None:
    """Or the broker would choose which of the nation's reports goes further."""
    asked = await published(pilot, title="Road closed")
    other = await published(pilot, title="The source")
    async with officer(pilot) as found:
        release = (await found.transport.get(f"/v1/reports/{other}")).body
        liar.answers(f"^/v1/reports/{asked}", lambda _: release)
        with refused("bad-proof", "another report"):
            await found.consent(asked, "FRA", life=3_600)
