"""The link: signed, patient where patience helps, and never taken in by what is not the broker."""

import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import sse, transport
from clients.identity import Identity
from clients.problem import refusal
from clients.sse import ServerEvent
from clients.transport import Transport, Withheld
from tests.broker.server import serving
from tests.clients.strangers import Stranger, http, stream
from tests.pilot import Pilot, free_port
from tests.refusal import refused
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed, TearlineError

pytestmark = pytest.mark.anyio

DAY = 86_400
READY = http(200, b"{}")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    with Pilot.of("KEN", folder=tmp_path_factory.mktemp("transport")) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(transport, "SECOND_LOOK", 0.0)


def link(identity: Identity, off: float = 0) -> Transport:
    """A transport whose clock is wrong by so many seconds."""
    return Transport(identity, clock=lambda: time.time() + off, random=os.urandom)


def problem(slug: str, status: int, *fields: str, **more: object) -> bytes:
    body = json.dumps({"type": slug, "title": "-", "status": status, **more}).encode()
    return http(status, body, "Content-Type: application/problem+json", *fields)


@asynccontextmanager
async def facing(pilot: Pilot, *answers: bytes | None) -> AsyncIterator[tuple[Stranger, Transport]]:
    """A client that takes a stranger for its broker."""
    async with (
        Stranger.answering(*answers) as stranger,
        link(pilot.device("KEN", "analyst", port=stranger.port)) as client,
    ):
        yield stranger, client


# -- the clock


@pytest.mark.slow
@pytest.mark.parametrize("off", [0, 20, -20, 7_200, -7_200, 80_000, -80_000])
async def test_a_clock_that_is_wrong_is_put_right_once(pilot: Pilot, off: float) -> None:
    async with link(pilot.device("KEN", "analyst"), off) as client:
        for _ in range(2):
            answer = await client.get("/v1/subscriptions")
            assert answer.status == 200
        if abs(off) > 30:  # what the broker tolerates it need not correct
            assert abs(client.now() - time.time()) < 3


async def test_a_clock_that_goes_wrong_later_is_put_right_again(pilot: Pilot) -> None:
    """A machine that slept, or was set by hand, in the middle of a watch."""
    wrong = 7_200.0
    identity = pilot.device("KEN", "analyst")
    client = Transport(identity, clock=lambda: time.time() + wrong, random=os.urandom)
    async with client:
        await client.get("/v1/subscriptions")
        wrong = -3_600.0
        await client.get("/v1/subscriptions")
        assert abs(client.now() - time.time()) < 3
        wrong = 600.0
        with refused("not-found"):  # and not unsigned
            async for _ in client.events("/v1/subscriptions/none/stream", None):
                pass


@pytest.mark.parametrize("off", [2 * DAY, -400 * DAY])
async def test_a_clock_that_is_days_wrong_must_be_set_by_hand(pilot: Pilot, off: float) -> None:
    """Or a liar in the middle could make old keys look fresh."""
    async with link(pilot.device("KEN", "analyst"), off) as client:
        with refused("bad-input", "clock is more than a day wrong"):
            await client.get("/v1/subscriptions")


@pytest.mark.parametrize("date", ["", "Date: yesterday", "Date: ", "Date: 31 Feb 99999"])
async def test_a_refusal_without_a_time_is_a_refusal(
    pilot: Pilot, impatient: None, date: str
) -> None:
    answer = problem("unsigned-request", 401, *([date] if date else []))
    async with facing(pilot, answer) as (stranger, client):
        with refused("unsigned-request"):
            await client.get("/v1/subscriptions")
    assert len(stranger.asked) == 1


async def test_who_was_welcome_signs_once_more_before_it_gives_up(
    pilot: Pilot, impatient: None
) -> None:
    """A broker that was just started refuses what was signed in the second before."""
    no = problem("unsigned-request", 401, f"Date: {formatdate(usegmt=True)}")
    async with facing(pilot, READY, no, READY, no, no) as (stranger, client):
        for _ in range(2):
            await client.get("/readyz")
        with refused("unsigned-request"):
            await client.get("/readyz")
    assert len(stranger.asked) == 5
    signatures = {h for head in stranger.asked for h in head.split(b"\r\n") if b"ature: sig1" in h}
    assert len(signatures) == 5, "each with a nonce of its own"


# -- patience


async def test_nobody_waits_for_a_broker_that_was_never_there(pilot: Pilot) -> None:
    async with link(pilot.device("KEN", "analyst", port=free_port())) as client:
        begun = time.monotonic()
        with refused("unreachable", "nothing answers at http"):
            await client.get("/readyz")
        assert time.monotonic() - begun < transport.PAUSES[0]


async def test_what_speaks_no_tls_is_not_called_silent(pilot: Pilot) -> None:
    device = pilot.device("KEN", "analyst")
    there = {"broker": f"https://127.0.0.1:{pilot.port}"}
    async with link(replace(device, public=device.public.model_copy(update=there))) as client:
        with refused("unreachable", "speaks no TLS"):
            await client.get("/readyz")


async def test_a_link_that_held_before_is_tried_again_for_a_while(
    pilot: Pilot, impatient: None
) -> None:
    busy = problem("busy", 503)
    cut = http(200, b"0123456789")[:-5]
    async with facing(pilot, READY, None, busy, cut, READY, None) as (stranger, client):
        await client.get("/readyz")
        await client.send("POST", "/v1/reports", b"body", "text/plain")
        assert len(stranger.asked) == 5
        with refused("unreachable", "the link broke"):
            await client.get("/readyz")
    assert len(stranger.asked) == 5 + 4


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        (problem("not-found", 404), "not-found"),
        (problem("journal-stopped", 503), "journal-stopped"),
        (problem("id-reuse", 409), "id-reuse"),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(
    pilot: Pilot, impatient: None, answer: bytes, slug: str
) -> None:
    async with facing(pilot, READY, answer) as (stranger, client):
        await client.get("/readyz")
        with refused(slug):
            await client.get("/readyz")
    assert len(stranger.asked) == 2


async def test_a_page_is_asked_for_in_smaller_parts_where_the_link_does_not_last(
    pilot: Pilot, impatient: None
) -> None:
    async with facing(pilot, READY, *([None] * 9), READY) as (stranger, client):
        await client.get("/readyz")
        await client.page("/v1/reports", 200, after="x")
        await client.page("/v1/reports", 200)
    limits = [head.partition(b"limit=")[2].split(b" ")[0] for head in stranger.asked]
    assert limits[1:] == [b"200&after=x"] * 4 + [b"50&after=x"] * 4 + [b"12&after=x"] * 2 + [b"12"]


@pytest.mark.slow
async def test_a_broker_that_moved_is_found_where_it_says(tmp_path: Path, impatient: None) -> None:
    """Started again on another port, it writes its address anew; a watch goes on there."""
    pilot = Pilot.laid_out("KEN", folder=tmp_path)
    here = Identity.load(pilot.folder / "KEN/analyst", "a passphrase of the pilot")
    ports = [free_port(), free_port()]
    address = pilot.folder / "broker/address"
    address.write_text(f"http://127.0.0.1:{ports[0]}\n")
    async with link(here) as client:
        for port in ports:
            with serving(pilot.folder / "broker", port=port):
                assert (await client.get("/v1/subscriptions")).status == 200
            address.write_text(f"http://127.0.0.1:{port}\n")  # as a kill leaves it


# -- what is not the broker


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"<html>Log in to the network</html>", "Content-Type: text/html"),
        http(302, b"", "Location: http://elsewhere/"),
        http(502, b"Bad Gateway"),
        http(404, b'{"type":"made-up","title":"-","status":404}'),
        http(403, b'{"type":3}'),
        http(401, b"\xff\xfe"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        None,
    ],
)
async def test_whatever_else_answers_is_not_taken_for_the_broker(
    pilot: Pilot, impatient: None, answer: bytes | None
) -> None:
    async with facing(pilot, answer) as (_, client):
        with refused("unreachable"):
            async for _ in client.events("/v1/subscriptions/x/stream", None):
                pass
        if answer is None or not answer.startswith(b"HTTP/1.1 200"):
            with refused("unreachable"):
                await client.get("/readyz")


async def test_an_answer_without_end_is_cut_off(
    pilot: Pilot, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_MAX", 1_000)
    monkeypatch.setattr(sse, "EVENT_MAX", 1_000)
    async with facing(pilot, http(200, bytes(5_000)), stream(bytes(5_000))) as (_, client):
        with refused("too-large"):
            await client.get("/readyz")
        with refused("too-large"):
            async for _ in client.events("/v1/subscriptions/x/stream", None):
                pass


def test_no_client_takes_settings_from_the_environment(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy named in the environment would learn who asks for what."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    async def ask() -> int:
        async with link(pilot.device("KEN", "analyst")) as client:
            return (await client.get("/readyz")).status

    assert anyio.run(ask) == 200


async def test_a_file_that_holds_no_certificates_is_refused_in_words(pilot: Pilot) -> None:
    identity = pilot.device("KEN", "analyst")
    (identity.folder / "ca.pem").write_text("nothing")
    public = identity.public.model_copy(
        update={"ca_file": "ca.pem", "broker": "https://127.0.0.1:1"}
    )
    with refused("bad-identity", "is not a file of certificates"):
        async with link(replace(identity, public=public)):
            pass


# -- problems


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (401, "unsigned-request", NotAllowed),
        (403, "not-allowed", NotAllowed),
        (404, "not-found", NotAllowed),
        (408, "too-slow", Malformed),
        (409, "statement-conflict", Conflict),
        (413, "too-large", Malformed),
        (422, "bad-fields", Malformed),
        (429, "rate-limited", Conflict),
        (503, "busy", BrokerFault),
        (507, "disk-full", BrokerFault),
    ],
)
def test_a_problem_becomes_the_refusal_that_says_who_must_act(
    status: int, slug: str, kind: type[TearlineError]
) -> None:
    found = refusal(status, json.dumps({"type": slug, "detail": "why", "more": 1}).encode())
    assert type(found) is kind
    assert (found.slug, found.detail) == (slug, "why")


def test_a_withheld_report_carries_its_explanation() -> None:
    why = {"portions": [{"nations": {"GBR": {"outcome": "WITHHOLD", "lines": ["a rule"]}}}]}
    found = refusal(403, json.dumps({"type": "withheld", "explanation": why}).encode())
    assert isinstance(found, Withheld)
    assert found.explanation is not None
    assert str(found.explanation) == "portion 1  GBR  WITHHOLD  a rule"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_is_a_refusal_of_ours(status: int, body: bytes) -> None:
    assert isinstance(refusal(status, body), TearlineError)


# -- events

WORDS = st.from_regex(r"[A-Za-z0-9_.=~-]{1,20}", fullmatch=True)
DATA = st.binary(max_size=50).filter(lambda data: not {10, 13} & set(data))
EVENTS = st.lists(st.builds(ServerEvent, WORDS, st.just("") | WORDS, DATA), max_size=6)


def written(event: ServerEvent) -> bytes:
    mark = f"id: {event.id}\n" if event.id else ""
    return f"{mark}event: {event.kind}\ndata: ".encode() + event.data + b"\n\n"


async def read(chunks: list[bytes]) -> list[ServerEvent]:
    async def given_out() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in sse.events(given_out())]


@pytest.mark.slow
@given(EVENTS, st.lists(st.integers(1, 40), min_size=1))
def test_events_are_the_same_however_the_bytes_are_cut(
    events: list[ServerEvent], sizes: list[int]
) -> None:
    data = b": opening\n\n" + b"".join(map(written, events)) + b"event: half"
    chunks, at = list[bytes](), 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    assert anyio.run(read, chunks) == events


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [b"event: report\nid: a\rX: y\ndata: {}\n\n", b"event: re port\n\n", b"event: \xff\n\n"],
)
async def test_an_event_whose_words_are_not_plain_is_not_the_brokers(block: bytes) -> None:
    """Its id would go back in a header."""
    with refused("unreachable"):
        await read([block])
