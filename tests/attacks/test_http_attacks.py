"""Attacks on the HTTP shell, spoken over real sockets to a real broker. Expect refusal.

The numbers are those of the attack list in the threat model: 37 to 52 are about HTTP itself, 53 to
67 about signed requests.
"""

import gzip
import hashlib
import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import logs
from broker.api.reports import MEDIA_TYPE
from broker.problems import NOT_FOUND
from tests import sealing
from tests.broker.server import Asking, Raw, Running, request, serving
from tests.coalition import Coalition
from wire import report
from wire.report import REPORT_MAX
from wire.request_signature import SKEW_S

SHORT: dict[str, Any] = {
    "head_seconds": 0.3,
    "body_grace_seconds": 0.3,
    "linger_seconds": 0.3,
    "refusals_burst": 100_000,
}
"""Limits under which a test does not have to wait, and may misbehave often."""

REPORT = f"Content-Type: {MEDIA_TYPE}"


@pytest.fixture(scope="module")
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA")


@pytest.fixture(scope="module")
def server(world: Coalition, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = world.broker_folder(tmp_path_factory.mktemp("broker"))
    with serving(folder, world.clock, **SHORT) as server:
        yield server


@pytest.fixture
def analyst(world: Coalition, server: Running) -> Asking:
    return Asking(server, world["GBR"].analyst, world.clock)


def lives(server: Running) -> bool:
    """Whether the broker still serves everybody else."""
    return server.ask("GET /readyz").status == 200


# -- 37 to 41: bodies


@pytest.mark.slow
def test_37_a_chunked_body_over_the_limit_is_refused_at_the_limit(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "POST /v1/reports", REPORT, "Transfer-Encoding: chunked"))
        piece = b"x" * (1 << 20)
        for _ in range((REPORT_MAX >> 20) + 1):
            raw.send(b"100000\r\n" + piece + b"\r\n")
        reply = raw.reply()
        assert (reply.status, reply.slug) == (413, "too-large")
        assert raw.closed()
    assert lives(server)


def test_37_a_declared_length_over_the_limit_is_refused_unread(server: Running) -> None:
    length = f"Content-Length: {REPORT_MAX + 1}"
    with server.connect() as raw:
        reply = raw.ask("POST /v1/reports", REPORT, length, "Expect: 100-continue")
        assert (reply.status, reply.slug) == (413, "too-large")


@pytest.mark.parametrize("coding", ["chunked", "gzip", "identity", "chunked, chunked", "xchunked"])
def test_38_a_length_and_a_coding_together_are_refused(server: Running, coding: str) -> None:
    fields = ("Content-Length: 5", f"Transfer-Encoding: {coding}")
    for order in (fields, fields[::-1]):
        with server.connect() as raw:
            body = b"0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
            assert raw.ask("POST /v1/reports", REPORT, *order, body=body).status == 400
            assert raw.closed()


@pytest.mark.parametrize("second", ["5", "6", "5, 5", "+5", "0x5", " 5 ", "-1", ""])
def test_39_a_second_length_is_refused(server: Running, second: str) -> None:
    with server.connect() as raw:
        fields = ("Content-Length: 5", f"Content-Length: {second}")
        assert raw.ask("POST /v1/reports", REPORT, *fields, body=b"xxxxx").status == 400
        assert raw.closed()


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "identity", "x"])
def test_40_a_coded_body_is_refused(server: Running, coding: str) -> None:
    body = gzip.compress(b"x" * 1_000)
    fields = (REPORT, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")
    reply = server.ask("POST /v1/reports", *fields, body=body)
    assert (reply.status, reply.slug) == (415, "unsupported-media")


def test_41_a_bomb_as_attachment_is_stored_as_it_came(world: Coalition, server: Running) -> None:
    """Nothing is ever unpacked here: what an attachment holds is its readers' business."""
    bomb = gzip.compress(bytes(10_000_000))
    named = {
        "id": "ab" * 16,
        "sha256": hashlib.sha256(bomb).hexdigest(),
        "len": len(bomb),
        "media_type": "application/zip",
    }
    kenya = world["KEN"]
    label, place = kenya.label("SECRET", "GBR"), kenya.place()
    keys, content = kenya.keys_for(label), sealing.written("A map", "See the attachment.")
    frame = sealing.portion(place, label, content, keys, world.random, attachments=[named])
    raw = kenya.assembles(place, [frame])
    system = Asking(server, world["KEN"].system, world.clock)
    assert system.ask("POST /v1/reports", body=raw, media=MEDIA_TYPE).status == 201
    path = f"/v1/attachments/{report.parse(raw).identity}/{named['id']}"
    span = f"Content-Range: bytes 0-{len(bomb) - 1}/{len(bomb)}"
    sent = system.ask(f"PUT {path}", span, body=bomb, media="application/octet-stream")
    assert json.loads(sent.body) == {"received": len(bomb), "complete": True}
    reader = Asking(server, world["GBR"].analyst, world.clock)
    assert reader.ask(f"GET {path}").body == bomb


# -- 42 to 45: connections and heads


@pytest.mark.slow
def test_42_a_head_that_comes_a_byte_at_a_time_is_cut_off(server: Running) -> None:
    started = time.monotonic()
    with server.connect() as raw:
        for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: ":
            raw.send(bytes([byte]))
            if not raw.silent(0.05):
                break
        reply = raw.reply()
        assert (reply.status, reply.slug) == (408, "too-slow")
        assert raw.closed()
    assert time.monotonic() - started < 5
    assert lives(server)


@pytest.mark.slow
def test_43_a_body_that_comes_a_byte_at_a_time_is_cut_off(server: Running) -> None:
    with server.connect() as raw:
        raw.send(request(raw.port, "POST /v1/reports", REPORT, "Content-Length: 100000"))
        for _ in range(40):
            raw.send(b"x")
            if not raw.silent(0.05):
                break
        reply = raw.reply()
        assert (reply.status, reply.slug) == (408, "too-slow")
        assert raw.closed()


@pytest.mark.slow
def test_44_many_idle_connections_of_one_address_leave_others_unaffected(
    world: Coalition, tmp_path: Path
) -> None:
    folder = world.broker_folder(tmp_path)
    with serving(folder, world.clock, connections_per_address=50, head_seconds=20) as server:
        idle = [server.connect() for _ in range(300)]
        assert idle[-1].reply().status == 429
        with Raw(server.port, source="127.0.0.2") as other:
            waits = []
            for _ in range(20):
                asked = time.monotonic()
                assert other.ask("GET /healthz").status == 200
                waits.append(time.monotonic() - asked)
        assert sorted(waits)[-2] < 0.5
        for raw in idle:
            raw.socket.close()


@pytest.mark.parametrize("fields", [["X: " + "a" * 65_536], [f"X-{i}: 1" for i in range(200)]])
def test_45_a_large_head_is_refused(server: Running, fields: list[str]) -> None:
    reply = server.ask("GET /healthz", *fields)
    assert (reply.status, reply.slug) == (431, "header-too-large")


# -- 46 to 52: paths, methods, names, logs

TRICKS = [
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "../../../etc/passwd",
    "..%5c..%5cbroker.toml",
    "..\\..\\broker.toml",
    "%00",
    "ab%00",
    "%c0%ae%c0%ae%c0%af",
    "'%20OR%201=1--",
    "1;DROP%20TABLE%20report",
    "a" * 64,
    "ab" * 32 + "/",
    "AB" * 32,
]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("place", ["reports/{}", "attachments/{}/" + "ab" * 16, "log/tile/0/{}"])
def test_46_a_path_leads_to_an_id_or_nowhere(analyst: Asking, place: str, trick: str) -> None:
    reply = analyst.ask("GET /v1/" + place.format(trick))
    assert (reply.status, reply.body) == (404, NOT_FOUND.body)


@pytest.mark.parametrize(
    "path", ["/%68ealthz", "/healthz%2f", "/v1/log/%63heckpoint", "/healthz;a"]
)
def test_46_a_path_has_one_spelling(server: Running, path: str) -> None:
    assert server.ask(f"GET {path}").body == NOT_FOUND.body


@pytest.mark.parametrize("name", ["a'b", "x%27--", "A", "a.b", "a%2fb", "a" * 65, "-" * 65])
def test_47_a_subscription_has_a_plain_name_or_none(analyst: Asking, name: str) -> None:
    reply = analyst.ask(f"PUT /v1/subscriptions/{name}", body=b"{}")
    assert (reply.status, reply.body) == (404, NOT_FOUND.body)


@pytest.mark.parametrize(
    "query",
    [
        "region=KE%27%20OR%201=1",
        "threat=x%22;",
        "precedence=%00",
        "after=%27--",
        "limit=1%20",
        "limit=1_0",
        "limit=%2b1",
        "limit=9999",
        "purpose=a%27",
        "limit=1&limit=2",
        "unknown=1",
    ],
)
def test_47_a_query_that_is_no_value_is_refused(analyst: Asking, query: str) -> None:
    reply = analyst.ask(f"GET /v1/reports?{query}")
    assert (reply.status, reply.slug) == (422, "bad-fields")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/reports", "/healthz", "/v1/log/checkpoint", "/nowhere"])
def test_48_other_methods_are_refused_everywhere(server: Running, method: str, path: str) -> None:
    assert server.ask(f"{method} {path}").status == 405


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_48_a_method_cannot_be_overridden(server: Running, field: str) -> None:
    assert server.ask("POST /v1/reports", f"{field}: DELETE").status == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:{}.evil"])
def test_49_another_host_is_misdirected(server: Running, host: str) -> None:
    lines = ["GET /healthz HTTP/1.1", f"Host: {host.format(server.port)}", "", ""]
    with server.connect() as raw:
        raw.send("\r\n".join(lines).encode())
        reply = raw.reply()
        assert (reply.status, reply.slug) == (421, "misdirected")


def test_49_an_absolute_target_does_not_replace_the_host(server: Running) -> None:
    assert server.ask("GET http://evil.example/healthz").status == 400


@pytest.mark.parametrize(
    "value", [b"a\nX-Admin: 1", b"a\rX-Admin: 1", b"a\r\n X-Admin: 1", b"a\0b", b"\x01"]
)
def test_50_a_line_break_in_a_field_is_refused(server: Running, value: bytes) -> None:
    with server.connect() as raw:
        head = request(raw.port, "GET /healthz")[:-2] + b"X-Note: " + value + b"\r\n\r\n"
        raw.send(head)
        assert raw.reply().status == 400
        assert raw.closed()


@pytest.mark.parametrize(
    "path", ["/v1/x%0a{%22event%22:%22forged%22}", "/v1/%1b[2J", "/v1/%e2%80%ae"]
)
def test_51_a_path_cannot_forge_a_log_line(server: Running, path: str) -> None:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    logs.configure(stream)
    try:
        assert server.ask(f"GET {path}").status == 404
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert stream.getvalue().isascii()
    assert [line["path"] for line in lines if "path" in line] == [path]
    assert {line["event"] for line in lines} == {"refused"}


def test_52_a_refusal_does_not_carry_escapes_back(analyst: Asking) -> None:
    reply = analyst.ask("GET /v1/reports?region=%1b%5b2J%e2%80%ae")
    assert reply.status == 422
    assert b"\x1b" not in reply.body
    assert reply.body.isascii()


# -- 53 to 67: signed requests

READ = "GET /v1/reports"


def refused(reply: Any) -> bool:
    return (reply.status, reply.slug) == (401, "unsigned-request") and "date" in reply.headers


def test_53_a_read_without_a_signature_is_refused(server: Running) -> None:
    reply = server.ask(READ)
    assert refused(reply)
    assert reply.headers["www-authenticate"] == "Signature"


@pytest.mark.parametrize("start", [READ, "GET /v1/subscriptions/all/stream", "GET /v1/statements"])
def test_54_a_read_that_is_replayed_is_refused(analyst: Asking, start: str) -> None:
    lines = analyst.signature(start)
    first, again = analyst.server.ask(start, *lines), analyst.server.ask(start, *lines)
    assert first.status in {200, 404}
    assert refused(again)


def test_54_a_write_that_is_replayed_gets_its_first_receipt(
    world: Coalition, server: Running
) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    fields = (REPORT, f"Content-Length: {len(raw)}")
    first = server.ask("POST /v1/reports", *fields, body=raw)
    again = server.ask("POST /v1/reports", *fields, body=raw)
    assert (first.status, again.status) == (201, 200)
    known = json.loads(first.body)
    assert json.loads(again.body)["index"] == known["index"]
    assert json.loads(again.body)["duplicate"]


def test_55_a_request_from_the_future_is_told_the_time(world: Coalition, analyst: Asking) -> None:
    lines = analyst.signature(READ, created=world.clock.now + SKEW_S + 1)
    reply = analyst.server.ask(READ, *lines)
    assert refused(reply)
    assert reply.headers["date"].endswith("GMT")


def test_56_an_old_request_is_refused(world: Coalition, analyst: Asking) -> None:
    assert refused(
        analyst.server.ask(READ, *analyst.signature(READ, created=world.clock.now - 200))
    )


def test_57_a_request_that_would_be_good_for_too_long_is_refused(analyst: Asking) -> None:
    lines = analyst.signature(READ, lifetime_s=120)
    created, expires = analyst.clock(), analyst.clock() + 120
    longer = [
        line.replace(f"expires={expires:.0f}", f"expires={created + 121:.0f}") for line in lines
    ]
    assert longer != lines
    assert refused(analyst.server.ask(READ, *longer))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/v1/statements"},
        {"query": "region=KE"},
        {"method": "PUT"},
        {"authority": "127.0.0.1:1"},
        {"body": b"x"},
    ],
)
def test_58_a_signature_for_another_request_is_refused(
    analyst: Asking, change: dict[str, Any]
) -> None:
    assert refused(analyst.server.ask(READ, *analyst.signature(READ, **change)))


def test_59_two_signatures_are_refused(analyst: Asking) -> None:
    lines = analyst.signature(READ)
    assert refused(analyst.server.ask(READ, *lines, *analyst.signature(READ)))
    assert refused(analyst.server.ask(READ, *lines, lines[2]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"@method" "@authority"', '"@authority" "@method"'),
        (' "content-digest"', ""),
        (' "@query"', ""),
        ('"@path"', '"@target-uri"'),
        ("sig1=(", "sig2=("),
        ("tearline-http", "other"),
        ('alg="ed25519"', 'alg="hmac-sha256"'),
        (";tag=", " ;tag="),
    ],
)
def test_60_another_list_of_components_is_refused(analyst: Asking, before: str, after: str) -> None:
    lines = analyst.signature(READ)
    changed = [line.replace(before, after, 1) for line in lines]
    assert changed != lines
    assert refused(analyst.server.ask(READ, *changed))


def test_61_an_unknown_key_and_a_wrong_signature_look_alike(
    world: Coalition, analyst: Asking
) -> None:
    unknown = analyst.server.ask(READ, *analyst.signature(READ, kid="0" * 32))
    wrong = analyst.signature(READ, key=world["FRA"].analyst.keys.request)
    mistaken = analyst.server.ask(READ, *wrong)
    assert refused(unknown)
    assert (unknown.body, unknown.names) == (mistaken.body, mistaken.names)


@pytest.mark.slow
def test_62_a_full_memory_refuses_and_does_not_forget(world: Coalition, tmp_path: Path) -> None:
    folder = world.broker_folder(tmp_path)
    with serving(folder, world.clock, nonces=2) as server:
        analyst = Asking(server, world["GBR"].analyst, world.clock)
        lines = analyst.signature(READ)
        assert server.ask(READ, *lines).status == 200
        assert analyst.ask(READ).status == 200
        reply = analyst.ask(READ)
        assert (reply.status, reply.slug) == (503, "busy")
        assert refused(server.ask(READ, *lines))


@pytest.mark.slow
def test_63_a_restart_does_not_let_a_replay_in(world: Coalition, tmp_path: Path) -> None:
    folder = world.broker_folder(tmp_path)
    clock = world.copy().clock
    with serving(folder, clock) as server:
        analyst = Asking(server, world["GBR"].analyst, clock)
        # Signed for the name under which the next process answers as well.
        lines = analyst.signature(READ)
        assert server.ask(READ, *lines).status == 200
        port = server.port
    clock.forward(seconds=5)
    with serving(folder, clock, port=port) as server:
        assert refused(server.ask(READ, *lines))
        assert Asking(server, world["GBR"].analyst, clock).ask(READ).status == 200


def test_64_a_key_for_reports_does_not_sign_requests(world: Coalition, analyst: Asking) -> None:
    composite = world["GBR"].analyst.sign

    class Key:
        def sign(self, data: bytes) -> bytes:
            return composite.sign(data, b"tearline/report")[:64]

    assert refused(analyst.server.ask(READ, *analyst.signature(READ, key=Key())))


@pytest.mark.slow
def test_65_a_revoked_member_is_out_at_once_and_its_stream_ends(
    world: Coalition, tmp_path: Path
) -> None:
    here = world.copy()
    with serving(here.broker_folder(tmp_path), here.clock) as server:
        analyst = Asking(server, here["GBR"].analyst, here.clock)
        assert analyst.ask("PUT /v1/subscriptions/all", body=b"{}").status == 204
        with analyst.stream("all") as events:
            revocation = here["GBR"].revokes(here["GBR"].analyst)
            publish(server, revocation.raw)
            raw = here["KEN"].seals(release_to="GBR")
            assert post(server, raw) == 201
            (last,) = [event for event in events if event]
        assert (last["event"], json.loads(last["data"])) == ("end", {"reason": "unknown-signer"})
        assert refused(analyst.ask(READ))


@pytest.mark.slow
def test_66_an_expelled_nation_is_out(world: Coalition, tmp_path: Path) -> None:
    here = world.copy()
    with serving(here.broker_folder(tmp_path), here.clock) as server:
        analyst = Asking(server, here["GBR"].analyst, here.clock)
        assert analyst.ask(READ).status == 200
        publish(server, here.expels("GBR").raw)
        assert refused(analyst.ask(READ))


def test_67_a_request_for_one_broker_is_nothing_to_another(analyst: Asking) -> None:
    lines = analyst.signature(READ, authority="other.example:8440")
    assert refused(analyst.server.ask(READ, *lines))


# -- overload


@pytest.mark.slow
def test_101_junk_is_refused_before_any_signature_is_checked(
    world: Coalition, tmp_path: Path
) -> None:
    junk = world["KEN"].seals(release_to="GBR")[:-1]
    with serving(
        world.broker_folder(tmp_path), world.clock, refusals_per_second=0.01, refusals_burst=5
    ) as server:
        statuses = [post(server, junk) for _ in range(10)]
        assert statuses == [422] * 5 + [429] * 5
        with Raw(server.port, source="127.0.0.2") as other:
            assert other.ask("GET /readyz").status == 200


def post(server: Running, raw: bytes) -> int:
    reply = server.ask("POST /v1/reports", REPORT, f"Content-Length: {len(raw)}", body=raw)
    return reply.status


def publish(server: Running, raw: bytes) -> None:
    media = "Content-Type: application/vnd.tearline.statement"
    reply = server.ask("POST /v1/statements", media, f"Content-Length: {len(raw)}", body=raw)
    assert reply.status == 201, reply.body
