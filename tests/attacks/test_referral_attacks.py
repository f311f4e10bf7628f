"""Attacks on what officers say and originators consent to: replayed, moved, forged, outlived.
Expect refusal, or no effect.

The numbers are those of the threat model's list; those without one are from the field.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker.house import House
from tests.coalition import Coalition, Nation, Portion
from tests.refusal import refused
from wire import report
from wire.vocabulary import Vocabulary

pytestmark = pytest.mark.anyio

RULE = "KEN/officer"
REFERS = f"""
@id("{RULE}")
@says("An officer agrees first.")
permit (principal, action == Action::"release", resource) when {{ context.approvals >= 1 }};
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        await found.files(found["KEN"].adopts(release=REFERS))
        yield found


async def sent(house: House, nation: Nation, **label: Any) -> bytes:
    raw = nation.seals(**label)
    await house.submits(raw)
    return raw


async def seen(house: House, nation: str) -> list[str]:
    return await house.pulls(house[nation].analyst)


def identity(raw: bytes) -> str:
    return report.parse(raw).identity


# -- approvals


@pytest.mark.slow
async def test_an_approval_replayed_for_another_report_opens_nothing(house: House) -> None:
    kenya = house["KEN"]
    raw, twin = [await sent(house, kenya, release_to="GBR") for _ in range(2)]
    approval = kenya.approves(raw, "GBR", RULE)
    await house.files(approval)
    receipt = await house.files(approval)
    assert receipt.duplicate, "the same statement again is the same statement"
    assert await seen(house, "GBR") == [identity(raw)]
    moved = {**kenya.approval_body(raw, "GBR", RULE), "report": identity(twin)}
    with refused("not-found"):
        await house.files(kenya.drafts("approval", moved))
    assert await seen(house, "GBR") == [identity(raw)]


@pytest.mark.slow
async def test_an_approval_of_one_portion_or_nation_opens_no_other(house: House) -> None:
    kenya = house["KEN"]
    raw = await sent(house, kenya, release_to="GBR FRA", portions=[Portion("More.")])
    await house.files(kenya.approves(raw, "GBR", RULE, index=1))
    assert await seen(house, "FRA") == []
    release = await house.fetches(house["GBR"].analyst, identity(raw))
    assert [p.index for p in report.parse(release.report).portions] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["handle", "release", "carry"])
async def test_79_a_recipient_does_not_approve_what_it_would_get(house: House, layer: str) -> None:
    raw = await sent(house, house["KEN"], release_to="GBR")
    with refused("not-found"):
        await house.files(house["GBR"].drafts("approval", _foreign(house, raw, layer)))
    assert await seen(house, "GBR") == []


def _foreign(house: House, raw: bytes, layer: str) -> dict[str, Any]:
    """An approval that names Kenya's rule and text, by whoever signs it."""
    return {**house["KEN"].approval_body(raw, "GBR", RULE), "layer": layer}


@pytest.mark.slow
async def test_79_a_third_nation_has_no_say(house: House) -> None:
    raw = await sent(house, house["KEN"], release_to="GBR FRA")
    for layer in ("handle", "release", "carry", "accept"):
        with refused("not-found"):
            await house.files(house["FRA"].drafts("approval", _foreign(house, raw, layer)))


@pytest.mark.slow
async def test_79_nobody_approves_what_it_gets_itself(house: House) -> None:
    """No layer of an originator's is asked about its own nation, so there is nothing to sign."""
    kenya = house["KEN"]
    raw = await sent(house, kenya, release_to="GBR")
    for layer in ("handle", "release", "carry"):
        body = {**kenya.approval_body(raw, "KEN", RULE), "layer": layer}
        with refused("not-found"):
            await house.files(kenya.drafts("approval", body))


@pytest.mark.slow
async def test_an_approval_signed_by_no_officer_of_the_nation_is_refused(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    raw = await sent(house, kenya, release_to="GBR")
    body = kenya.approval_body(raw, "GBR", RULE)
    for signer in (kenya.system, britain.officer):
        with refused("unknown-signer"):
            await house.files(kenya.drafts("approval", body, by=[signer.sign]))
    assert await seen(house, "GBR") == []


@pytest.mark.slow
async def test_an_approval_by_an_officer_who_was_revoked_since_counts_no_more(
    house: House,
) -> None:
    kenya = house["KEN"]
    second = kenya.enlists("officer2", kind="officer")
    await house.files(house.world.history[-1].statement)
    await house.files(kenya.delegates("release", kenya.officer, second))
    raw = await sent(house, kenya, release_to="GBR")
    await house.files(kenya.approves(raw, "GBR", RULE, by=[second.sign]))
    assert await seen(house, "GBR") == [identity(raw)]
    await house.files(kenya.revokes(second))
    assert await seen(house, "GBR") == []


@pytest.mark.slow
async def test_80_an_approval_of_an_older_policy_opens_nothing_of_a_newer_one(
    house: House,
) -> None:
    """The rule has the same name and another text: what was approved is not what is asked."""
    kenya = house["KEN"]
    raw = await sent(house, kenya, release_to="GBR")
    await house.files(kenya.approves(raw, "GBR", RULE))
    await house.files(
        kenya.adopts(release=REFERS.replace("resource)", 'resource in UpTo::"SECRET")'))
    )
    assert await seen(house, "GBR") == []


# -- consents and lists


@pytest.mark.slow
async def test_a_consent_for_other_bytes_is_refused(house: House) -> None:
    """Of another report, of another portion, or with a wrap made for another place."""
    kenya, britain = house["KEN"], house["GBR"]
    await house.files(kenya.adopts())
    raw, twin = [await sent(house, kenya, release_to="GBR") for _ in range(2)]
    await seen(house, "GBR")
    moved = {**kenya.consent_body(raw, "FRA"), "report": identity(twin)}
    with refused("not-found"):
        await house.files(kenya.drafts("report.release", moved))
    consent = kenya.consents(twin, "FRA")
    await house.files(consent)
    frame = report.parse(raw)
    source = {"report": frame.identity, "portion": frame.portions[0].commitment}
    lineage = {"derived_from": [source], "consents": [consent.identity]}
    with refused("label-lineage"):
        await sent(house, britain, release_to="FRA", **lineage)


@pytest.mark.slow
async def test_a_consent_signed_by_the_reader_is_refused(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    await house.files(kenya.adopts())
    raw = await sent(house, kenya, release_to="GBR")
    body = kenya.consent_body(raw, "FRA")
    with refused("unknown-signer"):
        await house.files(kenya.drafts("report.release", body, by=[britain.officer.sign]))
    with refused("not-found"):
        await house.files(britain.drafts("report.release", body))
    assert await seen(house, "FRA") == []


@pytest.mark.slow
async def test_a_nation_that_was_admitted_after_sealing_gets_nothing(house: House) -> None:
    """Groups are expanded when a label is written; who joins later is on no older list."""
    kenya = house["KEN"]
    await house.files(kenya.adopts())
    raw = await sent(house, kenya, release_to="GBR FRA")
    before = len(house.world.history)
    newcomer = house.world.admits("SEN")
    await house.files(*(filed.statement for filed in house.world.history[before:]))
    assert await house.pulls(newcomer.analyst) == []
    body = kenya.approval_body(raw, "SEN", RULE)
    with refused("not-found"):
        await house.files(kenya.drafts("approval", body))


def test_a_coalition_that_cannot_be_expanded_is_refused_unknown_term() -> None:
    """There is no list that means "whoever belongs": an unknown group fails the seal."""
    words: Vocabulary = Coalition.of("KEN", "GBR").directory.terms
    assert words.expand(["GBR"]) == {"GBR"}
    with refused("unknown-term"):
        words.expand(["KFOR"])
