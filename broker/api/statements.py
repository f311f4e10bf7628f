"""Statements: what nations and members say about keys, roles, policies and releases."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from broker.answers import StatementReceipt
from broker.api.common import (
    SIGNED,
    Caller,
    PageLimit,
    Parameters,
    Served,
    Whole,
    answer_json,
    check_media,
    refusals,
    takes_bytes,
)
from broker.api.models import StatementPageModel, StatementReceiptModel
from wire import pages

MEDIA_TYPE: Final = "application/vnd.tearline.statement"
PAGE_DEFAULT: Final = 100

router = APIRouter(tags=["statements"])


class Walk(Parameters):
    """Where a verifier stands: entries of the channel it has, and the tree size it trusts."""

    after: Whole = 0
    size: Whole = 0
    limit: PageLimit = PAGE_DEFAULT


@router.post(
    "/v1/statements",
    summary="Publish a signed statement",
    status_code=201,
    openapi_extra=takes_bytes(MEDIA_TYPE, "one statement with its signatures"),
    responses={
        201: {"model": StatementReceiptModel, "description": "accepted and durable"},
        200: {"model": StatementReceiptModel, "description": "accepted before; the first receipt"},
        **refusals(
            *("bad-statement", "bad-suite", "bad-json", "bad-fields", "bad-signature"),
            *("unknown-term", "policy-refused", "not-allowed", "statement-conflict"),
            *("policy-rollback", "root-expired", "too-large", "unsupported-media"),
            *("rate-limited", "quota", "disk-full", "busy", "stopping", "journal-stopped"),
        ),
    },
)
async def post_statement(request: Request, broker: Served) -> Response:
    """A statement carries its own signatures and its place in its nation's chain, so the request
    is not signed, and publishing the same one again gives the first receipt.
    """
    check_media(request, MEDIA_TYPE)
    receipt = await broker.publish(await request.body())
    return answer_json(_receipt(receipt), 200 if receipt.duplicate else 201)


@router.get(
    "/v1/statements",
    summary="The mission's channel from one entry on, with its statements",
    responses={200: {"model": StatementPageModel}, **refusals(*SIGNED, "bad-fields", "not-found")},
)
async def list_statements(
    walk: Annotated[Walk, Query()], viewer: Caller, broker: Served
) -> Response:
    """A page to be verified: entries `after` on, under one checkpoint, with the proof that its
    tree starts with the one of `size`. The body of a statement that is not for the caller's nation
    is left out; its head and signatures are there, so the chains have no holes.
    """
    limit = min(walk.limit, broker.settings.limits.page)
    page = await broker.statements(viewer, walk.after, walk.size, limit)
    shown = {
        "segment": page.segment.plain(),
        "consistency": page.consistency,
        "statements": page.statements,
    }
    return answer_json(pages.encode(shown))


def _receipt(receipt: StatementReceipt) -> str:
    proof = receipt.evidence.model_dump_json()
    duplicate = "true" if receipt.duplicate else "false"
    return (
        f'{{"identity":"{receipt.identity}","index":{receipt.index},"duplicate":{duplicate},'
        f'"evidence":{proof}}}'
    )
