"""Subscriptions: named, durable filters of one member, and how far it has read."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from broker.api.common import (
    SIGNED,
    Caller,
    Served,
    answer_json,
    answer_value,
    body_as,
    refusals,
    takes,
)
from broker.api.models import CursorBody, SubscriptionNames
from broker.matching import Filter

BODY_MAX: Final = 16_384
"""Bytes of a filter or a cursor: both lists full, with room to spare."""

NAME: Final = "[a-z0-9-]{1,64}"
Name = Annotated[str, Path(pattern=rf"^{NAME}\z", description="chosen by the member")]

router = APIRouter(tags=["subscriptions"])


@router.get(
    "/v1/subscriptions",
    summary="The caller's subscriptions",
    responses={200: {"model": SubscriptionNames}, **refusals(*SIGNED)},
)
async def list_subscriptions(reader: Caller, broker: Served) -> Response:
    """Every subscription of the member that asks, by name."""
    found = await broker.subscriptions(reader)
    forms = {name: wanted.model_dump(mode="json") for name, wanted in sorted(found.items())}
    return answer_value({"subscriptions": forms})


@router.put(
    "/v1/subscriptions/{name}",
    summary="Set a subscription",
    status_code=204,
    openapi_extra=takes("Filter"),
    responses=refusals(*SIGNED, "bad-json", "bad-fields", "unknown-term", "unsupported-media"),
)
async def put_subscription(
    name: Name, request: Request, reader: Caller, broker: Served
) -> Response:
    """An empty list asks for all. Setting the same filter again changes nothing and keeps the
    cursor; another filter starts from the beginning. What matches is decided report by report, so
    a subscription may simply stay empty.
    """
    await broker.subscribe(reader, name, await body_as(request, Filter, BODY_MAX))
    return Response(status_code=204)


@router.get(
    "/v1/subscriptions/{name}",
    summary="One subscription",
    responses={200: {"model": Filter}, **refusals(*SIGNED, "not-found")},
)
async def get_subscription(name: Name, reader: Caller, broker: Served) -> Response:
    """The filter under this name."""
    return answer_json((await broker.subscription(reader, name)).model_dump_json())


@router.delete(
    "/v1/subscriptions/{name}",
    summary="Remove a subscription",
    status_code=204,
    responses=refusals(*SIGNED, "not-found"),
)
async def delete_subscription(name: Name, reader: Caller, broker: Served) -> Response:
    """Its open streams end."""
    await broker.unsubscribe(reader, name)
    return Response(status_code=204)


@router.post(
    "/v1/subscriptions/{name}/cursor",
    summary="Say how far the member has read",
    status_code=204,
    openapi_extra=takes("CursorBody"),
    responses=refusals(
        *SIGNED, "bad-json", "bad-fields", "bad-cursor", "not-found", "unsupported-media"
    ),
)
async def post_cursor(name: Name, request: Request, reader: Caller, broker: Served) -> Response:
    """The next stream without `Last-Event-ID` goes on from here. Going back is allowed: what is
    sent again is decided again.
    """
    sent = await body_as(request, CursorBody, BODY_MAX)
    await broker.set_cursor(reader, name, sent.cursor)
    return Response(status_code=204)
