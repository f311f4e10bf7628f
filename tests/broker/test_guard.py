"""The outer wall, around a small application that tells what reached it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.guard import Guard
from broker.metrics import Metrics
from broker.problems import Asgi, Message, Receive, Scope, Send
from broker.rates import TokenBuckets, neighbourhood
from broker.settings import Settings
from tests.broker.server import Raw, Running, request, running, settings_in

BODY_LIMIT = 100_000
SLOW = {"head_seconds": 0.3, "body_grace_seconds": 0.3, "linger_seconds": 0.3}


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was given; `/fails` and `/half` go wrong, `/big` has much to say."""
    path = scope["path"]
    if path == "/fails":
        raise LookupError("the name of a source")
    body = (await receive())["body"]
    told = {"method": scope["method"], "path": path, "length": len(body)}
    content = b"x" * 50_000_000 if path == "/big" else json.dumps(told).encode()
    length = str(len(content)).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    if path == "/half":
        raise LookupError("the name of a source")
    await send({"type": "http.response.body", "body": content, "more_body": False})


def limit_of(method: str, _path: str) -> int:
    return 0 if method == "GET" else BODY_LIMIT


async def make(settings: Settings, metrics: Metrics) -> tuple[Asgi, Any]:
    async def nothing() -> None:
        pass

    return Guard(telling, settings, limit_of, metrics, lambda: 1_780_000_000.0), nothing


@contextmanager
def guarded(folder: Path, **limits: Any) -> Iterator[Running]:
    with running(settings_in(folder, **limits), make) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with guarded(tmp_path_factory.mktemp("guard"), **SLOW) as server:
        yield server


# -- what goes through


def test_a_plain_request_reaches_the_application_whole(server: Running) -> None:
    reply = server.ask("POST /a/b", "Content-Length: 5", body=b"hello")
    assert reply.status == 200
    assert json.loads(reply.body) == {"method": "POST", "path": "/a/b", "length": 5}


def test_a_chunked_body_reaches_the_application_whole(server: Running) -> None:
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    reply = server.ask("PUT /a", "Transfer-Encoding: chunked", body=chunks)
    assert json.loads(reply.body)["length"] == 11


def test_a_connection_serves_one_request_after_another(server: Running) -> None:
    with server.connect() as raw:
        assert [raw.ask("GET /").status for _ in range(3)] == [200, 200, 200]


def test_every_answer_has_the_same_fields_and_none_names_the_software(server: Running) -> None:
    good, bad = server.ask("GET /"), server.ask("HEAD /")
    common = {"date", "cache-control", "content-security-policy", "x-content-type-options"}
    assert common <= set(good.names)
    assert common <= set(bad.names)
    assert "server" not in good.names + bad.names
    assert good.headers["date"] == bad.headers["date"] == "Thu, 28 May 2026 20:26:40 GMT"


def test_two_refusals_of_one_kind_are_equal_byte_for_byte(server: Running) -> None:
    first = server.ask("GET /", "Content-Encoding: gzip")
    second = server.ask("GET /other", "Content-Encoding: br", "X-More: 1")
    assert (first.body, first.headers) == (second.body, second.headers)


# -- failures


def test_an_unexpected_error_tells_nothing(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    reply = server.ask("GET /fails")
    assert (reply.status, reply.slug) == (500, "internal")
    assert b"source" not in reply.body
    assert "source" not in caplog.text


def test_an_error_in_the_middle_of_an_answer_cuts_it_off(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "GET /half"))
        assert raw.rest().endswith(b"\r\n\r\n")


# -- heads


@pytest.mark.slow
@pytest.mark.parametrize("start", ["GET /x", "POST /x"])
def test_a_head_that_does_not_come_is_cut_off(server: Running, start: str) -> None:
    with server.connect() as raw:
        raw.send(f"{start} HTTP/1.1\r\nHost: 127".encode())
        reply = raw.reply()
        assert (reply.status, reply.slug) == (408, "too-slow")
        assert raw.closed()


@pytest.mark.slow
def test_a_connection_that_says_nothing_is_cut_off(server: Running) -> None:
    with server.connect() as raw:
        assert raw.reply().status == 408
        assert raw.closed()


@pytest.mark.slow
def test_the_next_head_has_a_time_as_well(server: Running) -> None:
    with server.connect() as raw:
        assert raw.ask("GET /").status == 200
        raw.send(b"GET /")
        assert raw.reply().status == 408
        assert raw.closed()


@pytest.mark.slow
def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with guarded(tmp_path, idle_seconds=0.2) as server, server.connect() as raw:
        assert raw.ask("GET /").status == 200
        assert raw.closed()


@pytest.mark.parametrize("size", [17_000, 64_000, 400_000])
def test_a_head_of_any_length_is_refused_at_the_limit(server: Running, size: int) -> None:
    reply = server.ask("GET /", "X-Long: " + "a" * size)
    assert (reply.status, reply.slug) == (431, "header-too-large")


def test_a_field_without_end_is_refused_at_the_limit(server: Running) -> None:
    with server.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 100_000)
        assert raw.reply().status == 431
        assert raw.closed()


def test_many_fields_are_refused(server: Running) -> None:
    reply = server.ask("GET /", *(f"X-{i}: 1" for i in range(100)))
    assert (reply.status, reply.slug) == (431, "header-too-large")


def test_what_is_not_http_is_refused_in_our_words(server: Running) -> None:
    with server.connect() as raw:
        raw.send(b"\x16\x03\x01 hello\r\n\r\n")
        reply = raw.reply()
        assert (reply.status, reply.slug) == (400, "bad-request")
        assert raw.closed()


def test_http_1_0_is_refused(server: Running) -> None:
    with server.connect() as raw:
        raw.send(f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{raw.port}\r\n\r\n".encode())
        assert raw.reply().status == 400


@pytest.mark.parametrize("target", ["http://127.0.0.1/", "*", "//", "a"])
def test_a_target_that_is_no_path_leads_nowhere(server: Running, target: str) -> None:
    reply = server.ask(f"GET {target}")
    assert reply.status in ({200, 400} if target == "//" else {400})


def test_many_requests_at_once_on_one_connection_are_refused(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "GET /") * 50)
        assert raw.rest().count(b"HTTP/1.1 200") <= 10


# -- bodies


@pytest.mark.slow
def test_a_body_longer_than_allowed_is_refused_before_it_comes(server: Running) -> None:
    with server.connect() as raw:
        reply = raw.ask("POST /", f"Content-Length: {BODY_LIMIT + 1}")
        assert (reply.status, reply.slug) == (413, "too-large")
        assert reply.headers["connection"] == "close"
        assert raw.closed()


@pytest.mark.slow
def test_a_chunked_body_is_refused_at_the_limit(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "POST /", "Transfer-Encoding: chunked"))
        raw.send(b"%x\r\n%s\r\n" % (BODY_LIMIT + 1, b"x" * (BODY_LIMIT + 1)))
        assert raw.reply().slug == "too-large"
        assert raw.closed()


def test_a_body_of_exactly_the_limit_goes_in(server: Running) -> None:
    body = b"x" * BODY_LIMIT
    assert server.ask("POST /", f"Content-Length: {BODY_LIMIT}", body=body).status == 200


def test_a_read_has_no_body(server: Running) -> None:
    assert server.ask("GET /", "Content-Length: 1", body=b"x").slug == "too-large"


@pytest.mark.slow
def test_a_body_that_does_not_come_is_cut_off(server: Running) -> None:
    with server.connect() as raw:
        reply = raw.ask("POST /", "Content-Length: 10", body=b"x")
        assert (reply.status, reply.slug) == (408, "too-slow")
        assert raw.closed()


@pytest.mark.slow
def test_a_body_that_keeps_the_least_pace_is_waited_for(tmp_path: Path) -> None:
    limits = {"head_seconds": 0.2, "body_grace_seconds": 0.2, "body_bytes_per_second": 10}
    with guarded(tmp_path, **limits) as server:
        body = b"x" * 100  # buys ten seconds, and its last byte comes after the grace
        with server.connect() as raw:
            raw.send(request(raw.port, "POST /", "Content-Length: 101") + body)
            assert raw.silent(0.4)
            raw.send(b"x")
            assert raw.reply().status == 200


@pytest.mark.slow
def test_bodies_of_all_callers_together_are_bounded(tmp_path: Path) -> None:
    megabyte = 1 << 20
    settings = settings_in(tmp_path, bodies_bytes=megabyte)

    async def app(settings: Settings, metrics: Metrics) -> tuple[Asgi, Any]:
        _, drain = await make(settings, metrics)
        return Guard(telling, settings, lambda *_: 2 * megabyte, metrics, lambda: 0.0), drain

    with running(settings, app) as server:
        for size, status in ((megabyte + 1, 503), (megabyte, 200), (megabyte, 200)):
            assert (
                server.ask("POST /", f"Content-Length: {size}", body=b"x" * size).status == status
            )


@pytest.mark.parametrize("filler", [b"a" * 100_000, b"X-A: 1\r\n" * 20_000])
def test_what_follows_a_chunked_body_is_bounded(server: Running, filler: bytes) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "POST /", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\nX: ")
        raw.send(filler)
        assert raw.reply().status in {400, 431}
        assert raw.closed()


def test_a_chunk_extension_without_end_is_bounded(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "POST /", "Transfer-Encoding: chunked") + b"1;a=")
        for _ in range(10):
            raw.send(b"a" * 10_000)
        assert raw.rest().startswith(b"HTTP/1.1 4") or raw.closed()


def test_trailers_are_refused(server: Running) -> None:
    body = b"1\r\nx\r\n0\r\nSignature: sig1=:AAAA:\r\n\r\n"
    assert server.ask("POST /", "Transfer-Encoding: chunked", body=body).status == 400


# -- form


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("Content-Encoding: gzip",), 415),
        (("Content-Encoding: identity",), 415),
        (("Upgrade: websocket", "Connection: Upgrade"), 400),
        (("X-HTTP-Method-Override: DELETE",), 405),
        (("Content-Type: a/b", "Content-Type: a/b"), 400),
        (("Range: bytes=0-", "Range: bytes=1-"), 400),
        (("Transfer-Encoding: gzip, chunked",), 400),
        (("Transfer-Encoding: identity",), 400),
    ],
)
def test_fields_that_could_mean_two_things_are_refused(
    server: Running, fields: tuple[str, ...], status: int
) -> None:
    assert server.ask("POST /", *fields).status == status


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "CONNECT", "BREW"])
def test_other_methods_are_refused(server: Running, method: str) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, f"{method} /"))
        assert b" 405 " in raw.rest()[:14] or method in {"CONNECT", "BREW"}


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([], 400),
        (["Host: evil.example"], 421),
        (["Host: 127.0.0.1"], 421),
        (["Host: {own}", "Host: {own}"], 400),
        (["Host: {own}", "Host: evil.example"], 400),
    ],
)
def test_a_request_for_another_name_is_refused(
    server: Running, hosts: list[str], status: int
) -> None:
    own = f"127.0.0.1:{server.port}"
    lines = ["GET / HTTP/1.1", *(host.format(own=own) for host in hosts), "", ""]
    with server.connect() as raw:
        raw.send("\r\n".join(lines).encode())
        assert raw.reply().status == status


# -- addresses


@pytest.mark.slow
def test_an_address_has_only_so_many_connections_and_others_keep_theirs(tmp_path: Path) -> None:
    with guarded(tmp_path, connections_per_address=3) as server:
        first = [server.connect() for _ in range(3)]
        assert [raw.ask("GET /").status for raw in first] == [200] * 3
        with server.connect() as fourth:
            reply = fourth.reply()
            assert (reply.status, reply.slug) == (429, "rate-limited")
            assert fourth.closed()
        first[0].socket.close()
        assert first[1].ask("GET /").status == 200
        _wait_for_room(server)
        for raw in first:
            raw.socket.close()


def _wait_for_room(server: Running) -> None:
    """The server sees a closed connection a moment later."""
    for _ in range(200):
        with server.connect() as raw:
            raw.send(request(raw.port, "GET /"))
            if raw.reply().status == 200:
                return
    pytest.fail("no room was made")


@pytest.mark.slow
def test_the_process_has_only_so_many_connections(tmp_path: Path) -> None:
    with guarded(tmp_path, connections=1) as server, server.connect() as held:
        assert held.ask("GET /").status == 200
        with server.connect() as second:
            assert second.reply().status == 429


@pytest.mark.slow
def test_an_address_may_ask_only_so_often(tmp_path: Path) -> None:
    limits = {"requests_per_second": 0.001, "requests_burst": 5}
    with guarded(tmp_path, **limits) as server, server.connect() as raw:
        assert [raw.ask("GET /").status for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.slow
def test_junk_is_refused_more_cheaply_after_a_while(tmp_path: Path) -> None:
    with guarded(tmp_path, refusals_per_second=0.001, refusals_burst=3) as server:
        statuses = [server.ask("GET /", "Content-Encoding: x").status for _ in range(5)]
        assert statuses == [415, 415, 415, 429, 429]
        assert server.ask("GET /").status == 429


@pytest.mark.slow
def test_an_address_cannot_be_made_up(tmp_path: Path) -> None:
    """Only the connection says where a request comes from."""
    with guarded(tmp_path, requests_per_second=0.001, requests_burst=3) as server:
        statuses = [
            server.ask(f"GET /{i}", f"X-Forwarded-For: 192.0.2.{i}", f"Forwarded: for=192.0.2.{i}")
            for i in range(5)
        ]
        assert [reply.status for reply in statuses] == [200, 200, 200, 429, 429]


@pytest.mark.slow
def test_a_reader_that_reads_nothing_is_cut_off(tmp_path: Path) -> None:
    with guarded(tmp_path, stall_seconds=0.3) as server, server.connect() as raw:
        raw.send(request(raw.port, "GET /big"))
        assert raw.cut()
        assert len(raw.rest()) < 50_000_000


@pytest.mark.slow
def test_a_reader_that_reads_slowly_gets_everything(tmp_path: Path) -> None:
    limits = {"stall_seconds": 0.4, "idle_seconds": 0.2, "reader_bytes_per_second": 1}
    with guarded(tmp_path, **limits) as server, server.connect() as raw:
        raw.send(request(raw.port, "GET /big"))
        pause, taken = threading.Event(), 0
        while part := raw.socket.recv(1 << 20):
            taken += len(part)
            pause.wait(0.01)  # half a second in all, longer than either limit
        assert taken > 50_000_000


# -- parts by themselves


def test_a_bucket_refills_and_forgets_the_oldest() -> None:
    buckets = TokenBuckets(rate=1.0, burst=2, capacity=2)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert not buckets.has("a", 0.5)
    assert buckets.take("a", 1.0)
    assert not buckets.has("a", 1.0)
    buckets.take("b", 1.0)
    buckets.take("c", 1.0)
    assert buckets.has("a", 1.0)  # forgotten, so full again


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(steps: list[float]) -> None:
    buckets, now, taken = TokenBuckets(rate=2.0, burst=5, capacity=10), 0.0, 0
    for step in steps:
        now += step
        taken += buckets.take("a", now)
    assert taken <= 5 + 2.0 * now + 1e-6


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_address_counts_for_its_site(address: str, key: str) -> None:
    assert neighbourhood(address) == key


@pytest.mark.anyio
async def test_a_caller_that_hangs_up_is_not_answered(tmp_path: Path) -> None:
    guard, _ = await make(settings_in(tmp_path).listening_on(8440), Metrics())
    sent: list[Message] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(_scope(), gone, send)
    assert sent == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fields",
    [
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1" * 17)],
    ],
)
async def test_the_guard_does_not_rely_on_the_parser_for_framing(
    tmp_path: Path, fields: list[tuple[bytes, bytes]]
) -> None:
    guard, _ = await make(settings_in(tmp_path).listening_on(8440), Metrics())
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(_scope(*fields), receive, send)
    assert sent[0]["status"] == 400


@pytest.mark.anyio
async def test_half_an_answer_is_not_followed_by_another(tmp_path: Path) -> None:
    guard, _ = await make(settings_in(tmp_path).listening_on(8440), Metrics())
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await guard({**_scope(), "path": "/half"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.anyio
async def test_a_refusal_is_whole_before_the_sender_is_cut_off(tmp_path: Path) -> None:
    """What the sender still has to say is read first; a reset could overtake the refusal."""
    guard, _ = await make(settings_in(tmp_path).listening_on(8440), Metrics())
    happened: list[str] = []
    pieces = [True, True, False]

    async def receive() -> Message:
        happened.append("read")
        return {"type": "http.request", "body": b"x", "more_body": pieces.pop(0)}

    async def send(message: Message) -> None:
        happened.append("end" if message.get("more_body") is False else "said")

    await guard(_scope((b"content-length", b"9999999")), receive, send)
    assert happened == ["said", "said", "read", "read", "read", "end"]


@pytest.mark.anyio
async def test_a_trailer_does_not_reach_the_application(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["headers"])

    settings = settings_in(tmp_path).listening_on(8440)
    guard = Guard(app, settings, limit_of, Metrics(), lambda: 0.0)
    scope = _scope()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        await asyncio.sleep(0)

    await guard(scope, receive, send)
    scope["headers"].append((b"signature", b"late"))
    assert seen == [[(b"host", b"127.0.0.1:8440")]]


def _scope(*fields: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1:8440"), *fields],
    }


def test_a_connection_in_pieces_is_understood(server: Running) -> None:
    with Raw(server.port) as raw:
        for byte in request(server.port, "GET /"):
            raw.send(bytes([byte]))
        assert raw.reply().status == 200
