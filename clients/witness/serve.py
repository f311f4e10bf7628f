"""A witness over HTTP: C2SP tlog-witness, and the heads that monitors ask for.

    POST /add-checkpoint                      200 signature lines; 400, 403, 404, 409, 422
    GET  /<SHA-256 of the origin>/checkpoint  200 the note cosigned last; 404

Whoever asks is nobody in particular: only what the log has signed is cosigned. It speaks plain
HTTP, on loopback unless it is told otherwise, and belongs behind whatever ends TLS there.
"""

import re
from typing import Final

from clients import listening
from clients.listening import Asgi, Receive, Scope, Send
from clients.witness.cosigner import Witness
from wire.errors import Malformed, NotAllowed, TearlineError
from wire.witness import MAX_SUBMISSION_BYTES

PLAIN: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
BACKLOG: Final = 128  # connections the system may hold while one request is served

_HEAD: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")


def create_app(witness: Witness) -> Asgi:
    """The application that serves this witness."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise TypeError("only HTTP is served here")
        try:
            status, media, text = 200, PLAIN, await _answer(witness, scope, receive)
        except TearlineError as error:
            status, media, text = error.status, PLAIN, f"{error.slug}: {error.detail}\n"
            if error.slug == "stale-size":
                media, text = SIZE, f"{error.detail}\n"
        body = text.encode()
        headers = [
            (b"content-type", media.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def server(witness: Witness, host: str, port: int) -> listening.Server:
    """A server that is ready to run. It stops on SIGINT and SIGTERM."""
    return listening.server(create_app(witness), backlog=BACKLOG, host=host, port=port)


async def _answer(witness: Witness, scope: Scope, receive: Receive) -> str:
    path, method = scope["path"], scope["method"]
    if path == "/add-checkpoint":
        if method != "POST":
            raise Malformed("method-not-allowed")
        return witness.add_checkpoint(await _body(receive))
    head = _HEAD.fullmatch(path)
    if head is None:
        raise NotAllowed("not-found")
    if method != "GET":
        raise Malformed("method-not-allowed")
    return witness.head(head[1])


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises `Malformed` ("bad-request") for one that is too large, or broke."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Malformed("bad-request", "the request broke off")
        body += message.get("body", b"")
        if len(body) > MAX_SUBMISSION_BYTES:
            raise Malformed("bad-request", f"at most {MAX_SUBMISSION_BYTES} bytes")
        more = message.get("more_body", False)
    return body
