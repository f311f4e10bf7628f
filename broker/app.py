"""The broker as an ASGI application: the guard, two hot paths, and FastAPI for the rest.

Posting reports and following streams are nearly all of the traffic, and FastAPI would cost either
several times what they cost alone; the fork in front costs nothing that can be measured.
"""

import re
from typing import Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from broker.api import (
    attachments,
    description,
    health,
    log,
    preview,
    referrals,
    reports,
    statements,
    streams,
    subscriptions,
    views,
)
from broker.api.common import single
from broker.authentication import Authenticator
from broker.core import Broker
from broker.cosignatures import NOTE_MAX
from broker.guard import EXCHANGE, Exchange, Guard
from broker.metrics import Metrics
from broker.problems import Asgi, Receive, Scope, Send, problem
from wire.errors import BrokerFault, Malformed, NotAllowed, TearlineError, quoted
from wire.report import REPORT_MAX
from wire.statements import STATEMENT_MAX

PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._/-]*")
"""All our paths; escapes and other characters lead nowhere."""
_STREAM_PATH: Final = re.compile(rf"/v1/subscriptions/({subscriptions.NAME})/stream")

_ROUTERS: Final = (
    reports.router,
    attachments.router,
    subscriptions.router,
    statements.router,
    preview.router,
    views.router,
    referrals.router,
    log.router,
    health.router,
    description.router,
)


def create_app(broker: Broker, metrics: Metrics | None = None) -> Asgi:
    """The application that serves this broker. It does not open or close it."""
    metrics = metrics or Metrics()
    authenticator = Authenticator(broker, broker.settings.limits)
    metrics.gauge(
        "tearline_replay_memory", "signed requests remembered", lambda: len(authenticator.memory)
    )
    metrics.gauge("tearline_log_entries", "size of the log", lambda: broker.journal.size)
    api = _framework(broker, authenticator, metrics)
    front = _Front(broker, authenticator, api)
    return Guard(front, broker.settings, body_limit, metrics, broker.now)


def body_limit(method: str, path: str) -> int:
    """The most bytes that a body may have here."""
    if method in {"GET", "DELETE"}:
        return 0
    if path == "/v1/reports":
        return REPORT_MAX
    if path == "/v1/statements":
        return STATEMENT_MAX
    if path.startswith("/v1/attachments/"):
        return attachments.CHUNK_MAX
    if path == "/v1/preview":
        return preview.BODY_MAX
    if path == "/v1/log/cosignatures":
        return NOTE_MAX
    return subscriptions.BODY_MAX


class _Front:
    """Forks to the hot paths; refusals inside become problems and leave the connection open."""

    def __init__(self, broker: Broker, authenticator: Authenticator, api: Asgi) -> None:
        self._broker, self._authenticator, self._api = broker, authenticator, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise TypeError("only HTTP is served here")
        try:
            await self._serve(scope, receive, send)
        except TearlineError as error:
            scope[EXCHANGE].slug = error.slug
            await problem(error).send(send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if not PLAIN_PATH.fullmatch(scope["raw_path"].decode("latin-1")):
            raise NotAllowed("not-found")
        if path == "/v1/reports" and method == "POST":
            await reports.post_report(self._broker, scope, receive, send)
            return
        stream = _STREAM_PATH.fullmatch(path)
        if stream is None:
            await self._api(scope, receive, send)
        elif method != "GET":
            raise Malformed("method-not-allowed")
        else:
            name = stream[1]
            await streams.stream(self._broker, self._authenticator, name, scope, receive, send)


def _framework(broker: Broker, authenticator: Authenticator, metrics: Metrics) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.broker = broker
    app.state.authenticator = authenticator
    app.state.metrics = metrics
    app.state.metrics_token = broker.settings.metrics_token()
    for router in _ROUTERS:
        app.include_router(router, dependencies=[Depends(single)])
    for kind in (TearlineError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _refuse)
    document = description.describe(app)
    app.state.openapi_text = description.text(document)
    app.state.docs_text = description.page(document)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """Any refusal of the framework or from inside it, in our words."""
    refusal = _translate(error)
    exchange: Exchange = request.scope[EXCHANGE]
    exchange.slug = refusal.slug
    said = problem(refusal)
    response = Response(said.body, said.status)
    response.raw_headers = list(said.fields)
    return response


def _translate(error: Exception) -> TearlineError:
    if isinstance(error, TearlineError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        if first["loc"][0] == "path":  # an id of another form is the id of nothing
            return NotAllowed("not-found")
        return Malformed("bad-fields", quoted(".".join(map(str, first["loc"][1:]))))
    if isinstance(error, HTTPException):
        slugs = {404: "not-found", 405: "method-not-allowed"}
        return NotAllowed(slugs.get(error.status_code, "bad-request"))
    return BrokerFault("internal")
