"""Reports: posting sealed ones (step 2 of a report's way), and asking for what was released."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field

from broker.answers import Page, Receipt
from broker.api.common import (
    JSON_MEDIA,
    SIGNED,
    Caller,
    Cursor,
    Identity,
    Keeping,
    PageLimit,
    Served,
    answer_json,
    refusals,
    takes_bytes,
)
from broker.api.models import ReceiptModel, ReleaseModel, ReleasePage
from broker.core import Broker
from broker.matching import TERMS_LIMIT, Filter
from broker.problems import Answer, Receive, Scope, Send, answer
from wire.errors import Malformed
from wire.labels import PRECEDENCES, Precedence
from wire.model import Place, ThreatType, Token

MEDIA_TYPE: Final = "application/vnd.tearline.report"
PAGE_DEFAULT: Final = 50

router = APIRouter(tags=["reports"])


async def post_report(broker: Broker, scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /v1/reports` as a plain ASGI endpoint: the hot path, four times as fast without the
    framework. A report authenticates itself, so the request needs no signature.
    """
    media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if media.lower() != MEDIA_TYPE.encode():
        raise Malformed("unsupported-media", f"this takes {MEDIA_TYPE}")
    message = await receive()
    receipt = await broker.submit(message["body"])
    await _receipt(receipt).send(send)


def _receipt(receipt: Receipt) -> Answer:
    proof = receipt.evidence.model_dump_json()
    duplicate = "true" if receipt.duplicate else "false"
    text = (
        f'{{"report":"{receipt.report}","index":{receipt.index},"duplicate":{duplicate},'
        f'"evidence":{proof}}}'
    )
    return answer(200 if receipt.duplicate else 201, text.encode(), JSON_MEDIA)


POST_REPORT: Final[dict[str, Any]] = {
    "tags": ["reports"],
    "summary": "Post a sealed report",
    "description": "The body is one `TLR1` report with every portion and every wrap. It carries "
    "its originator's signature, so the request is not signed, and posting the same bytes again "
    "gives the first receipt. Every portion must be releasable, now or after a referral, to every "
    "nation it is sealed for; else the answer is `withheld` with an explanation and nothing is "
    "stored but the refusal.",
    "operationId": "post_report",
    **takes_bytes(MEDIA_TYPE, "a sealed report, at most 16 MiB"),
    "responses": {
        "201": {
            "description": "accepted and durable",
            "content": {
                JSON_MEDIA: {"schema": {"$ref": f"#/components/schemas/{ReceiptModel.__name__}"}}
            },
        },
        "200": {"description": "these bytes were accepted before; the first receipt"},
        **refusals(
            *("bad-envelope", "bad-suite", "bad-json", "bad-fields", "bad-signature"),
            *("unknown-signer", "unknown-term", "label-release-to", "label-display-to"),
            *("label-expired", "label-exercise", "label-lineage", "label-recipients"),
            *("bad-lineage", "third-party-rule", "withheld", "stale-epoch", "id-reuse"),
            *("too-large", "unsupported-media", "rate-limited", "quota", "disk-full", "busy"),
            *("stopping", "journal-stopped"),
        ),
    },
}
"""The description of `post_report`, which FastAPI does not see."""


class Wanted(Keeping):
    """Which releases. Lists may repeat their parameter; an absent one asks for all."""

    region: Annotated[tuple[Place, ...], Field(max_length=TERMS_LIMIT)] = ()
    threat: Annotated[tuple[ThreatType, ...], Field(max_length=TERMS_LIMIT)] = ()
    precedence: Annotated[tuple[Precedence, ...], Field(max_length=len(PRECEDENCES))] = ()
    purpose: Token | None = None
    after: Cursor | None = None
    limit: PageLimit = PAGE_DEFAULT

    def filter(self) -> Filter:
        """What is asked for, as the core knows it."""
        return Filter(
            regions=self.region,
            threats=self.threat,
            precedence=self.precedence,
            purpose=self.purpose,
        )


@router.get(
    "/v1/reports",
    summary="Releases that match, oldest first; the most urgent of a page stand first",
    responses={
        200: {"model": ReleasePage},
        **refusals(*SIGNED, "bad-fields", "unknown-term", "bad-cursor"),
    },
)
async def list_reports(
    wanted: Annotated[Wanted, Query()], reader: Caller, broker: Served
) -> Response:
    """Everything released to the caller's nation that touches what is asked for, decided again
    under the policies of now. `cursor` goes on after this page; it is opaque and belongs to the
    caller and this filter.
    """
    limit = min(wanted.limit, broker.settings.limits.page)
    page = await broker.pull(reader, wanted.filter(), wanted.after, limit, wanted.duties)
    return answer_json(_page(page))


@router.get(
    "/v1/reports/{identity}",
    summary="One report, if it is released to the caller's nation",
    responses={
        200: {"model": ReleaseModel},
        **refusals(*SIGNED, "not-found", "obligation-unsupported"),
    },
)
async def fetch_report(
    identity: Identity, keeping: Annotated[Keeping, Query()], reader: Caller, broker: Served
) -> Response:
    """Unknown, forbidden and recalled reports give the same answer, byte for byte. A caller that
    may have the report and whose client keeps too few of its duties is told which.
    """
    return answer_json((await broker.fetch(reader, identity, keeping.duties)).json)


def _page(page: Page) -> bytes:
    releases = b",".join(release.json for release in page.releases)
    unsupported = ",".join(one.model_dump_json() for one in page.unsupported).encode()
    more = b"true" if page.more else b"false"
    return b'{"releases":[%s],"unsupported":[%s],"cursor":"%s","more":%s}' % (
        releases,
        unsupported,
        page.cursor.encode(),
        more,
    )
