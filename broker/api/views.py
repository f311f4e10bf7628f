"""Views: the caller's own nation's channel, for its auditors and officers."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from broker.api.common import SIGNED, Caller, Served, answer_value, refusals
from broker.api.models import ViewPageModel
from broker.api.statements import Walk, segment_value
from wire.base64_strict import encode

router = APIRouter(tags=["log"])


@router.get(
    "/v1/log/views",
    summary="The caller's nation's channel from one entry on",
    responses={
        200: {"model": ViewPageModel},
        **refusals(*SIGNED, "bad-fields", "not-allowed", "not-found"),
    },
)
async def views(walk: Annotated[Walk, Query()], viewer: Caller, broker: Served) -> Response:
    """A page to be verified, with the head that says how many entries there are. Only auditors and
    officers may ask, and that they asked is itself an entry.
    """
    limit = min(walk.limit, broker.settings.limits.page)
    page = await broker.views(viewer, walk.after, walk.size, limit)
    return answer_value(
        {
            "segment": segment_value(page.segment),
            "consistency": [encode(hash_) for hash_ in page.consistency],
        }
    )
