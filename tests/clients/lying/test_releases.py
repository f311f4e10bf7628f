"""False releases, on every way that a reader can ask for them."""

import base64
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.clients.liar import Doc, encoded
from tests.clients.lying.lies import Lie, edited, evidence_of, flipped, larger, named, with_evidence
from tests.clients.lying.stage import Scene, Stage
from tests.refusal import refused
from wire import report
from wire.report import Frame

pytestmark = pytest.mark.slow


def indices(frame: Frame, nation: str = "GBR") -> list[int]:
    """The portions that a nation has keys to."""
    return [p.index for p in frame.portions if nation in {r.nation for r in p.records}]


def part(frame: Frame, keep: Iterable[int], nation: str = "GBR") -> Lie:
    """A report's bytes as if these portions went to a nation."""
    raw = base64.b64encode(frame.redacted(keep, nation)).decode()
    return lambda _, doc: {**doc, "report": raw}


def another_report(stage: Stage, doc: Doc) -> Doc:
    frame = report.parse(stage.reports["Convoy"])
    return part(frame, indices(frame))(stage, doc)


def less(stage: Stage, doc: Doc) -> Doc:
    frame = report.parse(stage.reports["Ambush"])
    return part(frame, indices(frame)[:1])(stage, doc)


def more(stage: Stage, doc: Doc) -> Doc:
    frame = report.parse(stage.reports["Ambush"])
    return part(frame, {*indices(frame), *indices(frame, "FRA")})(stage, doc)


def all_keys(stage: Stage, doc: Doc) -> Doc:
    return {**doc, "report": base64.b64encode(stage.reports["Ambush"]).decode()}


def portion_of_another(stage: Stage, doc: Doc) -> Doc:
    ours, other = (report.parse(stage.reports[t]) for t in ("Ambush", "Convoy"))
    first, second = indices(ours)
    kept = next(p for p in ours.portions if p.index == second)
    frame = replace(ours, portions=(replace(other.portions[0], index=first), kept))
    return part(frame, {first, second})(stage, doc)


def without_keys(stage: Stage, doc: Doc) -> Doc:
    frame = report.parse(stage.reports["Ambush"])
    return part(frame, indices(frame), "BGD")(stage, doc)


def checkpoint(change: Callable[[str], str]) -> Lie:
    def lie(_: Stage, doc: Doc) -> Doc:
        proof = doc["evidence"]
        return {**doc, "evidence": {**proof, "checkpoint": change(proof["checkpoint"])}}

    return lie


RELEASES: dict[str, tuple[Lie, str, str]] = {
    "another report's bytes under a valid proof": (
        another_report,
        "bad-proof",
        "of another report",
    ),
    "a portion removed": (
        less,
        "bad-proof",
        "other portions than the journal says",
    ),
    "a portion added": (
        more,
        "bad-proof",
        "other portions than the journal says",
    ),
    "a portion of another report": (portion_of_another, "bad-envelope", "not the one that was"),
    "no key": (without_keys, "label-recipients", "own wrap is missing"),
    "the keys of other nations": (all_keys, "label-recipients", "a wrap for another nation"),
    "a byte of the report": (
        lambda _, doc: {**doc, "report": flipped(doc["report"])},
        "bad-envelope",
        "payload is not the one",
    ),
    "the proof of another report": (
        evidence_of("GBR release Convoy GBR"),
        "bad-proof",
        "of another report",
    ),
    "the proof of another kind of entry": (
        evidence_of("GBR audit.read"),
        "bad-proof",
        "not a release",
    ),
    "the proof of another nation": (
        evidence_of("KEN release Ambush GBR"),
        "broken-chain",
        "another channel",
    ),
    "an edited view": (edited(portions=[0]), "broken-chain", "not what was committed to"),
    "a later acceptance in the view": (edited(accepted=0), "broken-chain", "committed to"),
    "no view": (with_evidence(view=None, view_opening=None), "bad-proof", "not a release"),
    "no checkpoint": (with_evidence(checkpoint=None), "bad-proof", "without a checkpoint"),
    "another tree": (checkpoint(larger), "bad-checkpoint", "does not verify"),
    "no proof": (with_evidence(proof=[]), "bad-proof", ""),
    "another place": (with_evidence(index=0), "bad-proof", ""),
    "to keep what is only to be looked at": (
        lambda _, doc: {**doc, "use": "release" if doc["use"] == "display" else "display"},
        "bad-proof",
        "another use than it was signed for",
    ),
    "a use that there is not": (lambda _, doc: {**doc, "use": "print"}, "bad-fields", "use"),
    "more than a release has": (lambda _, doc: {**doc, "banner": "-"}, "bad-fields", "banner"),
}


def lying(scene: Scene, lie: Lie, title: str) -> None:
    """Whatever brings this report brings the lie; all other reports stay true."""
    identity = scene.stage.identity(title)

    def change(doc: Doc) -> Doc:
        named = report.parse(base64.b64decode(doc["report"])).identity
        return lie(scene.stage, doc) if named == identity else doc

    scene.liar.answers(r"/v1/reports/", change)
    scene.liar.answers(
        r"/v1/reports\?", lambda page: {**page, "releases": [*map(change, page["releases"])]}
    )
    scene.liar.events(
        lambda e: [replace(e, data=encoded(change(e.doc)))] if e.kind == "report" else [e]
    )


async def is_refused_everywhere(scene: Scene, title: str, slug: str, words: str) -> None:
    """However the reader asks for the report, it is refused in these words."""
    reader, identity = scene.reader, scene.stage.identity(title)
    with refused(slug, words):
        await reader.fetch_one(identity)
    with refused(slug, words):
        assert await scene.shown(reader.fetch()) == []
    with refused(slug, words):
        await scene.shown(reader.watch())
    assert f"report:{identity}" not in reader.store


@pytest.mark.anyio
@pytest.mark.parametrize("name", RELEASES, ids=named)
async def test_a_false_release_is_refused_on_every_way(scene: Scene, name: str) -> None:
    lie, slug, words = RELEASES[name]
    lying(scene, lie, "Ambush")
    await is_refused_everywhere(scene, "Ambush", slug, words)
    await scene.unharmed()


@pytest.mark.anyio
async def test_what_may_only_be_displayed_is_never_stored(scene: Scene) -> None:
    """Expect refusal: `use` says release, the signed label says display."""
    lying(scene, lambda _, doc: {**doc, "use": "release"}, "Look")
    await is_refused_everywhere(scene, "Look", "bad-proof", "another use than it was signed for")
    await scene.unharmed()


@pytest.mark.anyio
async def test_another_true_report_is_not_what_was_asked_for(scene: Scene) -> None:
    identities = {t: scene.stage.identity(t) for t in ("Ambush", "Convoy")}
    answer = await scene.reader.transport.get(f"/v1/reports/{identities['Convoy']}")
    scene.liar.answers("/v1/reports/", lambda _: answer.body)
    with refused("bad-proof", "another report than was asked for"):
        await scene.reader.fetch_one(identities["Ambush"])
    await scene.unharmed()


@pytest.mark.anyio
async def test_nothing_is_shown_twice_however_often_it_is_sent(scene: Scene) -> None:
    """In one page, in the next one, and as several events."""
    pages = 0

    def doubled(page: Doc) -> Doc:
        nonlocal pages
        pages += 1
        return {**page, "releases": page["releases"] * 2, "more": pages < 3}

    scene.liar.answers(r"/v1/reports\?", doubled)
    scene.liar.events(lambda event: [event] * 3)
    fetched = [r.identity for r in await scene.shown(scene.reader.fetch())]
    assert sorted(fetched) == sorted(scene.stage.truth)
    watched = []
    async with aclosing(scene.reader.watch()) as reports:
        async for received in reports:
            watched.append(received.identity)
            if len(watched) == len(scene.stage.truth):
                break
    assert sorted(watched) == sorted(scene.stage.truth)
    await scene.unharmed()
