"""Referrals: what waits for the disclosure officers of the caller's nation."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from broker.api.common import (
    SIGNED,
    Caller,
    Cursor,
    PageLimit,
    Parameters,
    Served,
    answer_value,
    refusals,
)
from broker.api.models import ReferralPageModel

PAGE_DEFAULT = 50

router = APIRouter(tags=["referrals"])


class Paged(Parameters):
    """Where to go on, and how far."""

    after: Cursor | None = None
    limit: PageLimit = PAGE_DEFAULT


@router.get(
    "/v1/referrals",
    summary="The cases that a layer of the caller's nation, or of the mission, refers to officers",
    responses={
        200: {"model": ReferralPageModel},
        **refusals(*SIGNED, "bad-fields", "bad-cursor", "not-allowed"),
    },
)
async def referrals(paged: Annotated[Paged, Query()], viewer: Caller, broker: Served) -> Response:
    """Oldest report first. Only officers may ask, and that they asked is itself an entry. An
    officer answers with a signed `approval`.
    """
    limit = min(paged.limit, broker.settings.limits.page)
    page = await broker.referrals(viewer, paged.after, limit)
    return answer_value(
        {
            "referrals": [case.model_dump(mode="json") for case in page.referrals],
            "cursor": page.cursor,
            "more": page.more,
        }
    )
