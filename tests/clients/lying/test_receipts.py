"""False receipts, offsets of uploads, and previews."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from clients.draft import AttachmentFile, Draft
from clients.identity import Identity
from clients.officer import Officer
from clients.publisher import NotUploaded, Publisher
from tests.clients.liar import Doc, Liar
from tests.clients.lying.lies import Lie, edited, evidence_of, named, with_evidence
from tests.clients.lying.stage import NATIONS, PHOTO, Stage
from tests.pilot import draft
from tests.refusal import refused
from wire import report
from wire.errors import TearlineError

pytestmark = pytest.mark.slow


@asynccontextmanager
async def sender(stage: Stage, kind: str = "system") -> AsyncIterator[tuple[Liar, Identity]]:
    async with Liar.at(stage.pilot.doors[0], stage.pilot.port) as liar:
        yield liar, stage.device("KEN", kind)


def own(**how: Any) -> Draft:
    """A report for nobody else, so that the others' truth stays what it is."""
    return draft(release_to={"KEN"}, **how)


RECEIPTS: dict[str, tuple[Lie, str, str]] = {
    "of another report": (evidence_of("KEN report.accepted Convoy"), "bad-proof", "another report"),
    "that names another report": (
        lambda _, doc: {**doc, "report": "00" * 32},
        "bad-proof",
        "another report",
    ),
    "of a release": (evidence_of("KEN release Convoy GBR"), "bad-proof", "not a report.accepted"),
    "of another nation's channel": (
        evidence_of("GBR release Convoy GBR"),
        "broken-chain",
        "another channel",
    ),
    "without a proof": (with_evidence(proof=[]), "bad-proof", ""),
    "without a checkpoint": (with_evidence(checkpoint=None), "bad-proof", "without a checkpoint"),
    "with an edited view": (edited(id="00" * 16), "broken-chain", "not what was committed to"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", RECEIPTS, ids=named)
async def test_a_false_receipt_is_none(stage: Stage, name: str) -> None:
    lie, slug, words = RECEIPTS[name]
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        sealed = await publisher.seal(own())
        liar.answers("/v1/reports", lambda doc: lie(stage, doc))
        with refused(slug, words):
            await publisher.submit(sealed)
        liar.honest()
        receipt = await publisher.submit(sealed)
        assert (receipt.report, receipt.duplicate) == (sealed.identity, True)


@pytest.mark.anyio
async def test_an_officer_does_not_take_one_statement_for_another(stage: Stage) -> None:
    async with sender(stage, "officer") as (liar, device), Officer(device) as officer:
        spoken: list[Doc] = []

        def first_one_again(doc: Doc) -> Doc:
            spoken.append(doc)
            return {**doc, "evidence": spoken[0]["evidence"]}

        liar.answers("/v1/statements", lambda doc: first_one_again(doc) if "index" in doc else doc)
        with refused("bad-proof", "receipt is for another statement"):
            await officer.rotate()
        assert len(spoken) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("offset", [-1, 1 << 40], ids=["before", "beyond"])
async def test_an_upload_does_not_go_where_a_false_offset_says(stage: Stage, offset: int) -> None:
    photo = AttachmentFile.of_bytes("photo.jpg", PHOTO)
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        liar.answers("/v1/attachments", lambda _: {"received": offset, "complete": False})
        with pytest.raises(TearlineError) as refusal:
            await publisher.publish(own(attachments=[photo]))
        assert refusal.value.slug == ("bad-fields" if offset < 0 else "unreachable")


@pytest.mark.anyio
async def test_a_report_stands_though_its_attachment_did_not_arrive(stage: Stage) -> None:
    """Whoever publishes is told so, and holds the receipt."""
    photo = AttachmentFile.of_bytes("photo.jpg", PHOTO)
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        liar.refuses("/v1/attachments", 503, "journal-stopped")
        with pytest.raises(NotUploaded, match="stands, but not all of its attachments") as caught:
            await publisher.publish(own(attachments=[photo]))
        receipt = caught.value.receipt
        assert (caught.value.slug, receipt.duplicate) == ("journal-stopped", False)
        liar.honest()
        async with stage.pilot.subscriber("KEN") as reader:  # with this epoch's key or not
            answer = await reader.transport.get(f"/v1/reports/{receipt.report}")
        raw = base64.b64decode(json.loads(answer.body)["report"])
        assert report.parse(raw).identity == receipt.report


@pytest.mark.anyio
async def test_a_preview_changes_nothing_that_is_sealed(stage: Stage) -> None:
    """It is advice: whoever reads it may be misled, but the report goes to whom its label says."""
    wanted = draft("Advice", {"KEN"})
    async with sender(stage) as (liar, device), Publisher(device) as publisher:
        nations = {n: {"outcome": "RELEASE", "lines": ["All may have it."]} for n in NATIONS}
        liar.answers("/v1/preview", lambda _: {"portions": [{"nations": nations}]})
        preview = await publisher.preview(wanted)
        assert [nation for _, nation, *_ in preview.rows()] == sorted(NATIONS)
        receipt = await publisher.publish(wanted)
        (portion,) = report.parse(receipt.raw).portions
        assert {r.nation for r in portion.records} == {"KEN"} == set(receipt.recipients)
        liar.honest()
        liar.answers("/v1/preview", lambda doc: {**doc, "note": "-"})
        with refused("bad-fields", "note"):
            await publisher.preview(wanted)
