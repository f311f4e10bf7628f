"""A policy that has ended closes its layer, and those who may know are told since when."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.answers import Withheld
from broker.app import create_app
from broker.explaining import told
from tests.attacks.asking import Caller
from tests.broker.house import House
from tests.people import random_of
from wire.labels import Label

pytestmark = pytest.mark.anyio

DAYS = 40


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Kenya's policy ends after forty days; all others' after a year."""
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        kenya = found["KEN"]
        body = kenya.policy_body()
        short = {**body, "expires": found.world.clock.now + DAYS * 86_400}
        await found.files(kenya.says("policy.publish", short))
        yield found


async def forward(house: House, days: int) -> None:
    """So many days later, with fresh keys for all."""
    house.world.clock.forward(days=days)
    for nation in house.world.nations:
        await house.files(nation.opens_epoch())


@pytest.mark.slow
async def test_a_stale_policy_fails_closed_and_its_nation_is_told(house: House) -> None:
    kenya = house["KEN"]
    await forward(house, DAYS + 3)
    with pytest.raises(Withheld) as refusal:
        await house.submits(kenya.seals(release_to="GBR"))
    assert refusal.value.slug == "policy-expired"
    assert "3 days ago" in refusal.value.detail
    lines = told(refusal.value.explanation)["portions"][0]["nations"]["GBR"]["lines"]
    assert "policy-expired: it ended 3 days ago" in lines
    await house.files(kenya.adopts())
    assert (await house.submits(kenya.seals(release_to="GBR"))).index


@pytest.mark.slow
async def test_others_are_not_told_whose_policy_ended(house: House) -> None:
    await forward(house, DAYS + 3)
    britain = house["GBR"]
    with pytest.raises(Withheld) as refusal:
        await house.submits(britain.seals(release_to="KEN"))
    assert refusal.value.slug == "withheld"
    text = json.dumps(told(refusal.value.explanation)) + refusal.value.detail
    assert "withheld by another party" in text
    assert "expired" not in text
    assert "days" not in text


@pytest.mark.slow
async def test_a_preview_says_it_before_anything_is_sealed(house: House) -> None:
    await forward(house, DAYS + 3)
    label = Label.model_validate_json(json.dumps(house["KEN"].label("RESTRICTED", "GBR")))
    found = await house.broker.preview(house.member(house["KEN"].system), [label])
    lines = told(found.model_dump(mode="json"))["portions"][0]["nations"]["GBR"]["lines"]
    assert "policy-expired: it ended 3 days ago" in lines


@pytest.mark.slow
async def test_only_the_operator_reads_what_is_stale(house: House) -> None:
    """Expect of everybody else the same answer as ever: when a policy ends is its nation's own."""
    app = create_app(house.broker)
    authority = house.broker.settings.authorities[0]
    caller = Caller(app, authority, None, house.world.clock, random_of("ready"))
    before = await caller.ask("GET /readyz")
    token = house.broker.settings.metrics_token()
    for days, state in ((DAYS - 20, "soon"), (15, "urgent"), (8, "expired")):
        await forward(house, days)
        assert (await caller.ask("GET /readyz")).body == before.body
        wrong = await caller.ask("GET /readyz", authorization="Bearer x")
        assert wrong.body == before.body
        answer = await caller.ask("GET /readyz", authorization=f"Bearer {token}")
        stale = json.loads(answer.body)["stale"]
        assert [(s["nation"], s["state"]) for s in stale if s["what"] == "policy"] == [
            ("KEN", state)
        ]
