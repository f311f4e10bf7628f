"""A broker that lies: every answer is changed on its way, and what it says is not believed.

The clients, the broker, the keys and the proofs are real; between them stands `tests.clients.liar`.
Some lies only a broker with the log's own key can tell: there the broker itself journals what is
not true. After each lie nothing false was stored or shown, and when the broker is honest again the
same client goes on and comes to the truth; after a fork it never does.
"""

import base64
import gzip
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from broker import audit, deciding
from clients import sse, transport
from clients.auditor import Auditor
from clients.draft import AttachmentFile, Draft, Portion
from clients.identity import Identity
from clients.officer import Officer
from clients.publisher import NotUploaded, Publisher
from clients.received import Notable, Received
from clients.subscriber import Subscriber
from tests.broker.server import serving
from tests.clients.liar import Asked, Doc, Event, Liar, Told, encoded
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused
from wire import report, statements
from wire.entries import Event as Entry
from wire.errors import TearlineError
from wire.labels import DISPLAY
from wire.notes import open_checkpoint
from wire.report import Frame

pytestmark = pytest.mark.slow

NATIONS = ("KEN", "GBR", "FRA")
HEARTBEAT = 0.2  # seconds
DAY = 86_400
PATIENCE = 8  # seconds after which nothing will come any more
PHOTO = bytes(range(256)) * 300
KEEPS = {DISPLAY}  # duties that the readers declare to keep


# -- the stage


@dataclass(repr=False)
class Stage:
    """A mission with some reports, what its British analyst may see, and a device that knows only
    how it began.
    """

    pilot: Pilot
    early: dict[str, Path]
    backup: Path
    reports: dict[str, bytes]
    truth: dict[str, Any]
    evidence: dict[str, Doc]

    def device(self, nation: str, kind: str, *, early: bool = True) -> Identity:
        """Somebody's device, which reaches the broker through the liar."""
        device = self.pilot.device(nation, kind, port=self.pilot.doors[0].getsockname()[1])
        if early and kind == "analyst":
            shutil.copytree(self.early[nation], device.state, dirs_exist_ok=True)
        return device

    def identity(self, title: str) -> str:
        return report.parse(self.reports[title]).identity


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("lying")
    policies = {nation: open_policy(nation) for nation in NATIONS}
    pilot = Pilot.laid_out(*NATIONS, folder=folder, doors=1, policies=policies, witnesses=())
    home = pilot.folder / "broker"
    with serving(home, heartbeat_seconds=HEARTBEAT) as server:
        pilot.port = server.port
        early = anyio.run(beginning, pilot)
    shutil.copytree(home, folder / "backup")
    with serving(home, heartbeat_seconds=HEARTBEAT) as server:
        pilot.port = server.port
        stage = Stage(pilot, early, folder / "backup", {}, {}, {})
        anyio.run(later, stage)
        yield stage
        for door in pilot.doors:
            door.close()


async def beginning(pilot: Pilot) -> dict[str, Path]:
    """The first report is there, and two analysts have followed the mission up to here."""
    async with pilot.publisher("KEN") as publisher:
        await publisher.publish(draft("First"))
    folders = {}
    for nation in ("GBR", "FRA"):
        async with pilot.subscriber(nation) as analyst:
            await analyst.follower.sync()
            folders[nation] = analyst.identity.state
    return folders


async def later(stage: Stage) -> None:
    """Everything else that happens."""
    pilot = stage.pilot
    guest = pilot.joins("GBR", "guest", "analyst")
    async with pilot.officer("GBR") as officer:
        await officer.add(guest.keys.card, "analyst", clearance="SECRET")
        await officer.revoke(guest.kid, "left")
    async with pilot.publisher("KEN") as publisher:
        for one in (
            tear_line(),
            draft("Convoy"),
            draft("Look", {"FRA"}, display_to={"GBR"}),
            draft("Photo", attachments=[AttachmentFile.of_bytes("photo.jpg", PHOTO)]),
        ):
            stage.reports[one.title] = (await publisher.publish(one)).raw
        for name in JOURNALLED:
            stage.reports[name] = (await publisher.publish(draft(name, {"FRA"}))).raw
    async with pilot.subscriber("GBR", keeps=KEEPS) as analyst:
        stage.truth = {r.identity: seen(r) async for r in analyst.fetch()}
    for nation in ("GBR", "KEN"):
        stage.evidence |= await evidence(stage, nation)


def tear_line() -> Draft:
    """Two portions for Britain, one that is for France alone."""
    main, below, french = (draft(t, to) for t, to in TEAR_LINE.items())
    others = [Portion(label=d.label, title=d.title, body=d.body) for d in (below, french)]
    return replace(main, portions=others)


TEAR_LINE = {"Ambush": {"GBR"}, "Below": {"GBR", "FRA"}, "French": {"FRA"}}


async def evidence(stage: Stage, nation: str) -> dict[str, Doc]:
    """Evidence of entries of a nation's channel, each with its checkpoint: by what it is."""
    found: dict[str, Doc] = {}
    titles = {stage.identity(title): title for title in stage.reports}
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar:
        async with Auditor(stage.device(nation, "auditor")) as auditor:
            entries = await auditor.entries()
        pages = liar.heard("/v1/log/views")
    by_index = {
        e["index"]: {**e, "checkpoint": page["segment"]["checkpoint"]}
        for page in pages
        for e in page["segment"]["entries"]
    }
    for entry in entries:
        about = titles.get(str((entry.view or {}).get("report")), "")
        to = (entry.view or {}).get("to", "")
        found[f"{nation} {entry.type} {about} {to}".strip()] = by_index[entry.index]
    found[f"{nation} head"] = pages[-1]["segment"]["head"]
    return found


def seen(received: Received) -> Any:
    """What a reader sees of a report."""
    texts = tuple((p.index, p.banner, p.title, p.body) for p in received.report.portions)
    return received.originator, received.banner, texts, received.proof.accepted, received.proof.use


# -- a scene


@dataclass(repr=False)
class Scene:
    """The British analyst, who hears the broker through the liar."""

    stage: Stage
    liar: Liar
    reader: Subscriber

    async def shown(self, reports: AsyncGenerator[Received, None]) -> list[Received]:
        """Everything that is shown, and all of it is true."""
        found = []
        with anyio.fail_after(PATIENCE):
            async with aclosing(reports):
                async for received in reports:
                    assert seen(received) == self.stage.truth[received.identity]
                    found.append(received)
        return found

    async def unharmed(self) -> None:
        """Nothing false was stored; told the truth, the same client comes to it."""
        self.nothing_false_is_stored()
        self.liar.honest()
        shown = await self.shown(self.reader.fetch(again=True))
        assert {r.identity for r in shown} == self.stage.truth.keys()
        self.nothing_false_is_stored()

    def nothing_false_is_stored(self) -> None:
        for identity, told in self.stage.truth.items():
            stored = self.reader.store.get(f"report:{identity}")
            if stored is not None:
                assert told[-1] == "release"
                frame, portions = report.parse(stored), told[2]
                assert frame.identity == identity
                assert {p.index for p in frame.portions} == {index for index, *_ in portions}


@pytest.fixture
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with scene_of(stage) as made:
        yield made


@asynccontextmanager
async def scene_of(stage: Stage, *, early: bool = True) -> AsyncIterator[Scene]:
    door, port = stage.pilot.doors[0], stage.pilot.port
    device = stage.device("GBR", "analyst", early=early)
    async with Liar.at(door, port) as liar, Subscriber(device, keeps=KEEPS) as reader:
        yield Scene(stage, liar, reader)


# -- releases

Lie = Callable[[Stage, Doc], Doc]
"""Changes the release of the report `Ambush`."""


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


def flipped(text: str, at: int = -1) -> str:
    """Base64 of the same bytes, but for a bit in one of them."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def without_keys(stage: Stage, doc: Doc) -> Doc:
    frame = report.parse(stage.reports["Ambush"])
    return part(frame, indices(frame), "BGD")(stage, doc)


def evidence_of(name: str) -> Lie:
    return lambda stage, doc: {**doc, "evidence": stage.evidence[name]}


def with_evidence(**changes: Any) -> Lie:
    return lambda _, doc: {**doc, "evidence": {**doc["evidence"], **changes}}


def edited(**changes: Any) -> Lie:
    """Another view, under the proof of the true one."""

    def lie(_: Stage, doc: Doc) -> Doc:
        view = json.loads(base64.b64decode(doc["evidence"]["view"])) | changes
        text = base64.b64encode(encoded(view)).decode()
        return {**doc, "evidence": {**doc["evidence"], "view": text}}

    return lie


def checkpoint(change: Callable[[str], str]) -> Lie:
    def lie(_: Stage, doc: Doc) -> Doc:
        proof = doc["evidence"]
        return {**doc, "evidence": {**proof, "checkpoint": change(proof["checkpoint"])}}

    return lie


def larger(note: str) -> str:
    origin, size, rest = note.split("\n", 2)
    return f"{origin}\n{int(size) + 1}\n{rest}"


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


def named(words: str) -> str:
    return words.replace(" ", "-")


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


# -- releases that the broker itself journalled


def journals(monkeypatch: pytest.MonkeyPatch, lie: Doc) -> None:
    """Release entries say this from now on, under valid proofs; `None` takes a field away."""
    honest = audit.released

    def released(*args: Any) -> Entry:
        event, wrong = honest(*args), {}
        for channel, body in event.bodies.items():
            view = json.loads(body) | lie
            wrong[channel] = {k: v for k, v in view.items() if v is not None}
        return Entry(event.type, wrong)

    monkeypatch.setattr(audit, "released", released)


async def french_refuse(stage: Stage, raw: bytes, slug: str, words: str) -> None:
    """The French analyst does not believe the release of a report."""
    identity = report.parse(raw).identity
    device = stage.device("FRA", "analyst")
    door, port = stage.pilot.doors[0], stage.pilot.port
    async with Liar.at(door, port), Subscriber(device, keeps=KEEPS) as reader:
        with refused(slug, words):
            await reader.fetch_one(identity)
        assert f"report:{identity}" not in reader.store


JOURNALLED: dict[str, tuple[Doc, str, str]] = {
    "accepted before its signer was known": ({"accepted": 3}, "unknown-signer", ""),
    "accepted after it was released": ({"accepted": 1 << 40}, "bad-proof", "when the report was"),
    "accepted nowhere": ({"accepted": None}, "bad-proof", "when the report was"),
    "accepted somewhere": ({"accepted": "3"}, "bad-proof", "when the report was"),
    "accepted when its signer had expired": ({"accepted_time": 1 << 40}, "unknown-signer", ""),
    "accepted never": ({"accepted_time": None}, "bad-proof", "when the report was"),
    "another report": ({"report": "00" * 32}, "bad-proof", "of another report"),
    "to another nation": ({"to": "GBR"}, "bad-proof", "to another nation"),
    "from another nation": ({"originator": "GBR"}, "bad-proof", "to another nation"),
    "fewer portions": ({"portions": []}, "bad-proof", "other portions"),
    "more portions": ({"portions": [0, 1, 2, 3]}, "bad-proof", "other portions"),
    "another use": ({"use": "display"}, "bad-proof", "another use"),
    "shown, not released": ({"display": [0]}, "bad-proof", "other portions to be kept"),
    "no word of what is shown": ({"display": None}, "bad-proof", "other portions to be kept"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", JOURNALLED, ids=named)
async def test_a_false_entry_in_the_journal_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lie, slug, words = JOURNALLED[name]
    journals(monkeypatch, lie)
    await french_refuse(stage, stage.reports[name], slug, words)


@pytest.mark.anyio
async def test_the_label_says_what_may_be_kept_and_not_the_journal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal: journal and answer agree that a display-only report may be kept."""
    async with stage.pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft(release_to={"KEN"}, display_to={"FRA"}))
    monkeypatch.setattr(deciding, "use_of", lambda _portions, _nation: "release")
    monkeypatch.setattr(audit, "use_of", lambda _portions, _nation: "release")
    words = "another use than it was signed for"
    await french_refuse(stage, receipt.raw, "bad-proof", words)


@pytest.mark.anyio
async def test_a_report_of_a_revoked_member_is_not_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal: the journal says it was accepted when its signer stood no more."""
    pilot = stage.pilot
    leaver = told(pilot.joins("KEN", "leaver", "system"), pilot.port)
    async with pilot.officer("KEN") as officer:
        await officer.add(leaver.keys.card, "system", clearance="SECRET")
        async with Publisher(leaver) as publisher:
            receipt = await publisher.publish(draft("Late", {"FRA"}))
        revoked = (await officer.revoke(leaver.kid, "lost"))[0].index
    journals(monkeypatch, {"accepted": revoked})
    await french_refuse(stage, receipt.raw, "unknown-signer", "")


def told(device: Identity, port: int) -> Identity:
    """The same device, told where the broker is."""
    changes = {"broker": f"http://127.0.0.1:{port}", "address_file": None}
    return replace(device, public=device.public.model_copy(update=changes))


# -- statements

PageLie = Callable[[Doc, Stage], Doc]


def entries(change: Callable[[list[Doc]], list[Doc]]) -> PageLie:
    def lie(page: Doc, _: Stage) -> Doc:
        segment = page["segment"]
        return {**page, "segment": {**segment, "entries": change(segment["entries"])}}

    return lie


def segment(**changes: Any) -> PageLie:
    return lambda page, _: {**page, "segment": {**page["segment"], **changes}}


def statement(nation: str, kind: str, change: Callable[[bytes, Doc], bytes | None]) -> PageLie:
    """One statement of a nation and type comes in another form, or not at all."""

    def lie(page: Doc, _: Stage) -> Doc:
        sent = dict(page["statements"])
        for identity, text in page["statements"].items():
            raw = base64.b64decode(text)
            head = statements.parse(raw).head
            if (head.nation, head.type) == (nation, kind):
                new = change(raw, page)
                del sent[identity]
                if new is not None:
                    sent[identity] = base64.b64encode(new).decode()
                return {**page, "statements": sent}
        return page

    return lie


def withheld(raw: bytes, _: Doc) -> bytes:
    return statements.without_body(statements.parse(raw))


def swapped(raw: bytes, page: Doc) -> bytes:
    others = map(base64.b64decode, page["statements"].values())
    return next(other for other in others if other != raw)


def forged(raw: bytes, _: Doc) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def head_of_another_channel(page: Doc, stage: Stage) -> Doc:
    return {**page, "segment": {**page["segment"], "head": stage.evidence["GBR head"]}}


def another_statement_in_the_view(page: Doc, _: Stage) -> Doc:
    def change(entry: Doc) -> Doc:
        view = json.loads(base64.b64decode(entry["view"]))
        if "statement" not in view:
            return entry
        view["statement"] = next(i for i in page["statements"] if i != view["statement"])
        return {**entry, "view": base64.b64encode(encoded(view)).decode()}

    return entries(lambda found: [*map(change, found)])(page, Stage.__new__(Stage))


PAGES: dict[str, tuple[PageLie, str, str]] = {
    "an entry left out": (entries(lambda e: e[:1] + e[2:]), "broken-chain", "missing or out of"),
    "the first entry left out": (entries(lambda e: e[1:]), "broken-chain", "missing or out of"),
    "the last entry left out": (entries(lambda e: e[:-1]), "broken-chain", "shown, .* exist"),
    "no entry": (entries(lambda _: []), "broken-chain", "shown, .* exist"),
    "two entries in another order": (
        entries(lambda e: [e[1], e[0], *e[2:]]),
        "broken-chain",
        "missing or out of order",
    ),
    "an entry twice": (entries(lambda e: [e[0], *e]), "broken-chain", "missing or out of order"),
    "a view that names another statement": (
        another_statement_in_the_view,
        "broken-chain",
        "not what was committed to",
    ),
    "a revocation kept from its own nation": (
        statement("GBR", "member.revoke", withheld),
        "bad-statement",
        "must be seen here is withheld",
    ),
    "a public body withheld": (
        statement("GBR", "epoch.open", withheld),
        "bad-statement",
        "must be seen here is withheld",
    ),
    "a statement for another": (
        statement("GBR", "member.revoke", swapped),
        "broken-chain",
        "another statement was sent",
    ),
    "a statement not sent": (
        statement("GBR", "member.revoke", lambda _raw, _page: None),
        "broken-chain",
        "was not sent",
    ),
    "a forged signature": (statement("GBR", "epoch.open", forged), "bad-signature", ""),
    "the head of another channel": (head_of_another_channel, "bad-proof", ""),
    "the page of another channel": (segment(channel="GBR"), "broken-chain", "another channel"),
    "no proof that the log only grew": (
        lambda page, _: {**page, "consistency": []},
        "fork-detected",
        "no proof that trees of",
    ),
    "a wrong proof that the log only grew": (
        lambda page, _: {**page, "consistency": [flipped(h) for h in page["consistency"]]},
        "fork-detected",
        "no proof that trees of",
    ),
    "another tree": (
        lambda page, _: segment(checkpoint=larger(page["segment"]["checkpoint"]))(page, _),
        "bad-checkpoint",
        "does not verify",
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", PAGES, ids=named)
async def test_a_false_page_of_statements_is_refused(scene: Scene, name: str) -> None:
    """Nothing of the page counts, not even what was true of it."""
    lie, slug, words = PAGES[name]
    follower = scene.reader.follower
    position, members = follower.directory.position, follower.directory.members
    scene.liar.answers("/v1/statements", lambda page: lie(page, scene.stage))
    for _ in range(2):
        with refused(slug, words):
            await follower.sync()
    if name != "the last entry left out":  # there the first page was true, as far as it went
        assert (follower.directory.position, follower.directory.members) == (position, members)
    await scene.unharmed()


@pytest.mark.anyio
async def test_a_page_from_before_a_revocation_is_refused(scene: Scene) -> None:
    """The answer was true once; since then the client has seen a newer tree."""
    reader, pilot = scene.reader, scene.stage.pilot
    await reader.follower.sync()
    await reader.follower.sync()
    old = scene.liar.heard("/v1/statements")[-1]
    assert not old["segment"]["entries"]
    async with pilot.auditor("GBR") as auditor:  # whatever is journalled makes the tree grow
        await auditor.entries()
    scene.liar.answers("/v1/statements", lambda _: old)
    await reader.follower.observe(await newest(scene))
    with refused("broken-chain", "older tree than was seen before"):
        await reader.follower.sync()
    await scene.unharmed()


async def newest(scene: Scene) -> str:
    """The log's newest checkpoint."""
    return (await scene.reader.transport.get("/v1/log/checkpoint")).body.decode()


# -- trees


@contextmanager
def another_broker(stage: Stage, folder: Path, *, data: Path | None = None) -> Iterator[int]:
    """A broker with the same log key and another history: anew, or as a backup had it."""
    kept = shutil.ignore_patterns("data", "anchor", "address")
    shutil.copytree(data or stage.pilot.folder / "broker", folder, ignore=None if data else kept)
    with serving(folder, heartbeat_seconds=HEARTBEAT) as server:
        yield server.port


async def is_stopped(scene: Scene) -> list[str]:
    """Whatever the client does now, it says that the log has forked; gives what it wrote down."""
    reader = scene.reader
    with refused("fork-detected"):
        await reader.follower.sync()
    with refused("fork-detected"):
        assert await scene.shown(reader.fetch()) == []
    with refused("fork-detected"):
        await scene.shown(reader.watch())
    return sorted(path.name for path in reader.identity.state.glob("fork-*.json"))


def check_proof(scene: Scene, name: str) -> Doc:
    """Two checkpoints that the log signed, for anybody to see."""
    written: Doc = json.loads((scene.reader.identity.state / name).read_text())
    keys = scene.reader.follower.log_keys
    trees = [open_checkpoint(written[side], keys).checkpoint for side in ("seen", "shown")]
    assert trees[0] != trees[1]
    return written


@pytest.mark.anyio
@pytest.mark.parametrize("backup", [False, True], ids=["forked", "rolled-back"])
async def test_a_client_stops_at_a_second_history(
    scene: Scene, tmp_path: Path, backup: bool
) -> None:
    """A second journal with the same key, or one that is restored from a backup."""
    reader, stage = scene.reader, scene.stage
    await reader.follower.sync()
    reader.follower.trees.keep()
    with another_broker(stage, tmp_path / "b", data=stage.backup if backup else None) as port:
        scene.liar.truth = port
        names = await is_stopped(scene)
        assert names
        for name in names:
            check_proof(scene, name)
        async with Subscriber(reader.identity) as later:  # and so it stays
            with refused("fork-detected", r"see fork-\d+\.json"):
                await later.follower.sync()
    scene.nothing_false_is_stored()


@pytest.mark.anyio
async def test_two_trees_of_one_size_are_two_histories(stage: Stage, tmp_path: Path) -> None:
    """One backup, restored twice: both go on from it, and each signs its own tree."""
    with (
        another_broker(stage, tmp_path / "a", data=stage.backup) as one,
        another_broker(stage, tmp_path / "b", data=stage.backup) as two,
    ):
        async with scene_of(stage) as scene:
            scene.liar.truth = one
            await scene.reader.follower.sync()
            scene.liar.truth = two
            with refused("fork-detected", "two different trees of"):
                await scene.reader.follower.sync()
            (path,) = scene.reader.identity.state.glob("fork-*.json")
            check_proof(scene, path.name)


CONSISTENCY: dict[str, Callable[[Liar], None]] = {
    "a wrong proof": lambda liar: liar.answers(
        "/v1/log/proof", lambda doc: {"proof": [flipped(h) for h in doc["proof"]]}
    ),
    "no proof": lambda liar: liar.answers("/v1/log/proof", lambda _: {"proof": []}),
    "a refusal": lambda liar: liar.refuses("/v1/log/proof", 404, "not-found"),
    "no JSON": lambda liar: liar.answers("/v1/log/proof", lambda _: b"<html>"),
    "a proof that is too long": lambda liar: liar.answers(
        "/v1/log/proof", lambda doc: {"proof": doc["proof"] * 2}
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", CONSISTENCY, ids=named)
async def test_a_tree_without_proof_that_it_grew_is_not_believed(scene: Scene, name: str) -> None:
    """Expect refusal, with both checkpoints written down; a true proof later is taken."""
    CONSISTENCY[name](scene.liar)
    note = await newest(scene)
    seen = scene.reader.follower.seen
    for _ in range(2):
        with refused("fork-detected", "no proof that trees of"):
            await scene.reader.follower.observe(note)
    assert scene.reader.follower.seen == seen
    (path,) = scene.reader.identity.state.glob("fork-*.json")
    assert check_proof(scene, path.name)["shown"] == note
    await scene.unharmed()


@pytest.mark.anyio
async def test_a_heartbeat_is_believed_no_more_than_a_report(scene: Scene) -> None:
    def change(event: Event) -> list[Event]:
        if event.kind != "heartbeat":
            return []
        note = event.doc["checkpoint"]
        return [replace(event, data=encoded({**event.doc, "checkpoint": larger(note)}))]

    scene.liar.events(change)
    with refused("bad-checkpoint", "does not verify"):
        await scene.shown(scene.reader.watch())
    await scene.unharmed()


# -- what auditors are shown


VIEWS: dict[str, tuple[PageLie, str, str]] = {
    "an entry left out": PAGES["an entry left out"],
    "no entry": PAGES["no entry"],
    "two entries in another order": PAGES["two entries in another order"],
    "the page of another channel": (segment(channel="KEN"), "broken-chain", "another channel"),
    "the head of another channel": (
        lambda page, stage: segment(head=stage.evidence["KEN head"])(page, stage),
        "bad-proof",
        "",
    ),
    "a view of another report": (
        entries(lambda e: [{**e[0], "view": e[1]["view"]}, *e[1:]]),
        "broken-chain",
        "not what was committed to",
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", VIEWS, ids=named)
async def test_a_false_history_is_refused(stage: Stage, name: str) -> None:
    lie, slug, words = VIEWS[name]
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar:
        liar.answers("/v1/log/views", lambda page: lie(page, stage))
        async with Auditor(stage.device("GBR", "auditor")) as auditor:
            with refused(slug, words):
                await auditor.verify()
            liar.honest()
            assert (await auditor.verify()).complete


@pytest.mark.anyio
async def test_an_old_history_is_not_taken_for_the_whole(stage: Stage) -> None:
    """Expect refusal: every proof in it is right, and what came since is missing."""
    device = stage.device("GBR", "auditor")
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar, Auditor(device) as auditor:
        first = await auditor.verify()
        (old,) = liar.heard("/v1/log/views")
        second = await auditor.verify()
        assert second.size > first.size
        liar.answers("/v1/log/views", lambda _: old)
        with refused("broken-chain", "older tree than was seen before"):
            await auditor.verify()


# -- receipts, uploads, previews


@asynccontextmanager
async def sender(stage: Stage, kind: str = "system") -> AsyncIterator[tuple[Liar, Identity]]:
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar:
        yield liar, stage.device("KEN", kind)


def own(**how: Any) -> Draft:
    """A report for nobody else, so that the others' truth stays what it is."""
    return draft(release_to={"KEN"}, **how)


RECEIPTS: dict[str, tuple[Lie, str, str]] = {
    "of another report": (evidence_of("KEN report.accepted Convoy"), "bad-proof", "another report"),
    "that names another report": (
        lambda _, doc: {**doc, "report": "00" * 32},
        "bad-proof",
        "another report",
    ),
    "of a release": (evidence_of("KEN release Convoy GBR"), "bad-proof", "not a report.accepted"),
    "of another nation's channel": (
        evidence_of("GBR release Convoy GBR"),
        "broken-chain",
        "another channel",
    ),
    "without a proof": (with_evidence(proof=[]), "bad-proof", ""),
    "without a checkpoint": (with_evidence(checkpoint=None), "bad-proof", "without a checkpoint"),
    "with an edited view": (edited(id="00" * 16), "broken-chain", "not what was committed to"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", RECEIPTS, ids=named)
async def test_a_false_receipt_is_none(stage: Stage, name: str) -> None:
    lie, slug, words = RECEIPTS[name]
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        sealed = await publisher.seal(own())
        liar.answers("/v1/reports", lambda doc: lie(stage, doc))
        with refused(slug, words):
            await publisher.submit(sealed)
        liar.honest()
        receipt = await publisher.submit(sealed)
        assert (receipt.report, receipt.duplicate) == (sealed.identity, True)


@pytest.mark.anyio
async def test_an_officer_does_not_take_one_statement_for_another(stage: Stage) -> None:
    async with sender(stage, "officer") as (liar, device), Officer(device) as officer:
        spoken: list[Doc] = []

        def first_one_again(doc: Doc) -> Doc:
            spoken.append(doc)
            return {**doc, "evidence": spoken[0]["evidence"]}

        liar.answers("/v1/statements", lambda doc: first_one_again(doc) if "index" in doc else doc)
        with refused("bad-proof", "receipt is for another statement"):
            await officer.rotate()
        assert len(spoken) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("offset", [-1, 1 << 40], ids=["before", "beyond"])
async def test_an_upload_does_not_go_where_a_false_offset_says(stage: Stage, offset: int) -> None:
    photo = AttachmentFile.of_bytes("photo.jpg", PHOTO)
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        liar.answers("/v1/attachments", lambda _: {"received": offset, "complete": False})
        with pytest.raises(TearlineError) as refusal:
            await publisher.publish(own(attachments=[photo]))
        assert refusal.value.slug == ("bad-fields" if offset < 0 else "unreachable")


@pytest.mark.anyio
async def test_a_report_stands_though_its_attachment_did_not_arrive(stage: Stage) -> None:
    """Whoever publishes is told so, and holds the receipt."""
    photo = AttachmentFile.of_bytes("photo.jpg", PHOTO)
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        liar.refuses("/v1/attachments", 503, "journal-stopped")
        with pytest.raises(NotUploaded, match="stands, but not all of its attachments") as caught:
            await publisher.publish(own(attachments=[photo]))
        receipt = caught.value.receipt
        assert (caught.value.slug, receipt.duplicate) == ("journal-stopped", False)
        liar.honest()
        async with stage.pilot.subscriber("KEN") as reader:  # with this epoch's key or not
            answer = await reader.transport.get(f"/v1/reports/{receipt.report}")
        raw = base64.b64decode(json.loads(answer.body)["report"])
        assert report.parse(raw).identity == receipt.report


@pytest.mark.anyio
async def test_a_preview_changes_nothing_that_is_sealed(stage: Stage) -> None:
    """It is advice: whoever reads it may be misled, but the report goes to whom its label says."""
    wanted = draft("Advice", {"KEN"})
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        nations = {n: {"outcome": "RELEASE", "lines": ["All may have it."]} for n in NATIONS}
        liar.answers("/v1/preview", lambda _: {"portions": [{"nations": nations}]})
        preview = await publisher.preview(wanted)
        assert [nation for _, nation, *_ in preview.rows()] == sorted(NATIONS)
        receipt = await publisher.publish(wanted)
        (portion,) = report.parse(receipt.raw).portions
        assert {r.nation for r in portion.records} == {"KEN"} == set(receipt.recipients)
        liar.honest()
        liar.answers("/v1/preview", lambda doc: {**doc, "note": "-"})
        with refused("bad-fields", "note"):
            await publisher.preview(wanted)


# -- attachments

PIECES: dict[str, Callable[[bytes], bytes]] = {
    "a byte altered": lambda raw: raw[:1_000] + bytes([raw[1_000] ^ 1]) + raw[1_001:],
    "the last byte altered": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "a byte more": lambda raw: raw + b"-",
    "something else before it": lambda raw: b"-" + raw,
    "the first half twice": lambda raw: raw[: len(raw) // 2] * 2,
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", PIECES, ids=named)
async def test_a_false_attachment_leaves_nothing_behind(scene: Scene, name: str) -> None:
    received = await scene.reader.fetch_one(scene.stage.identity("Photo"))
    (attachment,) = received.report.portions[0].attachments
    scene.liar.says("/v1/attachments", lambda _, told: replace(told, body=PIECES[name](told.body)))
    into = BytesIO()
    with refused("undecryptable"):
        await scene.reader.attachment(received, attachment, into)
    assert into.getvalue() == b""
    scene.liar.honest()
    assert await scene.reader.attachment(received, attachment, into) == len(PHOTO)
    assert into.getvalue() == PHOTO


@pytest.mark.anyio
async def test_a_short_attachment_is_asked_for_until_it_is_whole(scene: Scene) -> None:
    """One that never becomes whole is refused."""
    received = await scene.reader.fetch_one(scene.stage.identity("Photo"))
    (attachment,) = received.report.portions[0].attachments
    scene.liar.says("/v1/attachments", lambda _, told: replace(told, body=told.body[:40_000]))
    into = BytesIO()
    assert await scene.reader.attachment(received, attachment, into) == len(PHOTO)
    assert into.getvalue() == PHOTO
    scene.liar.honest()
    scene.liar.says("/v1/attachments", lambda _, told: replace(told, body=b""))
    with refused("unreachable", "an empty piece"):
        await scene.reader.attachment(received, attachment, empty := BytesIO())
    assert empty.getvalue() == b""


# -- answers that are none


NONSENSE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no JSON": (lambda _: b"<html>It works!</html>", "bad-json"),
    "nothing": (lambda _: b"", "bad-json"),
    "a key twice": (lambda raw: b'{"more":true,' + raw[1:], "bad-json"),
    "a fraction": (lambda raw: raw.replace(b'"more":false', b'"more":0.0'), "bad-json"),
    "more than one": (lambda raw: raw + b"{}", "bad-json"),
    "not UTF-8": (lambda raw: b"\xff\xfe" + raw, "bad-json"),
    "deep": (lambda _: b"[" * 100_000, "bad-json"),
    "a list": (lambda raw: b"[" + raw + b"]", "bad-fields"),
    "something missing": (lambda _: b'{"releases":[],"cursor":""}', "bad-fields"),
    "something more": (lambda raw: b'{"note":"",' + raw[1:], "bad-fields"),
    "a word for a list": (lambda _: b'{"releases":"-","cursor":"","more":false}', "bad-fields"),
    "too much": (lambda raw: raw[:1] + b" " * transport.ANSWER_MAX + raw[1:], "too-large"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", NONSENSE, ids=named)
async def test_an_answer_that_is_none_is_refused(scene: Scene, name: str) -> None:
    change, slug = NONSENSE[name]
    scene.liar.says(r"/v1/reports\?", lambda _, told: replace(told, body=change(told.body)))
    with refused(slug):
        assert await scene.shown(scene.reader.fetch()) == []
    await scene.unharmed()


@pytest.mark.anyio
async def test_a_packed_answer_is_not_unpacked(scene: Scene) -> None:
    """Expect refusal: nobody asked for it, and a few bytes can hold a great many."""
    packed = gzip.compress(b" " * (1 << 20))

    def change(_: Asked, told: Told) -> Told:
        return Told(200, {**told.headers, "content-encoding": "gzip"}, packed)

    scene.liar.says(r"/v1/reports\?", change)
    with refused("bad-json"):
        await scene.shown(scene.reader.fetch())
    await scene.unharmed()


@pytest.mark.anyio
async def test_nobody_is_sent_elsewhere(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect refusal: a redirection is not followed."""
    monkeypatch.setattr(transport, "PAUSES", ())
    there = {"location": f"http://127.0.0.1:{scene.stage.pilot.port}/v1/elsewhere"}
    scene.liar.says(r"/v1/reports\?", lambda _, told: Told(307, there, b""))
    with refused("unreachable", "not the broker's, status 307"):
        await scene.shown(scene.reader.fetch())
    assert all("elsewhere" not in asked.path for asked in scene.liar.asked)
    await scene.unharmed()


@pytest.mark.anyio
async def test_a_clock_that_is_a_week_off_is_not_set_by_the_broker(scene: Scene) -> None:
    before = scene.reader.transport.now()
    date = formatdate(before + 7 * DAY, usegmt=True)
    scene.liar.refuses("/v1/", 401, "unsigned-request", date=date)
    with refused("bad-input", "clock is more than a day wrong"):
        await scene.shown(scene.reader.fetch())
    assert abs(scene.reader.transport.now() - before) < 60
    await scene.unharmed()


# -- streams


def streaming(scene: Scene, stream: Callable[[int], AsyncIterator[Event]]) -> list[int]:
    """Replace the first streams by what `stream` gives, once for each number; then be honest."""
    opened: list[int] = []

    async def change(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        opened.append(len(opened))
        async for event in stream(opened[-1]) if opened[-1] < 1 else events:
            yield event

    scene.liar.stream = change
    return opened


async def nothing(_: int) -> AsyncIterator[Event]:
    await anyio.sleep_forever()
    yield Event("", "", b"")


async def comments(_: int) -> AsyncIterator[Event]:
    while True:
        yield Event("", "", b"")
        await anyio.sleep(0.05)


async def unknown(_: int) -> AsyncIterator[Event]:
    while True:
        yield Event("news", "", b"{}")
        await anyio.sleep(0.05)


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [nothing, comments, unknown])
async def test_a_stream_without_heartbeats_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    """It is opened anew, and what there is comes."""
    monkeypatch.setattr(transport, "STREAM_SILENCE", 0.4)
    monkeypatch.setattr("clients.subscriber.PAUSES", (0.0,))
    opened, notices = streaming(scene, stream), list[Notable]()
    with anyio.fail_after(PATIENCE):
        async with aclosing(scene.reader.watch(notice=notices.append)) as reports:
            async for received in reports:
                assert seen(received) == scene.stage.truth[received.identity]
                break
    assert opened == [0, 1]
    assert [n.slug for n in notices if isinstance(n, TearlineError)] == ["unreachable"]
    await scene.unharmed()


@pytest.mark.anyio
@pytest.mark.parametrize("reason", ["journal-stopped", "stopping", "busy", "too-slow", "-"])
async def test_an_end_that_may_pass_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """The operator mends the broker; whoever watches need not start anew."""
    monkeypatch.setattr("clients.subscriber.PAUSES", (0.0,))

    async def ended(_: int) -> AsyncIterator[Event]:
        yield Event("end", "", encoded({"reason": reason}))

    opened, notices = streaming(scene, ended), list[Notable]()
    with anyio.fail_after(PATIENCE):
        async with aclosing(scene.reader.watch(notice=notices.append)) as reports:
            async for received in reports:
                assert seen(received) == scene.stage.truth[received.identity]
                break
    assert opened == [0, 1]
    slug = "unreachable" if reason == "-" else reason
    assert [n.slug for n in notices if isinstance(n, TearlineError)] == [slug]
    await scene.unharmed()


EVENTS: dict[str, tuple[Event, str]] = {
    "no JSON": (Event("report", "x", b"<html>"), "bad-json"),
    "half a release": (Event("report", "x", b'{"report":""}'), "bad-fields"),
    "a heartbeat without a tree": (Event("heartbeat", "x", b'{"time":0}'), "bad-fields"),
    "an end for good": (Event("end", "", b'{"reason":"not-allowed"}'), "not-allowed"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", EVENTS, ids=named)
async def test_a_false_event_ends_the_watch(scene: Scene, name: str) -> None:
    event, slug = EVENTS[name]
    scene.liar.events(lambda _: [event])
    with refused(slug):
        assert await scene.shown(scene.reader.watch()) == []
    await scene.unharmed()


@pytest.mark.anyio
async def test_an_event_without_an_end_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal: nothing holds more of it than the largest event may have."""
    monkeypatch.setattr(sse, "EVENT_MAX", 1 << 20)
    scene.liar.events(lambda _: [Event("report", "x", b"-" * (3 << 20))])
    with refused("too-large", "an event"):
        assert await scene.shown(scene.reader.watch()) == []
    await scene.unharmed()
