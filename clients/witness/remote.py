"""A witness elsewhere, ours or anybody's that speaks C2SP tlog-witness.

It is trusted for nothing: its signature lines are verified by the broker and by every client that
counts them, and a head that it shows must be of the one history that this client sees.
"""

from types import TracebackType
from typing import Final, Self

import httpx

from clients.witness.heads import name_of
from wire.errors import BrokerFault, Conflict, Malformed, NotAllowed, TearlineError, quoted
from wire.notes import MAX_NOTE_CHARACTERS
from wire.witness import Submission

TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)  # seconds
SIZE_MEDIA: Final = "text/x.tlog.size"

_SLUGS: Final = {
    400: Malformed("bad-request", "the witness does not read it"),
    403: NotAllowed("not-allowed", "the witness has other keys for this log"),
    404: NotAllowed("not-found", "the witness does not watch this log"),
    422: Malformed("bad-proof", "the witness does not follow the proof"),
}


class RemoteWitness:
    """A connection to a witness; `url` is its submission and monitoring prefix. Use it as an async
    context. Raises `BrokerFault` ("unreachable") where it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def add_checkpoint(self, body: bytes) -> str:
        """Signature lines for a checkpoint. Raises what the status code stands for.

        A witness that names as its last the very size that it was asked about has another tree of
        that size: `Conflict` ("fork-detected").
        """
        status, media, text = await self._ask("POST", "add-checkpoint", body)
        if status == 200:
            return text
        told = text.removesuffix("\n")
        sized = media == SIZE_MEDIA and told.isdigit() and told.isascii()
        if status == 409 and sized and told != str(Submission.parse(body).old):
            raise Conflict("stale-size", told)
        if status == 409:
            raise Conflict("fork-detected", "the witness has cosigned another tree of this size")
        raise _refusal(status)

    async def head(self, origin: str) -> str:
        """The note that it cosigned last. Raises `NotAllowed` ("not-found")."""
        status, _, text = await self._ask("GET", f"{name_of(origin)}/checkpoint", b"")
        if status != 200:
            raise _refusal(status)
        return text

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, str, str]:
        """Status, media type and text of one answer."""
        try:
            async with self._client.stream(method, f"{self._url}/{path}", content=body) as answer:
                found = b""
                async for part in answer.aiter_raw():
                    found += part
                    if len(found) > MAX_NOTE_CHARACTERS:
                        raise BrokerFault("too-large", "the witness's answer")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            where = quoted(self._url, 80)
            raise BrokerFault("unreachable", f"no witness answers at {where}") from error
        media = answer.headers.get("content-type", "").partition(";")[0].strip()
        return answer.status_code, media, found.decode("utf-8", "replace")


def _refusal(status: int) -> TearlineError:
    known = _SLUGS.get(status)
    if known is None:
        return BrokerFault("unreachable", f"the witness answers with status {status}")
    return type(known)(known.slug, known.detail)
