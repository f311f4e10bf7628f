"""Streams that say nothing, end, or never end."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from clients import sse, transport
from clients.received import Notable
from tests.clients.liar import Event, encoded
from tests.clients.lying.lies import named
from tests.clients.lying.stage import PATIENCE, Scene, seen
from tests.refusal import refused
from wire.errors import TearlineError

pytestmark = pytest.mark.slow


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
