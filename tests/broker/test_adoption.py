"""Adoption: a text that would kill the parser kills a child, and what is not proved is refused."""

import sys
from pathlib import Path

import pytest

from broker import adoption
from clients import standard
from policies.adopting import Adoption
from policies.schema import FLOOR_OWNER
from tests.broker.house import House
from tests.coalition import Coalition
from tests.refusal import refused
from wire.composite import SigningKey
from wire.errors import Malformed
from wire.statements import Statement

pytestmark = pytest.mark.anyio

ALL = '@id("KEN/all")\npermit (principal, action == Action::"release", resource);'
LOW = '@id("KEN/low")\npermit (principal, action == Action::"release", resource in UpTo::"SECRET");'
ACCEPT = '@id("KEN/in")\npermit (principal, action == Action::"accept", resource);'
FLOOR = f'@id("{FLOOR_OWNER}/all")\npermit (principal, action == Action::"handle", resource);'
NEVER = '@id("KEN/never")\nforbid (principal, action == Action::"release", resource)\n'
NEVER += 'unless { resource in UpTo::"SECRET" };'


def asked(release: str, before: str | None = None, guarantees: str = "") -> Adoption:
    def layers(text: str) -> dict[str, str]:
        return {"release": text, "accept": ACCEPT}

    return Adoption(
        owner="KEN",
        vocabulary=Coalition.of("KEN", "GBR").directory.terms,
        pinned=None,
        floor=FLOOR,
        before=None if before is None else layers(before),
        after=layers(release),
        guarantees=guarantees,
    )


# -- the child


@pytest.mark.slow
async def test_an_honest_policy_passes_the_child() -> None:
    await adoption.check(asked(ALL), 2)
    await adoption.check(asked(LOW, before=ALL), 1)
    await adoption.check(asked(LOW, before=LOW, guarantees=NEVER), 1)


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, LOW])
async def test_what_releases_more_needs_two_signatures(before: str | None) -> None:
    with refused("needs-second-officer"):
        await adoption.check(asked(ALL, before), 1)


@pytest.mark.slow
async def test_a_guarantee_is_not_outvoted() -> None:
    with refused("guarantee-broken"):
        await adoption.check(asked(ALL, before=ALL, guarantees=NEVER), 2)


NESTED = "permit (principal, action, resource) when {\n" + "\n".join(["(" * 300] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["permit (", NESTED])
async def test_a_text_that_the_child_does_not_survive_is_refused(text: str) -> None:
    with refused("policy-refused"):
        await adoption.check(asked(text), 2)
    with refused("policy-refused"):
        await adoption.check(asked(LOW, LOW, guarantees=text), 2)


@pytest.mark.slow
async def test_a_child_that_never_ends_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setattr(adoption, "SECONDS", 1)
    with refused("policy-refused"):
        await adoption.check(asked(LOW, LOW), 2)


# -- the broker


@pytest.mark.slow
async def test_a_refused_policy_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        kenya = house["KEN"]
        bad = kenya.drafts("policy.publish", kenya.policy_body("permit (principal"))
        with pytest.raises(Malformed):
            await house.files(bad)
        receipt = await house.submits(kenya.seals(release_to="GBR"))
        assert (await house.fetches(house["GBR"].analyst, receipt.report)).report


async def two_officers(house: House) -> tuple[SigningKey, SigningKey]:
    """Kenya gives the role of writing policies to two officers; guarantees stay with its root."""
    kenya, world = house["KEN"], house.world
    done = len(world.history)
    deputy = kenya.enlists("deputy", "officer")
    kenya.delegates("policy", kenya.officer, deputy)
    await house.files(*(filed.statement for filed in world.history[done:]))
    return kenya.officer.sign, deputy.sign


def drafted(house: House, release: str, *keys: SigningKey) -> Statement:
    """Kenya's next policy, signed with these keys."""
    kenya = house["KEN"]
    return kenya.drafts("policy.publish", kenya.policy_body(release), by=keys)


def guarantee(house: House, text: str, *keys: SigningKey) -> Statement:
    """Kenya's next guarantees; signed by its root unless keys are given."""
    kenya = house["KEN"]
    kept = kenya.state.guarantees
    body = {"version": kept.version + 1 if kept else 1, "guarantees": text.splitlines()}
    return kenya.drafts("guarantee.publish", body, by=keys or None)


async def stands(house: House, *filed: Statement) -> None:
    """What is filed holds, for the broker and for the world."""
    for statement in filed:
        await house.files(statement)
        house.world.applies(statement)


@pytest.mark.slow
async def test_what_one_officer_may_and_what_takes_two(tmp_path: Path) -> None:
    """Narrowing at once; widening only together."""
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        first, second = await two_officers(house)
        await stands(house, drafted(house, LOW, first))
        with refused("needs-second-officer"):
            await house.files(drafted(house, ALL, first))
        await stands(house, drafted(house, ALL, first, second))


@pytest.mark.slow
async def test_a_policy_that_was_signed_again_may_not_grow_by_new_reference_data(
    tmp_path: Path,
) -> None:
    """The same text, but Great Britain joined a coalition that it names. Expect refusal."""
    text = '@id("KEN/group")\npermit (principal in Coalition::"GROUP", '
    text += 'action == Action::"release", resource);'
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        first, second = await two_officers(house)
        await stands(house, joined(house, "KEN"))
        await stands(house, drafted(house, text, first))
        await stands(house, joined(house, "GBR", "KEN"))
        with refused("needs-second-officer"):
            await house.files(drafted(house, text, first))
        await stands(house, drafted(house, text, first, second))


def joined(house: House, *nations: str) -> Statement:
    """The next registry, in which the coalition has these members."""
    version = house.world.directory.terms.version + 1
    registry = standard.registry(groups=[("GROUP", nations)], version=version)
    return house.world.together.drafts(
        "registry.publish", {"registry": registry.model_dump(mode="json")}
    )


@pytest.mark.slow
async def test_two_signatures_of_one_officer_are_one(tmp_path: Path) -> None:
    """Expect refusal."""
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        first, _ = await two_officers(house)
        await stands(house, drafted(house, LOW, first))
        with refused("needs-second-officer"):
            await house.files(drafted(house, ALL, first, first))


@pytest.mark.slow
async def test_a_standing_guarantee_holds_against_everybody_who_writes_policies(
    tmp_path: Path,
) -> None:
    """Expect refusal."""
    async with House.of("KEN", "GBR", folder=tmp_path) as house:
        first, second = await two_officers(house)
        with refused("guarantee-broken"):
            await house.files(guarantee(house, NEVER))  # the policy that stands breaks it
        await stands(house, drafted(house, LOW, first))
        await stands(house, guarantee(house, NEVER))
        with refused("guarantee-broken"):
            await house.files(drafted(house, ALL, first, second))
        await stands(house, guarantee(house, ""))
        await stands(house, drafted(house, ALL, first, second))
