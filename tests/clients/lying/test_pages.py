"""False pages of a channel: statements for those who follow, views for those who audit."""

import base64
import json
from collections.abc import Callable

import pytest

from clients.auditor import Auditor
from tests.clients.liar import Doc, Liar, encoded
from tests.clients.lying.lies import PageLie, entries, flipped, larger, named, newest, segment
from tests.clients.lying.stage import Scene, Stage
from tests.refusal import refused
from wire import statements

pytestmark = pytest.mark.slow


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
