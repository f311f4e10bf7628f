"""Attacks by those who write a nation's policy, on what that policy must keep. Expect refusal."""

import pytest

from tests.coalition import Coalition
from tests.nation import Nation
from tests.refusal import refused

NEVER = (
    '@id("KEN/never")',
    'forbid (principal, action == Action::"release", resource in Touching::"SO");',
)


@pytest.fixture
def kenya() -> Nation:
    """Kenya, with one officer who writes policies and another who says what they keep."""
    nation = Coalition.of("KEN", "GBR")["KEN"]
    nation.enlists("deputy", "officer")
    nation.delegates("policy", nation.officer)
    nation.delegates("guarantee", nation.deputy)
    return nation


def body(kenya: Nation, *, version: int = 1, lines: tuple[str, ...] = NEVER) -> dict[str, object]:
    return {"version": version, "guarantees": list(lines)}


def test_a_guarantee_signed_by_the_policy_officer_is_refused(kenya: Nation) -> None:
    """Expect refusal: who writes the rules does not say what they must keep."""
    with refused("unknown-signer"):
        kenya.says("guarantee.publish", body(kenya), by=[kenya.officer.sign])
    with refused("unknown-signer"):
        both = [kenya.officer.sign, kenya.deputy.sign]
        kenya.says("guarantee.publish", body(kenya), by=both)
    kenya.says("guarantee.publish", body(kenya), by=[kenya.deputy.sign])


def test_a_guarantee_without_its_own_officer_takes_the_root() -> None:
    """Expect refusal for an officer; two root keys sign."""
    kenya = Coalition.of("KEN", "GBR")["KEN"]
    with refused("unknown-signer"):
        kenya.says("guarantee.publish", body(kenya), by=[kenya.officer.sign])
    kenya.says("guarantee.publish", body(kenya))


@pytest.mark.parametrize(("role", "who"), [("guarantee", "officer"), ("policy", "deputy")])
def test_nobody_holds_both_roles(kenya: Nation, role: str, who: str) -> None:
    """Expect refusal, whichever role came first."""
    with refused("not-allowed", "nobody holds both"):
        kenya.delegates(role, getattr(kenya, who))


def test_an_older_guarantee_does_not_come_back(kenya: Nation) -> None:
    """Expect refusal: an older version, or another of the same one."""
    signed = {"by": [kenya.deputy.sign]}
    kenya.says("guarantee.publish", body(kenya), **signed)
    for version in (1, 3):
        with refused("policy-rollback"):
            kenya.says("guarantee.publish", body(kenya, version=version, lines=()), **signed)
    kenya.says("guarantee.publish", body(kenya, version=2, lines=()), **signed)


def test_another_nations_guarantee_officer_says_nothing_here(kenya: Nation) -> None:
    """Expect refusal."""
    with refused("unknown-signer"):
        britain = kenya.world["GBR"]
        britain.says("guarantee.publish", body(britain), by=[kenya.deputy.sign])
