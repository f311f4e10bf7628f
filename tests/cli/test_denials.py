"""What an officer sees of denials: from the verified channel, at once and as a stream."""

from collections.abc import Iterator

import anyio
import pytest

from clients.publisher import Publisher
from clients.subscriber import Subscriber
from tests.cli.terminal import going, here
from tests.pilot import Pilot, draft, open_policy
from wire.errors import NotAllowed

POLICIES = {code: open_policy(code) for code in ("KEN", "GBR", "FRA")}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("denials")
    with Pilot.of("KEN", "GBR", "FRA", folder=folder, policies=POLICIES) as found:
        yield found


async def denied(pilot: Pilot) -> str:
    """A report of Kenya's for Britain, that France asks for."""
    async with Publisher(pilot.device("KEN", "system")) as publisher:
        identity = (await publisher.publish(draft(release_to={"GBR"}))).report
    async with Subscriber(pilot.device("FRA", "analyst")) as subscriber:
        await subscriber.follower.sync()
        with pytest.raises(NotAllowed, match="not-found"):
            await subscriber.transport.get(f"/v1/reports/{identity}")
    return identity


@pytest.mark.slow
def test_an_officer_sees_who_was_refused(pilot: Pilot) -> None:
    kenya = pilot.device("KEN", "officer").folder
    assert "nobody was refused" in here("officer", "denials", "--as", kenya).done().out
    identity = anyio.run(denied, pilot)
    row = here("officer", "denials", "--as", kenya, "--json").done().row
    assert (row["report"], row["to"], row["because"]) == (identity, "FRA", "not-listed")
    people = here("officer", "denials", "--as", kenya).done().out
    assert identity in people
    assert "not listed" in people
    france = pilot.device("FRA", "officer").folder
    own = here("officer", "denials", "--as", france, "--json").done().row
    assert (own["report"], own["why"]) == (identity, "not found")
    assert "our " in here("officer", "denials", "--as", france).done().out


@pytest.mark.slow
def test_an_officer_is_told_as_it_happens(pilot: Pilot) -> None:
    kenya = pilot.device("KEN", "officer").folder
    words = ("officer", "denials", "--as", kenya, "--json", "--follow", "--every", "1")
    with going(*words) as following:
        identity = anyio.run(denied, pilot)
        following.until(identity)
        assert following.interrupted() == 0


@pytest.mark.slow
def test_an_analyst_does_not_read_the_channel(pilot: Pilot) -> None:
    said = here("officer", "denials", "--as", pilot.device("KEN", "analyst").folder)
    assert (said.code, said.out) == (1, "")
    assert "not-allowed" in said.err
