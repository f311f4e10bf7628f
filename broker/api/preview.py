"""Preview: what would happen to a report, before anything is sealed."""

from typing import Final

from fastapi import APIRouter, Request, Response

from broker.api.common import SIGNED, Caller, Served, answer_value, body_as, refusals, takes
from broker.api.models import PreviewBody, PreviewModel
from broker.explaining import told

BODY_MAX: Final = 524_288
"""Bytes: sixteen labels with every list full."""

router = APIRouter(tags=["preview"])


@router.post(
    "/v1/preview",
    summary="Who would be able to read it, who not, and why",
    openapi_extra=takes("PreviewBody"),
    responses={
        200: {"model": PreviewModel},
        **refusals(
            *(*SIGNED, "bad-json", "bad-fields", "unknown-term", "label-release-to"),
            *("label-display-to", "label-expired", "label-lineage", "unsupported-media"),
            *("too-large", "not-allowed", "bad-lineage", "label-exercise", "third-party-rule"),
        ),
    },
)
async def preview(request: Request, viewer: Caller, broker: Served) -> Response:
    """One answer for each portion and nation of its lists, under the policies of now. Reasons of
    the caller's own layers are given in full, those of others not at all. Nothing is stored.
    """
    sent = await body_as(request, PreviewBody, BODY_MAX)
    found = await broker.preview(viewer, sent.labels)
    return answer_value(told(found.model_dump(mode="json")))
