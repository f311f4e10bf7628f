"""Protected sources: readers learn nothing of them, and the third-party rule holds all the same."""

import asyncio
import dataclasses
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from broker import lineage
from tests import sealing
from tests.broker.house import House
from tests.coalition import Portion
from tests.refusal import refused
from wire import report
from wire.errors import Conflict, NotAllowed
from wire.report import Frame
from wire.statements import Statement

pytestmark = pytest.mark.anyio

FREE: dict[str, Any] = {"derive": "within_release", "onward": "release_list"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", "SEN", folder=tmp_path) as found:
        yield found


def source_of(raw: bytes) -> dict[str, str]:
    frame = report.parse(raw)
    return {"report": frame.identity, "portion": frame.portions[0].commitment}


def drawn(*raws: bytes, consents: tuple[Statement, ...] = ()) -> dict[str, Any]:
    """What a portion says of protected sources."""
    found = sorted((source_of(raw) for raw in raws), key=lambda s: s["report"])
    return {"derived_from": found, "consents": sorted(c.identity for c in consents)}


async def sent(house: House, nation: str, to: str, *got_by: str, **how: Any) -> bytes:
    """A report that was accepted, and what its readers have got."""
    raw = house[nation].seals(release_to=to, **{**FREE, **how})
    await house.submits(raw)
    for reader in got_by:
        await house.fetches(house[reader].analyst, identity(raw))
    return raw


def identity(raw: bytes) -> str:
    return report.parse(raw).identity


async def told(house: House, nation: str, kind: str, raw: bytes) -> list[dict[str, Any]]:
    """What a nation's channel says of a report in entries of this type."""
    channel = await house.channel(nation)
    return [v for type_, v in channel if type_ == kind and v.get("report") == identity(raw)]


def with_protected(raw: bytes, *protected: bytes) -> bytes:
    """A report whose portions say something else of protected sources, under its signature."""
    frame = report.parse(raw)
    pairs = zip(frame.portions, protected, strict=True)
    portions = tuple(dataclasses.replace(p, protected=other) for p, other in pairs)
    return sealing.encode(dataclasses.replace(frame, portions=portions))


# -- what is shown to whom


@pytest.mark.slow
async def test_a_reader_is_sent_nothing_of_protected_sources(house: House) -> None:
    """Not even whether there are any: neither the bytes, nor the journal, nor a length tells."""
    kenya, senegal = house["KEN"], house["SEN"]
    source = await sent(house, "KEN", "GBR", "GBR")
    consent = kenya.consents(source, "SEN", author="GBR")
    await house.files(consent)
    shapes = []
    for protected in (None, drawn(source, consents=(consent,))):
        raw = await sent(house, "GBR", "SEN", protected=protected)
        release = await house.fetches(senegal.analyst, identity(raw))
        (portion,) = house.proven(release, "SEN")[0].portions
        assert portion.frame.protected == b""
        assert (portion.label.derived_from, portion.label.consents) == ((), ())
        view = json.loads(b64decode(release.evidence.view or ""))
        secrets = (*source_of(source).values(), consent.identity, "release/KEN")
        assert not any(secret in json.dumps(view) for secret in secrets)
        assert not any(secret.encode() in release.report for secret in secrets)
        evidence = release.evidence
        link = json.loads(b64decode(evidence.link))
        unsigned = len(release.report) - len(report.parse(release.report).signature)
        lengths = [unsigned, len(evidence.leaf), len(portion.frame.label_bytes)]
        known = {name: value for name, value in view.items() if name not in {"report", "accepted"}}
        shapes.append((lengths, link["type"], sorted(view), known))
        assert senegal.opens(release.report)
    assert shapes[0] == shapes[1]


@pytest.mark.slow
async def test_its_author_and_the_originators_of_the_sources_are_told(house: House) -> None:
    source, open_one = (
        await sent(house, "KEN", "GBR SEN", "GBR"),
        await sent(house, "FRA", "GBR SEN", "GBR"),
    )
    raw = await sent(
        house, "GBR", "SEN", "SEN", protected=drawn(source), derived_from=[source_of(open_one)]
    )
    (accepted,) = await told(house, "GBR", "report.accepted", raw)
    assert accepted["sources"] == sorted((identity(source), identity(open_one)))
    for nation, own in (("KEN", source), ("FRA", open_one)):
        (release,) = await told(house, nation, "release", raw)
        assert (release["sources"], release["to"]) == ([identity(own)], "SEN")
        others = {"KEN", "FRA"} - {nation}
        assert not any(f"release/{other}" in release["policies"] for other in others)
    (release,) = await told(house, "SEN", "release", raw)
    assert "sources" not in release


@pytest.mark.slow
async def test_who_draws_on_it_is_not_told_what_stands_behind(house: House) -> None:
    """France knows that it used Britain's report. That Kenya is inside, Britain protects."""
    source = await sent(house, "KEN", "GBR FRA SEN", "GBR")
    said = {}
    for protected in (None, drawn(source)):
        first = await sent(house, "GBR", "FRA SEN", "FRA", protected=protected)
        second = await sent(house, "FRA", "SEN", "SEN", protected=drawn(first))
        views = [
            *await told(house, "FRA", "report.accepted", second),
            *await told(house, "FRA", "release", second),
        ]
        assert ["release/GBR" in view["policies"] for view in views] == [True, False]
        said[protected is None] = [sorted(view["policies"]) for view in views]
    assert said[True] == said[False]
    assert (await told(house, "KEN", "release", second))[0]["sources"] == [identity(source)]


# -- places in the log


@pytest.mark.slow
async def test_a_leaf_does_not_tell_how_many_nations_contributed(house: House) -> None:
    """Each has a part in the release, but the reader sees four places, and its own anywhere."""
    sources = [await sent(house, nation, "GBR SEN", "GBR") for nation in ("KEN", "FRA")]
    places, sizes = set[int](), set[int]()
    for number in range(24):
        protected = drawn(*sources[: number % 3])
        raw = await sent(house, "GBR", "SEN", protected=protected)
        evidence = (await house.fetches(house["SEN"].analyst, identity(raw))).evidence
        places.add(evidence.slot)
        sizes.add(b64decode(evidence.leaf)[1])
    assert (places, sizes) == ({0, 1, 2, 3}, {4})
    await house.restarts()
    assert await house.pulls(house["SEN"].analyst)


# -- the rule


@pytest.mark.slow
async def test_a_protected_source_limits_the_audience(house: House) -> None:
    source = await sent(house, "KEN", "GBR", "GBR")
    with refused("third-party-rule"):
        await sent(house, "GBR", "SEN", protected=drawn(source))
    kind, view = (await house.channel("GBR"))[-1]
    assert (kind, view["slug"]) == ("report.refused", "third-party-rule")
    await sent(house, "GBR", "KEN", "KEN", protected=drawn(source))


@pytest.mark.slow
async def test_a_consent_for_a_protected_source_counts_and_ends(house: House) -> None:
    kenya, senegal = house["KEN"], house["SEN"].analyst
    source = await sent(house, "KEN", "GBR", "GBR")
    consent = kenya.consents(source, "SEN")
    await house.files(consent)
    raw = await sent(house, "GBR", "SEN", "SEN", protected=drawn(source, consents=(consent,)))
    await house.files(kenya.takes_back(consent))
    assert await house.pulls(senegal) == []
    following = await house.follows(senegal)
    await house.files(kenya.consents(source, "SEN"))
    assert set(await following.rest()) == {identity(raw), identity(source)}
    await following.closes()


@pytest.mark.slow
async def test_a_recall_of_a_protected_source_withholds_what_draws_on_it(house: House) -> None:
    """From everybody but its author's nation, and as if there had never been such a report."""
    source = await sent(house, "KEN", "GBR SEN FRA", "GBR")
    first = await sent(house, "GBR", "SEN FRA", "SEN", "FRA", protected=drawn(source))
    second = await sent(house, "FRA", "SEN", "SEN", protected=drawn(first))
    body = {"report": identity(source), "reason": "source at risk"}
    await house.files(house["KEN"].says("report.recall", body))
    for _ in range(2):
        for raw in (first, second):
            with refused("not-found"):
                await house.fetches(house["SEN"].analyst, identity(raw))
        assert await house.pulls(house["SEN"].analyst) == []
        assert await house.pulls(house["GBR"].analyst) == [identity(first)]
        await house.restarts()
    with refused("bad-lineage"):
        await sent(house, "GBR", "SEN", protected=drawn(source))


@pytest.mark.slow
async def test_the_rules_of_a_protected_sources_originator_are_asked(house: House) -> None:
    """`resource.derived` in its policy is true of what was derived from it in secret, too."""
    kenya = house["KEN"]
    source = await sent(house, "KEN", "GBR SEN", "GBR")
    raw = await sent(house, "GBR", "SEN", protected=drawn(source))
    never = kenya.policy_body()["release"]
    never += [
        '@id("KEN/derived")',
        '@says("Nothing made from ours.")',
        'forbid (principal, action == Action::"release", resource) when { resource.derived };',
    ]
    await house.files(kenya.adopts(release="\n".join(never)))
    with refused("not-found"):
        await house.fetches(house["SEN"].analyst, identity(raw))
    with refused("withheld"):
        await sent(house, "GBR", "SEN", protected=drawn(source))
    await house.fetches(house["SEN"].analyst, identity(source))


@pytest.mark.slow
async def test_a_report_draws_on_no_more_than_can_be_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all portions, and with what stands behind: what is told of it has to fit one view."""
    sources = [await sent(house, "KEN", "GBR SEN", "GBR") for _ in range(2)]
    second = await sent(house, "GBR", "SEN", protected=drawn(sources[0]))
    more = [Portion("More.", protected=drawn(sources[1], second))]
    monkeypatch.setattr(lineage, "ANCESTORS_LIMIT", 3)
    await sent(house, "GBR", "SEN", protected=drawn(sources[0]), portions=more)
    monkeypatch.setattr(lineage, "ANCESTORS_LIMIT", 2)
    with refused("bad-lineage", "more than 2 portions"):
        await sent(house, "GBR", "SEN", protected=drawn(sources[0]), portions=more)


# -- who lies. Expect refusal


def nothing_at_all(frame: Frame) -> list[bytes]:
    return [b"" for _ in frame.portions]


def another(frame: Frame) -> list[bytes]:
    return [sealing.text({"salt": "00" * 32, **sealing.NO_SOURCES}) for _ in frame.portions]


def that_of_another_portion(frame: Frame) -> list[bytes]:
    return [p.protected for p in reversed(frame.portions)]


def one_byte_more(frame: Frame) -> list[bytes]:
    return [p.protected + b" " for p in frame.portions]


LIES: dict[Callable[[Frame], list[bytes]], str] = {
    nothing_at_all: "label-lineage",
    another: "bad-envelope",
    that_of_another_portion: "bad-envelope",
    one_byte_more: "bad-envelope",
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
async def test_what_is_not_committed_to_is_refused(
    house: House, lie: Callable[[Frame], list[bytes]]
) -> None:
    """On its way, too: without it the rule would not be asked at all."""
    source = await sent(house, "KEN", "GBR", "GBR")
    portions = [Portion("More.", protected=sealing.NO_SOURCES)]
    raw = house["GBR"].seals(protected=drawn(source), portions=portions, **FREE)
    with refused(LIES[lie]):
        await house.submits(with_protected(raw, *lie(report.parse(raw))))
    await house.submits(raw)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "slug"),
    [
        ({"salt": "00" * 31}, "bad-fields"),
        ({"salt": None}, "bad-fields"),
        ({"more": 1}, "bad-fields"),
        ({"derived_from": [{"report": "00" * 32, "portion": "00" * 32}]}, "bad-lineage"),
        ({"consents": ["00" * 32]}, "label-lineage"),
    ],
)
async def test_what_is_committed_to_is_read_strictly(
    house: House, said: dict[str, Any], slug: str
) -> None:
    with refused(slug):
        await sent(house, "GBR", "KEN", protected=said)


async def test_a_source_that_is_shown_and_protected_is_refused(house: House) -> None:
    source = await sent(house, "KEN", "GBR", "GBR")
    with refused("label-lineage"):
        await sent(house, "GBR", "KEN", protected=drawn(source), derived_from=[source_of(source)])


@pytest.mark.slow
async def test_a_salt_is_used_once(house: House) -> None:
    """Two equal commitments would tell that the same is behind them; also after a restart."""
    salt = {"salt": "5a" * 32}
    with refused("label-lineage"):
        await sent(house, "GBR", "KEN", protected=salt, portions=[Portion("More.")])
    both = [house["GBR"].seals(release_to="KEN", protected=salt) for _ in range(2)]
    done = await asyncio.gather(*map(house.submits, both), return_exceptions=True)
    assert sum(isinstance(found, Exception) for found in done) == 1
    await house.restarts()
    with refused("label-lineage"):
        await sent(house, "GBR", "KEN", protected=salt)
    await sent(house, "FRA", "KEN", protected=salt)  # others' salts are none of its business


async def test_the_same_report_has_the_same_protected_sources(house: House) -> None:
    """Posted again it gets its receipt; a reader's part of it does not, also once it is deleted."""
    source = await sent(house, "KEN", "GBR", "GBR")
    raw = await sent(house, "GBR", "KEN", protected=drawn(source))
    (stored,) = report.parse(raw).portions
    for _ in range(2):
        assert (await house.submits(raw)).duplicate
        with pytest.raises(Conflict, match="id-reuse"):
            await house.submits(with_protected(raw, b""))
        recall = {"report": identity(raw), "reason": "an error"}
        await house.files(house["GBR"].says("report.recall", recall))
    rows = await house.broker.journal.rows("reports_dated", (-1, 9))
    left = [report.parse(row[1]).portions[0] for row in rows]
    (erased,) = [portion for portion in left if portion.descriptor == stored.descriptor]
    assert (erased.payload, erased.protected) == (b"", stored.protected)


async def test_an_unknown_source_is_the_same_whether_it_is_shown_or_protected(
    house: House,
) -> None:
    hidden = await sent(house, "KEN", "FRA")
    answers = set()
    for how in ({"protected": drawn(hidden)}, {"derived_from": [source_of(hidden)]}):
        with pytest.raises(Exception, match="bad-lineage") as caught:
            await sent(house, "GBR", "KEN", **how)
        answers.add(str(caught.value))
    with pytest.raises(NotAllowed, match="not-found"):
        await house.fetches(house["GBR"].analyst, identity(hidden))
    assert len(answers) == 1
