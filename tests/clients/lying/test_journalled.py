"""Releases that the broker itself journalled with what is not true."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker import audit, deciding
from clients.identity import Identity
from clients.publisher import Publisher
from clients.subscriber import Subscriber
from tests.clients.liar import Doc, Liar
from tests.clients.lying.lies import named
from tests.clients.lying.stage import KEEPS, Stage
from tests.pilot import draft
from tests.refusal import refused
from wire import report
from wire.entries import Event as Entry

pytestmark = pytest.mark.slow


def journals(monkeypatch: pytest.MonkeyPatch, lie: Doc, what: str = "released") -> None:
    """Such entries say this from now on, under valid proofs; `None` takes a field away."""
    honest = getattr(audit, what)

    def lying(*args: Any) -> Entry:
        event, wrong = honest(*args), {}
        for channel, body in event.bodies.items():
            view = json.loads(body) | lie
            wrong[channel] = {k: v for k, v in view.items() if v is not None}
        return Entry(event.type, wrong)

    monkeypatch.setattr(audit, what, lying)


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
    async with stage.pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft(name, {"FRA"}))
    journals(monkeypatch, lie)
    await french_refuse(stage, receipt.raw, slug, words)


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


PORTION = {"index": 0, "label": "00" * 32, "nations": {"KEN": "RELEASE"}}
TAKEN: dict[str, tuple[Any, str]] = {
    "no portions": (None, "does not say who may have which portion"),
    "no portion": ([], "for other portions than were sent"),
    "more portions": ([{**PORTION, "index": i} for i in range(16)], "for other portions"),
    "something else": ([{**PORTION, "nations": {"KEN": "PERHAPS"}}], "does not say who may have"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", TAKEN, ids=named)
async def test_a_receipt_for_other_portions_is_none(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    portions, words = TAKEN[name]
    journals(monkeypatch, {"portions": portions}, "accepted")
    async with stage.pilot.publisher("KEN") as publisher:
        with refused("bad-proof", words):
            await publisher.publish(draft(release_to={"KEN"}))


def told(device: Identity, port: int) -> Identity:
    """The same device, told where the broker is."""
    changes = {"broker": f"http://127.0.0.1:{port}", "address_file": None}
    return replace(device, public=device.public.model_copy(update=changes))
