"""The description of the API: `/openapi.json`, and `/docs`, a page made from it on this machine.

No script and nothing from elsewhere: the broker is often on a network of its own, and code that a
broker serves could be turned against the reader who runs it.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from broker.api.common import JSON_MEDIA, Problem
from broker.api.models import CursorBody, PreviewBody, ReceiptModel
from broker.api.reports import POST_REPORT
from broker.api.streams import STREAM
from broker.matching import Filter
from wire.errors import SLUGS

TITLE: Final = "Tearline broker"
VERSION: Final = "1"
ABOUT: Final = """Sealed reports in, policy-decided releases out, every step in the journal.

Writes (`POST /v1/reports`, `POST /v1/statements`) carry objects that authenticate themselves; the
public log and health are open; every other request is signed as the scheme below says. A refusal is
a problem document whose `type` is one of the stable slugs listed with each operation. Whatever is
not there for the caller gives one and the same `not-found`."""

_CONSOLE: Final = """The audit console is not here: a broker that showed its own history would
be its own judge. It runs on the auditor's machine, over evidence verified there:

    tearline audit console --as DIR
"""

_UNSEEN: Final = (CursorBody, Filter, PreviewBody, Problem, ReceiptModel)
"""Models that only descriptions of ours name; FastAPI does not know them."""

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:.95em}summary{cursor:pointer;padding:.3rem 0}"
    "dt{font-weight:600}dd{margin:0 0 .5rem 1.5rem}"
)
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


def describe(app: FastAPI) -> Mapping[str, Any]:
    """The OpenAPI description of all operations, the two outside FastAPI included."""
    document = get_openapi(title=TITLE, version=VERSION, description=ABOUT, routes=app.routes)
    paths, schemas = document["paths"], document["components"]["schemas"]
    paths.setdefault("/v1/reports", {})["post"] = POST_REPORT
    paths["/v1/subscriptions/{name}/stream"] = {"get": STREAM}
    _, extra = models_json_schema(
        [(model, "validation") for model in _UNSEEN], ref_template="#/components/schemas/{model}"
    )
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    schemas["Problem"]["properties"]["type"]["enum"] = sorted(SLUGS)
    return document


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The description for machines."""
    return Response(request.app.state.openapi_text, media_type=JSON_MEDIA)


@router.get("/console")
async def console() -> Response:
    """Where the console is; the same words for everybody."""
    return Response(_CONSOLE, media_type="text/plain")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The description for people."""
    headers = {"content-security-policy": _POLICY}
    return Response(request.app.state.docs_text, media_type="text/html", headers=headers)


def text(document: Mapping[str, Any]) -> str:
    """The description as JSON."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def page(document: Mapping[str, Any]) -> str:
    """The description as a page."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style><h1>{title}</h1>"
    for paragraph in document["info"]["description"].split("\n\n"):
        yield f"<p>{escape(paragraph)}</p>"
    yield '<p><a href="/openapi.json">openapi.json</a></p>'
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            yield from _operation(path, method, operation)
    for name, scheme in document["components"]["securitySchemes"].items():
        yield f"<h2>{escape(name)}</h2><p>{escape(scheme['description'])}</p>"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary><code>{method.upper()} {escape(path)}</code> "
    yield f"{escape(operation.get('summary', ''))}</summary>"
    yield f"<p>{escape(operation.get('description', ''))}</p><dl>"
    for parameter in operation.get("parameters", ()):
        need = "" if parameter.get("required") else " (optional)"
        yield f"<dt><code>{escape(parameter['name'])}</code> in {parameter['in']}{need}</dt>"
        yield f"<dd>{escape(parameter.get('description', ''))}</dd>"
    for media in operation.get("requestBody", {}).get("content", {}):
        yield f"<dt>body</dt><dd><code>{escape(media)}</code></dd>"
    for status, response in sorted(operation["responses"].items(), key=lambda item: str(item[0])):
        lines = escape(response.get("description", "")).replace("\n\n", "<br>")
        yield f"<dt>{status}</dt><dd>{lines}</dd>"
    yield "</dl></details>"
