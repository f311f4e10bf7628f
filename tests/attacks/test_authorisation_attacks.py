"""Attacks by members on what is not theirs, over real sockets to a real broker. Expect refusal.

Numbers 68 to 85 are those of the attack list; the "U" of its answers is `NOT_FOUND`. That 68 and 69
take equally long is not tested: what measures time flickers. `Broker.fetch` decides about some
report in both cases; what is left are microseconds of a request that takes a millisecond.
"""

import asyncio
import hashlib
import json
import random
import secrets
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest

from broker.api.reports import MEDIA_TYPE as REPORT
from broker.api.statements import MEDIA_TYPE as STATEMENT
from broker.journal import Entry, Record
from broker.matching import Filter
from broker.problems import NOT_FOUND
from broker.sequencer import Act, Moment
from broker.settings import Limits
from tests import sealing
from tests.author import Author
from tests.broker.house import House
from tests.broker.server import PATIENCE, Asking, Reply, Running, serving
from tests.coalition import Coalition, Portion
from tests.people import Person
from tests.refusal import refused
from wire import report, statements
from wire.base64_strict import encode
from wire.errors import NotAllowed
from wire.report import PortionFrame
from wire.statements import STATEMENT_MAX, Statement

BYTES = "application/octet-stream"
LOW: dict[str, Any] = {"classification": "RESTRICTED"}
PICTURE = bytes(range(256)) * 4

REFERRED = """
@id("{0}/officer")
@says("An officer agrees first.")
permit (principal, action == Action::"release", resource) when {{ context.approvals >= 1 }};
"""
NOTHING = '@id("{0}/none")\n@says("")\nforbid (principal, action == Action::"release", resource);'


def founded() -> Coalition:
    """France refers all its releases to an officer; Britain has a junior, and a guest."""
    world = Coalition.of("KEN", "GBR", "FRA")
    world["GBR"].enlists("junior", "analyst", clearance="RESTRICTED")
    world["GBR"].enlists("guest", "analyst")
    world["FRA"].adopts(release=REFERRED.format("FRA"))
    return world


@pytest.fixture(scope="module")
def world() -> Coalition:
    return founded()


@pytest.fixture(scope="module")
def server(world: Coalition, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = world.broker_folder(tmp_path_factory.mktemp("broker"))
    limits: dict[str, Any] = {"refusals_burst": 100_000, "heartbeat_seconds": 0.1}
    with serving(folder, world.clock, **limits) as server:
        yield server


@pytest.fixture
def analyst(world: Coalition, server: Running) -> Asking:
    return Asking(server, world["GBR"].analyst, world.clock)


@pytest.fixture
def junior(world: Coalition, server: Running) -> Asking:
    """Cleared for RESTRICTED, in a nation that is accredited for SECRET."""
    return Asking(server, world["GBR"].junior, world.clock)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path, drain_seconds=0.1) as found:
        yield found


def post(server: Running, raw: bytes) -> Reply:
    fields = (f"Content-Type: {REPORT}", f"Content-Length: {len(raw)}")
    return server.ask("POST /v1/reports", *fields, body=raw)


def accepted(server: Running, raw: bytes) -> str:
    """Post a report that must be taken; gives its identity."""
    reply = post(server, raw)
    assert reply.status == 201, reply.body
    return report.parse(raw).identity


def publish(server: Running, statement: Statement) -> Reply:
    fields = (f"Content-Type: {STATEMENT}", f"Content-Length: {len(statement.raw)}")
    return server.ask("POST /v1/statements", *fields, body=statement.raw)


def recall(world: Coalition, server: Running, identity: str) -> None:
    body = {"report": identity, "reason": "an error"}
    assert publish(server, world["KEN"].says("report.recall", body)).status == 201


def value(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def listed(page: Any) -> list[str]:
    """The identities of a page's releases."""
    return [report.parse(b64decode(one["report"])).identity for one in page["releases"]]


def check_uniform(reply: Reply, asking: Asking, start: str) -> None:
    """The fixed answer, byte for byte, and the fields of the answer for what never existed."""
    unknown = asking.ask(start)
    assert reply.body == unknown.body == NOT_FOUND.body
    assert (reply.status, reply.names, reply.headers) == (404, unknown.names, unknown.headers)


# -- 68 to 70: one answer


@pytest.fixture(scope="module")
def unseen(world: Coalition, server: Running) -> Mapping[str, str]:
    """What the junior may not have, by the reason why; made before any test asks."""
    kenya, france = world["KEN"], world["FRA"]
    junior = Asking(server, world["GBR"].junior, world.clock)
    soon = world.clock.now + 60
    found = {
        "for others": accepted(server, kenya.seals(release_to="FRA", **LOW)),
        "referred": accepted(server, france.seals(release_to="GBR", **LOW)),
        "above my clearance": accepted(server, kenya.seals(release_to="GBR")),
        "recalled": accepted(server, kenya.seals(release_to="GBR", **LOW)),
        "recalled, never mine": accepted(server, kenya.seals(release_to="FRA", **LOW)),
        "expired": accepted(server, kenya.seals(release_to="GBR", expires=soon, **LOW)),
    }
    for reason in ("recalled", "expired"):
        assert junior.ask(f"GET /v1/reports/{found[reason]}").status == 200, "it was there once"
    for reason in ("recalled", "recalled, never mine"):
        recall(world, server, found[reason])
    world.clock.forward(seconds=60)
    return found


UNKNOWN = f"GET /v1/reports/{'f' * 64}"


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["for others", "referred", "above my clearance"])
def test_68_a_report_that_is_not_for_me_is_not_found(
    junior: Asking, unseen: Mapping[str, str], reason: str
) -> None:
    check_uniform(junior.ask(f"GET /v1/reports/{unseen[reason]}"), junior, UNKNOWN)


@pytest.mark.parametrize(
    "identity", ["0" * 64, "x", "0" * 63, "A" * 64, "%30" * 64, "..", "0" * 65]
)
def test_69_an_unknown_report_is_not_found(junior: Asking, identity: str) -> None:
    check_uniform(junior.ask(f"GET /v1/reports/{identity}"), junior, UNKNOWN)


@pytest.mark.parametrize("reason", ["recalled", "recalled, never mine", "expired"])
def test_70_a_report_that_is_gone_is_not_found(
    junior: Asking, unseen: Mapping[str, str], reason: str
) -> None:
    check_uniform(junior.ask(f"GET /v1/reports/{unseen[reason]}"), junior, UNKNOWN)


def test_68_the_control_is_found(
    world: Coalition, server: Running, junior: Asking, analyst: Asking, unseen: Mapping[str, str]
) -> None:
    mine = accepted(server, world["KEN"].seals("Low.", "RESTRICTED", release_to="GBR"))
    assert junior.ask(f"GET /v1/reports/{mine}").status == 200
    assert analyst.ask(f"GET /v1/reports/{unseen['above my clearance']}").status == 200


@pytest.mark.slow
@pytest.mark.anyio
async def test_68_the_label_counts_even_where_the_floor_lets_everything_through(
    tmp_path: Path,
) -> None:
    """That only nations on the label get a report is no matter of policy alone."""
    floor = ['@id("COALITION/all")', permit("COALITION", "handle").splitlines()[1]]
    world = Coalition.of("KEN", "GBR", "FRA", floor=tuple(floor))
    house = House(world, world.broker_folder(tmp_path), Limits())
    await house.opens()
    try:
        receipt = await house.submits(world["KEN"].seals(release_to="FRA"))
        await house.fetches(world["FRA"].analyst, receipt.report)
        assert await house.pulls(world["GBR"].analyst) == []
        with refused("not-found"):
            await house.fetches(world["GBR"].analyst, receipt.report)
    finally:
        await house.broker.close()


# -- 71: attachments


def illustrated(kenya: Author, *releases: str) -> tuple[bytes, list[str]]:
    """A report with a portion for each release list, each with an attachment of its own."""
    place = kenya.place()
    frames: list[PortionFrame] = []
    for index, nations in enumerate(releases):
        label = kenya.label("RESTRICTED", nations)
        named = {
            "id": kenya.world.random(16).hex(),
            "sha256": hashlib.sha256(PICTURE).hexdigest(),
            "len": len(PICTURE),
            "media_type": "image/png",
        }
        at = sealing.Place(place.originator, place.report_id, index)
        content, keys = sealing.written("A map", "See it."), kenya.keys_for(label)
        frame = sealing.portion(at, label, content, keys, kenya.world.random, attachments=[named])
        frames.append(frame)
    ids = [sealing.fields(frame.label_bytes)["attachments"][0]["id"] for frame in frames]
    return kenya.assembles(place, frames), ids


@pytest.fixture(scope="module")
def pictures(world: Coalition, server: Running) -> Mapping[str, str]:
    """Paths of uploaded attachments, by whose they are."""
    kenya, found = world["KEN"], {}
    system = Asking(server, kenya.system, world.clock)
    span = f"Content-Range: bytes 0-{len(PICTURE) - 1}/{len(PICTURE)}"
    for name, releases in {
        "mine": ("GBR",),
        "of a report for others": ("FRA",),
        "of a recalled report": ("GBR",),
        "of a portion for others": ("GBR", "FRA"),
    }.items():
        raw, ids = illustrated(kenya, *releases)
        identity = accepted(server, raw)
        for id_ in ids:
            path = f"/v1/attachments/{identity}/{id_}"
            assert system.ask(f"PUT {path}", span, body=PICTURE, media=BYTES).status == 200
            found[name] = path
        if name == "of a recalled report":
            recall(world, server, identity)
    found["of nothing"] = f"{found['mine'][:-32]}{'0' * 32}"
    found["of no report"] = f"/v1/attachments/{'0' * 64}/{'0' * 32}"
    return found


NOT_MINE = (
    *("of a report for others", "of a recalled report", "of a portion for others"),
    *("of nothing", "of no report"),
)
NO_PICTURE = f"/v1/attachments/{'f' * 64}/{'f' * 32}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_MINE)
def test_71_an_attachment_that_is_not_for_me_is_not_found(
    junior: Asking, pictures: Mapping[str, str], name: str
) -> None:
    assert junior.ask(f"GET {pictures['mine']}").body == PICTURE
    check_uniform(junior.ask(f"GET {pictures[name]}"), junior, f"GET {NO_PICTURE}")
    part = junior.ask(f"GET {pictures[name]}", "Range: bytes=0-0")
    check_uniform(part, junior, f"GET {NO_PICTURE}")


@pytest.mark.parametrize("name", ["mine", *NOT_MINE])
def test_71_nobody_uploads_or_asks_how_far_for_another_nation_not_found(
    world: Coalition, server: Running, pictures: Mapping[str, str], name: str
) -> None:
    """Not even how large it is: the length is in the label, and that may be hidden."""
    system = Asking(server, world["GBR"].system, world.clock)
    for span, body in (("bytes */5", b""), ("bytes 0-4/5", b"xxxxx"), ("bytes */1024", b"")):
        ask = (f"Content-Range: {span}",)
        reply = system.ask(f"PUT {pictures[name]}", *ask, body=body, media=BYTES)
        unknown = system.ask(f"PUT {NO_PICTURE}", *ask, body=body, media=BYTES)
        assert (reply.status, reply.body, reply.headers) == (404, unknown.body, unknown.headers)


# -- 72 to 75: cursors, filters, counts


def cursors(world: Coalition, server: Running, analyst: Asking) -> Mapping[str, str]:
    """Cursors that are not good for the analyst's pull of everything, by what is wrong."""
    accepted(server, world["KEN"].seals(release_to="GBR"))
    officer = Asking(server, world["GBR"].officer, world.clock)
    good = value(analyst.ask("GET /v1/reports"))["cursor"]
    for name, regions in (("one", []), ("two", ["KE"])):
        body = json.dumps({"regions": regions}).encode()
        assert analyst.ask(f"PUT /v1/subscriptions/{name}", body=body).status == 204
    with analyst.stream("one") as events:
        of_stream = next(event for event in events if event)["id"]
    chance = random.Random(72)
    at = chance.randrange(len(good) - 1)
    return {
        "good": good,
        "forged": good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :],
        "made up": b64encode(chance.randbytes(36), b"-_").decode(),
        "cut": good[:-4],
        "another member's": value(officer.ask("GET /v1/reports"))["cursor"],
        "another filter's": value(analyst.ask("GET /v1/reports?region=KE"))["cursor"],
        "a stream's": of_stream,
    }


def test_72_a_cursor_that_is_not_mine_for_this_is_bad_cursor_and_gives_nothing(
    world: Coalition, server: Running, analyst: Asking
) -> None:
    made = dict(cursors(world, server, analyst))
    assert analyst.ask(f"GET /v1/reports?after={made.pop('good')}").status == 200
    for name, cursor in made.items():
        reply = analyst.ask(f"GET /v1/reports?after={cursor}")
        assert (reply.status, reply.slug) == (400, "bad-cursor"), name
        assert b"releases" not in reply.body, name


def test_72_a_subscription_takes_no_other_cursor_bad_cursor(
    world: Coalition, server: Running, analyst: Asking
) -> None:
    """Neither to go on from nor to be kept. Expired is one from before the filter changed."""
    made = dict(cursors(world, server, analyst))
    mine = made.pop("a stream's")
    body = json.dumps({"regions": ["KE", "SO"]}).encode()
    assert analyst.ask("PUT /v1/subscriptions/three", body=body).status == 204
    with analyst.stream("three") as events:
        before = next(event for event in events if event)["id"]
    body = json.dumps({"regions": ["KE"]}).encode()
    assert analyst.ask("PUT /v1/subscriptions/three", body=body).status == 204
    for name, cursor in {**made, "another subscription's": mine, "expired": before}.items():
        where = "/v1/subscriptions/three"
        replies = (
            analyst.ask(f"GET {where}/stream", f"Last-Event-ID: {cursor}"),
            analyst.ask(f"POST {where}/cursor", body=json.dumps({"cursor": cursor}).encode()),
        )
        assert [(r.status, r.slug) for r in replies] == [(400, "bad-cursor")] * 2, name


@pytest.mark.slow
@pytest.mark.anyio
async def test_73_a_rewound_cursor_is_allowed_and_everything_is_decided_again(
    house: House,
) -> None:
    """No second entry, as the list has it: one says which portions this nation was given, and a
    copy of it for each repetition would say nothing more.
    """
    kenya, reader = house["KEN"], house.member(house["GBR"].analyst)
    first, second, third = [(await house.submits(kenya.seals(release_to="GBR"))) for _ in range(3)]
    start = (await house.broker.pull(reader, Filter(), None, 1)).cursor
    assert await house.pulls(house["GBR"].analyst) == [r.report for r in (first, second, third)]
    told = len([kind for kind, _ in await house.channel("GBR") if kind == "release"])
    again = await house.broker.pull(reader, Filter(), start, 9)
    assert [r.report for r in again.releases] == [
        (await house.fetches(house["GBR"].analyst, one.report)).report for one in (second, third)
    ]
    assert told == len([kind for kind, _ in await house.channel("GBR") if kind == "release"]) == 3
    await house.files(kenya.says("report.recall", {"report": second.report, "reason": "wrong"}))
    again = await house.broker.pull(reader, Filter(), start, 9)
    assert len(again.releases) == 1
    await house.files(kenya.adopts(release=NOTHING.format("KEN")))
    assert (await house.broker.pull(reader, Filter(), start, 9)).releases == ()
    rewound = await house.follows(house["GBR"].analyst, "all", None)
    assert await rewound.rest() == []


@pytest.mark.slow
def test_74_a_subscription_to_what_i_may_not_see_is_taken_and_stays_empty(
    world: Coalition, server: Running, junior: Asking
) -> None:
    """204, not 201: nothing is sent back. A refusal would say where there is something to hide."""
    hidden = {"regions": ["FJ"], **LOW}
    accepted(server, world["KEN"].seals(release_to="FRA", **hidden))
    accepted(server, world["FRA"].seals(release_to="GBR", **hidden))
    accepted(server, world["KEN"].seals(release_to="GBR", regions=["FJ"]))
    for name, region in (("something", "FJ"), ("nothing", "AQ")):
        body = json.dumps({"regions": [region]}).encode()
        reply = junior.ask(f"PUT /v1/subscriptions/{name}", body=body)
        assert (reply.status, reply.body) == (204, b"")
    pages = [value(junior.ask(f"GET /v1/reports?region={region}")) for region in ("FJ", "AQ")]
    assert len({len(page.pop("cursor")) for page in pages}) == 1
    assert pages == [{"releases": [], "unsupported": [], "more": False}] * 2
    with junior.stream("something") as events:
        assert next(events) == {}
        assert next(events)["event"] == "heartbeat"
        accepted(server, world["FRA"].seals(release_to="GBR", **hidden))
        assert {next(events)["event"] for _ in range(2)} == {"heartbeat"}


def shown(page: Any) -> Any:
    """A page without the fields that carry the public log, which everybody sees grow."""
    releases = [{k: v for k, v in one.items() if k != "evidence"} for one in page["releases"]]
    return {**page, "cursor": len(page["cursor"]), "releases": releases}


def walked(asking: Asking, query: str) -> list[Any]:
    """All pages of a pull, as far as they may not depend on others."""
    pages, after, more = [], "", True
    while more:
        page = value(asking.ask(f"GET /v1/reports?{query}{after}"))
        pages.append(shown(page))
        after, more = f"&after={page['cursor']}", page["more"]
    return pages


@pytest.mark.slow
def test_75_answers_do_not_depend_on_reports_that_i_may_not_see(tmp_path: Path) -> None:
    """Two missions that differ only in what is hidden from the junior, asked the same."""
    world = founded()
    mine = [world["KEN"].seals(f"{n}", release_to="GBR", **LOW) for n in range(7)]
    for_label = json.dumps({"labels": [world["GBR"].label("RESTRICTED", "KEN")]}).encode()
    answers: list[Any] = []
    for hides in (False, True):
        here = world.copy()
        with serving(here.broker_folder(tmp_path / str(hides)), here.clock) as server:
            junior = Asking(server, here["GBR"].junior, here.clock)
            for raw in mine:
                if hides:
                    hide(here, server)
                accepted(server, raw)
            if hides:
                hide(here, server)
            identities = [report.parse(raw).identity for raw in mine]
            assert junior.ask("PUT /v1/subscriptions/all", body=b"{}").status == 204
            fetched = [value(junior.ask(f"GET /v1/reports/{one}")) for one in identities]
            told: list[Any] = [
                *(walked(junior, f"limit={limit}") for limit in (1, 2, 3, 7, 200)),
                *(walked(junior, f"limit=2&region={region}") for region in ("KE", "SO")),
                [{**one, "evidence": None} for one in fetched],
                value(junior.ask("GET /v1/subscriptions")),
                value(junior.ask("POST /v1/preview", body=for_label)),
                junior.ask(UNKNOWN).headers,
            ]
            answers.append(told)
    assert answers[0] == answers[1]
    assert [len(page["releases"]) for page in answers[0][1]] == [2, 2, 2, 1]


def hide(here: Coalition, server: Running) -> None:
    """Reports that the junior may not see, of every kind."""
    kinds: Sequence[tuple[str, dict[str, Any]]] = (
        ("KEN", {"release_to": "FRA", "regions": ["SO"], **LOW}),
        ("KEN", {"release_to": "GBR", "precedence": "FLASH"}),
        ("FRA", {"release_to": "GBR", "precedence": "FLASH", **LOW}),
        ("KEN", {"release_to": "GBR", "text": "x" * 9_000, **LOW}),
    )
    for code, how in kinds:
        salt = {"salt": secrets.token_hex(32)}
        raw = here[code].seals(report_id=secrets.token_hex(16), protected=salt, **how)
        last = accepted(server, raw)
    recall(here, server, last)


# -- 76 to 81: policies


UNFIT = {
    'resource in Touching::"Sahleel"': "unknown-term",  # a word that nobody knows
    "resource.delay > 3": "expression",  # an attribute that is not there
    "resource has delay && resource.delay > 3": "expression",  # or may not be there
    "context.approvals + 9223372036854775807 > 3": "symbol",  # a sum that overflows
    'resource.level == "SECRET"': "expression",  # a comparison of different types
}


@pytest.mark.slow
@pytest.mark.anyio
async def test_76_a_prohibition_that_would_fail_is_refused_policy_refused(house: House) -> None:
    """Cedar skips a prohibition that fails, and releases. So 422 with the reason when it is to be
    adopted, and not first a denial when it is asked; the old policy stays.
    """
    kenya = house["KEN"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    size = house.broker.journal.size
    for condition, reason in UNFIT.items():
        head = '@id("KEN/f") forbid (principal, action == Action::"release", resource)'
        text = [*kenya.policy_body()["release"], head, f"when {{ {condition} }};"]
        body = {**kenya.policy_body(), "release": text}
        with refused("policy-refused", reason):
            await house.files(kenya.drafts("policy.publish", body))
    assert house.broker.journal.size == size
    await house.fetches(house["GBR"].analyst, receipt.report)
    await house.files(kenya.adopts(release=NOTHING.format("KEN")))  # the same version, still free
    with refused("not-found"):
        await house.fetches(house["GBR"].analyst, receipt.report)


ESCAPES: tuple[Any, ...] = (
    {"__entity": {"type": "Nation", "id": "GBR"}},
    {"__extn": {"fn": "decimal", "arg": "1.0"}},
    [{"__entity": {"type": "Level", "id": "UNCLASSIFIED"}}],
    "__entity",
)
QUOTES = ('GBR", "x": "', "KE || true", '" || true || "', "\\", "KE\u0000", "KE\n};permit(")
FIELDS = (
    *("classification", "caveats", "communities", "regions", "threats", "precedence"),
    *("release_to", "display_to", "obligations", "onward", "derive", "supersedes", "exercise"),
)


def labelled(kenya: Author, **changes: Any) -> bytes:
    """A signed report whose label says what no client would write."""
    label, place = kenya.label("RESTRICTED", "GBR"), kenya.place()
    keys, content = kenya.keys_for(label), sealing.written("Notes", "None.")
    frame = sealing.portion(place, {**label, **changes}, content, keys, kenya.world.random)
    return kenya.assembles(place, [frame])


def check_label_refused(world: Coalition, server: Running, system: Asking, evil: Any) -> None:
    """As a value and inside a list, in a report that is posted and in one that is previewed."""
    kenya = world["KEN"]
    size = server.ask("GET /v1/log/checkpoint").body
    for field in FIELDS:
        for said in (evil, [evil]):
            reply = post(server, labelled(kenya, **{field: said}))
            assert reply.status == 422, (field, said)
            assert reply.slug in {"bad-fields", "bad-json", "unknown-term"}, (field, said)
            label = {**kenya.label("RESTRICTED", "GBR"), field: said}
            body = json.dumps({"labels": [label]}).encode()
            assert system.ask("POST /v1/preview", body=body).status == 422, (field, said)
    for field in ("regions", "threats", "precedence", "purpose"):
        for said in (evil, [evil]):
            body = json.dumps({field: said}).encode()
            assert system.ask("PUT /v1/subscriptions/evil", body=body).status == 422, (field, said)
    assert server.ask("GET /v1/log/checkpoint").body == size, "nothing was stored"


@pytest.mark.slow
@pytest.mark.parametrize("evil", ESCAPES, ids=["entity", "extension", "in a list", "the word"])
def test_77_cedars_escapes_in_an_attribute_are_refused(
    world: Coalition, server: Running, evil: Any
) -> None:
    check_label_refused(world, server, Asking(server, world["KEN"].system, world.clock), evil)


@pytest.mark.slow
@pytest.mark.parametrize("evil", QUOTES)
def test_78_policy_text_in_an_attribute_is_refused(
    world: Coalition, server: Running, evil: str
) -> None:
    """No word of a vocabulary has a quote or a bar, and no other word ever reaches a policy."""
    check_label_refused(world, server, Asking(server, world["KEN"].system, world.clock), evil)


@pytest.mark.slow
@pytest.mark.anyio
async def test_79_a_permit_of_one_nation_has_no_effect_on_anothers_reports(house: House) -> None:
    kenya = house["KEN"]
    await house.files(kenya.adopts(release=REFERRED.format("KEN")))
    receipt = await house.submits(kenya.seals(release_to="GBR FRA"))
    for rebel in (house["GBR"], house["FRA"]):
        permits = [permit(rebel.code, action) for action in ("release", "accept")]
        await house.files(rebel.adopts(*permits))
        with refused("not-found"):
            await house.fetches(rebel.analyst, receipt.report)
    britain = house["GBR"]
    for reason, text in (
        ("id-prefix", permit("KEN", "release")),  # in another's name
        ("action", permit("GBR", "handle")),  # the floor, which is everybody's
    ):
        with refused("policy-refused", reason):
            await house.files(britain.drafts("policy.publish", britain.policy_body(text)))
    with refused("not-found"):
        await house.fetches(britain.analyst, receipt.report)


def permit(author: str, action: str) -> str:
    return f'@id("{author}/x")\npermit (principal, action == Action::"{action}", resource);'


@pytest.mark.slow
def test_80_an_older_policy_or_another_of_the_same_version_is_refused_policy_rollback(
    world: Coalition, server: Running
) -> None:
    kenya = world["KEN"]
    first = next(
        f.statement
        for f in world.history
        if (f.statement.head.nation, f.statement.head.type) == ("KEN", "policy.publish")
    )
    assert publish(server, kenya.adopts()).status == 201
    now = kenya.state.policy
    assert now is not None
    for version in (now.version, now.version - 1, now.version + 2):
        body = {**kenya.policy_body(NOTHING.format("KEN")), "version": version}
        reply = publish(server, kenya.drafts("policy.publish", body))
        assert (reply.status, reply.slug) == (409, "policy-rollback")
    assert publish(server, first).status == 200, (
        "what stood once is acknowledged, and stays history"
    )
    mine = accepted(server, kenya.seals(release_to="GBR"))
    analyst = Asking(server, world["GBR"].analyst, world.clock)
    assert analyst.ask(f"GET /v1/reports/{mine}").status == 200


def test_81_a_policy_that_is_too_large_is_refused(world: Coalition, server: Running) -> None:
    """413 for bytes, at 64 KiB already. Too many rules are 422: their author must not send less,
    but write fewer.
    """
    kenya = world["KEN"]
    rule = '@id("KEN/{}") permit (principal, action == Action::"release", resource);'
    many = [rule.format(n) for n in range(301)]
    reply = publish(
        server, kenya.drafts("policy.publish", {**kenya.policy_body(), "release": many})
    )
    assert (reply.status, reply.slug) == (422, "policy-refused")
    assert b"more than 300 rules" in reply.body
    draft = kenya.drafts("policy.publish", kenya.policy_body())
    long = [f"// {'x' * 390}"] * 170
    body = sealing.text({**sealing.fields(draft.body_bytes or b""), "release": long})
    for size in (len(body), STATEMENT_MAX):
        raw = statements._encode(draft.head_bytes, body.ljust(size), draft.signatures)
        fields = (f"Content-Type: {STATEMENT}", f"Content-Length: {len(raw)}")
        reply = server.ask("POST /v1/statements", *fields, body=raw)
        assert (reply.status, reply.slug) == (413, "too-large")


# -- 82 to 85: deriving, claiming, auditing, mixing


def derived(raw: bytes) -> dict[str, Any]:
    """Fields of a label of what draws on a report's first portion."""
    frame = report.parse(raw)
    source = {"report": frame.identity, "portion": frame.portions[0].commitment}
    return {"derived_from": [source]}


def test_82_a_report_wider_than_its_source_is_refused_third_party_rule(
    world: Coalition, server: Running, analyst: Asking
) -> None:
    kenya, britain = world["KEN"], world["GBR"]
    raw = kenya.seals(release_to="GBR", regions=["TD"])
    identity = accepted(server, raw)
    assert analyst.ask(f"GET /v1/reports/{identity}").status == 200
    accepted(server, britain.seals(release_to="KEN", **derived(raw)))
    wider = {
        "another nation": britain.seals(release_to="FRA KEN", **derived(raw)),
        "on a display": britain.seals(release_to="KEN", display_to="FRA", **derived(raw)),
        "a lower level": britain.seals("x", "RESTRICTED", release_to="KEN", **derived(raw)),
        "no control": britain.seals(release_to="KEN", derive="within_release", **derived(raw)),
        "passed on": britain.seals(release_to="KEN", onward="national", **derived(raw)),
    }
    commitment = report.parse(raw).portions[0].commitment
    for what, attempt in wider.items():
        reply = post(server, attempt)
        assert (reply.status, reply.slug) == (403, "third-party-rule"), what
        assert commitment[:12].encode() in reply.body, what
        for word in (identity[:12], "KEN", "GBR", "TD", "SECRET", "ambush"):
            assert word.encode() not in reply.body, what


def test_82_a_source_that_i_have_not_got_is_no_source_bad_lineage(
    world: Coalition, server: Running, unseen: Mapping[str, str]
) -> None:
    """One answer again, or deriving would tell what there is."""
    britain, kenya = world["GBR"], world["KEN"]
    hidden = kenya.seals(release_to="FRA")
    accepted(server, hidden)
    unknown = kenya.seals(release_to="GBR")
    replies = [
        post(server, britain.seals(release_to="KEN", **derived(raw))) for raw in (hidden, unknown)
    ]
    assert (replies[0].status, replies[0].slug) == (422, "bad-lineage")
    assert (replies[0].body, replies[0].headers) == (replies[1].body, replies[1].headers)


def test_83_a_clearance_that_a_request_claims_is_nothing(
    world: Coalition, server: Running, junior: Asking
) -> None:
    """Fields that we read refuse it, 422, because a typing error there must be noticed; others are
    nobody's business and change nothing. What counts is the membership statement.
    """
    high = accepted(server, world["KEN"].seals(release_to="GBR"))
    claims = ("Clearance: SECRET", "X-Clearance: SECRET", "X-Nation: FRA", "X-Forwarded-User: root")
    check_uniform(junior.ask(f"GET /v1/reports/{high}", *claims), junior, UNKNOWN)
    check_uniform(junior.ask(f"GET /v1/reports/{high}?keeps=DISPLAY"), junior, UNKNOWN)
    for start in (f"GET /v1/reports/{high}", UNKNOWN):
        assert junior.ask(f"{start}?clearance=SECRET").slug == "bad-fields"
    for query in ("clearance=SECRET", "nation=FRA", "kind=officer", "reader=x"):
        assert junior.ask(f"GET /v1/reports?{query}").slug == "bad-fields"
    for field in ("clearance", "nation", "kind", "communities", "exercise"):
        body = json.dumps({field: "SECRET"}).encode()
        assert junior.ask("PUT /v1/subscriptions/up", body=body).slug == "bad-fields"
    assert high not in listed(value(junior.ask("GET /v1/reports?limit=200")))


def test_84_an_auditor_gets_no_content_from_any_endpoint(world: Coalition, server: Running) -> None:
    """Every endpoint that there is, in the auditor's own nation. It sees digests and who read."""
    raw, (picture,) = illustrated(world["KEN"], "GBR")
    identity = accepted(server, raw)
    path = f"/v1/attachments/{identity}/{picture}"
    span = f"Content-Range: bytes 0-{len(PICTURE) - 1}/{len(PICTURE)}"
    sender = Asking(server, world["KEN"].system, world.clock)
    assert sender.ask(f"PUT {path}", span, body=PICTURE, media=BYTES).status == 200
    secrets = marks(raw)
    analyst = Asking(server, world["GBR"].analyst, world.clock)
    read = analyst.ask(f"GET /v1/reports/{identity}")
    assert any(mark in read.body for mark in secrets), "the control"
    fill = {"identity": identity, "attachment": picture, "name": "all", "tile": "entries/000.p/9"}
    auditor = Asking(server, world["GBR"].auditor, world.clock)
    document = json.loads(server.ask("GET /openapi.json").body)
    answers = {}
    for template, methods in document["paths"].items():
        for method in methods:
            start = f"{method.upper()} {template.format(**fill)}"
            body = b"{}" if method in {"put", "post"} else b""
            answers[f"{method} {template}"] = reply = auditor.ask(start, body=body)
            assert not any(mark in reply.body for mark in (*secrets, PICTURE[:64])), start
    for start in ("get /v1/reports", "get /v1/reports/{identity}", "put /v1/subscriptions/{name}"):
        assert (answers[start].status, answers[start].slug) == (403, "not-allowed")
    assert answers["get /v1/attachments/{identity}/{attachment}"].slug == "not-allowed"
    assert answers["get /v1/subscriptions/{name}/stream"].status in {403, 404}
    views = b"".join(
        b64decode(entry["view"])
        for entry in json.loads(answers["get /v1/log/views"].body)["segment"]["entries"]
    )
    assert views, "what an auditor is there for"
    assert not any(mark in views for mark in (*secrets, b"An ambush", b"See it."))


def marks(raw: bytes) -> Sequence[bytes]:
    """Pieces of payload and wraps as they would stand in an answer: as they are, or in base64."""
    frame = report.parse(raw)
    pieces = [frame.portions[0].payload, *frame.portions[0].wraps.values()]
    cut = [piece[at : at + 48] for piece in pieces for at in range(100, 103)]
    return (*cut, *(encode(piece).encode() for piece in cut))


def test_85_what_is_visible_and_what_is_not_is_told_apart_item_by_item(
    world: Coalition, server: Running, junior: Asking
) -> None:
    """There is no way to ask for several ids at once; a page is what comes nearest, and a report of
    several portions. Neither fails, or is marked, for what is left out.
    """
    kenya, here = world["KEN"], dict[str, Any](regions=["ML"])
    low = {**LOW, **here}
    below = Portion("Low.", classification="RESTRICTED", release_to="GBR FRA", label=here)
    others = Portion("For France.", release_to="FRA", label=here)
    mixed = kenya.seals("High.", release_to="GBR", portions=[below, others], **here)
    visible = [accepted(server, kenya.seals(release_to="GBR", **low))]
    accepted(server, kenya.seals(release_to="FRA", **low))
    visible.append(accepted(server, mixed))
    recall(world, server, accepted(server, kenya.seals(release_to="GBR", **low)))
    accepted(server, kenya.seals(release_to="GBR", **here))
    visible.append(accepted(server, kenya.seals(release_to="GBR", **low)))
    page = value(junior.ask("GET /v1/reports?region=ML"))
    assert (listed(page), page["more"]) == (visible, False)
    frame = report.parse(b64decode(page["releases"][1]["report"]))
    assert [(p.index, len(p.wraps)) for p in frame.portions] == [(1, 1)]
    assert set(page["releases"][1]) == set(page["releases"][0])


# -- what has begun ends when the right to it ends


def test_a_member_that_is_sent_off_gets_nothing_that_was_waiting_for_it(
    world: Coalition, server: Running
) -> None:
    """65 once more, with a backlog: the stream ends before the next event; then 401."""
    guest = Asking(server, world["GBR"].guest, world.clock)
    assert guest.ask("PUT /v1/subscriptions/all", body=b'{"regions":["NE"]}').status == 204
    first, *_ = [
        accepted(server, world["KEN"].seals(release_to="GBR", regions=["NE"])) for _ in range(2)
    ]
    with guest.stream("all") as events:
        assert next(events) == {}
        assert identity(next(events)) == first
        while next(events)["event"] != "heartbeat":
            pass
        assert publish(server, world["GBR"].revokes(world["GBR"].guest)).status == 201
        accepted(server, world["KEN"].seals(release_to="GBR", regions=["NE"]))
        rest = [one for one in islice(events, 99) if one["event"] != "heartbeat"]
        assert [(e["event"], e["data"]) for e in rest] == [("end", '{"reason":"unknown-signer"}')]
    for start in ("GET /v1/reports", "GET /v1/subscriptions/all/stream"):
        reply = guest.ask(start)
        assert (reply.status, reply.slug) == (401, "unsigned-request")


def identity(event: Mapping[str, str]) -> str:
    assert event["event"] == "report", event
    return report.parse(b64decode(json.loads(event["data"])["report"])).identity


class Gate(Act[None]):
    """Holds up the writer, and everything that comes after it, until it is opened."""

    alone: ClassVar[bool] = True

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def prepare(self, moment: Moment) -> None:
        self.reached.set()
        await self.opened.wait()

    def plan(self, moment: Moment) -> Sequence[Record]:
        return ()

    def settle(self, entries: Sequence[Entry]) -> None:
        pass


async def behind(house: House, statement: Statement, asked: Awaitable[Any]) -> Any:
    """What is answered to a question that waits for the journal behind a statement."""
    gate, sequencer = Gate(), house.broker._sequencer
    waiting = [asyncio.ensure_future(sequencer.do(gate))]
    await gate.reached.wait()
    try:
        for queued, work in enumerate((house.broker.publish(statement.raw), asked), 1):
            waiting.append(asyncio.ensure_future(work))
            async with asyncio.timeout(PATIENCE):
                while len(sequencer) < queued:
                    await asyncio.sleep(0)
    finally:
        gate.opened.set()
    *_, answer = await asyncio.gather(*waiting, return_exceptions=True)
    return answer


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_member_that_is_sent_off_while_it_waits_gets_nothing(house: House) -> None:
    """The revocation was acknowledged first. And no release is journalled in the name of somebody
    who is gone.
    """
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    for name in ("one", "two", "three"):
        britain.enlists(name, "analyst")
        await house.files(house.world.history[-1].statement)
    broker, one, two, three = house.broker, britain.one, britain.two, britain.three
    following = await house.follows(three)
    questions: Sequence[tuple[Person, Callable[[], Awaitable[Any]]]] = (
        (one, lambda: broker.fetch(house.member(one), receipt.report)),
        (two, lambda: broker.pull(house.member(two), Filter(), None, 9)),
        (britain.auditor, lambda: broker.views(house.member(britain.auditor), 0, 0, 9)),
        (three, following.next),
    )
    for person, ask in questions:
        answer = await behind(house, britain.revokes(person), ask())
        if person is three:
            assert (answer.kind, answer.data) == ("end", b'{"reason":"unknown-signer"}')
        else:
            assert isinstance(answer, NotAllowed), person.name
            assert answer.slug == "unknown-signer"
    assert "release" not in [kind for kind, _ in await house.channel("GBR")]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_report_that_is_taken_back_while_its_reader_waits_is_not_released(
    house: House,
) -> None:
    """The recall, or the tighter policy, was acknowledged first. What the reader waited to have
    journalled is decided again at its place; others that it asked for are released.
    """
    kenya, analyst = house["KEN"], house["GBR"].analyst
    reader = house.member(analyst)
    first, second = [(await house.submits(kenya.seals(release_to="GBR"))).report for _ in range(2)]
    recall = kenya.says("report.recall", {"report": first, "reason": "wrong"})
    page = await behind(house, recall, house.broker.pull(reader, Filter(), None, 9))
    assert [report.parse(one.report).identity for one in page.releases] == [second]
    third = (await house.submits(kenya.seals(release_to="GBR"))).report
    tighter = kenya.adopts(release=NOTHING.format("KEN"))
    answer = await behind(house, tighter, house.broker.fetch(reader, third))
    assert isinstance(answer, NotAllowed)
    assert answer.slug == "not-found"
    released = [told["report"] for kind, told in await house.channel("GBR") if kind == "release"]
    assert released == [second]


@pytest.mark.anyio
async def test_a_member_that_is_sent_off_while_its_report_is_read_gets_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its release is journalled, its bytes are on their way from the disk, and it is revoked."""
    receipt = await house.submits(house["KEN"].seals(release_to="GBR"))
    analyst, read = house["GBR"].analyst, house.broker.journal.rows

    async def rows(query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        found = await read(query, params)
        if query == "reports_at":
            await house.files(house["GBR"].revokes(analyst))
        return found

    monkeypatch.setattr(house.broker.journal, "rows", rows)
    with refused("unknown-signer"):
        await house.fetches(analyst, receipt.report)
    assert "release" in [kind for kind, _ in await house.channel("GBR")]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_policy_that_is_tightened_bites_on_what_is_open(house: House) -> None:
    """On a stream with a backlog, on a page in the middle, and on a download in the middle."""
    kenya, analyst = house["KEN"], house["GBR"].analyst
    reports = [(await house.submits(kenya.seals(release_to="GBR"))).report for _ in range(3)]
    following = await house.follows(analyst)
    assert await following.report() == reports[0]
    reader = house.member(analyst)
    page = await house.broker.pull(reader, Filter(), None, 1)
    assert page.more
    await house.files(kenya.adopts(release=NOTHING.format("KEN")))
    assert await following.rest() == []
    page = await house.broker.pull(reader, Filter(), page.cursor, 1)
    assert (page.releases, page.more) == ((), False)
    await house.files(kenya.adopts())
    assert await house.pulls(analyst) == reports, "the control"
    await house.files(
        house["GBR"].adopts(accept=NOTHING.format("GBR").replace("release", "accept"))
    )
    assert await house.pulls(analyst) == [], "nor can a nation's intake be forced"


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_report_recalled_between_acceptance_and_delivery_is_not_delivered(
    house: House,
) -> None:
    """Its release may be journalled already, together with its acceptance: that told who was about
    to get it. The bytes do not follow.
    """
    kenya, analyst = house["KEN"], house["GBR"].analyst
    following = await house.follows(analyst)
    assert await following.rest() == []
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    await house.files(kenya.says("report.recall", {"report": receipt.report, "reason": "wrong"}))
    assert await following.rest() == []
    with refused("not-found"):
        await house.fetches(analyst, receipt.report)
