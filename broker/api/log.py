"""The public log: what anybody may fetch, mirror and cosign. It says nothing about anybody.

Checkpoint, tiles and leaves as in C2SP tlog-tiles; proofs for those who do not want tiles.
"""

import re
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from broker.api.common import (
    SIGNED,
    Caller,
    Parameters,
    Served,
    Whole,
    answer_value,
    check_media,
    gives,
    refusals,
    takes_bytes,
)
from broker.api.models import Gathered, Proof
from wire.base64_strict import encode
from wire.errors import NotAllowed

TILE_WIDTH: Final = 256
"""Hashes of a full tile, and leaves of a full bundle."""

CHECKPOINT_MEDIA: Final = "text/plain; charset=utf-8"
STATEMENT_MEDIA: Final = "application/vnd.tearline.statement"
BYTES_MEDIA: Final = "application/octet-stream"
FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
"""A full tile never changes."""

_NUMBER: Final = r"(?:x[0-9]{3}/)*[0-9]{3}"
_TILE: Final = re.compile(
    rf"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<number>{_NUMBER})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
PATH_DIGITS: Final = 18
"""Digits of a tile's number: more leaves than any tree of ours has."""

router = APIRouter(tags=["log"])


@router.get(
    "/v1/log/checkpoint",
    summary="The newest published checkpoint (C2SP tlog-checkpoint)",
    responses={200: gives("text/plain", "a signed note"), **refusals("not-found")},
)
async def checkpoint(broker: Served) -> Response:
    """Origin, size and root of the tree, signed by the log, and cosigned by the quorum of witnesses
    that the charter asks for: until the first quorum there is none.
    """
    return Response(broker.cosignatures.published(), media_type=CHECKPOINT_MEDIA)


@router.get(
    "/v1/log/candidate",
    summary="The checkpoint that witnesses are to cosign now",
    responses={200: gives("text/plain", "a signed note")},
)
async def candidate(broker: Served) -> Response:
    """It stays until it has its quorum, so that the cosignatures of many meet."""
    return Response(broker.cosignatures.candidate(broker.now()), media_type=CHECKPOINT_MEDIA)


@router.post(
    "/v1/log/cosignatures",
    summary="Bring cosignatures of the charter's witnesses",
    responses={
        200: {"model": Gathered},
        **refusals("bad-checkpoint", "not-found", "unsupported-media", "too-large", *SIGNED),
    },
    openapi_extra=takes_bytes("text/plain", "the candidate's note, and signature lines after it"),
)
async def cosignatures(request: Request, _: Caller, broker: Served) -> Response:
    """Lines of other keys are ignored; a false one refuses all of them."""
    check_media(request, "text/plain")
    found = await broker.cosignatures.add(await request.body(), broker.now())
    return answer_value(asdict(found))


@router.get(
    "/v1/log/continuation",
    summary="The statement by which the log was continued last, after a loss",
    responses={
        200: gives(STATEMENT_MEDIA, "a statement with its signatures"),
        **refusals("not-found"),
    },
)
async def continuation(broker: Served) -> Response:
    """It names the log's present keys, to those who know an earlier log of this mission; they take
    it for nothing more than that, and follow the mission's channel under these keys to see whether
    the nations agreed.
    """
    return Response(await broker.continuation(), media_type=STATEMENT_MEDIA)


@router.get(
    "/v1/log/tile/{tile:path}",
    summary="A tile of hashes, or a bundle of leaves (C2SP tlog-tiles)",
    responses={
        200: gives(BYTES_MEDIA, "hashes, or leaves with a u16 length each"),
        **refusals("not-found"),
    },
)
async def tile(tile: str, broker: Served) -> Response:
    """`<L>/<N>` or `entries/<N>`, where N stands in groups of three digits as `x001/x234/067`; a
    tile that is not full yet ends in `.p/<W>`.
    """
    level, number, width = _parse(tile)
    if level is None:
        data = await broker.journal.bundle(number, width)
    else:
        data = await broker.journal.tile(level, number, width)
    headers = FOR_EVER if width == TILE_WIDTH else None
    return Response(data, media_type=BYTES_MEDIA, headers=headers)


class Inclusion(Parameters):
    """Which entry, in the tree of which size."""

    index: Whole
    size: Whole


class Consistency(Parameters):
    """Two sizes of the tree, the older first."""

    old: Whole
    new: Whole


_PROOF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Proof},
    **refusals("bad-fields", "not-found"),
}


@router.get(
    "/v1/log/proof/inclusion",
    summary="That an entry is in the tree of a size (RFC 9162, 2.1.3)",
    responses=_PROOF,
)
async def inclusion(asked: Annotated[Inclusion, Query()], broker: Served) -> Response:
    """Hashes from the leaf up."""
    return _proof(await broker.journal.inclusion(asked.index, asked.size))


@router.get(
    "/v1/log/proof/consistency",
    summary="That the tree of one size starts with that of another (RFC 9162, 2.1.4)",
    responses=_PROOF,
)
async def consistency(asked: Annotated[Consistency, Query()], broker: Served) -> Response:
    """Hashes in the order the verification takes them."""
    return _proof(await broker.journal.consistency(asked.old, asked.new))


def _proof(hashes: list[bytes]) -> Response:
    return answer_value({"proof": [encode(one) for one in hashes]})


def _parse(path: str) -> tuple[int | None, int, int]:
    """(level, number, width) of a tile's path; level None is a bundle of leaves.

    Raises `NotAllowed` ("not-found") for any other spelling than the one of the specification.
    """
    match = _TILE.fullmatch(path)
    if match is None:
        raise NotAllowed("not-found")
    groups = match["number"].replace("x", "").split("/")
    if (len(groups) > 1 and groups[0] == "000") or len(groups) * 3 > PATH_DIGITS:
        raise NotAllowed("not-found")
    width = int(match["width"]) if match["width"] else TILE_WIDTH
    if match["width"] and width >= TILE_WIDTH:
        raise NotAllowed("not-found")
    level = None if match["level"] == "entries" else int(match["level"])
    return level, int("".join(groups)), width
