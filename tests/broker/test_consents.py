"""An originator's consent opens one portion to one more nation, as long as it lasts, and the
third-party rule is asked again at every release.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.open import open_report
from tests.broker.house import House
from tests.coalition import Nation, Portion
from tests.refusal import refused
from wire import report
from wire.bodies import ReportRelease
from wire.labels import Label
from wire.statements import Statement

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        yield found


def drawn_from(raw: bytes, *consents: Statement) -> dict[str, Any]:
    """Fields of a label of what draws on a report's first portion."""
    frame = report.parse(raw)
    source = {"report": frame.identity, "portion": frame.portions[0].commitment}
    return {"derived_from": [source], "consents": sorted(c.identity for c in consents)}


async def sent(house: House, nation: Nation, **label: Any) -> bytes:
    raw = nation.seals(**label)
    await house.submits(raw)
    return raw


async def source(house: House, to: str = "GBR") -> bytes:
    """A report of Kenya's that Britain has got."""
    raw = await sent(house, house["KEN"], release_to=to)
    await house.pulls(house["GBR"].analyst)
    return raw


async def previewed(
    house: House, nation: Nation, classification: str = "SECRET", **label: Any
) -> dict[str, str]:
    """What a nation's system is told about every nation, before it posts."""
    fields = nation.label(classification, **label)
    asked = Label.model_validate_json(json.dumps(fields))
    found = await house.broker.preview(house.member(nation.system), [asked])
    return {code: told.outcome for code, told in found.portions[0].nations.items()}


async def refuses(house: House, slug: str, nation: Nation, **label: Any) -> None:
    """Posting it is refused, and so was the preview of it."""
    with refused(slug):
        await previewed(house, nation, **label)
    with refused(slug):
        await sent(house, nation, **label)


def identities(*raws: bytes) -> list[str]:
    return [report.parse(raw).identity for raw in raws]


async def recalls(house: House, nation: Nation, raw: bytes) -> None:
    body = {"report": report.parse(raw).identity, "reason": "source at risk"}
    await house.files(nation.says("report.recall", body))


# -- to one more nation


@pytest.mark.slow
async def test_a_consent_delivers_the_same_bytes_and_its_wrap_opens_them(house: House) -> None:
    kenya, france = house["KEN"], house["FRA"]
    raw = await sent(house, kenya, text="Ambush.", release_to="GBR")
    following = await house.follows(france.analyst)
    assert await following.rest() == []
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    assert await following.rest() == identities(raw)
    assert await house.pulls(france.analyst) == identities(raw)
    release = await house.fetches(france.analyst, identities(raw)[0])
    assert release.use == "release"
    verified, _ = house.proven(release, "FRA")
    frame, original = verified.frame, report.parse(raw)
    assert (frame.head, frame.signature) == (original.head, original.signature)
    assert frame.portions[0].descriptor == original.portions[0].descriptor
    assert frame.portions[0].payload == original.portions[0].payload
    assert frame.portions[0].wraps == {}
    terms = house.world.directory.terms
    body = consent.body(ReportRelease)
    opened = open_report(verified, "FRA", france.keyring(france.analyst), terms, [body])
    assert opened.body == "Ambush."
    await house.restarts()
    assert await house.pulls(france.analyst) == identities(raw)


async def test_a_consent_opens_one_portion_and_hides_the_others(house: House) -> None:
    kenya, france = house["KEN"], house["FRA"]
    more = Portion("More.", release_to="GBR")
    raw = await sent(house, kenya, release_to="GBR", portions=[more])
    await house.files(kenya.consents(raw, "FRA", 1))
    release = await house.fetches(france.analyst, identities(raw)[0])
    assert [p.index for p in report.parse(release.report).portions] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["expiry", "withdrawal", "recall"])
async def test_a_consent_ends(house: House, end: str) -> None:
    kenya, france = house["KEN"], house["FRA"]
    raw = await sent(house, kenya, release_to="GBR")
    consent = kenya.consents(raw, "FRA", expires=house.world.clock.now + 60)
    await house.files(consent)
    assert await house.pulls(france.analyst) == identities(raw)
    match end:
        case "expiry":
            house.world.clock.forward(seconds=60)
        case "withdrawal":
            await house.files(kenya.takes_back(consent))
        case _:
            await recalls(house, kenya, raw)
    assert await house.pulls(france.analyst) == []
    await house.restarts()
    assert await house.pulls(france.analyst) == []


@pytest.mark.slow
async def test_a_consent_does_not_pass_by_a_policy(house: House) -> None:
    """It stands for the label's list, and for nothing else that a layer may ask."""
    kenya, france = house["KEN"], house["FRA"]
    no = '@id("FRA/no")\n@says("No.")\nforbid (principal, action == Action::"accept", resource);'
    await house.files(france.adopts(accept=no))
    raw = await sent(house, kenya, release_to="GBR")
    await house.files(kenya.consents(raw, "FRA"))
    assert await house.pulls(france.analyst) == []


async def test_nobody_consents_for_another_nation_or_below_the_level(house: House) -> None:
    """Expect refusal."""
    kenya, britain = house["KEN"], house["GBR"]
    raw = await source(house)
    body = kenya.consent_body(raw, "FRA")
    with refused("not-found"):
        await house.files(britain.drafts("report.release", body))
    low = house.world.directory.epoch_key("FRA", 0, house.world.clock.now)
    level = house.world.directory.founded.levels[0].token
    with refused("label-recipients"):
        changes = {"level": level, "kid": low.kid}
        await house.files(kenya.drafts("report.release", {**body, **changes}))


async def test_nobody_takes_back_another_nations_consent(house: House) -> None:
    """Expect refusal: the consent stands in its originator's own chain."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await source(house)
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    own = await sent(house, britain, release_to="KEN")
    frame = report.parse(own)
    body = {"report": frame.identity, "portion": frame.portions[0].commitment, "to": "FRA"}
    gone = {"release": consent.identity, "reason": "no"}
    with refused("not-found"):
        await house.files(britain.drafts("report.withdraw", {**body, **gone}))
    with refused("not-found"):
        await house.files(britain.drafts("report.withdraw", {**body, **gone, "release": "0" * 64}))
    assert await house.pulls(france.analyst) == identities(raw)


@pytest.mark.slow
@pytest.mark.parametrize("author", [None, "GBR"])
async def test_a_consents_body_is_for_those_whom_it_names(house: House, author: str | None) -> None:
    kenya = house["KEN"]
    raw = await source(house)
    consent = kenya.consents(raw, "FRA", author=author)
    await house.files(consent)
    for nation in ("KEN", "GBR", "FRA"):
        member = house.member(house[nation].analyst)
        page = await house.broker.statements(member, 0, 0, 1_000)
        shown = page.statements[consent.identity] == consent.raw
        assert shown is (nation in ("KEN", "FRA", author))


# -- what was derived


async def test_what_is_derived_ends_with_the_consent_it_leans_on(house: House) -> None:
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await source(house)
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    derived = await sent(house, britain, release_to="FRA KEN", **drawn_from(raw, consent))
    assert await house.pulls(france.analyst) == identities(raw, derived)
    await house.files(kenya.takes_back(consent))
    assert await house.pulls(france.analyst) == []
    assert identities(derived)[0] in await house.pulls(kenya.analyst), "who needs no consent"
    following = await house.follows(france.analyst)
    assert await following.rest() == []
    await house.files(kenya.consents(raw, "FRA"))
    assert set(await following.rest()) == set(identities(raw, derived)), "and comes back with it"


async def test_who_may_only_look_at_a_source_is_not_given_what_draws_on_it(house: House) -> None:
    """Only while a consent says so; what may be looked at only is then still for the screen."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await sent(house, kenya, release_to="GBR", display_to="FRA")
    await house.pulls(britain.analyst)
    await refuses(house, "third-party-rule", britain, release_to="FRA KEN", **drawn_from(raw))
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    derived = await sent(house, britain, release_to="FRA KEN", **drawn_from(raw, consent))
    assert identities(derived)[0] in await house.pulls(france.analyst)
    await house.files(kenya.takes_back(consent))
    assert identities(derived)[0] not in await house.pulls(france.analyst)


async def test_a_consent_gives_nobody_to_keep_what_draws_on_what_it_may_only_look_at(
    house: House,
) -> None:
    """Expect no release: Britain adds France to its own report, never to what Kenya said in it."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await sent(house, kenya, release_to="GBR", display_to="FRA")
    await house.pulls(britain.analyst)
    derived = await sent(house, britain, release_to="KEN", **drawn_from(raw))
    await house.files(britain.consents(derived, "FRA"))
    keeps = {"DISPLAY"}
    assert await house.pulls(france.analyst, keeps) == identities(raw)
    await house.files(kenya.consents(raw, "FRA"))
    assert set(await house.pulls(france.analyst, keeps)) == set(identities(raw, derived))


@pytest.mark.slow
async def test_a_recalled_source_withholds_what_draws_on_it_from_all_but_its_author(
    house: House,
) -> None:
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await source(house, "GBR FRA")
    first = await sent(house, britain, release_to="FRA KEN", **drawn_from(raw))
    await house.pulls(france.analyst)
    second = await sent(house, france, release_to="KEN GBR", **drawn_from(first))
    assert len(await house.pulls(kenya.analyst)) == 3
    await recalls(house, kenya, raw)
    assert await house.pulls(kenya.analyst) == []
    assert await house.pulls(britain.analyst) == identities(first)
    assert await house.pulls(france.analyst) == identities(second)
    await refuses(house, "bad-lineage", britain, release_to="KEN", **drawn_from(first))


async def test_a_source_of_a_source_is_asked_too(house: House) -> None:
    """Expect refusal: Britain may let its own report go to France, never Kenya's inside it."""
    kenya, britain = house["KEN"], house["GBR"]
    raw = await source(house)
    first = await sent(house, britain, release_to="KEN", **drawn_from(raw))
    await house.pulls(kenya.analyst)
    consent = britain.consents(first, "FRA")
    await house.files(consent)
    assert await house.pulls(house["FRA"].analyst) == []
    wide: dict[str, Any] = {"release_to": "FRA GBR", **drawn_from(first, consent)}
    await refuses(house, "third-party-rule", kenya, **wide)
    await house.files(kenya.consents(raw, "FRA"))
    assert await house.pulls(house["FRA"].analyst) == identities(first, raw)


async def test_a_label_wider_than_its_source_is_refused_before_it_is_posted(house: House) -> None:
    """Expect refusal, in the preview already; with the originator's consent both let it pass."""
    kenya, britain = house["KEN"], house["GBR"]
    raw = await source(house)
    await refuses(house, "third-party-rule", britain, release_to="FRA", **drawn_from(raw))
    low = {"classification": "RESTRICTED", **drawn_from(raw)}
    with refused("third-party-rule"):
        await previewed(house, britain, release_to="KEN", **low)
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    wide: dict[str, Any] = {"release_to": "FRA", **drawn_from(raw, consent)}
    assert await previewed(house, britain, **wide) == {"FRA": "RELEASE", "GBR": "RELEASE"}
    await sent(house, britain, **wide)


async def test_a_consent_to_one_author_is_none_to_another(house: House) -> None:
    """Expect refusal: an unknown consent, as far as the other author is concerned."""
    kenya, britain = house["KEN"], house["GBR"]
    raw = await source(house)
    consent = kenya.consents(raw, "FRA", author="FRA")
    await house.files(consent)
    await refuses(house, "bad-lineage", britain, release_to="FRA", **drawn_from(raw, consent))


async def test_a_consent_to_one_author_brings_back_nothing_of_anothers(house: House) -> None:
    """Expect no release of what leaned on a consent that was taken back."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    raw = await source(house)
    consent = kenya.consents(raw, "FRA")
    await house.files(consent)
    derived = await sent(house, britain, release_to="FRA", **drawn_from(raw, consent))
    await house.files(kenya.takes_back(consent), kenya.consents(raw, "FRA", author="FRA"))
    assert await house.pulls(france.analyst) == identities(raw)
    await house.files(kenya.consents(raw, "FRA", author="GBR"))
    assert set(await house.pulls(france.analyst)) == set(identities(raw, derived)), "the control"


async def test_a_consent_that_ended_is_none_at_intake(house: House) -> None:
    """Expect refusal."""
    kenya, britain = house["KEN"], house["GBR"]
    raw = await source(house)
    short = kenya.consents(raw, "FRA", expires=house.world.clock.now + 60)
    other = kenya.consents(raw, "FRA")
    await house.files(short, other, kenya.takes_back(other))
    house.world.clock.forward(seconds=60)
    for ended in (short, other):
        await refuses(house, "bad-lineage", britain, release_to="FRA", **drawn_from(raw, ended))
