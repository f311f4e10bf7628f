"""Answers that are none, and attachments that are not those that were signed."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from io import BytesIO

import pytest

from clients import transport
from tests.clients.liar import Asked, Told
from tests.clients.lying.lies import named
from tests.clients.lying.stage import PHOTO, Scene
from tests.refusal import refused

pytestmark = pytest.mark.slow

DAY = 86_400  # seconds


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
