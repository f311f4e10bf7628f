"""What other pages, other programs and strangers on this machine may try. Expect refusal."""

import json

import pytest

from clients.console.serve import BODY_MAX, HEADERS
from clients.console.sessions import IDLE_S
from tests.broker.server import Raw, Reply
from tests.clients.console.conftest import Clock
from tests.clients.console.serving import Served

FORM = "application/x-www-form-urlencoded"


@pytest.mark.slow
def test_a_session_is_two_secrets_and_the_cookie_is_well_kept(served: Served) -> None:
    reply = served.enter(served.sessions.invite())
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"__Host-tearline-{served.port}=")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
    assert "omain" not in cookie
    assert json.loads(reply.body)["page"] not in cookie


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/console", "/console/static/app.js", "/console/api/status", "/nothing", "/"]
)
def test_every_answer_carries_the_headers(served: Served, path: str) -> None:
    """Also a refusal: nothing is kept, framed, sniffed, or told to another site."""
    reply = served.ask(f"GET {path}")
    assert dict(HEADERS).items() <= reply.headers.items()
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "server" not in reply.headers


@pytest.mark.slow
def test_a_replayed_link_a_guess_and_an_old_one_are_told_the_same(
    served: Served, clock: Clock
) -> None:
    used = served.sessions.invite()
    assert served.enter(used).status == 200
    replayed, guessed = served.enter(used), served.enter("0" * 64)
    old = served.sessions.invite()
    clock.now += 121
    late = served.enter(old)
    assert replayed.status == 403
    assert replayed.body == guessed.body == late.body
    assert "set-cookie" not in replayed.headers


@pytest.mark.slow
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""]
)
@pytest.mark.parametrize("start", ["GET /console", "GET /console/api/status"])
def test_a_foreign_name_is_not_answered(served: Served, start: str, host: str) -> None:
    """DNS rebinding: a page elsewhere makes its own name lead to this server."""
    served.signed_in()
    with Raw(served.port) as raw:
        lines = [f"Host: {host.format(port=served.port)}", f"Cookie: {served.cookie}"]
        lines += [f"Tearline-Page: {served.page}", "Connection: close"]
        raw.send("\r\n".join([f"{start} HTTP/1.1", *lines, "", ""]).encode())
        assert raw.reply().status == 421


@pytest.mark.slow
def test_localhost_is_a_name_of_it(served: Served) -> None:
    with Raw(served.port) as raw:
        raw.send(f"GET /console HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode())
        assert raw.reply().status == 200


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
def test_a_cross_site_post_does_not_sign_in(served: Served, origin: str | None) -> None:
    code = served.sessions.invite()
    fields = ["Content-Type: application/json"] + ([f"Origin: {origin}"] if origin else [])
    body = json.dumps({"code": code}).encode()
    assert served.ask("POST /console/session", *fields, body=body).status == 403
    assert served.enter(code).status == 200, "the link was not used up by it"


@pytest.mark.slow
def test_a_form_of_another_page_does_not_sign_in(served: Served) -> None:
    code = served.sessions.invite()
    for media in (FORM, "text/plain", "application/json; charset=utf-8"):
        fields = (f"Content-Type: {media}", f"Origin: http://127.0.0.1:{served.port}")
        body = json.dumps({"code": code}).encode()
        assert served.ask("POST /console/session", *fields, body=body).status == 403


@pytest.mark.slow
def test_a_fixed_cookie_is_not_taken_over(served: Served) -> None:
    """Session fixation: what the browser brought along is worth nothing, before and after."""
    planted = f"__Host-tearline-{served.port}={'ab' * 32}"
    reply = served.enter(served.sessions.invite(), f"Cookie: {planted}")
    assert "ab" * 32 not in reply.headers["set-cookie"]
    page = json.loads(reply.body)["page"]
    assert served.get("status", cookie=planted, page=page).status == 403


@pytest.mark.slow
def test_a_stolen_cookie_alone_opens_nothing(served: Served) -> None:
    """Cookies are sent to every port of a host: another program there may have it."""
    served.signed_in()
    assert served.get("status").status == 200
    assert served.get("status", page="").status == 403
    assert served.get("status", page="cd" * 32).status == 403
    assert served.get("status", cookie="").status == 403


@pytest.mark.slow
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_request_that_another_page_began_is_refused(served: Served, site: str) -> None:
    served.signed_in()
    assert served.get("status", more=f"Sec-Fetch-Site: {site}").status == 403
    assert served.get("status", more="Sec-Fetch-Site: same-origin").status == 200


@pytest.mark.slow
def test_cookies_that_came_twice_are_no_cookie(served: Served) -> None:
    """Whichever a parser would take, another program may have planted it."""
    served.signed_in()
    name = served.cookie.partition("=")[0]
    planted = f"{name}={'ab' * 32}"
    for doubled in (f"{served.cookie}; {planted}", f"{planted}; {served.cookie}"):
        assert served.get("status", cookie=doubled).status == 403


@pytest.mark.slow
def test_without_a_session_all_paths_are_one(served: Served) -> None:
    """Uniform: nobody outside learns which entries, reports or paths there are."""
    paths = ("status", "entry/3", "entry/999999", "report/" + "ab" * 32, "nothing", "../x", "%00")
    answers = {(r.status, r.body) for r in map(served.get, paths)}
    assert len(answers) == 1
    ((status, body),) = answers
    assert status == 403
    assert b"not-allowed" in body


@pytest.mark.slow
def test_a_session_that_was_left_alone_is_over(served: Served, clock: Clock) -> None:
    served.signed_in()
    clock.now += IDLE_S + 1
    assert served.get("status").status == 403


@pytest.mark.slow
def test_signing_out_ends_it_and_takes_the_cookie_back(served: Served) -> None:
    served.signed_in()
    stranger = served.ask("DELETE /console/session", f"Cookie: {served.cookie}")
    assert stranger.status == 403
    fields = (f"Cookie: {served.cookie}", f"Tearline-Page: {served.page}")
    reply = served.ask("DELETE /console/session", *fields)
    assert reply.status == 200
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert served.get("status").status == 403


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "/console/static/../serve.py",
        "/console/static/..%2fserve.py",
        "/console/static/%2e%2e/%2e%2e/cli/console.py",
        "/console/static/views",
        "/console/static/",
        "/console/static//etc/passwd",
        "/console/static/app.js/",
        "/console/static/app.js%00.html",
        "/console/static/__init__.py",
        "/console/",
        "/app.js",
    ],
)
def test_only_the_files_of_the_page_are_served(served: Served, path: str) -> None:
    """Path traversal: a name is looked up in a table, never on the disk."""
    reply = served.ask(f"GET {path}")
    assert (reply.status, json.loads(reply.body)["error"]) == (404, "not-found")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("path", ["/console", "/console/api/status"])
def test_nothing_but_get_is_answered(served: Served, path: str, method: str) -> None:
    served.signed_in()
    fields = (f"Cookie: {served.cookie}", f"Tearline-Page: {served.page}")
    with Raw(served.port) as raw:
        reply: Reply = raw.ask(f"{method} {path}", *fields, "Connection: close")
    assert reply.status == 405


@pytest.mark.slow
def test_a_body_that_is_too_large_is_not_read_on(served: Served) -> None:
    usual = ("Content-Type: application/json", f"Origin: http://127.0.0.1:{served.port}")
    reply = served.ask("POST /console/session", *usual, body=b"x" * (BODY_MAX + 1))
    assert reply.status == 400


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code":1}', b'{"code":"x"}', b'{"code":"', b"\xff"]
)
def test_a_misformed_sign_in_is_refused(served: Served, body: bytes) -> None:
    usual = ("Content-Type: application/json", f"Origin: http://127.0.0.1:{served.port}")
    reply = served.ask(
        "POST /console/session", *usual, "Content-Length: 0" if not body else "X: y", body=body
    )
    assert reply.status == 422


@pytest.mark.slow
@pytest.mark.parametrize("query", ["a=1&a=2", "a", "x" * 3_000, "since=-1", "before=%C3%A9"])
def test_a_misformed_query_is_refused(served: Served, query: str) -> None:
    served.signed_in()
    assert served.get(f"entries?{query}").status == 400
