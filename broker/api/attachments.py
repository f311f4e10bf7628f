"""Attachments: ciphertexts too large for a report, sent and fetched in resumable pieces."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from broker.answers import Download
from broker.api.common import (
    SIGNED,
    Caller,
    Identity,
    Keeping,
    Served,
    answer_value,
    gives,
    refusals,
    takes_bytes,
)
from broker.api.models import AttachmentProgress
from wire.errors import Malformed
from wire.report import ATTACHMENT_MAX

MEDIA_TYPE: Final = "application/octet-stream"
CHUNK_MAX: Final = 4 * 1024 * 1024
"""Bytes of one piece sent, and of the answer to an open range: little is lost on a bad link."""

AttachmentId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}\z", description="from the label, hex")]

_SPAN: Final = re.compile(r"bytes (?:\*|(\d{1,10})-(\d{1,10}))/(\d{1,10})", re.ASCII)
_RANGE: Final = re.compile(r"bytes=(\d{1,10})-(\d{0,10})", re.ASCII)

router = APIRouter(tags=["attachments"])


@router.put(
    "/v1/attachments/{identity}/{attachment}",
    summary="Send a piece of an attachment, or ask how much is stored",
    openapi_extra=takes_bytes(MEDIA_TYPE, "at most 4 MiB of ciphertext"),
    responses={
        200: {"model": AttachmentProgress},
        **refusals(
            *(*SIGNED, "not-found", "bad-range", "bad-request", "bad-envelope", "too-large"),
            "disk-full",
        ),
    },
)
async def put_attachment(
    identity: Identity, attachment: AttachmentId, request: Request, sender: Caller, broker: Served
) -> Response:
    """`Content-Range: bytes a-b/total` with those bytes, or `bytes */total` with none to ask where
    to go on. Only the originator's nation sends; length and digest are those of the signed label.
    """
    start, total, length = _span(request)
    chunk = await request.body()
    if length != len(chunk):
        raise Malformed("bad-request", "the body is not as long as Content-Range says")
    if start is None:
        progress = await broker.attachment_status(sender, identity, attachment, total)
    else:
        progress = await broker.put_chunk(sender, identity, attachment, start, total, chunk)
    return answer_value({"received": progress.received, "complete": progress.complete})


@router.get(
    "/v1/attachments/{identity}/{attachment}",
    summary="Fetch an attachment, or a part of it",
    responses={
        200: gives(MEDIA_TYPE, "all of the ciphertext"),
        206: gives(MEDIA_TYPE, "the part that `Content-Range` names, perhaps less than asked for"),
        **refusals(*SIGNED, "not-found", "obligation-unsupported", "incomplete", "bad-range"),
    },
)
async def get_attachment(
    identity: Identity,
    attachment: AttachmentId,
    keeping: Annotated[Keeping, Query()],
    request: Request,
    reader: Caller,
    broker: Served,
) -> Response:
    """Who may read the portion may fetch its attachments. `Range: bytes=a-b` or `bytes=a-` gives at
    most 4 MiB at a time.
    """
    wanted = _range(request)
    start, end = wanted or (0, None)
    found = await broker.read_attachment(reader, identity, attachment, start, end, keeping.duties)
    return StreamingResponse(
        _pieces(found),
        status_code=200 if wanted is None else 206,
        media_type=MEDIA_TYPE,
        headers=_lengths(found, partial=wanted is not None),
    )


async def _pieces(found: Download) -> AsyncIterator[bytes]:
    async for piece in found.chunks:
        yield piece


def _lengths(found: Download, *, partial: bool) -> dict[str, str]:
    fields = {"content-length": str(found.end - found.start), "accept-ranges": "bytes"}
    if partial:
        fields["content-range"] = f"bytes {found.start}-{found.end - 1}/{found.total}"
    return fields


def _span(request: Request) -> tuple[int | None, int, int]:
    """(start, total, length) of what is sent; start None asks for the progress.

    Raises `Malformed` ("bad-request") for anything but the two forms above.
    """
    match = _SPAN.fullmatch(request.headers.get("content-range", ""))
    if match is None:
        raise Malformed("bad-request", "Content-Range is missing or of another form")
    total = int(match[3])
    if not 0 < total <= ATTACHMENT_MAX:
        raise Malformed("too-large", f"an attachment has at most {ATTACHMENT_MAX} bytes")
    if match[1] is None:
        return None, total, 0
    start, last = int(match[1]), int(match[2])
    if not start <= last < total:
        raise Malformed("bad-request", "Content-Range contradicts itself")
    return start, total, last + 1 - start


def _range(request: Request) -> tuple[int, int] | None:
    """(start, end) of what is asked for, end exclusive; None asks for all.

    Raises `Malformed` ("bad-range") for several ranges and for those counted from the end.
    """
    text = request.headers.get("range")
    if text is None:
        return None
    match = _RANGE.fullmatch(text)
    if match is None:
        raise Malformed("bad-range")
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else start + CHUNK_MAX
    if end <= start:
        raise Malformed("bad-range")
    return start, min(end, start + CHUNK_MAX)
