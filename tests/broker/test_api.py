"""The API over a real socket: what each area gives, and how it refuses."""

import hashlib
import json
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Event
from broker.api import common, description, streams
from broker.api.attachments import CHUNK_MAX
from broker.api.reports import MEDIA_TYPE
from broker.app import create_app
from broker.core import Broker
from broker.problems import NOT_FOUND, Asgi, Message
from broker.settings import Settings
from tests import sealing
from tests.broker.server import Asking, Reply, Running, serving
from tests.coalition import ORIGIN, Coalition
from wire import report, strict_json
from wire.base64_strict import decode
from wire.entries import MISSION
from wire.errors import SLUGS, BrokerFault
from wire.evidence import Evidence, Segment
from wire.merkle import leaf_hash, verify_consistency, verify_inclusion
from wire.notes import Ed25519Signer, VKey, open_checkpoint
from wire.prove import Trust, verify_entry, walk

REPORT = f"Content-Type: {MEDIA_TYPE}"
BYTES = "application/octet-stream"


@pytest.fixture(scope="module")
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA")


@pytest.fixture(scope="module")
def folder(world: Coalition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.broker_folder(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="module")
def server(world: Coalition, folder: Path) -> Iterator[Running]:
    with serving(folder, world.clock, linger_seconds=0.2, refusals_burst=10_000) as server:
        yield server


@pytest.fixture
def reader(world: Coalition, server: Running) -> Asking:
    return Asking(server, world["GBR"].analyst, world.clock)


@pytest.fixture
def stranger(world: Coalition, server: Running) -> Asking:
    """An analyst of a nation that the reports of these tests are not for."""
    return Asking(server, world["FRA"].analyst, world.clock)


@pytest.fixture
def log_keys(world: Coalition) -> list[VKey]:
    return [Ed25519Signer(ORIGIN, world.log_seed).vkey]


def post(server: Running, raw: bytes, media: str = REPORT) -> Reply:
    return server.ask("POST /v1/reports", media, f"Content-Length: {len(raw)}", body=raw)


def posted(world: Coalition, server: Running, **label: Any) -> str:
    """Post a report of Kenya for Britain; gives its identity."""
    raw = world["KEN"].seals(release_to="GBR", **label)
    reply = post(server, raw)
    assert reply.status == 201, reply.body
    return report.parse(raw).identity


def value(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    return strict_json.parse(reply.body, limit=1 << 24, prose=True)


# -- reports


@pytest.mark.slow
def test_a_posted_report_gets_a_receipt_that_proves_it(
    world: Coalition, server: Running, log_keys: list[VKey]
) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    reply = post(server, raw)
    receipt = strict_json.parse(reply.body, limit=1 << 20, prose=True)
    assert reply.status == 201
    assert isinstance(receipt, dict)
    assert set(receipt) == {"report", "index", "duplicate", "evidence"}
    evidence = Evidence.model_validate_json(json.dumps(receipt["evidence"]))
    entry = verify_entry(evidence, log_keys, "KEN")
    assert entry.type == "report.accepted"
    assert (entry.view or {})["report"] == receipt["report"] == report.parse(raw).identity


def test_a_report_of_another_media_type_is_refused(world: Coalition, server: Running) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    for media in ("Content-Type: application/json", "X: 1"):
        assert post(server, raw, media).slug == "unsupported-media"


def test_a_refused_report_leaves_the_connection_open(world: Coalition, server: Running) -> None:
    raw = world["KEN"].seals(release_to="GBR")[:-1]
    with server.connect() as connection:
        for _ in range(2):
            length = f"Content-Length: {len(raw)}"
            reply = connection.ask("POST /v1/reports", REPORT, length, body=raw)
            assert (reply.status, reply.slug) == (422, "bad-envelope")


def test_a_reader_fetches_what_was_released_to_its_nation(
    world: Coalition, server: Running, reader: Asking, log_keys: list[VKey]
) -> None:
    identity = posted(world, server)
    release = value(reader.ask(f"GET /v1/reports/{identity}"))
    assert release["use"] == "release"
    assert report.parse(decode(release["report"])).identity == identity
    evidence = Evidence.model_validate_json(json.dumps(release["evidence"]))
    assert verify_entry(evidence, log_keys, "GBR").type == "release"


def test_unknown_and_forbidden_reports_are_the_same_to_a_reader(
    world: Coalition, server: Running, stranger: Asking
) -> None:
    forbidden = stranger.ask(f"GET /v1/reports/{posted(world, server)}")
    unknown = stranger.ask(f"GET /v1/reports/{'0' * 64}")
    assert forbidden.status == 404
    assert (forbidden.body, forbidden.headers) == (unknown.body, unknown.headers)
    assert forbidden.body == NOT_FOUND.body


def test_releases_come_page_by_page(world: Coalition, server: Running, reader: Asking) -> None:
    sent = {posted(world, server, regions=["TD"]) for _ in range(3)}
    found, after, more = set[str](), "", True
    while more:
        page = value(reader.ask(f"GET /v1/reports?region=TD&limit=2{after}"))
        assert len(page["releases"]) <= 2
        found |= {report.parse(decode(one["report"])).identity for one in page["releases"]}
        after, more = f"&after={page['cursor']}", page["more"]
    assert found == sent


def test_a_filter_takes_several_words(world: Coalition, server: Running, reader: Asking) -> None:
    posted(world, server, regions=["ML"])
    query = "region=ML&region=NE&threat=explosive&precedence=FLASH&precedence=ROUTINE"
    assert value(reader.ask(f"GET /v1/reports?{query}"))["releases"]
    assert not value(reader.ask("GET /v1/reports?region=NE&region=SN"))["releases"]


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("region=XX", "unknown-term"),
        ("threat=no_such_thing", "unknown-term"),
        ("after=AAAA", "bad-cursor"),
        ("after=" + "A" * 48, "bad-cursor"),
        ("limit=0", "bad-fields"),
        ("precedence=URGENT", "bad-fields"),
        ("&".join(["region=KE"] * 65), "bad-fields"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(reader: Asking, query: str, slug: str) -> None:
    assert reader.ask(f"GET /v1/reports?{query}").slug == slug


def test_a_cursor_is_its_owners(world: Coalition, server: Running, reader: Asking) -> None:
    posted(world, server)
    cursor = value(reader.ask("GET /v1/reports"))["cursor"]
    other = Asking(server, world["GBR"].officer, world.clock)
    assert other.ask(f"GET /v1/reports?after={cursor}").slug == "bad-cursor"


# -- subscriptions


def test_a_subscription_is_set_shown_and_removed(reader: Asking) -> None:
    wanted = {"regions": ["014"], "threats": ["explosive"], "precedence": [], "purpose": None}
    body = json.dumps(wanted).encode()
    assert reader.ask("PUT /v1/subscriptions/east", body=body).status == 204
    assert value(reader.ask("GET /v1/subscriptions/east")) == wanted
    assert value(reader.ask("GET /v1/subscriptions"))["subscriptions"]["east"] == wanted
    assert reader.ask("DELETE /v1/subscriptions/east").status == 204
    assert reader.ask("GET /v1/subscriptions/east").body == NOT_FOUND.body


def test_a_subscription_is_one_members_own(stranger: Asking, reader: Asking) -> None:
    assert reader.ask("PUT /v1/subscriptions/mine", body=b"{}").status == 204
    assert stranger.ask("GET /v1/subscriptions/mine").body == NOT_FOUND.body
    assert "mine" not in value(stranger.ask("GET /v1/subscriptions"))["subscriptions"]


@pytest.mark.parametrize(
    ("body", "media", "slug"),
    [
        (b'{"regions":["KE"],"regions":["TD"]}', "application/json", "bad-json"),
        (b'{"regions":"KE"}', "application/json", "bad-fields"),
        (b'{"surprise":1}', "application/json", "bad-fields"),
        (b'{"regions":["XX"]}', "application/json", "unknown-term"),
        (b"[]", "application/json", "bad-fields"),
        (b"{}", "text/plain", "unsupported-media"),
        (b"{}", None, "unsupported-media"),
        (b'{"regions":[' + b" " * 20_000 + b"]}", "application/json", "too-large"),
    ],
)
def test_a_body_that_is_not_a_filter_is_refused(
    reader: Asking, body: bytes, media: str | None, slug: str
) -> None:
    assert reader.ask("PUT /v1/subscriptions/bad", body=body, media=media).slug == slug


def test_a_stream_brings_what_is_there_and_what_comes(
    world: Coalition, server: Running, reader: Asking
) -> None:
    reader.ask("PUT /v1/subscriptions/chad", body=b'{"regions":["SN"]}')
    first = posted(world, server, regions=["SN"])
    with reader.stream("chad") as events:
        assert next(events) == {}  # the opening comment
        assert identity_of(next(events)) == first
        second = posted(world, server, regions=["SN"])
        event = next(events)
        assert identity_of(event) == second
    third = posted(world, server, regions=["SN"])
    with reader.stream("chad", last=event["id"]) as events:
        assert next(events) == {}
        assert identity_of(next(events)) == third
    body = json.dumps({"cursor": event["id"]}).encode()
    assert reader.ask("POST /v1/subscriptions/chad/cursor", body=body).status == 204
    with reader.stream("chad") as events:
        next(events)
        assert identity_of(next(events)) == third


def identity_of(event: Any) -> str:
    assert event["event"] == "report"
    return report.parse(decode(json.loads(event["data"])["report"])).identity


def test_the_first_byte_of_a_stream_does_not_wait_for_a_report(reader: Asking) -> None:
    reader.ask("PUT /v1/subscriptions/quiet", body=b'{"regions":["AQ"]}')
    with reader.stream("quiet") as events:
        assert next(events) == {}


def test_a_stream_of_nothing_is_not_found(reader: Asking) -> None:
    reply = reader.ask("GET /v1/subscriptions/nothing/stream")
    assert (reply.status, reply.body) == (404, NOT_FOUND.body)


def test_a_stream_with_a_strange_last_id_is_refused(reader: Asking) -> None:
    reader.ask("PUT /v1/subscriptions/quiet", body=b'{"regions":["AQ"]}')
    for last in ("AAAA", "x" * 300, "\xe9"):
        reply = reader.ask("GET /v1/subscriptions/quiet/stream", f"Last-Event-ID: {last}")
        assert reply.slug == "bad-cursor"


def test_a_stream_is_read_and_nothing_else(reader: Asking) -> None:
    assert reader.ask("POST /v1/subscriptions/quiet/stream").slug == "method-not-allowed"


def test_a_reader_that_hangs_up_leaves_nothing_behind(reader: Asking, server: Running) -> None:
    reader.ask("PUT /v1/subscriptions/quiet", body=b'{"regions":["AQ"]}')
    for _ in range(5):
        with reader.stream("quiet") as events:
            next(events)
    tasks = server.server.server_state.tasks
    for _ in range(500):
        if not tasks:
            return
        server.ask("GET /healthz")
    pytest.fail("a stream without a reader is still there")


@pytest.mark.slow
def test_a_stopping_broker_ends_its_streams_and_then_itself(
    world: Coalition, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(world.broker_folder(tmp_path), world.clock))
        reader = Asking(server, world["GBR"].analyst, world.clock)
        reader.ask("PUT /v1/subscriptions/all", body=b"{}")
        events = stack.enter_context(reader.stream("all"))
        assert next(events) == {}
        server.stop()
        (last,) = events
        assert (last["event"], json.loads(last["data"])) == ("end", {"reason": "stopping"})


# -- statements


@pytest.mark.slow
def test_a_statement_gets_a_receipt_that_proves_it(
    world: Coalition, tmp_path: Path, log_keys: list[VKey]
) -> None:
    here = world.copy()
    with serving(here.broker_folder(tmp_path), here.clock) as server:
        raw = here["KEN"].revokes(here["KEN"].analyst).raw
        media = "Content-Type: application/vnd.tearline.statement"
        asked = ("POST /v1/statements", media, f"Content-Length: {len(raw)}")
        first, again = server.ask(*asked, body=raw), server.ask(*asked, body=raw)
        assert (first.status, again.status) == (201, 200)
        receipt = json.loads(first.body)
        evidence = Evidence.model_validate_json(json.dumps(receipt["evidence"]))
        entry = verify_entry(evidence, log_keys, MISSION)
        assert (entry.view or {})["statement"] == receipt["identity"]
        assert json.loads(again.body)["duplicate"]
        bad = server.ask(asked[0], media, "Content-Length: 4", body=b"TLST")
        assert bad.slug == "bad-statement"
        assert server.ask(asked[0], asked[2], body=raw).slug == "unsupported-media"


def test_statements_come_as_pages_that_can_be_walked(
    world: Coalition, reader: Asking, log_keys: list[VKey]
) -> None:
    trust, found, complete = Trust(), dict[str, str](), False
    while not complete:
        query = f"after={trust.tip.count}&size={trust.size}&limit=7"
        page = value(reader.ask(f"GET /v1/statements?{query}"))
        segment = Segment.model_validate_json(json.dumps(page["segment"]))
        consistency = [decode(text) for text in page["consistency"]]
        trust, _, complete = walk(trust, segment, log_keys, MISSION, 0, None, consistency)
        found |= page["statements"]
    assert {filed.statement.identity for filed in world.history} <= set(found)


# -- preview


def test_a_preview_says_who_would_get_it(world: Coalition, server: Running) -> None:
    system = Asking(server, world["KEN"].system, world.clock)
    label = world["KEN"].label("SECRET", "GBR")
    body = json.dumps({"labels": [label]}).encode()
    found = value(system.ask("POST /v1/preview", body=body))
    assert found["portions"][0]["nations"]["GBR"]["outcome"] == "RELEASE"
    for bad in (b'{"labels":[]}', json.dumps({"labels": [label] * 17}).encode()):
        assert system.ask("POST /v1/preview", body=bad).slug == "bad-fields"


# -- the log


def test_anybody_may_verify_the_log(
    world: Coalition, server: Running, log_keys: list[VKey]
) -> None:
    note = server.ask("GET /v1/log/checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    opened = open_checkpoint(note.body.decode(), log_keys).checkpoint
    width = min(opened.size, 3)
    leaves = server.ask(f"GET /v1/log/tile/entries/000.p/{width}").body
    length = int.from_bytes(leaves[:2], "big")
    leaf = leaves[2 : 2 + length]
    hashes = server.ask(f"GET /v1/log/tile/0/000.p/{width}").body
    assert hashes[:32] == leaf_hash(leaf)
    asked = value(server.ask(f"GET /v1/log/proof/inclusion?index=0&size={opened.size}"))
    proof = [decode(text) for text in asked["proof"]]
    verify_inclusion(0, opened.size, leaf_hash(leaf), proof, opened.root)
    asked = value(server.ask(f"GET /v1/log/proof/consistency?old=1&new={opened.size}"))
    proof = [decode(text) for text in asked["proof"]]
    verify_consistency(1, opened.size, proof, leaf_hash(leaf), opened.root)


@pytest.mark.parametrize(
    "tile",
    [
        "0/0",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "64/000",
        "00/000",
        "0/x000/000",
        "0/x001/x000/000",
        "0/001/000",
        "0/" + "x999/" * 6 + "999",
        "entries",
        "entries/999",
        "0/999",
        "data/000",
    ],
)
def test_a_tile_has_one_name(server: Running, tile: str) -> None:
    assert server.ask(f"GET /v1/log/tile/{tile}").body == NOT_FOUND.body


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("inclusion?index=0&size=99999", "not-found"),
        ("inclusion?index=5&size=5", "not-found"),
        ("inclusion?index=0", "bad-fields"),
        ("inclusion?index=-1&size=1", "bad-fields"),
        ("consistency?old=2&new=1", "not-found"),
        ("consistency?old=1&new=1&x=1", "bad-fields"),
    ],
)
def test_a_proof_of_nothing_is_refused(server: Running, query: str, slug: str) -> None:
    assert server.ask(f"GET /v1/log/proof/{query}").slug == slug


def test_a_nations_view_is_for_its_auditors(
    world: Coalition, server: Running, reader: Asking, log_keys: list[VKey]
) -> None:
    assert reader.ask("GET /v1/log/views").status == 403
    posted(world, server)
    auditor = Asking(server, world["KEN"].auditor, world.clock)
    page = value(auditor.ask("GET /v1/log/views?limit=1000"))
    segment = Segment.model_validate_json(json.dumps(page["segment"]))
    channels = world.directory.channels
    place = channels.index("KEN")
    walked = walk(Trust(), segment, log_keys, "KEN", place, len(channels), ())
    assert "report.accepted" in {entry.type for entry in walked[1]}


# -- attachments


@pytest.fixture
def attached(world: Coalition, server: Running) -> tuple[str, bytes]:
    """The path and the ciphertext of an attachment that is announced and not sent."""
    data = bytes(range(256)) * 40
    named = {
        "id": world.random(16).hex(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "len": len(data),
        "media_type": "image/png",
    }
    kenya = world["KEN"]
    label, place = kenya.label("SECRET", "GBR"), kenya.place()
    content = sealing.written("A map", "See the attachment.")
    keys = kenya.keys_for(label)
    frame = sealing.portion(place, label, content, keys, world.random, attachments=[named])
    raw = kenya.assembles(place, [frame])
    assert post(server, raw).status == 201
    return f"/v1/attachments/{report.parse(raw).identity}/{named['id']}", data


def test_an_attachment_is_sent_in_pieces_and_fetched_in_pieces(
    world: Coalition, server: Running, reader: Asking, attached: tuple[str, bytes]
) -> None:
    path, data = attached
    system = Asking(server, world["KEN"].system, world.clock)
    total = len(data)

    def put(span: str, body: bytes) -> Any:
        reply = system.ask(f"PUT {path}", f"Content-Range: bytes {span}", body=body, media=BYTES)
        return value(reply)

    assert put(f"*/{total}", b"") == {"received": 0, "complete": False}
    assert put(f"0-3999/{total}", data[:4000]) == {"received": 4000, "complete": False}
    assert reader.ask(f"GET {path}").slug == "incomplete"
    assert put(f"*/{total}", b"") == {"received": 4000, "complete": False}
    assert put(f"4000-{total - 1}/{total}", data[4000:]) == {"received": total, "complete": True}
    whole = reader.ask(f"GET {path}")
    assert (whole.status, whole.body) == (200, data)
    part = reader.ask(f"GET {path}", "Range: bytes=100-199")
    assert (part.status, part.body) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{total}"
    rest = reader.ask(f"GET {path}", "Range: bytes=10000-")
    assert (rest.status, rest.body) == (206, data[10_000:])
    assert rest.headers["content-range"] == f"bytes 10000-{total - 1}/{total}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("span", "body", "slug"),
    [
        ("bytes 5-9/10240", b"xxxxx", "bad-range"),
        ("bytes 0-4/10239", b"xxxxx", "bad-range"),
        ("bytes 0-4/10241", b"xxxxx", "too-large"),
        ("bytes 0-4/10240", b"xxxx", "bad-request"),
        ("bytes 4-0/10240", b"", "bad-request"),
        ("bytes 0-10240/10240", b"x", "bad-request"),
        ("bytes */*", b"", "bad-request"),
        ("items 0-4/10240", b"xxxxx", "bad-request"),
        ("", b"xxxxx", "bad-request"),
        ("bytes 0-4/9999999999", b"xxxxx", "too-large"),
        (f"bytes 0-{CHUNK_MAX}/10240", b"x" * (CHUNK_MAX + 1), "too-large"),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(
    world: Coalition,
    server: Running,
    attached: tuple[str, bytes],
    span: str,
    body: bytes,
    slug: str,
) -> None:
    system = Asking(server, world["KEN"].system, world.clock)
    reply = system.ask(f"PUT {attached[0]}", f"Content-Range: {span}", body=body, media=BYTES)
    assert reply.slug == slug


@pytest.mark.parametrize("wanted", ["bytes=-5", "bytes=0-1,3-4", "bytes=5-4", "items=0-1", ""])
def test_a_range_in_another_form_is_refused(
    reader: Asking, attached: tuple[str, bytes], wanted: str
) -> None:
    assert reader.ask(f"GET {attached[0]}", f"Range: {wanted}").slug == "bad-range"


def test_only_the_originators_nation_sends_and_only_readers_fetch(
    reader: Asking, stranger: Asking, attached: tuple[str, bytes]
) -> None:
    path, data = attached
    span = f"Content-Range: bytes 0-{len(data) - 1}/{len(data)}"
    assert reader.ask(f"PUT {path}", span, body=data, media=BYTES).body == NOT_FOUND.body
    assert stranger.ask(f"GET {path}").body == NOT_FOUND.body
    other = path[:-32] + "0" * 32
    assert reader.ask(f"GET {other}").body == NOT_FOUND.body


# -- health


def test_health_is_open(server: Running) -> None:
    assert value(server.ask("GET /healthz")) == {"status": "ok"}
    assert value(server.ask("GET /readyz")) == {"status": "ok"}


def test_metrics_need_their_token(folder: Path, server: Running) -> None:
    token = (folder / "metrics-token").read_text().strip()
    for fields in ((), ("Authorization: Bearer x",), ("Authorization: Basic " + token,)):
        assert server.ask("GET /metrics", *fields).body == NOT_FOUND.body
    reply = server.ask("GET /metrics", f"Authorization: Bearer {token}")
    assert reply.status == 200
    for name in (b"tearline_requests_total", b"tearline_log_entries", b"tearline_connections"):
        assert name in reply.body
    for nation in (b"KEN", b"GBR", b"FRA"):
        assert nation not in reply.body


@pytest.mark.slow
def test_without_a_token_file_nobody_reads_metrics(world: Coalition, tmp_path: Path) -> None:
    folder = world.broker_folder(tmp_path)
    (folder / "metrics-token").unlink()
    with serving(folder, world.clock) as server:
        for sent in ("None", ""):
            reply = server.ask("GET /metrics", f"Authorization: Bearer {sent}")
            assert reply.body == NOT_FOUND.body


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_broker_that_stops_is_alive_and_not_ready(world: Coalition, tmp_path: Path) -> None:
    settings = Settings.load(world.broker_folder(tmp_path)).listening_on(8440)
    broker = await Broker.open(settings, clock=world.clock, random=os.urandom)
    app = create_app(broker)
    assert await status_of(app, "/readyz") == 200
    await broker.close()
    assert await status_of(app, "/readyz") == 503
    assert await status_of(app, "/healthz") == 200


async def status_of(app: Asgi, path: str) -> int:
    """The status of one answer, without a server."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1:8440")],
    }
    await app(scope, receive, send)
    return int(said[0]["status"])


@pytest.mark.anyio
async def test_a_fault_in_the_middle_of_a_stream_ends_it_in_words() -> None:
    said: list[bytes] = []

    async def events() -> AsyncGenerator[Event, None]:
        yield Event("heartbeat", "a", b"{}")
        raise BrokerFault("journal-stopped")

    async def send(message: Message) -> None:
        said.append(message["body"])

    await streams._deliver(events(), send)
    assert said == [
        b": tearline\n\n",
        b"id: a\nevent: heartbeat\ndata: {}\n\n",
        b'event: end\ndata: {"reason":"journal-stopped"}\n\n',
        b"",
    ]


def test_the_log_says_who_was_refused_what_and_no_more(
    reader: Asking, server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "tearline.broker"):
        reader.ask("GET /v1/reports?region=XX")
        server.ask("GET /healthz")
    found = [record.__dict__["tearline"] for record in caplog.records if record.msg == "refused"]
    assert [{**one, "ms": 0} for one in found] == [
        {
            "method": "GET",
            "path": "/v1/reports",
            "status": 422,
            "slug": "unknown-term",
            "member": reader.who.kid,
            "ms": 0,
        }
    ]
    assert "answered" not in caplog.messages


# -- the description


@pytest.fixture(scope="module")
def document(server: Running) -> Any:
    return json.loads(server.ask("GET /openapi.json").body)


def test_every_operation_is_described(document: Any) -> None:
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) == 26
    for path, method, operation in operations:
        assert operation.get("summary"), (path, method)
        assert operation.get("responses"), (path, method)
        assert operation.get("description") or path == "/healthz", (path, method)


def test_every_reference_of_the_description_leads_somewhere(document: Any) -> None:
    found = {
        text.rpartition("/")[2]
        for text in _strings(document)
        if text.startswith("#/components/schemas/")
    }
    assert found <= set(document["components"]["schemas"])
    assert set(document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]) == set(
        SLUGS
    )
    assert not [text for text in _strings(document) if text.startswith("#/$defs")]


def _strings(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    for item in (
        thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ()
    ):
        yield from _strings(item)


def test_signed_operations_say_so(document: Any) -> None:
    open_ones = {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" not in operation
    }
    assert open_ones == {
        "post /v1/reports",
        "post /v1/statements",
        "get /v1/log/checkpoint",
        "get /v1/log/candidate",
        "get /v1/log/continuation",
        "get /v1/log/tile/{tile}",
        "get /v1/log/proof/inclusion",
        "get /v1/log/proof/consistency",
        "get /healthz",
        "get /readyz",
        "get /metrics",
    }


def test_the_page_for_people_runs_nothing_and_fetches_nothing(server: Running) -> None:
    reply = server.ask("GET /docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for word in (b"<script", b"http://", b"https://", b"src="):
        assert word not in reply.body
    assert b"/v1/subscriptions/{name}/stream" in reply.body


def test_the_console_is_not_at_the_broker(server: Running) -> None:
    """A broker that showed its own history would be its own judge."""
    reply = server.ask("GET /console")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"tearline audit console" in reply.body
    assert "set-cookie" not in reply.headers


def test_a_wrong_method_on_a_known_path_is_a_problem_like_any_other(server: Running) -> None:
    reply = server.ask("DELETE /healthz")
    assert (reply.status, reply.slug) == (405, "method-not-allowed")
    assert reply.headers["allow"] == "GET, POST, PUT, DELETE"
    assert server.ask("GET /nowhere").body == NOT_FOUND.body
    assert server.ask("GET /v1/reports/").body == NOT_FOUND.body


def test_the_slugs_named_in_descriptions_exist() -> None:
    assert common.refusals("not-found")[404]["description"].startswith("`not-found`")
    assert description.TITLE == "Tearline broker"
