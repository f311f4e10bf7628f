"""Views: the caller's own nation's channel, for its auditors and officers."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from broker.api.common import SIGNED, Caller, Served, answer_json, refusals
from broker.api.models import ViewPageModel
from broker.api.statements import Walk
from wire import pages

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
    page = await broker.views(viewer, walk.after, walk.size, walk.limit)
    shown = {"segment": page.segment.plain(), "consistency": page.consistency}
    return answer_json(pages.encode(shown))
