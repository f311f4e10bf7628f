"""Attacks with labels: what is not said must never mean everybody. Expect refusal.

Each report is rightly signed by its nation's own system, and posted to a real broker.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests import sealing
from tests.broker.house import House
from tests.refusal import refused
from wire.errors import TearlineError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


def labelled(house: House, nations: str = "GBR", without: str = "", **changes: Any) -> bytes:
    """A report for these nations whose label has other words, or lacks some."""
    kenya, place = house["KEN"], house["KEN"].place()
    honest = kenya.label("RESTRICTED", nations)
    label = {name: said for name, said in {**honest, **changes}.items() if name != without}
    content = sealing.written("An ambush", "on the road")
    frame = sealing.portion(place, label, content, kenya.keys_for(honest), house.world.random)
    return kenya.assembles(place, [frame])


async def is_nowhere(house: House) -> None:
    """Nobody gets anything of what was refused."""
    for nation in ("KEN", "GBR", "FRA"):
        assert await house.pulls(house[nation].analyst, {"DISPLAY"}) == []


async def test_an_unlabelled_report_is_refused(house: House) -> None:
    """Nothing at all, or everything but one field: no field has a default."""
    kenya, place = house["KEN"], house["KEN"].place()
    keys = kenya.keys_for(kenya.label("RESTRICTED", "GBR"))
    frame = sealing.portion(place, {}, b"An ambush.", keys, house.world.random)
    with refused("bad-fields"):
        await house.submits(kenya.assembles(place, [frame]))
    for field in kenya.label("RESTRICTED", "GBR"):
        with refused("bad-fields", field):
            await house.submits(labelled(house, without=field))
    await is_nowhere(house)


@pytest.mark.slow
@pytest.mark.parametrize("audience", [[], None, "ALL", ["*"], [""]])
async def test_an_empty_audience_is_refused_and_means_nobody(
    house: House, audience: object
) -> None:
    with refused("bad-fields", "release_to"):
        await house.submits(labelled(house, release_to=audience))
    await is_nowhere(house)


async def test_an_audience_of_others_alone_is_refused_label_release_to(house: House) -> None:
    """An originator that is not on its own list could never be asked for a consent."""
    with refused("label-release-to"):
        await house.submits(labelled(house, release_to=["GBR"]))
    await is_nowhere(house)


async def test_only_the_originator_means_only_the_originator(house: House) -> None:
    report = (await house.submits(labelled(house, nations=""))).report
    assert await house.pulls(house["KEN"].analyst) == [report]
    for nation in ("GBR", "FRA"):
        with refused("not-found"):
            await house.fetches(house[nation].analyst, report)


@pytest.mark.slow
async def test_dissemination_only_is_never_a_release(house: House) -> None:
    """Two nations may look: neither gets it to keep, and a plain client gets nothing at all."""
    report = (await house.submits(house["KEN"].seals(display_to="GBR FRA"))).report
    for nation in ("GBR", "FRA"):
        analyst = house[nation].analyst
        assert await house.pulls(analyst) == []
        with refused("obligation-unsupported", "DISPLAY"):
            await house.fetches(analyst, report)
        assert (await house.fetches(analyst, report, {"DISPLAY"})).use == "display"
    uses = [
        (view["to"], view["use"], view["display"])
        for kind, view in await house.channel("KEN")
        if kind == "release"
    ]
    assert uses == [("GBR", "display", [0]), ("FRA", "display", [0])]


async def test_dissemination_without_the_originator_is_refused(house: House) -> None:
    with refused("bad-fields", "release_to"):
        await house.submits(labelled(house, release_to=[], display_to=["GBR"]))
    with refused("label-display-to"):
        await house.submits(labelled(house, display_to=["GBR"]))
    await is_nowhere(house)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["caveats", "communities"])
@pytest.mark.parametrize("word", ["NO SUCH WORD", "ORCON", "REL TO FRA", "sourcesensitive", ""])
async def test_an_unknown_caveat_is_refused_and_not_overlooked(
    house: House, field: str, word: str
) -> None:
    """A reader who does not know a caveat could not keep it, and a policy could not name it."""
    changes: dict[str, Any] = {field: [word]}
    with pytest.raises(TearlineError) as caught:
        await house.submits(labelled(house, **changes))
    assert caught.value.slug in {"unknown-term", "bad-fields"}
    await is_nowhere(house)


async def test_an_unknown_obligation_is_kept_by_no_client_that_does_not_know_it(
    house: House,
) -> None:
    """Obligations are no vocabulary: a word may be newer than the client. It is not served."""
    report = (await house.submits(labelled(house, obligations=["NO SUCH WORD"]))).report
    with refused("obligation-unsupported", "NO SUCH WORD"):
        await house.fetches(house["GBR"].analyst, report, {"DISPLAY", "WATERMARK"})
    assert await house.pulls(house["GBR"].analyst, {"DISPLAY", "WATERMARK"}) == []
