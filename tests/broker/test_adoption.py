"""Adoption: a text that would kill the parser kills a child, not the broker."""

import json
import sys
from pathlib import Path

import pytest

from broker import adoption
from tests.broker.house import House
from tests.coalition import Coalition
from wire.bodies import PolicyPublish
from wire.errors import Malformed

pytestmark = pytest.mark.anyio


def policy(release: str) -> PolicyPublish:
    body = Coalition.of("KEN")["KEN"].policy_body(release)
    return PolicyPublish.model_validate_json(json.dumps({"salt": "00" * 16, **body}))


async def test_an_honest_policy_passes_the_child() -> None:
    terms = Coalition.of("KEN").directory.terms
    text = '@id("KEN/all")\npermit (principal, action == Action::"release", resource);'
    await adoption.probe(policy(text), terms)


NESTED = "permit (principal, action, resource) when {\n" + "\n".join(["(" * 300] * 3)


@pytest.mark.parametrize("text", ["permit (", NESTED])
async def test_a_text_that_the_child_does_not_survive_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        await adoption.probe(policy(text), Coalition.of("KEN").directory.terms)
    assert refused.value.slug == "policy-refused"


async def test_a_child_that_never_ends_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setattr(adoption, "SECONDS", 1)
    with pytest.raises(Malformed):
        await adoption.probe(policy("permit ("), Coalition.of("KEN").directory.terms)


async def test_a_refused_policy_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        kenya = house["KEN"]
        bad = kenya.drafts("policy.publish", kenya.policy_body("permit (principal"))
        with pytest.raises(Malformed):
            await house.files(bad)
        receipt = await house.submits(kenya.seals(release_to="GBR"))
        assert (await house.fetches(house["GBR"].analyst, receipt.report)).report
