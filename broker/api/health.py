"""Health for those who run it: alive, ready, and how much it does."""

import hmac

from fastapi import APIRouter, Request, Response

from broker.api.common import Served, answer_value, gives, refusals
from broker.api.models import Health
from broker.metrics import MEDIA_TYPE, Metrics
from wire.errors import NotAllowed

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive", responses={200: {"model": Health}})
async def healthz() -> Response:
    """The process answers; nothing else is promised."""
    return answer_value({"status": "ok"})


@router.get(
    "/readyz",
    summary="Ready",
    responses={200: {"model": Health}, **refusals("stopping", "journal-stopped")},
)
async def readyz(broker: Served) -> Response:
    """Reports are accepted and released: the journal can be written and the broker is not
    stopping.
    """
    broker.check_ready()
    return answer_value({"status": "ok"})


@router.get(
    "/metrics",
    summary="Counts in the Prometheus text format",
    responses={200: gives("text/plain", "version 0.0.4"), **refusals("not-found")},
)
async def metrics(request: Request) -> Response:
    """`Authorization: Bearer` with the token of the file `metrics-token`; without it there is
    nothing here.
    """
    token: str | None = request.app.state.metrics_token
    sent = request.headers.get("authorization", "")
    if token is None or not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise NotAllowed("not-found")
    counted: Metrics = request.app.state.metrics
    return Response(counted.text(), media_type=MEDIA_TYPE)
