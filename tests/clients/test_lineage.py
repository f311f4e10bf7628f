"""A consent, from officer to reader; and what an author of something derived is told first."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clients.offline import open_file
from tests.pilot import Pilot, draft
from tests.refusal import refused
from wire.labels import Source
from wire.report import parse

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with Pilot.of("KEN", "GBR", "FRA", folder=tmp_path_factory.mktemp("lineage")) as found:
        yield found


async def published(pilot: Pilot, nation: str, **how: Any) -> Source:
    """A report's first portion, as a source."""
    async with pilot.publisher(nation) as publisher:
        receipt = await publisher.publish(draft(**how))
    async with pilot.subscriber(nation) as subscriber:
        (portion,) = (await subscriber.fetch_one(receipt.report)).report.portions
    return Source(report=receipt.report, portion=portion.commitment)


@pytest.mark.slow
async def test_a_consented_report_is_read_watched_and_opened_from_its_file(pilot: Pilot) -> None:
    source = await published(pilot, "KEN", title="Ambush", release_to={"GBR"})
    async with pilot.subscriber("FRA") as france:
        with refused("not-found"):
            await france.fetch_one(source.report)
        async with pilot.officer("KEN") as officer:
            (consent,) = await officer.consent(source.report, "FRA", life=3_600)
            assert consent.type == "report.release"
            with refused("bad-input", "on its list already"):
                await officer.consent(source.report, "GBR", life=3_600)
        received = await france.fetch_one(source.report)
        assert (received.title, received.proof.use) == ("Ambush", "release")
        assert open_file(france.identity, received.raw).title == "Ambush"
        async with pilot.officer("KEN") as officer:
            with refused("not-found"):
                await officer.withdraw(source.report, "no such consent")
            await officer.withdraw(consent.identity, "given in error")
        with refused("not-found"):
            await france.fetch_one(source.report)


@pytest.mark.slow
async def test_nobody_releases_another_nations_report(pilot: Pilot) -> None:
    source = await published(pilot, "KEN", release_to={"GBR"})
    async with pilot.officer("GBR") as officer:
        with refused("not-allowed", "only its originator"):
            await officer.consent(source.report, "FRA", life=3_600)


@pytest.mark.slow
async def test_an_author_is_told_which_source_stands_against_whom(pilot: Pilot) -> None:
    """Expect refusal before anything is sent, and none with the originator's consent."""
    source = await published(pilot, "KEN", release_to={"GBR"})
    derived: dict[str, Any] = {"release_to": {"FRA", "KEN"}, "derived_from": {source}}
    async with pilot.publisher("GBR") as publisher, pilot.officer("KEN") as officer:
        named = f"the source {source.report[:12]} of KEN does not let you release it to FRA"
        with refused("third-party-rule", named):
            await publisher.seal(draft(**derived))
        shown = {**derived, "release_to": {"KEN"}, "display_to": {"FRA"}}
        with refused("third-party-rule", "show it to FRA"):
            await publisher.seal(draft(**shown))
        (other,) = await officer.consent(source.report, "FRA", life=3_600, author="FRA")
        (consent,) = await officer.consent(source.report, "FRA", life=3_600, author="GBR")
        with refused("bad-lineage", "no such consent"):
            await publisher.seal(draft(**derived, consents={other.identity}))
        receipt = await publisher.publish(draft("Both", **derived, consents={consent.identity}))
    async with pilot.subscriber("FRA") as france:
        assert (await france.fetch_one(receipt.report)).title == "Both"


@pytest.mark.slow
async def test_a_source_that_is_not_ours_is_named(pilot: Pilot) -> None:
    source = await published(pilot, "KEN", release_to={"FRA"})
    async with pilot.publisher("GBR") as publisher:
        with refused("bad-lineage", f"you have not got the source {source.report[:12]}"):
            await publisher.seal(draft(release_to={"KEN"}, derived_from={source}))


@pytest.mark.slow
async def test_a_consent_for_other_bytes_is_none(pilot: Pilot) -> None:
    """Expect refusal: it is bound to one portion of one report."""
    source = await published(pilot, "KEN", release_to={"GBR"})
    twin = await published(pilot, "KEN", release_to={"GBR"})
    async with pilot.publisher("GBR") as publisher, pilot.officer("KEN") as officer:
        (consent,) = await officer.consent(twin.report, "FRA", life=3_600, author="GBR")
        how: dict[str, Any] = {"derived_from": {source}, "consents": {consent.identity}}
        with refused("label-lineage", "for no source named"):
            await publisher.seal(draft(release_to={"FRA"}, **how))


@pytest.mark.slow
async def test_readers_are_shown_the_sources_that_are_cited_and_no_others(pilot: Pilot) -> None:
    """Nor is anybody to whom the author hands the copy that it kept."""
    hidden = await published(pilot, "KEN", release_to={"GBR"})
    open_one = await published(pilot, "KEN", release_to={"GBR", "FRA"})
    async with pilot.publisher("GBR") as publisher, pilot.officer("KEN") as officer:
        (consent,) = await officer.consent(hidden.report, "FRA", life=3_600, author="GBR")
        made = draft(
            release_to={"FRA"},
            derived_from={hidden},
            cites={open_one},
            consents={consent.identity},
        )
        receipt = await publisher.publish(made)
    async with pilot.subscriber("FRA") as france:
        received = await france.fetch_one(receipt.report)
    secrets = [hidden.report, hidden.portion, consent.identity]
    for raw in (receipt.raw, received.raw):
        assert open_file(france.identity, raw).title == received.title
        (portion,) = parse(raw).portions
        assert portion.protected == b""
        assert not any(secret.encode() in raw for secret in secrets)
    (shown,) = received.report.portions
    assert (shown.label.derived_from, shown.label.consents) == ((open_one,), ())


@pytest.mark.slow
async def test_what_the_label_does_not_show_is_asked_all_the_same(pilot: Pilot) -> None:
    """The broker refuses for itself what the author's client does not check."""
    source = await published(pilot, "KEN", release_to={"GBR"})
    async with pilot.publisher("GBR") as publisher:
        made = draft(release_to={"KEN"}, derived_from={source})
        sealed = await publisher.seal(made)
        cut = replace(sealed, raw=parse(sealed.raw).shared())
        with refused("label-lineage"):
            await publisher.submit(cut)
        assert not (await publisher.submit(sealed)).duplicate
