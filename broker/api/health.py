"""Health for those who run it: alive, ready, and how much it does."""

import hmac

from fastapi import APIRouter, Request, Response

from broker.api.common import Served, answer_value, gives, refusals
from broker.api.models import Health, Readiness
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
    responses={200: {"model": Readiness}, **refusals("stopping", "journal-stopped")},
)
async def readyz(request: Request, broker: Served) -> Response:
    """Reports are accepted and released: the journal can be written and the broker is not
    stopping. With the token of `/metrics` the answer also lists what of the nations has ended or is
    about to: roots, policies, epochs and members, of which strangers learn nothing.
    """
    broker.check_ready()
    if not _is_operator(request):
        return answer_value({"status": "ok"})
    now = broker.now()
    stale = [
        {
            "nation": ending.nation,
            "what": ending.what,
            "name": ending.name,
            "state": ending.state(now),
            "expires": ending.expires,
        }
        for ending in broker.stale()
    ]
    return answer_value({"status": "ok", "stale": stale})


@router.get(
    "/metrics",
    summary="Counts in the Prometheus text format",
    responses={200: gives("text/plain", "version 0.0.4"), **refusals("not-found")},
)
async def metrics(request: Request) -> Response:
    """`Authorization: Bearer` with the token of the file `metrics-token`; without it there is
    nothing here.
    """
    if not _is_operator(request):
        raise NotAllowed("not-found")
    counted: Metrics = request.app.state.metrics
    return Response(counted.text(), media_type=MEDIA_TYPE)


def _is_operator(request: Request) -> bool:
    """Whether the request carries the operator's token."""
    token: str | None = request.app.state.metrics_token
    sent = request.headers.get("authorization", "").encode()
    return token is not None and hmac.compare_digest(sent, f"Bearer {token}".encode())
